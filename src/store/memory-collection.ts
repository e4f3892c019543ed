import type { Clock, Timer } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import { Slice } from '../util/slice.ts';
import { ChangeRing } from './change-ring.ts';
import type { Change, Codec, Collection, CollectionSnapshot, CollectionWatcher, Entry, Write } from './collection.ts';
import {
  CompactedError,
  PreconditionError,
  type Store,
  type StoreEvent,
  type StoreOp,
  StoreUnavailableError,
} from './contract.ts';
import { type EntryTree, LazyEntry, newEntryTree, TreeSnapshot } from './entry-tree.ts';

/** Changes remembered for watches that start in the past, when not told otherwise. */
export const DEFAULT_RING_SIZE = 16_384;
/** How long changes are remembered, in milliseconds; upstream's watch cache keeps at least 75 s. */
const RING_MAX_AGE = 300_000;
/** How long a kept snapshot is found, in milliseconds: upstream's continue tokens end with compaction, after about five minutes. */
const KEEP_MS = 300_000;
const MAX_KEPT = 128;
/** How often what is remembered is looked through, while there is much of it, in milliseconds. */
const REST_MS = 15_000;
/** Shortest time between two progress calls, in milliseconds. */
const PROGRESS_INTERVAL = 1_000;
/** Changes after which the bytes of a deleted object are let go. */
const DELETED_KEPT = 64;
/** Entries asked of the store at once while loading. */
const LOAD_PAGE = 512;
/** How often loading begins anew when what it reads has been compacted before it was read to its end. */
const LOAD_TRIES = 5;
/** Wait before a lost feed is taken up again, in milliseconds. */
const RELOAD_DELAY = 1_000;

export interface CollectionOptions<T> {
  readonly store: Store;
  /** All keys under it belong to the collection: `/registry/pods/`. */
  readonly prefix: string;
  readonly codec: Codec<T>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Most changes remembered for watches that start in the past. */
  readonly ringSize?: number;
}

/** Loads everything under the prefix and follows the store from there. Rejects when the store cannot be read or a value not decoded. */
export async function openCollection<T>(options: CollectionOptions<T>): Promise<Collection<T>> {
  const collection = new MemoryCollection(options);
  await collection.load();
  return collection;
}

/** A write on its way. The event that it causes carries its object, so that nothing is decoded that was just encoded. */
interface PendingWrite<T> {
  readonly bytes: Uint8Array | undefined;
  readonly object: T | undefined;
  entry: Entry<T> | undefined;
}

interface Subscription<T> {
  readonly watcher: CollectionWatcher<T>;
  readonly after: number;
  active: boolean;
}

interface Waiter {
  readonly revision: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

class MemoryCollection<T> implements Collection<T> {
  readonly #store: Store;
  readonly #prefix: string;
  readonly #codec: Codec<T>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #ringSize: number;
  readonly #feed = new AbortController();
  #session = new AbortController();
  #tree: EntryTree<T> = newEntryTree();
  #ring: ChangeRing<T>;
  #revision = 0;
  /** The snapshot of the current state, once somebody asked for it. */
  #current: TreeSnapshot<T> | undefined;
  #kept: { readonly snapshot: TreeSnapshot<T>; readonly until: number }[] = [];
  /** The newest revision that was kept for its time: it has expired, and what is older with it, though nothing may have changed since. */
  #expired = 0;
  #pending = new Map<string, PendingWrite<T>[]>();
  #watchers: Subscription<T>[] = [];
  #delivering = 0;
  #left = false;
  #waiters: Waiter[] = [];
  #progressTimer: Timer | undefined;
  #restTimer: Timer | undefined;

  constructor(options: CollectionOptions<T>) {
    this.#store = options.store;
    this.#prefix = options.prefix;
    this.#codec = options.codec;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#ringSize = options.ringSize ?? DEFAULT_RING_SIZE;
    this.#ring = new ChangeRing(0, this.#ringSize, RING_MAX_AGE);
  }

