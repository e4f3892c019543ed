/**
 * The storage contract: an ordered map of keys to bytes with one growing revision, etcd's model.
 * Implemented by `embedded` (LMDB), `memory` and `etcd`; `contract-test.ts` holds every implementation to these promises:
 *
 * - A commit is atomic, gets exactly one revision greater than every earlier one, and is durable before its promise resolves.
 *   One that changes nothing (deletes of absent keys) takes no revision and resolves with the newest.
 * - No revision is ever used twice, also across a kill. An acknowledged commit is never lost.
 * - Reads and watches show only what is durable. A read that starts after a commit resolved sees it.
 * - A watch from revision R delivers every later change under its prefix once, in revision order, or fails with `CompactedError`.
 * - Compaction to R forgets history before R, never current values: a list at R and a watch from R still work.
 * - A key put with a TTL is deleted, with an ordinary delete event, within seconds of its end; a later put without one keeps the key for good.
 *
 * Keys are ASCII without control characters, 1 to `MAX_KEY_LENGTH` long. Values passed in and handed out must not be changed.
 * Revisions are positive safe integers. Values do not carry their own revision: whoever decodes puts it in.
 */
export interface Store {
  /** The newest durable revision. */
  readonly revision: number;
  /** History before this revision is gone. */
  readonly compactedRevision: number;
  /**
   * A revision that nobody's commit is beyond that was acknowledged before the call. Only where others write too; else it is `revision`.
   */
  newest?(): Promise<number>;
  get(key: string): Promise<StoreEntry | undefined>;
  /** Entries under `prefix` in key order. */
  list(prefix: string, options?: StoreListOptions): Promise<StoreListResult>;
  /**
   * All of `ops` or none; at most `MAX_COMMIT_OPS`, no key twice. Rejects with `PreconditionError` when an expected revision does not
   * match, and with `StoreUnavailableError` when the store could not write: then nothing was changed, and a later try may succeed.
   */
  commit(ops: readonly StoreOp[]): Promise<StoreCommit>;
  /**
   * Changes under `prefix` with a revision greater than `fromRevision`, until the signal aborts. Handlers run synchronously while a
   * commit is published, before its promise resolves; never inside the call to `watch`.
   */
  watch(prefix: string, fromRevision: number, handler: StoreWatchHandler, signal: AbortSignal): void;
  compact(revision: number): Promise<void>;
  /** A consistent copy of all current values with their revisions, as a stream that `restore` takes into an empty store. */
  snapshot(): AsyncIterable<Uint8Array>;
  /** Reads everything and tells what it found. The store may be in use meanwhile. */
  check(): Promise<StoreCheck>;
  /**
   * Rejects when the stream is damaged or this store is not empty. Nothing else may use the store meanwhile. The store goes on `skip` revisions
   * after the snapshot's: clients that saw later ones must not take new ones for those.
   */
  restore(source: AsyncIterable<Uint8Array>, skip?: number): Promise<void>;
  /** Finishes what was accepted and lets go of the files. Later calls reject. */
  close(): Promise<void>;
}

/** Longest key, in characters. */
export const MAX_KEY_LENGTH = 1024;
/** Most operations in one commit. */
export const MAX_COMMIT_OPS = 128;

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

/** What a store holds, and what is wrong with it. */
export interface StoreCheck {
  readonly revision: number;
  readonly compactedRevision: number;
  /** Living keys, and the bytes of their values. */
  readonly keys: number;
  readonly bytes: number;
  /** Changes remembered beyond the living keys; undefined where it cannot be told. */
  readonly history: number | undefined;
  /** A sentence each; at most `MAX_FAULTS`. None: the store is whole. */
  readonly faults: readonly string[];
}

/** Most faults that a check lists: a damaged store has more than anybody reads. */
export const MAX_FAULTS = 100;

export interface StoreEvent {
  readonly type: 'put' | 'delete';
  readonly key: string;
  readonly revision: number;
  /** The new value; undefined for a delete. */
  readonly value: Uint8Array | undefined;
  /** The revision that created the key; 0 for a delete. */
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

/** The store takes nothing as large as this. The message says so in the store's words. */
export class EntryTooLargeError extends Error {
  override readonly name = 'EntryTooLargeError';
}

/** The store cannot work: full disk, unreadable files, lost connection. The message says what to do. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError';
}
