/**
 * The storage contract: an ordered map of keys to bytes with one growing revision, etcd's model.
 * Implemented by `embedded` (LMDB) and `etcd`; `contract-test.ts` holds every implementation to these promises:
 *
 * - A commit is atomic, gets exactly one revision greater than every earlier one, and is durable before its promise resolves.
 * - No revision is ever used twice, also across a kill. An acknowledged commit is never lost.
 * - Reads and watches show only what is durable. A read that starts after a commit resolved sees it.
 * - A watch from revision R delivers every later change under its prefix once, in revision order, or fails with `CompactedError`.
 * - Compaction to R forgets history before R, never current values.
 *
 * Revisions are positive safe integers. Values do not carry their own revision: whoever decodes puts it in.
 */
export interface Store {
  /** The newest durable revision. */
  readonly revision: number;
  /** History before this revision is gone. */
  readonly compactedRevision: number;
  get(key: string): Promise<StoreEntry | undefined>;
  /** Entries under `prefix` in key order. */
  list(prefix: string, options?: StoreListOptions): Promise<StoreListResult>;
  /** All of `ops` or none. Rejects with `PreconditionError` when an expected revision does not match. */
  commit(ops: readonly StoreOp[]): Promise<StoreCommit>;
  /** Changes under `prefix` with a revision greater than `fromRevision`, until the signal aborts. */
  watch(prefix: string, fromRevision: number, handler: StoreWatchHandler, signal: AbortSignal): void;
  compact(revision: number): Promise<void>;
  /** A consistent copy of everything, as a stream that `restore` takes into an empty store. */
  snapshot(): AsyncIterable<Uint8Array>;
  restore(source: AsyncIterable<Uint8Array>): Promise<void>;
  /** Finishes what was accepted and lets go of the files. Later calls reject. */
  close(): Promise<void>;
}

export interface StoreEntry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
}

export interface StoreListOptions {
  /** List as of this revision; the newest when left out. Rejects with `CompactedError` when it is gone. */
  readonly revision?: number;
  readonly limit?: number;
  /** Start at this key (inclusive). */
  readonly from?: string;
}

export interface StoreListResult {
  readonly entries: readonly StoreEntry[];
  readonly revision: number;
  readonly more: boolean;
}

/** `expectedRevision`: the key's modRevision must be this; 0: the key must not exist; undefined: no matter. */
export type StoreOp =
  | {
      readonly type: 'put';
      readonly key: string;
      readonly value: Uint8Array;
      readonly expectedRevision?: number;
      readonly ttlSeconds?: number;
    }
  | { readonly type: 'delete'; readonly key: string; readonly expectedRevision?: number };

export interface StoreCommit {
  readonly revision: number;
}

export interface StoreEvent {
  readonly type: 'put' | 'delete';
  readonly key: string;
  readonly revision: number;
  /** The new value; undefined for a delete. */
  readonly value: Uint8Array | undefined;
  /** What was there before; undefined for a creation. */
  readonly previous: StoreEntry | undefined;
  readonly createRevision: number;
}

export interface StoreWatchHandler {
  /** Events in order; those of one revision are never split over two calls. */
  onEvents(events: readonly StoreEvent[]): void;
  /** Nothing under the prefix is missing up to `revision`. */
  onProgress?(revision: number): void;
  /** The watch is over, by fault. Not called on abort. */
  onError(error: Error): void;
}

/** An expected revision did not match. `current` is what stands at the key now, undefined when nothing does. */
export class PreconditionError extends Error {
  readonly key: string;
  readonly current: StoreEntry | undefined;
  constructor(key: string, current: StoreEntry | undefined) {
    super(`precondition failed: ${key} is at revision ${current?.modRevision ?? 0}`);
    this.name = 'PreconditionError';
    this.key = key;
    this.current = current;
  }
}

/** The revision asked for has been compacted away. */
export class CompactedError extends Error {
  readonly compactedRevision: number;
  constructor(compactedRevision: number) {
    super(`required revision has been compacted; oldest is ${compactedRevision}`);
    this.name = 'CompactedError';
    this.compactedRevision = compactedRevision;
  }
}

/** The store cannot work: full disk, unreadable files, lost connection. The message says what to do. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError';
}