  /** Reads the state at one revision, then follows the changes after it. */
  async load(): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#load();
      } catch (error) {
        if (!(error instanceof CompactedError) || tries === LOAD_TRIES) throw error;
      }
    }
  }

  async #load(): Promise<void> {
    const tree = newEntryTree<T>();
    const slice = new Slice();
    let revision: number | undefined;
    let from: string | undefined;
    for (;;) {
      const page = await this.#store.list(this.#prefix, {
        limit: LOAD_PAGE,
        ...(revision === undefined ? {} : { revision }),
        ...(from === undefined ? {} : { from }),
      });
      revision = page.revision;
      slice.restart();
      for (const { key, value, modRevision, createRevision } of page.entries) {
        tree.set(key, new LazyEntry(key, this.#codec.decode(value, modRevision), modRevision, createRevision, this.#codec));
        if (slice.over) await slice.next();
      }
      if (!page.more) break;
      from = `${page.entries.at(-1)!.key} `;
    }
    if (this.#feed.signal.aborted) return;
    this.#tree = tree;
    this.#current = undefined;
    this.#revision = revision;
    this.#ring = new ChangeRing(revision, this.#ringSize, RING_MAX_AGE);
    this.#session = new AbortController();
    this.#store.watch(
      this.#prefix,
      revision,
      {
        onEvents: (events) => this.#apply(events),
        onProgress: (at) => this.#progress(at),
        onError: (error) => void this.#lost(error),
      },
      this.#session.signal,
    );
    this.#wakeWaiters();
  }

  get revision(): number {
    return this.#revision;
  }

  newest(): Promise<number> | undefined {
    return this.#store.newest?.();
  }

  get(key: string): Entry<T> | undefined {
    return this.#tree.get(key);
  }

  snapshot(): CollectionSnapshot<T> {
    return this.#snapshot();
  }

  #snapshot(): TreeSnapshot<T> {
    const current = this.#current;
    if (current === undefined) return (this.#current = new TreeSnapshot(this.#revision, this.#tree.clone()));
    return (this.#current = current.at(this.#revision));
  }

  snapshotAt(revision: number): CollectionSnapshot<T> | undefined {
    if (revision > this.#revision) return undefined;
    const current = this.#snapshot();
    if (revision === this.#revision) return current;
    this.#dropOldKept();
    if (revision <= this.#expired) return undefined;
    const position = this.#ring.after(revision);
    if (revision >= this.#ring.start && position === this.#ring.size) return current.at(revision);
    const kept = this.#kept.find(({ snapshot }) => snapshot.revision === revision);
    if (kept !== undefined) return kept.snapshot;
    if (revision < this.#ring.start) return undefined;
    const tree = current.cloneTree();
    for (let i = this.#ring.size - 1; i >= position; i--) {
      const { entry, previous } = this.#ring.at(i);
      if (previous === undefined) tree.delete(entry.key);
      else tree.set(entry.key, previous);
    }
    const snapshot = new TreeSnapshot(revision, tree);
    this.keep(snapshot);
    return snapshot;
  }

  keep(snapshot: CollectionSnapshot<T>): void {
    if (!(snapshot instanceof TreeSnapshot)) return;
    this.#dropOldKept();
    const { revision } = snapshot;
    if (revision === this.#revision) {
      // Its time begins now, however long nothing has been written.
      this.#expired = Math.min(this.#expired, revision - 1);
      this.#kept = this.#kept.filter((kept) => kept.snapshot.revision !== revision);
    } else if (revision <= this.#expired || this.#kept.some((kept) => kept.snapshot.revision === revision)) return;
    if (this.#kept.length === MAX_KEPT) this.#kept.shift();
    this.#kept.push({ snapshot, until: this.#clock.monotonic() + KEEP_MS });
    this.#restTimer ??= this.#clock.setTimer(REST_MS, () => this.#rest());
  }

  #dropOldKept(): void {
    const now = this.#clock.monotonic();
    while (this.#kept.length > 0 && this.#kept[0]!.until <= now) {
      this.#expired = Math.max(this.#expired, this.#kept.shift()!.snapshot.revision);
    }
  }

  waitFor(revision: number, signal?: AbortSignal): Promise<void> {
    if (revision <= this.#revision) return RESOLVED;
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      const onAbort = (): void => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(signal?.reason);
      };
      const waiter: Waiter = {
        revision,
        resolve: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
        reject: (error) => {
          signal?.removeEventListener('abort', onAbort);
          reject(error);
        },
      };
      this.#waiters.push(waiter);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  write(write: Write<T>): Promise<Entry<T>> {
    const { key } = write;
    let bytes: Uint8Array | undefined;
    let op: StoreOp;
    if (write.type === 'put') {
      try {
        bytes = this.#codec.encode(write.object);
      } catch (error) {
        return Promise.reject(error);
      }
      op = { type: 'put', key, value: bytes, expectedRevision: write.expectedRevision, ttlSeconds: write.ttlSeconds } as StoreOp;
    } else {
      op = { type: 'delete', key, expectedRevision: write.expectedRevision } as StoreOp;
    }
    const pending: PendingWrite<T> = { bytes, object: write.object, entry: undefined };
    const queue = this.#pending.get(key);
    if (queue === undefined) this.#pending.set(key, [pending]);
    else queue.push(pending);
    return this.#store.commit(write.also === undefined ? [op] : [op, ...write.also]).then(
      (commit) => pending.entry ?? this.#written(key, pending, commit.revision),
      (error: unknown) => {
        this.#forget(key, pending);
        throw error;
      },
    );
  }

  /** The commit was acknowledged before its event came, or it changed nothing. */
  async #written(key: string, pending: PendingWrite<T>, revision: number): Promise<Entry<T>> {
    try {
      await this.waitFor(revision);
    } finally {
      this.#forget(key, pending);
    }
    if (pending.entry !== undefined) return pending.entry;
    if (pending.bytes === undefined) throw new PreconditionError(key, undefined);
    // Another write of the same bytes took the event.
    for (let i = this.#ring.after(revision - 1); i < this.#ring.size && this.#ring.at(i).revision === revision; i++) {
      if (this.#ring.at(i).entry.key === key) return this.#ring.at(i).entry;
    }
    throw new StoreUnavailableError(
      'the write was accepted, but the connection to the store was lost before it came back; read it again',
    );
  }

  #forget(key: string, pending: PendingWrite<T>): void {
    const queue = this.#pending.get(key);
    if (queue === undefined) return;
    const rest = queue.filter((other) => other !== pending);
    if (rest.length === 0) this.#pending.delete(key);
    else this.#pending.set(key, rest);
  }

  watch(fromRevision: number, watcher: CollectionWatcher<T>, signal: AbortSignal): void {
    if (fromRevision < this.#ring.start) throw new CompactedError(this.#ring.start);
    if (signal.aborted) return;
    const subscription: Subscription<T> = { watcher, after: fromRevision, active: true };
    const position = this.#ring.after(fromRevision);
    const end = this.#ring.size;
    for (let i = position; i < end && !signal.aborted; i++) watcher.onChange(this.#ring.at(i));
    if (signal.aborted) return;
    this.#watchers.push(subscription);
    signal.addEventListener('abort', () => this.#leave(subscription), { once: true });
  }

  #leave(subscription: Subscription<T>): void {
    if (!subscription.active) return;
    subscription.active = false;
    this.#left = true;
    if (this.#delivering === 0) this.#sweep();
  }

  #sweep(): void {
    this.#watchers = this.#watchers.filter((subscription) => subscription.active);
    this.#left = false;
  }

  #apply(events: readonly StoreEvent[]): void {
    const now = this.#clock.monotonic();
    for (let i = 0; i < events.length; i++) {
      const event = events[i]!;
      const change = this.#change(event);
      // Complete at a revision only with its last event.
      if (events[i + 1]?.revision !== event.revision) this.#revision = event.revision;
      if (change === undefined) continue;
      this.#current = undefined;
      if (change.type === 'deleted') this.#tree.delete(event.key);
      else this.#tree.set(event.key, change.entry);
      this.#ring.push(change, now, event.value?.length ?? 0);
      this.#deliver(change);
      // Who still asks for what has been replaced is rare, and can have its bytes made again.
      if (change.previous instanceof LazyEntry) change.previous.release();
      this.#releaseDeleted();
    }
    if (this.#waiters.length > 0) this.#wakeWaiters();
    this.#restTimer ??= this.#clock.setTimer(REST_MS, () => this.#rest());
  }

  /** What is remembered for some time ends also where nothing comes after it. */
  #rest(): void {
    this.#dropOldKept();
    const isMore = this.#ring.rest(this.#clock.monotonic());
    this.#restTimer = isMore || this.#kept.length > 0 ? this.#clock.setTimer(REST_MS, () => this.#rest()) : undefined;
  }

  /** What has been deleted is asked for by those who watch, and by who deleted it: soon, and no more. */
  #releaseDeleted(): void {
    const position = this.#ring.size - DELETED_KEPT;
    if (position < 0) return;
    const { type, entry } = this.#ring.at(position);
    if (type === 'deleted' && entry instanceof LazyEntry) entry.release();
  }

  /** What the event means here; undefined for the delete of something not known. */
  #change(event: StoreEvent): Change<T> | undefined {
    const { key, revision } = event;
    const previous = this.#tree.get(key);
    const pending = this.#claim(event);
    if (event.value === undefined) {
      if (previous === undefined) return undefined;
      const object = this.#codec.withRevision(pending?.object ?? previous.object, revision);
      const entry = new LazyEntry(key, object, revision, previous.createRevision, this.#codec);
      if (pending !== undefined) pending.entry = entry;
      return { type: 'deleted', revision, entry, previous };
    }
    const object =
      pending?.object === undefined
        ? this.#codec.decode(event.value, revision)
        : this.#codec.withRevision(pending.object, revision);
    const entry = new LazyEntry(key, object, revision, event.createRevision, this.#codec);
    if (pending !== undefined) pending.entry = entry;
    return { type: previous === undefined ? 'added' : 'modified', revision, entry, previous };
  }

  /** The write of ours that caused the event, if one did: the same bytes under the same key. */
  #claim(event: StoreEvent): PendingWrite<T> | undefined {
    const queue = this.#pending.get(event.key);
    if (queue === undefined) return undefined;
    const index = queue.findIndex(({ bytes }) => sameBytes(bytes, event.value));
    if (index < 0) return undefined;
    const pending = queue[index];
    if (queue.length === 1) this.#pending.delete(event.key);
    else queue.splice(index, 1);
    return pending;
  }

  #deliver(change: Change<T>): void {
    const watchers = this.#watchers;
    // Those who join while this runs have found the change in the ring.
    const count = watchers.length;
    this.#delivering++;
    for (let i = 0; i < count; i++) {
      const subscription = watchers[i]!;
      if (!subscription.active || change.revision <= subscription.after) continue;
      try {
        subscription.watcher.onChange(change);
      } catch (error) {
        this.#logger.error({ err: error, key: change.entry.key }, 'a watcher failed and is dropped');
        this.#leave(subscription);
        subscription.watcher.onError(error instanceof Error ? error : new Error(String(error)));
      }
    }
    this.#delivering--;
    if (this.#left && this.#delivering === 0) this.#sweep();
  }

  #progress(revision: number): void {
    if (revision <= this.#revision) return;
    this.#revision = revision;
    if (this.#waiters.length > 0) this.#wakeWaiters();
    if (this.#watchers.length > 0) this.#progressTimer ??= this.#clock.setTimer(PROGRESS_INTERVAL, () => this.#tellProgress());
  }

  #tellProgress(): void {
    this.#progressTimer = undefined;
    for (const { watcher, active, after } of [...this.#watchers]) {
      if (active && this.#revision > after) watcher.onProgress?.(this.#revision);
    }
  }

  #wakeWaiters(): void {
    const due = this.#waiters.filter((waiter) => waiter.revision <= this.#revision);
    if (due.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => waiter.revision > this.#revision);
    for (const waiter of due) waiter.resolve();
  }

  /** The feed broke: what happened meanwhile is unknown, so watchers are told to list again, and so does the collection. */
  async #lost(error: Error): Promise<void> {
    this.#session.abort();
    if (this.#feed.signal.aborted) return;
    this.#logger.warn({ err: error, prefix: this.#prefix }, 'the feed from the store is lost; loading again');
    for (const subscription of this.#watchers.splice(0)) {
      subscription.active = false;
      subscription.watcher.onError(new CompactedError(this.#revision));
    }
    while (!this.#feed.signal.aborted) {
      try {
        await this.load();
        return;
      } catch (fault) {
        this.#logger.warn({ err: fault, prefix: this.#prefix }, 'loading failed; trying again');
        await this.#clock.sleep(RELOAD_DELAY, this.#feed.signal).catch(() => undefined);
      }
    }
  }

  close(): void {
    this.#feed.abort();
    this.#session.abort();
    this.#progressTimer?.cancel();
    this.#restTimer?.cancel();
    for (const subscription of this.#watchers.splice(0)) subscription.active = false;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(new StoreUnavailableError('the collection is closed'));
  }
}

const RESOLVED = Promise.resolve();

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === b) return true;
  return a !== undefined && b !== undefined && a.length === b.length && Buffer.compare(a, b) === 0;
}
