/** A text does not name indexes; the message is upstream's. */
export class IndexesError extends Error {}

/** A run of indexes, both ends included. */
export interface IndexRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Reads indexes of an Indexed job as its status and its success policy write them: `1,3-5,7`, in growing order, all below
 * `completions`. '' names none. Throws an IndexesError.
 */
export function parseIndexes(text: string, completions: number): readonly IndexRange[] {
  if (text === '') return [];
  const ranges: IndexRange[] = [];
  for (const part of text.split(',')) {
    const range = parseRange(part, completions);
    const before = ranges.at(-1);
    if (before !== undefined && before.last >= range.first) throw notGrowing(before.last, range.first);
    ranges.push(range);
  }
  return ranges;
}

/** How many indexes there are in `ranges`. */
export const countIndexes = (ranges: readonly IndexRange[]): number =>
  ranges.reduce((count, { first, last }) => count + last - first + 1, 0);

/** The first index that both texts name; undefined when there is none. Parts that are no indexes are passed over. */
export function firstCommonIndex(left: string, right: string, completions: number): number | undefined {
  const a = readableRanges(left, completions);
  const b = readableRanges(right, completions);
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const x = a[i]!;
    const y = b[j]!;
    if (x.first <= y.last && y.first <= x.last) return Math.max(x.first, y.first);
    if (x.first < y.first) i++;
    else j++;
  }
  return undefined;
}

function readableRanges(text: string, completions: number): readonly IndexRange[] {
  if (text === '') return [];
  return text.split(',').flatMap((part) => {
    try {
      return [parseRange(part, completions)];
    } catch (err) {
      if (err instanceof IndexesError) return [];
      throw err;
    }
  });
}

function parseRange(text: string, completions: number): IndexRange {
  const ends = text.split('-');
  if (ends.length > 2) {
    throw new IndexesError(
      `the fragment ${JSON.stringify(text)} violates the requirement that an index interval can have at most two parts separated by '-'`,
    );
  }
  const first = parseIndex(ends[0]!, completions);
  if (ends.length === 1) return { first, last: first };
  const last = parseIndex(ends[1]!, completions);
  if (first >= last) throw notGrowing(first, last);
  return { first, last };
}

function parseIndex(text: string, completions: number): number {
  if (!/^[+-]?[0-9]+$/.test(text)) throw new IndexesError(`cannot convert string to integer for index: ${JSON.stringify(text)}`);
  const index = Number(text);
  if (index >= completions) throw new IndexesError(`too large index: ${JSON.stringify(text)}`);
  return index;
}

const notGrowing = (previous: number, current: number): IndexesError =>
  new IndexesError(`non-increasing order, previous: ${previous}, current: ${current}`);
