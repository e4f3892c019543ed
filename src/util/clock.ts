/** A timer that can be called off. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

/**
 * The only source of time. Every component takes one, so that the whole control plane can run on virtual time.
 * Promises: `now` never goes backwards within one component's observation by more than the host's clock does;
 * `monotonic` never goes backwards at all. Callbacks run later, never inside the call that set them.
 */
export interface Clock {
  /** Wall time, milliseconds since the Unix epoch. */
  now(): number;
  /** Monotonic time in milliseconds, for durations only. */
  monotonic(): number;
  /** Calls `fn` once after `ms` milliseconds. The timer does not keep the process alive by itself. */
  setTimer(ms: number, fn: () => void): Timer;
  /** Resolves after `ms` milliseconds; rejects with the signal's reason when it is aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Longest delay the host's timers take (2^31-1 ms); longer ones are chained. */
const MAX_TIMER_MS = 2_147_483_647;

class SystemTimer implements Timer {
  #handle: NodeJS.Timeout;
  constructor(ms: number, fn: () => void) {
    this.#handle = this.#arm(ms, fn);
  }
  #arm(ms: number, fn: () => void): NodeJS.Timeout {
    const step = Math.min(Math.max(ms, 0), MAX_TIMER_MS);
    const handle = setTimeout(() => {
      if (ms > step) this.#handle = this.#arm(ms - step, fn);
      else fn();
    }, step);
    handle.unref();
    return handle;
  }
  cancel(): void {
    clearTimeout(this.#handle);
  }
}

/** The host's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: (ms, fn) => new SystemTimer(ms, fn),
  sleep: (ms, signal) => sleepOn(systemClock, ms, signal),
};

/** The `sleep` of a clock, made from its `setTimer`. */
export function sleepOn(clock: Pick<Clock, 'setTimer'>, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.setTimer(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

interface Pending {
  readonly at: number;
  readonly order: number;
  readonly fn: () => void;
}

/** A clock that moves only when told. For tests and the simulator. */
export class VirtualClock implements Clock {
  #now: number;
  readonly #start: number;
  #order = 0;
  #pending: Pending[] = [];

  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#now = start;
    this.#start = start;
  }
  now(): number {
    return this.#now;
  }
  monotonic(): number {
    return this.#now - this.#start;
  }
  setTimer(ms: number, fn: () => void): Timer {
    const entry: Pending = { at: this.#now + Math.max(ms, 0), order: this.#order++, fn };
    this.#pending.push(entry);
    return {
      cancel: () => {
        this.#pending = this.#pending.filter((p) => p !== entry);
      },
    };
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }
  /** Number of timers that have not fired. */
  get pendingTimers(): number {
    return this.#pending.length;
  }
  /** Moves time on by `ms`, firing every due timer in order and letting promise callbacks run between them. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const next = this.#pending.filter((p) => p.at <= end).sort((a, b) => a.at - b.at || a.order - b.order)[0];
      if (next === undefined) break;
      this.#now = Math.max(this.#now, next.at);
      this.#pending = this.#pending.filter((p) => p !== next);
      next.fn();
      await settle();
    }
    this.#now = end;
  }
}

/** Lets everything that is already resolvable run: a turn of the host's loop. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
