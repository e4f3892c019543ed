/**
 * What keeps the bytes below `LogStore`. The model is etcd's: an append-only log of changes, and an index from each living key to its
 * newest log record. A value is written once. History is what the log holds beyond the living records; compaction removes it.
 */

/** Log records are numbered `revision * SLOTS_PER_REVISION + position in the commit`. */
export const SLOTS_PER_REVISION = 1024;

export const revisionOf = (slot: number): number => Math.floor(slot / SLOTS_PER_REVISION);

/** One change. */
export interface LogRecord {
  readonly slot: number;
  readonly key: string;
  /** Undefined for a delete. */
  readonly value: Uint8Array | undefined;
  /** 0 for a delete. */
  readonly createRevision: number;
  /** The record this one replaces; 0 when the key did not exist. */
  readonly previousSlot: number;
  /** When the key ends, in milliseconds since the epoch; 0: never. */
  readonly expiresAt: number;
}

/** Where a living key's newest record is, and what a write must know of it without reading the value. */
export interface Head {
  readonly slot: number;
  readonly createRevision: number;
  readonly expiresAt: number;
}

/** What one log record left behind it. */
export interface TrailMark {
  readonly slot: number;
  readonly previousSlot: number;
  readonly isDelete: boolean;
  /** Of key and value. */
  readonly bytes: number;
}

export interface EngineMeta {
  readonly revision: number;
  readonly compactedRevision: number;
  /** Records with a revision above `compactedRevision`, and their bytes: what compaction by size goes by. */
  readonly historyRecords: number;
  readonly historyBytes: number;
}

/** One atomic step. `records` are in slot order; a key may come several times. */
export interface EngineBatch {
  readonly meta: EngineMeta;
  readonly records: readonly LogRecord[];
  /** Expiry marks of versions that have been replaced. */
  readonly endedExpiries: readonly Expiry[];
  /** Records that compaction drops. */
  readonly droppedSlots: readonly number[];
}

export interface Expiry {
  readonly expiresAt: number;
  readonly slot: number;
}

/** Reads are synchronous and show one state during a turn of the event loop: the newest one applied when the turn first read. */
export interface Engine {
  meta(): EngineMeta;
  head(key: string): Head | undefined;
  record(slot: number): LogRecord | undefined;
  /** Living keys in order, from `from` (inclusive) up to `to` (exclusive). */
  heads(from: string, to: string, limit: number): readonly (readonly [string, Head])[];
  /** Log records in order with `from <= slot < to`. */
  records(from: number, to: number, limit: number): readonly LogRecord[];
  /** As `records`, without keys and values: what compaction needs. */
  trail(from: number, to: number, limit: number): readonly TrailMark[];
  /** Keys whose time is over at `now`, soonest first. */
  expired(now: number, limit: number): readonly { readonly key: string; readonly slot: number }[];
  /** When the next key ends; undefined when none does. */
  nextExpiry(): number | undefined;
  /** Applies durably and atomically; reads that start after it resolved see it. Rejects when nothing was applied. One call at a time. */
  apply(batch: EngineBatch): Promise<void>;
  /** Lets go of memory that it holds only to be faster. Not to be called again before it resolved. */
  rest(): Promise<void>;
  close(): Promise<void>;
}
