import type { Clock, Timer } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import { Slice, turn } from '../util/slice.ts';
import { checkEngine } from './check-engine.ts';
import { faultOf } from './commit-fault.ts';
import {
  CompactedError,
  MAX_COMMIT_OPS,
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
import { type Engine, type EngineMeta, type Expiry, type LogRecord, revisionOf, SLOTS_PER_REVISION } from './engine.ts';
import { Feed } from './feed.ts';
import { ListAtRevision, readEntry } from './list-at-revision.ts';
import { RecentTrail } from './recent-trail.ts';
import { readSnapshot, writeSnapshot } from './snapshot-stream.ts';

/** How much history is kept for watches and lists of the past. Whichever limit is reached first compacts. */
export interface HistoryLimits {
  /** Most changes remembered. */
  readonly maxRecords: number;
  /** Most bytes of values remembered. */
  readonly maxBytes: number;
  /** Changes older than this many milliseconds are forgotten. */
  readonly maxAge: number;
}

/**
 * Five minutes, as the upstream API server's compaction; the other two keep the file small under heavy writing. Collections remember for their
 * watchers themselves: they need history only between their list and their watch.
 */
export const DEFAULT_HISTORY: HistoryLimits = { maxRecords: 32_768, maxBytes: 32 * 1024 * 1024, maxAge: 300_000 };

/** What one durable step takes at most: bounds the time the event loop spends on one. */
const MAX_GROUP_COMMITS = 1024;
const MAX_GROUP_BYTES = 8 * 1024 * 1024;
/** Most bytes accepted and not yet durable. Beyond, commits are turned away: the disk does not keep up. */
const MAX_QUEUED_BYTES = 256 * 1024 * 1024;
/** How far beyond its limits history may grow while a snapshot or a long list still reads it. */
const PINNED_HISTORY_FACTOR = 16;
/** Log records that compaction looks at in one step, at least; with heavy writing it takes twice what was written. */
const COMPACT_STEP = 512;
/** How often the age of history is looked at, and memory let go, in milliseconds. */
const AGE_TICK = 30_000;
/** Keys ended in one step, and the shortest time between two such steps, in milliseconds. */
const EXPIRY_STEP = 256;
const EXPIRY_TICK = 1_000;
/** Records a starting watch reads between turns of the event loop. */
const CATCH_UP_STEP = 256;
/** Entries a list reads before it looks at the time. */
const LIST_STEP = 64;

interface Pending {
  readonly revision: number;
  /** What it writes; empty when it changes nothing. */
  readonly heads: readonly PendingHead[];
  readonly endedExpiries: readonly Expiry[];
  readonly bytes: number;
  readonly resolve: (commit: StoreCommit) => void;
  readonly reject: (error: Error) => void;
}

/** A record that is not durable yet, and whoever waits to learn whether it becomes so. */
interface PendingHead {
  readonly record: LogRecord;
  waiting: (() => void)[] | undefined;
}

export interface LogStoreOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly history?: Partial<HistoryLimits>;
  /** Schedules the next durable step. The embedded store gathers a turn of the event loop; the one in memory has nothing to gather for. */
  readonly schedule: (step: () => void) => void;
  /** Called after the engine is closed. */
  readonly onClosed?: () => void;
}

/**
 * The `Store` over an engine: preconditions, group commit, watches, compaction, expiry.
 *
 * Commits are checked in order of arrival against the newest state accepted, durable or not, and get their revision at once; then they
 * wait for the next durable step, which takes all that wait. So writers of one key are in one line, and no disk wait stands between
 * them. Only what a step has made durable is shown, in revision order.
 */
