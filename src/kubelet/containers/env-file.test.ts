import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseEnvFile, readEnvFiles } from './env-file.ts';

describe('a file of variables', () => {
  it('has them in single quotes, as they stand', () => {
    const text = "# comment\n\n  A='a b'  \nB = '$(x) \"#\\n'\nC='one\ntwo'\nD.d-1=''\r\nA='again'";
    expect([...parseEnvFile(text)]).toEqual([
      ['A', 'again'],
      ['B', '$(x) "#\\n'],
      ['C', 'one\ntwo'],
      ['D.d-1', ''],
    ]);
    expect(parseEnvFile('').size).toBe(0);
  });

  it.each([
    ['A=a', 1],
    ['A="a"', 1],
    ["A='a'\nB='b", 2],
    ["A='a''b'", 1],
    ["A='a'$B", 1],
    ["='a'", 1],
    ["A='1\n2'\nnonsense", 3],
  ])('is refused with anything else: %s', (text, line) => {
    expect(() => parseEnvFile(text)).toThrow(`invalid environment variable format at line ${line}`);
  });

  describe('in a volume', () => {
    let dir: string;
    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), 'k8ts-env-'));
      await writeFile(join(dir, 'good'), "A='a'");
      await writeFile(join(dir, 'bad'), 'A=a');
      await symlink('/etc/hostname', join(dir, 'link'));
    });
    afterAll(() => rm(dir, { recursive: true }));
    const read = (path: string) =>
      readEnvFiles(
        { name: 'c', env: [{ name: 'X', valueFrom: { fileKeyRef: { volumeName: 'v', path, key: 'A' } } }] },
        new Map([['v', dir]]),
      );

    it('is read, unless it is not there or leads out', async () => {
      expect((await read('good')).get('v/good')?.get('A')).toBe('a');
      expect((await read('none')).size).toBe(0);
      await expect(read('bad')).rejects.toThrow(`couldn't parse env file "bad": invalid environment variable format at line 1`);
      await expect(read('link')).rejects.toThrow('env file "link" is not within its volume');
    });
  });
});
