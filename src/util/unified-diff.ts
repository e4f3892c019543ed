/** Lines that stand on both sides of a difference. */
const CONTEXT = 3;
/** From how many lines on a line that is everywhere (over one in a hundred) is no place to start a match from. */
const MANY_LINES = 200;

/** `a[a..a+size]` is `b[b..b+size]`. */
interface Match {
  readonly a: number;
  readonly b: number;
  readonly size: number;
}

/**
 * The difference of two texts in the unified form, without names of files; empty for equal ones. Which lines are taken for the same is
 * worked out as Python's difflib and Go's port of it do (longest runs first), so that the outcome is theirs.
 */
export function unifiedDiff(before: string, after: string): string {
  const a = before.split('\n');
  const b = after.split('\n');
  let out = '';
  for (const hunk of hunks(matches(a, b), a.length, b.length)) out += show(hunk, a, b);
  return out;
}

/** The runs of equal lines in order, neighbours joined, with an empty one at the end. */
function matches(a: readonly string[], b: readonly string[]): readonly Match[] {
  const places = new Map<string, number[]>();
  b.forEach((line, i) => {
    const known = places.get(line);
    if (known === undefined) places.set(line, [i]);
    else known.push(i);
  });
  if (b.length >= MANY_LINES) {
    const limit = Math.floor(b.length / 100) + 1;
    for (const [line, at] of places) if (at.length > limit) places.delete(line);
  }
  const found: Match[] = [];
  const open: (readonly [number, number, number, number])[] = [[0, a.length, 0, b.length]];
  for (let range = open.pop(); range !== undefined; range = open.pop()) {
    const [aFrom, aTo, bFrom, bTo] = range;
    const match = longest(a, b, places, range);
    if (match.size === 0) continue;
    found.push(match);
    if (aFrom < match.a && bFrom < match.b) open.push([aFrom, match.a, bFrom, match.b]);
    const aEnd = match.a + match.size;
    const bEnd = match.b + match.size;
    if (aEnd < aTo && bEnd < bTo) open.push([aEnd, aTo, bEnd, bTo]);
  }
  found.sort((x, y) => x.a - y.a);
  const joined: Match[] = [];
  for (const match of found) {
    const last = joined.at(-1);
    if (last !== undefined && last.a + last.size === match.a && last.b + last.size === match.b) {
      joined[joined.length - 1] = { ...last, size: last.size + match.size };
    } else joined.push(match);
  }
  return [...joined, { a: a.length, b: b.length, size: 0 }];
}

/** The longest run of equal lines in a part of both, the first of those. */
function longest(
  a: readonly string[],
  b: readonly string[],
  places: ReadonlyMap<string, readonly number[]>,
  [aFrom, aTo, bFrom, bTo]: readonly [number, number, number, number],
): Match {
  let best: Match = { a: aFrom, b: bFrom, size: 0 };
  let lengths = new Map<number, number>();
  for (let i = aFrom; i < aTo; i++) {
    const next = new Map<number, number>();
    for (const j of places.get(a[i]!) ?? []) {
      if (j < bFrom) continue;
      if (j >= bTo) break;
      const size = (lengths.get(j - 1) ?? 0) + 1;
      next.set(j, size);
      if (size > best.size) best = { a: i - size + 1, b: j - size + 1, size };
    }
    lengths = next;
  }
  let { a: i, b: j, size } = best;
  for (; i > aFrom && j > bFrom && a[i - 1] === b[j - 1]; i--, j--) size++;
  while (i + size < aTo && j + size < bTo && a[i + size] === b[j + size]) size++;
  return { a: i, b: j, size };
}

/** A stretch of both texts: what differs in turn with what is equal. */
interface Part {
  readonly same: boolean;
  readonly a: readonly [number, number];
  readonly b: readonly [number, number];
}

/** The differences with what stands around them; those that are near each other together. */
function hunks(runs: readonly Match[], aLength: number, bLength: number): readonly (readonly Part[])[] {
  const all: Part[][] = [];
  let hunk: Part[] = [];
  let a = 0;
  let b = 0;
  for (const run of runs) {
    if (a < run.a || b < run.b) hunk.push({ same: false, a: [a, run.a], b: [b, run.b] });
    a = run.a + run.size;
    b = run.b + run.size;
    if (run.size === 0) continue;
    const isFirst = hunk.length === 0;
    const isLast = a === aLength && b === bLength;
    const part = (from: number, to: number): Part => ({
      same: true,
      a: [run.a + from, run.a + to],
      b: [run.b + from, run.b + to],
    });
    const tail = Math.max(0, run.size - CONTEXT);
    if (isFirst) {
      if (!isLast) hunk.push(part(tail, run.size));
    } else if (isLast) hunk.push(part(0, Math.min(run.size, CONTEXT)));
    else if (run.size > 2 * CONTEXT) {
      hunk.push(part(0, CONTEXT));
      all.push(hunk);
      hunk = [part(tail, run.size)];
    } else hunk.push(part(0, run.size));
  }
  if (hunk.length > 0) all.push(hunk);
  return all;
}

function show(hunk: readonly Part[], a: readonly string[], b: readonly string[]): string {
  const first = hunk[0]!;
  const last = hunk.at(-1)!;
  let out = `@@ -${range(first.a[0], last.a[1])} +${range(first.b[0], last.b[1])} @@\n`;
  const lines = (mark: string, text: readonly string[], [from, to]: readonly [number, number]): void => {
    for (let i = from; i < to; i++) out += `${mark}${text[i]}\n`;
  };
  for (const part of hunk) {
    if (part.same) lines(' ', a, part.a);
    else {
      lines('-', a, part.a);
      lines('+', b, part.b);
    }
  }
  return out;
}

function range(from: number, to: number): string {
  const length = to - from;
  if (length === 1) return `${from + 1}`;
  return `${length === 0 ? from : from + 1},${length}`;
}