export class LogStore implements Store {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #limits: HistoryLimits;
  readonly #options: LogStoreOptions;
  readonly #feed = new Feed();
  /** Newest accepted, not yet durable record of each key. */
  readonly #pendingHeads = new Map<string, PendingHead>();
  #trail: RecentTrail;
  #meta: EngineMeta;
  #lastRevision: number;
  #queue: Pending[] = [];
  #queuedBytes = 0;
  #stepping = false;
  #scheduled = false;
  #compactTarget = 0;
  #compactWaiters: { readonly revision: number; readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  #pins = new Set<{ readonly revision: number }>();
  #ages: { readonly at: number; readonly revision: number }[];
  #ageTimer: Timer;
  #expiryTimer: Timer | undefined;
  #expiryAt = Number.POSITIVE_INFINITY;
  #idleWaiters: (() => void)[] = [];
  #closed = false;
  #resting = false;
  #failing = false;

  constructor(options: LogStoreOptions) {
    this.#options = options;
    this.#engine = options.engine;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#limits = { ...DEFAULT_HISTORY, ...options.history };
    this.#meta = this.#engine.meta();
    this.#lastRevision = this.#meta.revision;
    this.#trail = new RecentTrail(this.#lastRevision);
    this.#ages = [{ at: this.#clock.monotonic(), revision: this.#meta.revision }];
    this.#ageTimer = this.#clock.setTimer(AGE_TICK, () => this.#ageTick());
    this.#armExpiry(this.#engine.nextExpiry());
  }

  get revision(): number {
    return this.#meta.revision;
  }

  get compactedRevision(): number {
    return this.#meta.compactedRevision;
  }

