import type { Change } from './collection.ts';

/** Slots of an empty ring; it grows by doubling as needed, up to its bound. */
const FIRST_SIZE = 64;

/** Together the remembered values are at most about this many bytes: large objects must not make the ring a leak. */
const MAX_BYTES = 64 * 1024 * 1024;

/** So many of the newest changes are kept for the whole time; of more than these, those that are fresh: younger than this, in milliseconds. */
const ALWAYS_KEPT = 1_024;
/** Upstream's watch cache keeps as many as come in this time. */
const FRESH_MS = 75_000;

/**
 * The newest changes of a collection in revision order, bounded in number, bytes and age. `start` is the revision from which on nothing is
 * missing: every later change is in here.
 */
export class ChangeRing<T> {
  readonly #maxSize: number;
  readonly #maxAge: number;
  #changes: (Change<T> | undefined)[];
  #times: Float64Array;
  #sizes: Float64Array;
  #bytes = 0;
  #first = 0;
  #count = 0;
  #start: number;

  /** `maxAge` in milliseconds of the times given to `push`. */
  constructor(start: number, maxSize: number, maxAge: number) {
    this.#start = start;
    this.#maxSize = maxSize;
    this.#maxAge = maxAge;
    const size = Math.min(FIRST_SIZE, maxSize);
    this.#changes = new Array<Change<T> | undefined>(size).fill(undefined);
    this.#times = new Float64Array(size);
    this.#sizes = new Float64Array(size);
  }

  get start(): number {
    return this.#start;
  }

  get size(): number {
    return this.#count;
  }

  /** `bytes` is what the value takes in the store. The newest change is always kept. */
  push(change: Change<T>, now: number, bytes: number): void {
    while (this.#count > 0 && (this.#times[this.#first]! < now - this.#maxAge || this.#bytes + bytes > MAX_BYTES)) this.#shift();
    this.#forget(now);
    if (this.#count === this.#changes.length) {
      if (this.#count < this.#maxSize) this.#resize(Math.min(this.#changes.length * 2, this.#maxSize));
      else this.#shift();
    }
    const slot = (this.#first + this.#count) % this.#changes.length;
    this.#changes[slot] = change;
    this.#times[slot] = now;
    this.#sizes[slot] = bytes;
    this.#bytes += bytes;
    this.#count++;
  }

  /** Forgets the many that are no longer fresh, and gives back their room. True: call it again some time later, there will be more. */
  rest(now: number): boolean {
    this.#forget(now);
    if (this.#count * 4 < this.#changes.length && this.#changes.length > FIRST_SIZE) {
      this.#resize(Math.min(Math.max(FIRST_SIZE, this.#count * 2), this.#maxSize));
    }
    return this.#count > ALWAYS_KEPT;
  }

  #forget(now: number): void {
    while (this.#count > ALWAYS_KEPT && this.#times[this.#first]! < now - FRESH_MS) this.#shift();
  }

  /** The change at `position`, 0 being the oldest. */
  at(position: number): Change<T> {
    return this.#changes[(this.#first + position) % this.#changes.length]!;
  }

  /** The position of the first change after `revision`; `size` when there is none. */
  after(revision: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.at(middle).revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #shift(): void {
    this.#start = this.#changes[this.#first]!.revision;
    this.#changes[this.#first] = undefined;
    this.#bytes -= this.#sizes[this.#first]!;
    this.#first = (this.#first + 1) % this.#changes.length;
    this.#count--;
  }

  #resize(size: number): void {
    const changes = new Array<Change<T> | undefined>(size).fill(undefined);
    const times = new Float64Array(size);
    const sizes = new Float64Array(size);
    for (let i = 0; i < this.#count; i++) {
      const slot = (this.#first + i) % this.#changes.length;
      changes[i] = this.#changes[slot];
      times[i] = this.#times[slot]!;
      sizes[i] = this.#sizes[slot]!;
    }
    this.#changes = changes;
    this.#times = times;
    this.#sizes = sizes;
    this.#first = 0;
  }
}
