import { type LogRecord, SLOTS_PER_REVISION, type TrailMark } from './engine.ts';

/** Marks kept at most; what is older is read from the engine again. More than the history that is usual, at 21 bytes each. */
const MAX_MARKS = 262_144;
/** Room for marks at the beginning; doubled as needed. */
const FIRST_ROOM = 1_024;

/**
 * The trail of the records that this process has written, so that compaction need not read them from the file: with the marks it would fetch
 * the values' pages into memory, all of them in the course of time.
 */
export class RecentTrail {
  readonly #maximum: number;
  /** Every record from this slot on is in here. */
  #start: number;
  #slots = new Float64Array(FIRST_ROOM);
  #previous = new Float64Array(FIRST_ROOM);
  #bytes = new Uint32Array(FIRST_ROOM);
  #deletes = new Uint8Array(FIRST_ROOM);
  #first = 0;
  #count = 0;

  /** `revision` is the newest that was written by others. */
  constructor(revision: number, maximum = MAX_MARKS) {
    this.#start = (revision + 1) * SLOTS_PER_REVISION;
    this.#maximum = maximum;
  }

  /** The slot from which on all marks are known. */
  get start(): number {
    return this.#start;
  }

  /** In slot order. */
  push({ slot, previousSlot, key, value }: LogRecord): void {
    if (this.#count === this.#slots.length) {
      if (this.#count < this.#maximum) this.#grow();
      else this.#forgetRevision();
    }
    const at = (this.#first + this.#count++) % this.#slots.length;
    this.#slots[at] = slot;
    this.#previous[at] = previousSlot;
    this.#bytes[at] = key.length + (value?.length ?? 0);
    this.#deletes[at] = value === undefined ? 1 : 0;
  }

  /** Marks with `from <= slot < to`, where `from` is not before `start`. Those before `from` are forgotten: compaction does not come back. */
  take(from: number, to: number, limit: number): readonly TrailMark[] {
    while (this.#count > 0 && this.#slots[this.#first]! < from) this.#drop();
    const out: TrailMark[] = [];
    for (let i = 0; i < this.#count && out.length < limit; i++) {
      const at = (this.#first + i) % this.#slots.length;
      const slot = this.#slots[at]!;
      if (slot >= to) break;
      out.push({ slot, previousSlot: this.#previous[at]!, isDelete: this.#deletes[at] === 1, bytes: this.#bytes[at]! });
    }
    return out;
  }

  #drop(): void {
    this.#first = (this.#first + 1) % this.#slots.length;
    this.#count--;
  }

  /** The oldest revision: a part of one would be of no use. */
  #forgetRevision(): void {
    this.#start = (Math.floor(this.#slots[this.#first]! / SLOTS_PER_REVISION) + 1) * SLOTS_PER_REVISION;
    while (this.#count > 0 && this.#slots[this.#first]! < this.#start) this.#drop();
  }

  #grow(): void {
    const room = Math.min(this.#slots.length * 2, this.#maximum);
    const moved = <T extends Float64Array | Uint32Array | Uint8Array>(old: T, target: T): T => {
      target.set(old.subarray(this.#first), 0);
      target.set(old.subarray(0, this.#first), old.length - this.#first);
      return target;
    };
    this.#slots = moved(this.#slots, new Float64Array(room));
    this.#previous = moved(this.#previous, new Float64Array(room));
    this.#bytes = moved(this.#bytes, new Uint32Array(room));
    this.#deletes = moved(this.#deletes, new Uint8Array(room));
    this.#first = 0;
  }
}
