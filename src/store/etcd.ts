import { status } from '@grpc/grpc-js';
import { backoffDelay } from '../util/backoff.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { Random } from '../util/random.ts';
import { faultOf } from './commit-fault.ts';
import {
  CompactedError,
  EntryTooLargeError,
  MAX_FAULTS,
  PreconditionError,
  type Store,
  type StoreCheck,
  type StoreCommit,
  type StoreEntry,
  type StoreEvent,
  type StoreListOptions,
  type StoreListResult,
  type StoreOp,
  StoreUnavailableError,
  type StoreWatchHandler,
} from './contract.ts';
import { EtcdLeases } from './etcd-leases.ts';
import {
  COMPARE_EQUAL,
  COMPARE_MOD,
  EtcdConnection,
  type EtcdTls,
  type Header,
  type KeyValue,
  type RangeResponse,
} from './etcd-protocol.ts';
import { EtcdWatch } from './etcd-watch.ts';
import { RecentEvents } from './recent-events.ts';

/** Entries asked for in one call. */
const LIST_PAGE = 1_000;
/** How a lost live feed is taken up again, in milliseconds. */
const RECONNECT = { initial: 100, max: 5_000, jitter: 0.2 };

export interface EtcdStoreOptions {
  /** `host:port` of each member. Calls go to one until it fails. */
  readonly endpoints: readonly string[];
  /** Without it the connection is in the clear: for loopback only. */
  readonly tls?: EtcdTls;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * Opens the store kept by an etcd cluster (v3, 3.4 or newer): for several API servers over one state.
 * Rejects with `StoreUnavailableError` when no endpoint answers.
 *
 * One live watch of all keys feeds every watcher here, in revision order; so each knows how far it is complete with every commit, whoever
 * made it. One difference to the embedded store: a commit rejected with `StoreUnavailableError` may have been made, when the connection
 * broke before the answer. Writers with an expected revision find out by trying again.
 */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<Store> {
  const store = new EtcdStore(options);
  try {
    await store.start();
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
}

class EtcdStore implements Store {
  readonly #connections: readonly EtcdConnection[];
  readonly #endpoints: readonly string[];
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #leases: EtcdLeases;
  readonly #closing = new AbortController();
  readonly #recent = new RecentEvents();
  readonly #inFlight = new Set<Promise<unknown>>();
  /** The question for the newest revision that is under way, and the one after it. */
  #asking: Promise<number> | undefined;
  #askingNext: Promise<number> | undefined;
  #endpoint = 0;
  #revision = 0;
  #compacted = 0;
  /** Up to here, events have been published. */
  #published = 0;

  constructor({ endpoints, tls, clock, random, logger }: EtcdStoreOptions) {
    this.#endpoints = endpoints;
    this.#clock = clock;
    this.#random = random;
    this.#logger = logger;
    this.#connections = endpoints.map((endpoint) => new EtcdConnection(endpoint, tls, () => clock.now()));
    this.#leases = new EtcdLeases({
      clock,
      random,
      grant: (ttl, id) => this.#call((connection) => connection.grant({ TTL: ttl, ID: id })),
    });
  }

