import type { Registry } from 'prom-client';
import { isConflict } from '../api/meta/status.ts';
import { backoffDelay } from '../util/backoff.ts';
import type { Clock, Timer } from '../util/clock.ts';
import { Heap } from '../util/heap.ts';
import type { Logger } from '../util/logger.ts';
import type { WorkQueue } from './contract.ts';
import { noQueueMetrics, type QueueMetrics, queueMetrics } from './work-queue-metrics.ts';

/** client-go's DefaultTypedControllerRateLimiter: per key 5 ms doubling to 1000 s, and over all keys 10 a second with a burst of 100. */
const KEY_BACKOFF = { initial: 5, max: 1_000_000 };
const OVERALL_PER_SECOND = 10;
const OVERALL_BURST = 100;

export interface WorkQueueOptions {
  /** The label of the metrics. */
  readonly name: string;
  readonly clock: Clock;
  readonly metrics?: Registry | undefined;
  /** Per-key delays in milliseconds after failures, in place of the usual ones. */
  readonly backoff?: { readonly initial: number; readonly max: number };
}

/** A work queue with the side that workers see. */
export interface WorkerQueue extends WorkQueue {
  /** The next key, which is then being worked on until `done`; undefined when nothing waits. */
  take(): string | undefined;
  /** Ends the work on a key taken; what was added meanwhile comes up again. */
  done(key: string): void;
  /** Called whenever a key becomes ready. One listener. */
  onReady: (() => void) | undefined;
  /** How often the key has failed in a row. */
  failures(key: string): number;
  /** Drops delayed keys and their timer. */
  shutDown(): void;
}

/** Makes a queue: keys deduplicated, never given to two workers at a time, delayed and retried on `clock`. */
export function createWorkQueue(options: WorkQueueOptions): WorkerQueue {
  return new KeyQueue(options);
}

interface Delayed {
  readonly key: string;
  readonly at: number;
}

class KeyQueue implements WorkerQueue {
  onReady: (() => void) | undefined;
  readonly #clock: Clock;
  readonly #metrics: QueueMetrics;
  readonly #backoff: { readonly initial: number; readonly max: number };
  /** Keys ready to be taken, in order, with the time they were added. */
  readonly #ready = new Map<string, number>();
  readonly #working = new Map<string, number>();
  /** Keys added while they were worked on. */
  readonly #again = new Set<string>();
  readonly #delayed = new Heap<Delayed>((a, b) => a.at < b.at);
  /** The earliest time each delayed key is due; heap entries that disagree are stale. */
  readonly #due = new Map<string, number>();
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  readonly #failures = new Map<string, number>();
  #tokens = OVERALL_BURST;
  #tokensAt: number;
  #closed = false;

  constructor(options: WorkQueueOptions) {
    this.#clock = options.clock;
    this.#metrics = options.metrics === undefined ? noQueueMetrics : queueMetrics(options.metrics, options.name);
    this.#backoff = options.backoff ?? KEY_BACKOFF;
    this.#tokensAt = options.clock.monotonic();
  }

  get length(): number {
    return this.#ready.size;
  }

