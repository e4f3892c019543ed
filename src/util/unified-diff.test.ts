import { describe, expect, it } from 'vitest';
import { unifiedDiff } from './unified-diff.ts';

const lines = (...text: readonly (string | number)[]): string => text.join('\n');
const count = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => i + 1);

describe('the unified difference', () => {
  it('is empty for what is equal', () => {
    expect(unifiedDiff(lines(1, 2), lines(1, 2))).toBe('');
  });

  it('shows three lines around what differs', () => {
    const after = count(12).map((n) => (n === 6 ? 'six' : n));
    expect(unifiedDiff(lines(...count(12)), lines(...after))).toBe('@@ -3,7 +3,7 @@\n 3\n 4\n 5\n-6\n+six\n 7\n 8\n 9\n');
  });

  it('keeps together what is near, and apart what is not', () => {
    const change = (...at: readonly number[]) => lines(...count(20).map((n) => (at.includes(n) ? `${n}!` : n)));
    expect(unifiedDiff(lines(...count(20)), change(2, 9)).match(/@@/g)).toHaveLength(2);
    expect(unifiedDiff(lines(...count(20)), change(2, 10)).match(/@@/g)).toHaveLength(4);
  });

  it('tells of what is new and what is gone', () => {
    expect(unifiedDiff(lines('a', 'b'), lines('a', 'x', 'b'))).toBe('@@ -1,2 +1,3 @@\n a\n+x\n b\n');
    expect(unifiedDiff(lines('a', 'x', 'b'), lines('a', 'b'))).toBe('@@ -1,3 +1,2 @@\n a\n-x\n b\n');
    expect(unifiedDiff('a', 'b')).toBe('@@ -1 +1 @@\n-a\n+b\n');
  });

  it('starts no match at a line that is everywhere', () => {
    const before = lines(...count(300).flatMap((n) => [n, '}']));
    const after = lines(...count(300).flatMap((n) => (n === 150 ? ['new', '}', n, '}'] : [n, '}'])));
    expect(unifiedDiff(before, after)).toBe('@@ -296,6 +296,8 @@\n }\n 149\n }\n+new\n+}\n 150\n }\n 151\n');
  });
});
