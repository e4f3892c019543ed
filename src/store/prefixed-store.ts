import {
  PreconditionError,
  type Store,
  type StoreCheck,
  type StoreCommit,
  type StoreEntry,
  type StoreEvent,
  type StoreListOptions,
  type StoreListResult,
  type StoreOp,
  type StoreWatchHandler,
} from './contract.ts';

/** Where all keys of the cluster lie, for those who use the store. */
const OWN_PREFIX = '/registry';

/**
 * A store that keeps `/registry/…` under another prefix (upstream's --etcd-prefix), so that several clusters share one etcd.
 * Snapshot, check and compaction are the whole store's.
 */
export function prefixedStore(store: Store, prefix: string): Store {
  const base = `/${prefix.replace(/^\/+|\/+$/g, '')}`;
  return base === OWN_PREFIX ? store : new PrefixedStore(store, base);
}

class PrefixedStore implements Store {
  readonly #store: Store;
  readonly #base: string;
  readonly newest: (() => Promise<number>) | undefined;

  constructor(store: Store, base: string) {
    this.#store = store;
    this.#base = base;
    this.newest = store.newest?.bind(store);
  }

  get revision(): number {
    return this.#store.revision;
  }

  get compactedRevision(): number {
    return this.#store.compactedRevision;
  }

  async get(key: string): Promise<StoreEntry | undefined> {
    const entry = await this.#store.get(this.#inner(key));
    return entry === undefined ? undefined : this.#entry(entry);
  }

  async list(prefix: string, options: StoreListOptions = {}): Promise<StoreListResult> {
    const from = options.from === undefined ? {} : { from: this.#inner(options.from) };
    const result = await this.#store.list(this.#innerPrefix(prefix), { ...options, ...from });
    return { ...result, entries: result.entries.map((entry) => this.#entry(entry)) };
  }

  async commit(ops: readonly StoreOp[]): Promise<StoreCommit> {
    try {
      return await this.#store.commit(ops.map((op) => ({ ...op, key: this.#inner(op.key) })));
    } catch (err) {
      if (!(err instanceof PreconditionError)) throw err;
      throw new PreconditionError(this.#outer(err.key), err.current === undefined ? undefined : this.#entry(err.current));
    }
  }

  watch(prefix: string, fromRevision: number, handler: StoreWatchHandler, signal: AbortSignal): void {
    const outward = (events: readonly StoreEvent[]): void =>
      handler.onEvents(events.map((event) => ({ ...event, key: this.#outer(event.key) })));
    this.#store.watch(
      this.#innerPrefix(prefix),
      fromRevision,
      {
        onEvents: outward,
        onError: (error) => handler.onError(error),
        ...(handler.onProgress === undefined ? {} : { onProgress: (revision) => handler.onProgress!(revision) }),
      },
      signal,
    );
  }

  compact(revision: number): Promise<void> {
    return this.#store.compact(revision);
  }

  snapshot(): AsyncIterable<Uint8Array> {
    return this.#store.snapshot();
  }

  check(): Promise<StoreCheck> {
    return this.#store.check();
  }

  restore(source: AsyncIterable<Uint8Array>, skip?: number): Promise<void> {
    return this.#store.restore(source, skip);
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #inner(key: string): string {
    if (!key.startsWith(`${OWN_PREFIX}/`)) throw new RangeError(`${key} is not below ${OWN_PREFIX}`);
    return this.#base + key.slice(OWN_PREFIX.length);
  }

  /** A prefix may be shorter than ours: then it means all that is ours. */
  #innerPrefix(prefix: string): string {
    return `${OWN_PREFIX}/`.startsWith(prefix) ? `${this.#base}/` : this.#inner(prefix);
  }

  #outer(key: string): string {
    return OWN_PREFIX + key.slice(this.#base.length);
  }

  #entry(entry: StoreEntry): StoreEntry {
    return { ...entry, key: this.#outer(entry.key) };
  }
}
