import { timeoutError } from '../../api/meta/status.ts';
import type { Clock, Timer } from '../../util/clock.ts';
import type { Exchange } from './exchange.ts';
import { REQUEST_TIMEOUT_MS } from './request-timeout.ts';

/** How often is looked for those that are over it. */
const SWEEP_MS = 1_000;
const TOO_LONG = 'request did not complete within the allotted timeout';

/** Ends requests that take too long: whatever they wait for, their client gets an answer and their place is free. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #expire: (exchange: Exchange, error: Error) => void;
  /** Those that have the longest time, in the order in which they came. */
  readonly #running = new Set<Exchange>();
  /** Those that gave themselves less. */
  readonly #hurried = new Map<Exchange, Timer>();
  #timer: Timer | undefined;

  constructor(clock: Clock, expire: (exchange: Exchange, error: Error) => void) {
    this.#clock = clock;
    this.#expire = expire;
  }

  /** `timeout` in milliseconds, from when the request came. */
  begin(exchange: Exchange, timeout: number): void {
    if (timeout < REQUEST_TIMEOUT_MS) {
      const left = Math.max(0, exchange.startedAt + timeout - this.#clock.monotonic());
      this.#hurried.set(
        exchange,
        this.#clock.setTimer(left, () => this.#end(exchange)),
      );
      return;
    }
    this.#running.add(exchange);
    this.#timer ??= this.#clock.setTimer(SWEEP_MS, this.#sweep);
  }

  end(exchange: Exchange): void {
    this.#running.delete(exchange);
    const timer = this.#hurried.get(exchange);
    if (timer === undefined) return;
    timer.cancel();
    this.#hurried.delete(exchange);
  }

  #end(exchange: Exchange): void {
    this.#hurried.delete(exchange);
    this.#expire(exchange, timeoutError(TOO_LONG));
  }

  readonly #sweep = (): void => {
    const limit = this.#clock.monotonic() - REQUEST_TIMEOUT_MS;
    for (const exchange of this.#running) {
      if (exchange.startedAt > limit) break;
      this.#running.delete(exchange);
      this.#expire(exchange, timeoutError(TOO_LONG));
    }
    this.#timer = this.#running.size === 0 ? undefined : this.#clock.setTimer(SWEEP_MS, this.#sweep);
  };
}
