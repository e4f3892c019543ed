interface Interval {
  readonly first: number;
  readonly last: number;
}

/** A set of completion indexes, kept as ordered intervals and written as upstream does: `0,2-4,7`. Immutable. */
export class IndexSet {
  static readonly empty = new IndexSet([]);
  readonly #intervals: readonly Interval[];

  private constructor(intervals: readonly Interval[]) {
    this.#intervals = intervals;
  }

  /** Reads the text of a status; indexes from `completions` on are left out, and everything after something that is none. */
  static parse(text: string | undefined, completions: number): IndexSet {
    if (text === undefined || text === '') return IndexSet.empty;
    const intervals: Interval[] = [];
    for (const part of text.split(',')) {
      const match = /^([0-9]+)(?:-([0-9]+))?$/.exec(part);
      if (match === null) break;
      const first = Number(match[1]);
      if (first >= completions) break;
      const last = Math.min(match[2] === undefined ? first : Number(match[2]), completions - 1);
      push(intervals, { first, last });
    }
    return new IndexSet(intervals);
  }

  static of(indexes: Iterable<number>): IndexSet {
    const intervals: Interval[] = [];
    for (const index of [...indexes].sort((a, b) => a - b)) push(intervals, { first: index, last: index });
    return new IndexSet(intervals);
  }

  get total(): number {
    return this.#intervals.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  }

  has(index: number): boolean {
    let low = 0;
    let high = this.#intervals.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const { first, last } = this.#intervals[middle]!;
      if (index < first) high = middle - 1;
      else if (index > last) low = middle + 1;
      else return true;
    }
    return false;
  }

  union(other: IndexSet): IndexSet {
    if (other.#intervals.length === 0) return this;
    if (this.#intervals.length === 0) return other;
    const intervals: Interval[] = [];
    for (const interval of [...this.#intervals, ...other.#intervals].sort((a, b) => a.first - b.first)) push(intervals, interval);
    return new IndexSet(intervals);
  }

  /** How many indexes are in both. */
  overlap(other: IndexSet): number {
    let count = 0;
    for (const a of this.#intervals) {
      for (const b of other.#intervals) count += Math.max(0, Math.min(a.last, b.last) - Math.max(a.first, b.first) + 1);
    }
    return count;
  }

  /** The first `count` indexes below `completions` that are not in the set. */
  firstMissing(count: number, completions: number): readonly number[] {
    const missing: number[] = [];
    let next = 0;
    for (const { first, last } of this.#intervals) {
      for (; next < first && missing.length < count; next++) missing.push(next);
      next = last + 1;
    }
    for (; next < completions && missing.length < count; next++) missing.push(next);
    return missing;
  }

  toString(): string {
    return this.#intervals
      .map(({ first, last }) => {
        if (first === last) return String(first);
        // Two neighbours are written as a list, as they take no more room.
        return last === first + 1 ? `${first},${last}` : `${first}-${last}`;
      })
      .join(',');
  }
}

/** Appends an interval that starts no earlier than the last, merging what touches. */
function push(intervals: Interval[], next: Interval): void {
  const last = intervals.at(-1);
  if (last !== undefined && next.first <= last.last + 1) {
    intervals[intervals.length - 1] = { first: last.first, last: Math.max(last.last, next.last) };
  } else if (next.last >= next.first) intervals.push(next);
}
