import { expect, it } from 'vitest';
import { below, otherMountsOf, parseMountTable } from './mount-table.ts';

it('finds mounts below a directory, deepest first', () => {
  const table = parseMountTable(
    '1 2 0:1 / /a rw - tmpfs t rw\n2 2 0:1 / /a/b/c rw - tmpfs t rw\n3 2 0:1 / /ab rw - tmpfs t rw\n4 2 0:1 / /a/b\\040d rw - x x rw\n',
  );
  expect(below(table, '/a')).toEqual(['/a/b d', '/a/b/c', '/a']);
});

it('knows where else a directory is mounted', () => {
  const table = parseMountTable(
    [
      '1 0 8:1 / / rw - ext4 /dev/sda1 rw',
      '2 1 8:2 / /mnt/disk rw - ext4 /dev/sdb rw',
      '3 1 8:1 /srv/data /pods/1/data rw - ext4 /dev/sda1 rw',
      '4 1 8:1 /srv/other /pods/1/other rw - ext4 /dev/sda1 rw',
      '5 1 8:2 / /pods/2/disk rw - ext4 /dev/sdb rw',
      '6 1 8:2 /sub /pods/2/sub rw - ext4 /dev/sdb rw',
    ].join('\n'),
  );
  expect(otherMountsOf(table, '/srv/data')).toEqual(['/pods/1/data']);
  expect(otherMountsOf(table, '/mnt/disk')).toEqual(['/pods/2/disk']);
  expect(otherMountsOf(table, '/mnt/disk/sub')).toEqual(['/pods/2/sub']);
  expect(otherMountsOf(table, '/srv')).toEqual([]);
});