  /** Finds the newest revision and follows from there. */
  async start(): Promise<void> {
    await this.#range({ key: Buffer.from('\0'), limit: 1 });
    this.#published = this.#revision;
    this.#recent.reset(this.#revision);
    // Not before the watch stands: a compaction soon after could overtake it.
    await new Promise<void>((resolve, reject) => void this.#follow(resolve, reject));
  }

  get revision(): number {
    return this.#revision;
  }

  get compactedRevision(): number {
    return this.#compacted;
  }

  /** Asked of etcd once for all who ask meanwhile: an answer that is under way may be older than the question. */
  newest(): Promise<number> {
    if (this.#asking === undefined) return this.#ask();
    return (this.#askingNext ??= this.#asking.then(
      () => this.#ask(),
      () => this.#ask(),
    ));
  }

  #ask(): Promise<number> {
    this.#askingNext = undefined;
    const asking = this.#range({ key: Buffer.from('\0'), limit: 1 }).then(({ header }) => header.revision);
    const over = (): void => {
      if (this.#asking === asking) this.#asking = undefined;
    };
    this.#asking = asking;
    asking.then(over, over);
    return asking;
  }

  async get(key: string): Promise<StoreEntry | undefined> {
    this.#assertOpen();
    const { kvs } = await this.#range({ key: Buffer.from(key) });
    return kvs[0] === undefined ? undefined : entryOf(kvs[0]);
  }

  async list(prefix: string, options: StoreListOptions = {}): Promise<StoreListResult> {
    this.#assertOpen();
    return this.#track(this.#list(prefix, options));
  }

  async #list(prefix: string, options: StoreListOptions): Promise<StoreListResult> {
    const { limit } = options;
    const entries: StoreEntry[] = [];
    let from = options.from !== undefined && options.from > prefix ? options.from : prefix;
    let { revision } = options;
    for (;;) {
      const page = await this.#range({
        key: Buffer.from(from === '' ? '\0' : from),
        rangeEnd: endOf(prefix),
        limit: Math.min(LIST_PAGE, (limit ?? Number.POSITIVE_INFINITY) - entries.length),
        revision: revision ?? 0,
      });
      revision ??= page.header.revision;
      for (const kv of page.kvs) entries.push(entryOf(kv));
      if (!page.more || entries.length === limit) return { entries, revision, more: page.more };
      from = `${entries.at(-1)!.key} `;
    }
  }

  async commit(ops: readonly StoreOp[]): Promise<StoreCommit> {
    const fault = faultOf(ops);
    if (fault !== undefined) throw new RangeError(fault);
    this.#assertOpen();
    return this.#track(this.#commit(ops));
  }

  async #commit(ops: readonly StoreOp[]): Promise<StoreCommit> {
    const expecting = ops.filter((op) => op.expectedRevision !== undefined);
    const success = await Promise.all(ops.map((op) => this.#request(op)));
    const response = await this.#call((connection) =>
      connection.txn({
        compare: expecting.map((op) => ({
          result: COMPARE_EQUAL,
          target: COMPARE_MOD,
          key: Buffer.from(op.key),
          modRevision: op.expectedRevision,
        })),
        success,
        failure: expecting.map((op) => ({ requestRange: { key: Buffer.from(op.key) } })),
      }),
    );
    if (response.succeeded) return { revision: response.header.revision };
    for (const [i, op] of expecting.entries()) {
      const kv = response.responses[i]?.responseRange?.kvs[0];
      if ((kv?.modRevision ?? 0) !== op.expectedRevision)
        throw new PreconditionError(op.key, kv === undefined ? undefined : entryOf(kv));
    }
    throw new StoreUnavailableError('etcd refused a commit whose expectations hold; check that its members run the same version');
  }

  async #request(op: StoreOp): Promise<object> {
    const key = Buffer.from(op.key);
    if (op.type === 'delete') return { requestDeleteRange: { key } };
    const lease = op.ttlSeconds === undefined ? 0 : await this.#leases.take(op.ttlSeconds);
    return { requestPut: { key, value: op.value, lease } };
  }

  watch(prefix: string, fromRevision: number, handler: StoreWatchHandler, signal: AbortSignal): void {
    this.#assertOpen();
    if (signal.aborted) return;
    if (fromRevision >= this.#recent.start) this.#recent.join(prefix, fromRevision, this.#published, handler, signal);
    else void this.#watchPast(prefix, fromRevision, handler, signal);
  }

  /** A watch from before what is remembered here: etcd's own history, until that meets what is remembered. */
  async #watchPast(prefix: string, fromRevision: number, handler: StoreWatchHandler, signal: AbortSignal): Promise<void> {
    let known = fromRevision;
    const over = AbortSignal.any([signal, this.#closing.signal]);
    for (let failures = 1; !over.aborted; failures++) {
      const meeting = new AbortController();
      try {
        await this.#watchOnce(prefix, known, AbortSignal.any([over, meeting.signal]), (revision, events) => {
          failures = 0;
          known = revision;
          if (events.length > 0) handler.onEvents(events);
          if (known < this.#recent.start || over.aborted) return;
          meeting.abort();
        });
      } catch (error) {
        if (over.aborted) return;
        if (!(error instanceof StoreUnavailableError)) {
          handler.onError(error instanceof Error ? error : new Error(String(error)));
          return;
        }
        await this.#pause(failures);
      }
      if (meeting.signal.aborted && !over.aborted) {
        this.watch(prefix, known, handler, signal);
        return;
      }
    }
  }

  /** The live feed: one watch of everything, for as long as the store is open. Tells when it stands or failed for the first time. */
  async #follow(onStanding: () => void, onFailed: (error: unknown) => void): Promise<void> {
    const { signal } = this.#closing;
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        const publish = (revision: number, events: readonly StoreEvent[]): void => this.#publish(revision, events);
        await this.#watchOnce('', this.#published, signal, publish, () => {
          if (failures > 1) this.#logger.info({ revision: this.#published }, 'the feed from etcd is back');
          failures = 0;
          onStanding();
        });
      } catch (error) {
        onFailed(error);
        if (signal.aborted) return;
        if (failures === 1)
          this.#logger.warn({ err: error, revision: this.#published }, 'the feed from etcd is lost; connecting again');
        if (error instanceof CompactedError) await this.#startOver(error);
        else await this.#pause(failures);
      }
    }
  }

  #publish(revision: number, events: readonly StoreEvent[]): void {
    if (revision > this.#revision) this.#revision = revision;
    this.#recent.publish(events);
    this.#published = Math.max(this.#published, revision);
    this.#recent.progress(this.#published);
  }

  /** What happened since is gone from etcd: watchers must list again. */
  async #startOver(error: CompactedError): Promise<void> {
    try {
      await this.#range({ key: Buffer.from('\0'), limit: 1 });
    } catch {
      await this.#pause(1);
      return;
    }
    this.#published = this.#revision;
    this.#recent.reset(this.#revision);
    this.#recent.fail(error);
  }

  /** One watch until it breaks. `onEvents` gets the events of whole revisions, or none with the revision of a progress notice. */
  async #watchOnce(
    prefix: string,
    after: number,
    signal: AbortSignal,
    onEvents: (revision: number, events: readonly StoreEvent[]) => void,
    onCreated?: () => void,
  ): Promise<void> {
    const index = this.#endpoint;
    const watch = new EtcdWatch(this.#connections[index]!);
    try {
      await watch.run(
        { key: Buffer.from(prefix === '' ? '\0' : prefix), rangeEnd: endOf(prefix), startRevision: after + 1 },
        signal,
        onEvents,
        onCreated,
      );
    } catch (error) {
      if (error instanceof CompactedError) this.#compacted = Math.max(this.#compacted, error.compactedRevision);
      throw this.#errorOf(error, index);
    }
  }

  async #pause(failures: number): Promise<void> {
    await this.#clock.sleep(backoffDelay(RECONNECT, failures, this.#random), this.#closing.signal).catch(() => undefined);
  }

  async compact(revision: number): Promise<void> {
    this.#assertOpen();
    try {
      await this.#call((connection) => connection.compact({ revision, physical: true }));
      this.#compacted = Math.max(this.#compacted, revision);
      this.#recent.compact(revision);
    } catch (error) {
      // Done already.
      if (!(error instanceof CompactedError)) throw error;
    }
  }

  /** etcd's own snapshot format: `etcdctl snapshot restore` takes it. */
  async *snapshot(): AsyncGenerator<Uint8Array> {
    const index = this.#endpoint;
    try {
      for await (const { blob } of this.#connections[index]!.snapshot()) yield blob;
    } catch (error) {
      throw this.#errorOf(error, index);
    }
  }

  /** etcd keeps its members' files itself; here everything is read once, as of one revision. */
  async check(): Promise<StoreCheck> {
    const faults: string[] = [];
    let keys = 0;
    let bytes = 0;
    let revision: number | undefined;
    for (let from = ''; ; ) {
      const page = await this.list('', { from, limit: LIST_PAGE, ...(revision === undefined ? {} : { revision }) });
      revision ??= page.revision;
      for (const { key, value, createRevision, modRevision } of page.entries) {
        keys++;
        bytes += value.length;
        if ((key < from || createRevision > modRevision || modRevision > page.revision) && faults.length < MAX_FAULTS)
          faults.push(`${key} is out of order`);
      }
      if (!page.more) return { revision, compactedRevision: this.#compacted, keys, bytes, history: undefined, faults };
      from = `${page.entries.at(-1)!.key} `;
    }
  }

  restore(): Promise<void> {
    return Promise.reject(
      new StoreUnavailableError('etcd restores its snapshots itself: use "etcdctl snapshot restore" on its members'),
    );
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#recent.clear();
    while (this.#inFlight.size > 0) await Promise.allSettled(this.#inFlight);
    for (const connection of this.#connections) connection.close();
  }

  /** Reads may be tried again: each endpoint gets its turn. */
  async #range(request: object): Promise<RangeResponse> {
    for (let left = this.#connections.length - 1; ; left--) {
      try {
        return await this.#call((connection) => connection.range(request));
      } catch (error) {
        if (left === 0 || !(error instanceof StoreUnavailableError)) throw error;
      }
    }
  }

  async #call<T extends { readonly header: Header }>(call: (connection: EtcdConnection) => Promise<T>): Promise<T> {
    const index = this.#endpoint;
    try {
      const response = await this.#track(call(this.#connections[index]!));
      if (response.header.revision > this.#revision) this.#revision = response.header.revision;
      return response;
    } catch (error) {
      throw this.#errorOf(error, index);
    }
  }

  /** Closing waits for it. */
  async #track<T>(work: Promise<T>): Promise<T> {
    this.#inFlight.add(work);
    try {
      return await work;
    } finally {
      this.#inFlight.delete(work);
    }
  }

  #assertOpen(): void {
    if (this.#closing.signal.aborted) throw closedError();
  }

  /** Maps a gRPC error; after one of the connection, the next call goes to the next endpoint. */
  #errorOf(error: unknown, index: number): Error {
    if (!(error instanceof Error) || error instanceof CompactedError) return error as Error;
    const { code } = error as { readonly code?: number };
    if (code === status.OUT_OF_RANGE && /compacted/.test(error.message)) return new CompactedError(this.#compacted);
    // Said by etcd itself, or by its gRPC before etcd sees the request.
    if (/request is too large|message larger than max/.test(error.message)) {
      return new EntryTooLargeError('etcdserver: request is too large', { cause: error });
    }
    if (code === status.OUT_OF_RANGE || code === status.INVALID_ARGUMENT) return new RangeError(error.message, { cause: error });
    if (this.#endpoint === index) this.#endpoint = (index + 1) % this.#connections.length;
    if (code === status.RESOURCE_EXHAUSTED) {
      return new StoreUnavailableError(
        `etcd takes no more writes (${error.message}); compact and defragment it, or raise its quota, then disarm the alarm`,
        { cause: error },
      );
    }
    return new StoreUnavailableError(
      `etcd at ${this.#endpoints[index]} cannot be used (${error.message}); check that it runs and that address and certificates are right`,
      { cause: error },
    );
  }
}

const closedError = (): StoreUnavailableError => new StoreUnavailableError('the store is closed; open it again to use it');

/** The end of the range of keys with `prefix`: keys are printable ASCII. etcd's own sign for "all that follow" is a zero byte. */
const endOf = (prefix: string): Buffer => Buffer.from(prefix === '' ? '\0' : `${prefix}\x7f`);

function entryOf({ key, value, createRevision, modRevision }: KeyValue): StoreEntry {
  return { key: key.toString('latin1'), value, createRevision, modRevision };
}