  add(key: string): void {
    if (this.#closed) return;
    if (this.#working.has(key)) {
      if (!this.#again.has(key)) {
        this.#again.add(key);
        this.#metrics.added();
      }
      return;
    }
    if (this.#ready.has(key)) return;
    this.#metrics.added();
    this.#enqueue(key);
  }

  addAfter(key: string, ms: number): void {
    if (this.#closed) return;
    if (ms <= 0) {
      this.add(key);
      return;
    }
    const at = this.#clock.monotonic() + ms;
    const due = this.#due.get(key);
    if (due !== undefined && due <= at) return;
    this.#due.set(key, at);
    this.#delayed.push({ key, at });
    this.#arm();
  }

  addRateLimited(key: string): void {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    this.#metrics.retried();
    this.addAfter(key, Math.max(backoffDelay(this.#backoff, failures), this.#reserve()));
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  take(): string | undefined {
    for (const [key, addedAt] of this.#ready) {
      this.#ready.delete(key);
      const now = this.#clock.monotonic();
      this.#working.set(key, now);
      this.#metrics.depth(this.#ready.size);
      this.#metrics.waited((now - addedAt) / 1000);
      return key;
    }
    return undefined;
  }

  done(key: string): void {
    const startedAt = this.#working.get(key);
    if (startedAt === undefined) return;
    this.#working.delete(key);
    this.#metrics.worked((this.#clock.monotonic() - startedAt) / 1000);
    if (this.#again.delete(key) && !this.#closed) this.#enqueue(key);
  }

  shutDown(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#due.clear();
    this.#ready.clear();
    this.#again.clear();
  }

  #enqueue(key: string): void {
    this.#ready.set(key, this.#clock.monotonic());
    this.#metrics.depth(this.#ready.size);
    this.onReady?.();
  }

  /** Takes a token of the overall bucket, on credit if need be; the milliseconds until it is really there. */
  #reserve(): number {
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(OVERALL_BURST, this.#tokens + ((now - this.#tokensAt) * OVERALL_PER_SECOND) / 1000);
    this.#tokensAt = now;
    this.#tokens -= 1;
    return this.#tokens >= 0 ? 0 : (-this.#tokens * 1000) / OVERALL_PER_SECOND;
  }

  #arm(): void {
    const next = this.#delayed.peek();
    if (next === undefined || next.at >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = next.at;
    this.#timer = this.#clock.setTimer(next.at - this.#clock.monotonic(), () => this.#fire());
  }

  #fire(): void {
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.monotonic();
    for (let next = this.#delayed.peek(); next !== undefined && next.at <= now; next = this.#delayed.peek()) {
      this.#delayed.pop();
      if (this.#due.get(next.key) !== next.at) continue;
      this.#due.delete(next.key);
      this.add(next.key);
    }
    if (!this.#closed) this.#arm();
  }
}

/** What a reconcile asks for when it succeeded: to be called again for the same key after a time. */
export interface ReconcileResult {
  readonly requeueAfterMs?: number;
}

/** What a reconcile throws when it has to wait for others: no fault, and tried again with backoff as one. */
export class NotYetError extends Error {}

export interface WorkerOptions {
  readonly queue: WorkerQueue;
  /** How many keys may be worked on at a time. */
  readonly workers: number;
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<ReconcileResult | undefined> | Promise<void>;
  readonly logger: Logger;
  /** Give up on a key after so many failures in a row, as some upstream controllers do; it comes back with its next change. Never, unless told. */
  readonly maxRetries?: number;
  /** Workers take nothing before this resolves: usually that the informers have synced. */
  readonly waitFor?: Promise<unknown>;
}

/**
 * Runs `reconcile` for every key of the queue, at most `workers` at a time and never twice at once for one key.
 * A failure is logged, and the key tried again with backoff; success resets the backoff. Ends with the signal; no worker waits on a timer.
 */
export function runWorkers(options: WorkerOptions, signal: AbortSignal): void {
  const { queue, workers, reconcile, logger, maxRetries } = options;
  let active = 0;
  let started = false;

  const settle = (key: string, error: unknown, result: ReconcileResult | undefined): void => {
    if (error === undefined) {
      queue.forget(key);
      if (result?.requeueAfterMs !== undefined) queue.addAfter(key, result.requeueAfterMs);
    } else if (!signal.aborted) {
      const givenUp = maxRetries !== undefined && queue.failures(key) >= maxRetries;
      const fields = { key, err: error, failures: queue.failures(key) + 1 };
      if (givenUp) {
        logger.warn(fields, 'reconcile failed too often; dropping the key until it changes');
        queue.forget(key);
      } else {
        if (isConflict(error)) logger.debug(fields, 'reconcile met a newer version; retrying');
        else if (error instanceof NotYetError) logger.debug(fields, 'reconcile waits for others; retrying');
        else logger.warn(fields, 'reconcile failed; retrying');
        queue.addRateLimited(key);
      }
    }
    queue.done(key);
  };

  const work = async (first: string): Promise<void> => {
    active++;
    for (let key: string | undefined = first; key !== undefined; key = signal.aborted ? undefined : queue.take()) {
      let result: ReconcileResult | undefined;
      let error: unknown;
      try {
        result = (await reconcile(key, signal)) as ReconcileResult | undefined;
      } catch (err) {
        error = err ?? new Error('reconcile threw nothing');
      }
      settle(key, error, result);
    }
    active--;
  };

  const fill = (): void => {
    while (started && active < workers && !signal.aborted) {
      const key = queue.take();
      if (key === undefined) return;
      void work(key);
    }
  };

  // Keys are started in a microtask: whoever adds one does not find its reconcile running inside the call.
  let scheduled = false;
  queue.onReady = () => {
    if (scheduled || !started || active >= workers) return;
    scheduled = true;
    queueMicrotask(() => {
      scheduled = false;
      fill();
    });
  };
  signal.addEventListener('abort', () => queue.shutDown(), { once: true });
  (options.waitFor ?? Promise.resolve()).then(
    () => {
      started = true;
      fill();
    },
    (err: unknown) => {
      if (!signal.aborted) logger.error({ err }, 'workers did not start');
    },
  );
}
