/**
 * The contract of a collection: all objects of one stored type in memory, ordered by key, kept in step with the `Store`.
 * It is what the API server reads from and writes to. An object is kept once, frozen and parsed; its JSON bytes are made lazily and reused
 * by get, list and every watcher.
 */

import type { StoreOp } from './contract.ts';

/** How values are written to and read from the store. The collection never calls it twice for the same version of an object. Decoding puts the revision into the object; encoding leaves it out. */
export interface Codec<T> {
  /** The object as stored bytes, without its revision. */
  encode(object: T): Uint8Array;
  /** A frozen object carrying `revision` as its resourceVersion. */
  decode(bytes: Uint8Array, revision: number): T;
  /** A frozen copy of `object` carrying `revision`. */
  withRevision(object: T, revision: number): T;
  /** The wire JSON of a stored object, revision included. Called once per entry, and again only for one that has been replaced. */
  wire(object: T): Uint8Array;
}

/** One object. Immutable; a newer version is a new entry. */
export interface Entry<T> {
  readonly key: string;
  readonly object: T;
  readonly revision: number;
  readonly createRevision: number;
  /** Wire JSON bytes, made at the first use and kept while the entry is the current one. */
  readonly bytes: Uint8Array;
  /** Room for another encoding, for whoever makes one: forgotten with the bytes, though the ring of changes holds the entry longer. */
  other: Uint8Array | undefined;
}

/** A change as watchers get it. One object, shared by all of them. */
export interface Change<T> {
  readonly type: 'added' | 'modified' | 'deleted';
  readonly revision: number;
  /** The entry after the change; for a delete, the last state with its revision set to that of the delete, as upstream sends it. */
  readonly entry: Entry<T>;
  readonly previous: Entry<T> | undefined;
}

/** The collection at one revision. Holding it costs nothing but the memory of what has changed since. */
export interface CollectionSnapshot<T> {
  readonly revision: number;
  readonly size: number;
  get(key: string): Entry<T> | undefined;
  /** Entries whose key starts with `prefix`, in key order, starting after `after` when given. */
  entries(prefix: string, after?: string): Iterable<Entry<T>>;
  /** How many entries have the prefix, and come after `after` when given. */
  count(prefix: string, after?: string): number;
}

export type Write<T> =
  | {
      readonly type: 'put';
      readonly key: string;
      readonly object: T;
      readonly expectedRevision?: number;
      readonly ttlSeconds?: number;
      /** What else the commit does, below other prefixes: all of it happens or nothing. */
      readonly also?: readonly StoreOp[];
    }
  | {
      readonly type: 'delete';
      readonly key: string;
      /** The last state watchers shall see, when it differs from the stored one. */
      readonly object?: T;
      readonly expectedRevision?: number;
      readonly also?: readonly StoreOp[];
    };

/** What a watcher gets. Calls are synchronous and cheap: queue, do not work. */
export interface CollectionWatcher<T> {
  onChange(change: Change<T>): void;
  /**
   * No change of this collection is missing up to `revision`; for bookmarks. Called about once a second at most, and only when the
   * revision has moved without a change here. `Collection.revision` holds the same at any moment, as delivery is synchronous.
   */
  onProgress?(revision: number): void;
  /** The watch is over: the watcher threw, or the collection had to start anew (`CompactedError`). */
  onError(error: Error): void;
}

export interface Collection<T> {
  /** The newest revision that this collection is known to be complete at: the store's, when it is in step. */
  readonly revision: number;
  /** As the store's: the revision to wait for, where others write to the store. */
  newest(): Promise<number> | undefined;
  get(key: string): Entry<T> | undefined;
  /** The newest state. Cheap. */
  snapshot(): CollectionSnapshot<T>;
  /** The state at `revision`: undefined when it is older than what is remembered, or not reached yet. */
  snapshotAt(revision: number): CollectionSnapshot<T> | undefined;
  /**
   * Keeps `snapshot` for some minutes, so that `snapshotAt` finds it for the next page of a list. Call it when a continue token is given out.
   * Bounded in number: the oldest goes first, and `snapshotAt` then falls back on the remembered changes.
   */
  keep(snapshot: CollectionSnapshot<T>): void;
  /** Resolves when the collection has reached `revision`; rejects when the signal aborts. */
  waitFor(revision: number, signal?: AbortSignal): Promise<void>;
  /**
   * Writes one object durably; the new entry is visible and delivered to watchers before the promise resolves.
   * A delete resolves with what watchers get: the last object (`write.object` when given) with the revision of the delete.
   * Rejects with `PreconditionError` (its key tells whether it is of the object or of what else was to be done); deleting an absent key without an expected revision is one too.
   */
  write(write: Write<T>): Promise<Entry<T>>;
  /**
   * Delivers every change after `fromRevision`: first those remembered, inside this call, then live ones.
   * Throws `CompactedError` at once when the ring no longer reaches back that far. A `fromRevision` ahead of the collection is fine.
   */
  watch(fromRevision: number, watcher: CollectionWatcher<T>, signal: AbortSignal): void;
  /** Stops following the store; watchers get no further calls and waiting callers are rejected. */
  close(): void;
}
