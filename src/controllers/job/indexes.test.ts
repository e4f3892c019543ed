import { expect, test } from 'vitest';
import { IndexSet } from './indexes.ts';

test.each([
  ['', 10, ''],
  ['3', 10, '3'],
  ['0-2,5', 10, '0-2,5'],
  ['0,1', 10, '0,1'],
  ['0,1,2', 10, '0-2'],
  ['0-20', 10, '0-9'],
  ['3,12', 10, '3'],
  ['1,x,2', 10, '1'],
])('%j of %d is %j', (text, completions, expected) => {
  expect(String(IndexSet.parse(text, completions))).toBe(expected);
});

test('sets are made, joined, counted and searched', () => {
  const set = IndexSet.of([7, 1, 3, 2, 7]);
  expect([String(set), set.total, set.has(2), set.has(4)]).toEqual(['1-3,7', 4, true, false]);
  const joined = set.union(IndexSet.of([4, 5, 6, 9]));
  expect([String(joined), joined.total]).toEqual(['1-7,9', 8]);
  expect(joined.overlap(IndexSet.parse('0-2,9', 20))).toBe(3);
  expect(joined.firstMissing(3, 12)).toEqual([0, 8, 10]);
  expect(joined.firstMissing(10, 11)).toEqual([0, 8, 10]);
  expect(IndexSet.empty.firstMissing(2, 5)).toEqual([0, 1]);
});