  async get(key: string): Promise<StoreEntry | undefined> {
    this.#assertOpen();
    return readEntry(this.#engine, key);
  }

  async list(prefix: string, options: StoreListOptions = {}): Promise<StoreListResult> {
    this.#assertOpen();
    // The engine may be a step ahead of what has been published: what it shows is durable all the same.
    const newest = this.#engine.meta().revision;
    const revision = options.revision ?? newest;
    if (revision > newest) throw new RangeError(`revision ${revision} is in the future; the newest is ${newest}`);
    const limit = options.limit ?? Number.POSITIVE_INFINITY;
    const pin = this.#pin(revision);
    try {
      const reader = new ListAtRevision(this.#engine, prefix, revision, options.from);
      const entries: StoreEntry[] = [];
      const slice = new Slice();
      for (;;) {
        const wanted = Math.min(LIST_STEP, limit - entries.length + 1);
        for (const entry of reader.read(wanted)) entries.push(entry);
        if (reader.done || entries.length > limit) break;
        if (!slice.over) continue;
        await slice.next();
        this.#assertOpen();
      }
      const more = entries.length > limit;
      return { entries: more ? entries.slice(0, limit) : entries, revision, more };
    } finally {
      this.#pins.delete(pin);
    }
  }

  commit(ops: readonly StoreOp[]): Promise<StoreCommit> {
    return new Promise((resolve, reject) => this.#accept(ops, resolve, reject));
  }

  #accept(ops: readonly StoreOp[], resolve: (commit: StoreCommit) => void, reject: (error: Error) => void): void {
    if (this.#closed) {
      reject(closedError());
      return;
    }
    const fault = faultOf(ops);
    if (fault !== undefined) {
      reject(new RangeError(fault));
      return;
    }
    if (this.#queuedBytes > MAX_QUEUED_BYTES) {
      reject(new StoreUnavailableError('too many writes are waiting for the disk; try again later, or use a faster disk'));
      return;
    }
    const revision = this.#lastRevision + 1;
    const heads: PendingHead[] = [];
    const endedExpiries: Expiry[] = [];
    let bytes = 0;
    for (const op of ops) {
      const pending = this.#pendingHeads.get(op.key);
      const head =
        pending === undefined ? this.#engine.head(op.key) : pending.record.value === undefined ? undefined : pending.record;
      if (op.expectedRevision !== undefined && op.expectedRevision !== (head === undefined ? 0 : revisionOf(head.slot))) {
        this.#conflict(ops, op.key, pending, resolve, reject);
        return;
      }
      if (op.type === 'delete' && head === undefined) continue;
      if (head !== undefined && head.expiresAt !== 0) endedExpiries.push({ expiresAt: head.expiresAt, slot: head.slot });
      const put = op.type === 'put' ? op : undefined;
      const record: LogRecord = {
        slot: revision * SLOTS_PER_REVISION + heads.length,
        key: op.key,
        value: put?.value,
        createRevision: put === undefined ? 0 : (head?.createRevision ?? revision),
        previousSlot: head?.slot ?? 0,
        expiresAt: put?.ttlSeconds === undefined ? 0 : this.#clock.now() + put.ttlSeconds * 1000,
      };
      heads.push({ record, waiting: undefined });
      bytes += op.key.length + (put?.value.length ?? 0);
    }
    if (heads.length > 0) this.#lastRevision = revision;
    for (const head of heads) this.#pendingHeads.set(head.record.key, head);
    this.#queuedBytes += bytes;
    this.#queue.push({ revision: this.#lastRevision, heads, endedExpiries, bytes, resolve, reject });
    this.#wake();
  }

  /** An expectation failed. What it failed against may only be told once it is durable; if it never becomes so, the commit is tried anew. */
  #conflict(
    ops: readonly StoreOp[],
    key: string,
    pending: PendingHead | undefined,
    resolve: (commit: StoreCommit) => void,
    reject: (error: Error) => void,
  ): void {
    if (pending === undefined) {
      reject(new PreconditionError(key, readEntry(this.#engine, key)));
      return;
    }
    (pending.waiting ??= []).push(() => {
      const { record } = pending;
      if (revisionOf(record.slot) > this.#meta.revision) this.#accept(ops, resolve, reject);
      else reject(new PreconditionError(key, entryOf(record)));
    });
  }

  #wake(): void {
    if (this.#scheduled || this.#stepping) return;
    this.#scheduled = true;
    this.#options.schedule(() => {
      this.#scheduled = false;
      void this.#run();
    });
  }

  /** Durable steps, one after another, while there is something to do. */
  async #run(): Promise<void> {
    if (this.#stepping) return;
    this.#stepping = true;
    try {
      while (this.#queue.length > 0 || this.#compactionDue() > this.#meta.compactedRevision) {
        if (!(await this.#step())) break;
      }
    } finally {
      this.#stepping = false;
      if (this.#queue.length > 0) this.#wake();
      else for (const waiter of this.#idleWaiters.splice(0)) waiter();
    }
  }

  async #step(): Promise<boolean> {
    const group = this.#takeGroup();
    const records: LogRecord[] = [];
    const endedExpiries: Expiry[] = [];
    let bytes = 0;
    for (const pending of group) {
      for (const { record } of pending.heads) records.push(record);
      for (const expiry of pending.endedExpiries) endedExpiries.push(expiry);
      bytes += pending.bytes;
    }
    const drop = this.#planCompaction(records.length);
    const revision = group.at(-1)?.revision ?? this.#meta.revision;
    const meta: EngineMeta = {
      revision,
      compactedRevision: drop.compactedRevision,
      historyRecords: this.#meta.historyRecords + records.length - drop.records,
      historyBytes: this.#meta.historyBytes + bytes - drop.bytes,
    };
    if (records.length > 0 || drop.compactedRevision > this.#meta.compactedRevision) {
      try {
        await this.#engine.apply({ meta, records, endedExpiries, droppedSlots: drop.slots });
      } catch (error) {
        this.#failed(group, error);
        return false;
      }
      for (const record of records) this.#trail.push(record);
      if (this.#failing) this.#logger.info({}, 'the store can write again');
      this.#failing = false;
    }
    this.#publish(group, meta);
    this.#settleCompaction();
    return true;
  }

  #takeGroup(): readonly Pending[] {
    let count = 0;
    let bytes = 0;
    while (count < this.#queue.length && count < MAX_GROUP_COMMITS && (count === 0 || bytes < MAX_GROUP_BYTES)) {
      bytes += this.#queue[count++]!.bytes;
    }
    if (count === this.#queue.length) {
      const all = this.#queue;
      this.#queue = [];
      return all;
    }
    return this.#queue.splice(0, count);
  }

  #publish(group: readonly Pending[], meta: EngineMeta): void {
    // Compaction shows at once; the revision moves commit by commit, so that a watcher never sees a store that is ahead of its events.
    this.#meta = { ...meta, revision: this.#meta.revision };
    let soonest = Number.POSITIVE_INFINITY;
    for (const pending of group) {
      this.#queuedBytes -= pending.bytes;
      if (pending.heads.length === 0) continue;
      this.#meta = { ...this.#meta, revision: pending.revision };
      const events: StoreEvent[] = [];
      for (const head of pending.heads) {
        const { record, waiting } = head;
        events.push(eventOf(record));
        if (record.expiresAt !== 0 && record.expiresAt < soonest) soonest = record.expiresAt;
        if (this.#pendingHeads.get(record.key) === head) this.#pendingHeads.delete(record.key);
        if (waiting !== undefined) for (const tell of waiting) tell();
      }
      this.#feed.publish(pending.revision, events);
    }
    if (group.length > 0) this.#feed.progress(this.#meta.revision);
    for (const { revision, resolve } of group) resolve({ revision });
    if (soonest < this.#expiryAt) this.#armExpiry(soonest);
  }

  /** Nothing of `group` was written. What waited behind it was checked against it, so it fails too; callers try again. */
  #failed(group: readonly Pending[], cause: unknown): void {
    const reason = cause instanceof Error ? cause.message : String(cause);
    if (!this.#failing) this.#logger.error({ err: cause, commits: group.length + this.#queue.length }, 'the store cannot write');
    this.#failing = true;
    const rejected = [...group, ...this.#queue];
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#pendingHeads.clear();
    const error =
      cause instanceof StoreUnavailableError
        ? cause
        : new StoreUnavailableError(`the store could not write: ${reason}`, { cause });
    for (const { reject } of rejected) reject(error);
    for (const { heads } of rejected) for (const { waiting } of heads) for (const tell of waiting ?? []) tell();
    for (const waiter of this.#compactWaiters.splice(0)) waiter.reject(error);
    this.#compactTarget = 0;
  }

  watch(prefix: string, fromRevision: number, handler: StoreWatchHandler, signal: AbortSignal): void {
    this.#assertOpen();
    if (signal.aborted) return;
    if (fromRevision >= this.#meta.revision) {
      this.#feed.add(prefix, fromRevision, handler, signal);
      return;
    }
    void this.#catchUp(prefix, fromRevision, handler, signal);
  }

  /** Reads history until it meets what is published, then goes live: in one turn, so that nothing falls between. */
  async #catchUp(prefix: string, fromRevision: number, handler: StoreWatchHandler, signal: AbortSignal): Promise<void> {
    let known = fromRevision;
    try {
      for (;;) {
        await turn();
        if (signal.aborted) return;
        if (this.#closed) return;
        if (known < this.#meta.compactedRevision) throw new CompactedError(this.#meta.compactedRevision);
        const published = this.#meta.revision;
        const records = this.#engine.records(
          (known + 1) * SLOTS_PER_REVISION,
          (published + 1) * SLOTS_PER_REVISION,
          CATCH_UP_STEP + MAX_COMMIT_OPS,
        );
        const full = records.length === CATCH_UP_STEP + MAX_COMMIT_OPS;
        // A revision that may go on in the next step waits for it.
        const last = full ? revisionOf(records.at(-1)!.slot) - 1 : published;
        for (const events of byRevision(records, prefix, last)) handler.onEvents(events);
        known = last;
        if (known === this.#meta.revision) break;
      }
      this.#feed.add(prefix, known, handler, signal);
      handler.onProgress?.(known);
    } catch (error) {
      if (!signal.aborted) handler.onError(error instanceof Error ? error : new Error(String(error)));
    }
  }

  compact(revision: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) reject(closedError());
      else if (revision > this.#meta.revision)
        reject(new RangeError(`cannot compact to ${revision}: the newest is ${this.#meta.revision}`));
      else if (revision <= this.#meta.compactedRevision) resolve();
      else {
        this.#compactTarget = Math.max(this.#compactTarget, revision);
        this.#compactWaiters.push({ revision, resolve, reject });
        this.#wake();
      }
    });
  }

  /** The revision that history should be compacted to now. */
  #compactionDue(): number {
    const { historyRecords, historyBytes } = this.#meta;
    const { maxRecords, maxBytes } = this.#limits;
    let oldestPin = Number.POSITIVE_INFINITY;
    for (const { revision } of this.#pins) oldestPin = Math.min(oldestPin, revision);
    if (historyRecords > maxRecords * PINNED_HISTORY_FACTOR || historyBytes > maxBytes * PINNED_HISTORY_FACTOR)
      return this.#meta.revision;
    if (historyRecords > maxRecords || historyBytes > maxBytes) return Math.min(this.#meta.revision, oldestPin);
    return Math.min(this.#compactTarget, oldestPin);
  }

  /** The next piece of compaction: whole revisions only, up to what is due. */
  #planCompaction(written: number): {
    readonly compactedRevision: number;
    readonly slots: readonly number[];
    readonly records: number;
    readonly bytes: number;
  } {
    const { compactedRevision } = this.#meta;
    const due = this.#compactionDue();
    if (due <= compactedRevision) return { compactedRevision, slots: [], records: 0, bytes: 0 };
    const limit = Math.max(COMPACT_STEP, 2 * written) + MAX_COMMIT_OPS;
    const from = (compactedRevision + 1) * SLOTS_PER_REVISION;
    const isRecent = from >= this.#trail.start;
    const to = isRecent ? (due + 1) * SLOTS_PER_REVISION : Math.min((due + 1) * SLOTS_PER_REVISION, this.#trail.start);
    const found = isRecent ? this.#trail.take(from, to, limit) : this.#engine.trail(from, to, limit);
    const last = found.length === limit ? revisionOf(found.at(-1)!.slot) - 1 : revisionOf(to) - 1;
    const slots: number[] = [];
    let records = 0;
    let bytes = 0;
    for (const mark of found) {
      if (revisionOf(mark.slot) > last) break;
      records++;
      bytes += mark.bytes;
      if (mark.previousSlot !== 0) slots.push(mark.previousSlot);
      if (mark.isDelete) slots.push(mark.slot);
    }
    return { compactedRevision: last, slots, records, bytes };
  }

  #settleCompaction(): void {
    if (this.#compactWaiters.length === 0) return;
    const done = this.#compactWaiters.filter((waiter) => waiter.revision <= this.#meta.compactedRevision);
    this.#compactWaiters = this.#compactWaiters.filter((waiter) => waiter.revision > this.#meta.compactedRevision);
    for (const waiter of done) waiter.resolve();
  }

  #ageTick(): void {
    const now = this.#clock.monotonic();
    let old = 0;
    while (this.#ages.length > 0 && this.#ages[0]!.at <= now - this.#limits.maxAge) old = this.#ages.shift()!.revision;
    if (old > this.#meta.compactedRevision) {
      this.#compactTarget = Math.max(this.#compactTarget, old);
      this.#wake();
    }
    if (this.#ages.at(-1)?.revision !== this.#meta.revision) this.#ages.push({ at: now, revision: this.#meta.revision });
    this.#rest();
    this.#ageTimer = this.#clock.setTimer(AGE_TICK, () => this.#ageTick());
  }

  /** What was read and written since the last time has left its pages in memory. */
  #rest(): void {
    if (this.#resting || this.#closed) return;
    this.#resting = true;
    this.#engine
      .rest()
      .catch((error: unknown) => this.#logger.debug({ err: error }, 'the store keeps its memory for now'))
      .finally(() => {
        this.#resting = false;
      });
  }

  #armExpiry(at: number | undefined): void {
    this.#expiryTimer?.cancel();
    this.#expiryTimer = undefined;
    this.#expiryAt = at ?? Number.POSITIVE_INFINITY;
    if (at === undefined) return;
    this.#expiryTimer = this.#clock.setTimer(Math.max(at - this.#clock.now(), EXPIRY_TICK), () => {
      void this.#expire();
    });
  }

  /** Deletes what has run out. A key that was written meanwhile keeps its new value: the delete expects the old revision. */
  async #expire(): Promise<void> {
    const due = this.#engine.expired(this.#clock.now(), EXPIRY_STEP);
    await Promise.all(
      due.map(({ key, slot }) =>
        this.commit([{ type: 'delete', key, expectedRevision: revisionOf(slot) }]).catch((error: unknown) => {
          if (!(error instanceof PreconditionError) && !this.#closed)
            this.#logger.debug({ err: error, key }, 'expired key stays for now');
        }),
      ),
    );
    if (!this.#closed) this.#armExpiry(this.#engine.nextExpiry());
  }

  async *snapshot(): AsyncGenerator<Uint8Array> {
    this.#assertOpen();
    const revision = this.#engine.meta().revision;
    const pin = this.#pin(revision);
    try {
      yield* writeSnapshot(this.#engine, revision);
    } finally {
      this.#pins.delete(pin);
    }
  }

  check(): Promise<StoreCheck> {
    return checkEngine(this.#engine, async () => {
      await turn();
      this.#assertOpen();
    });
  }

  async restore(source: AsyncIterable<Uint8Array>, skip = 0): Promise<void> {
    this.#assertOpen();
    if (this.#lastRevision > 1 || this.#engine.heads('', '\x7f', 1).length > 0) {
      throw new StoreUnavailableError('a snapshot can only be restored into an empty store; choose a new directory');
    }
    await readSnapshot(this.#engine, source, skip);
    this.#meta = this.#engine.meta();
    this.#lastRevision = this.#meta.revision;
    this.#trail = new RecentTrail(this.#lastRevision);
    this.#armExpiry(this.#engine.nextExpiry());
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#ageTimer.cancel();
    this.#expiryTimer?.cancel();
    if (this.#queue.length > 0 || this.#stepping || this.#scheduled) {
      await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    }
    for (const waiter of this.#compactWaiters.splice(0)) waiter.reject(closedError());
    this.#feed.clear();
    await this.#engine.close();
    this.#options.onClosed?.();
  }

  #pin(revision: number): { readonly revision: number } {
    const pin = { revision };
    if (revision < this.#meta.compactedRevision) throw new CompactedError(this.#meta.compactedRevision);
    this.#pins.add(pin);
    return pin;
  }

  #assertOpen(): void {
    if (this.#closed) throw closedError();
  }
}

const closedError = (): StoreUnavailableError => new StoreUnavailableError('the store is closed; open it again to use it');

function entryOf(record: LogRecord): StoreEntry | undefined {
  if (record.value === undefined) return undefined;
  return { key: record.key, value: record.value, createRevision: record.createRevision, modRevision: revisionOf(record.slot) };
}

function eventOf(record: LogRecord): StoreEvent {
  return {
    type: record.value === undefined ? 'delete' : 'put',
    key: record.key,
    revision: revisionOf(record.slot),
    value: record.value,
    createRevision: record.createRevision,
  };
}

/** The events under `prefix`, grouped by revision, up to and with revision `last`. */
function* byRevision(records: readonly LogRecord[], prefix: string, last: number): Generator<readonly StoreEvent[]> {
  let events: StoreEvent[] = [];
  for (const record of records) {
    const revision = revisionOf(record.slot);
    if (revision > last) break;
    if (events.length > 0 && events[0]!.revision !== revision) {
      yield events;
      events = [];
    }
    if (record.key.startsWith(prefix)) events.push(eventOf(record));
  }
  if (events.length > 0) yield events;
}
