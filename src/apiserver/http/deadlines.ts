import { timeoutError } from '../../api/meta/status.ts';
import type { Clock, Timer } from '../../util/clock.ts';
import type { Exchange } from './exchange.ts';

/** Longest time for a request that is neither a watch nor a stream (upstream's --request-timeout). */
export const REQUEST_TIMEOUT_MS = 60_000;
/** How often is looked for those that are over it. */
const SWEEP_MS = 1_000;

/** Ends requests that take too long: whatever they wait for, their client gets an answer and their place is free. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #expire: (exchange: Exchange, error: Error) => void;
  /** In the order in which they came. */
  readonly #running = new Set<Exchange>();
  #timer: Timer | undefined;

  constructor(clock: Clock, expire: (exchange: Exchange, error: Error) => void) {
    this.#clock = clock;
    this.#expire = expire;
  }

  begin(exchange: Exchange): void {
    this.#running.add(exchange);
    this.#timer ??= this.#clock.setTimer(SWEEP_MS, this.#sweep);
  }

  end(exchange: Exchange): void {
    this.#running.delete(exchange);
  }

  readonly #sweep = (): void => {
    const limit = this.#clock.monotonic() - REQUEST_TIMEOUT_MS;
    for (const exchange of this.#running) {
      if (exchange.startedAt > limit) break;
      this.#running.delete(exchange);
      this.#expire(exchange, timeoutError('request did not complete within the allotted timeout'));
    }
    this.#timer = this.#running.size === 0 ? undefined : this.#clock.setTimer(SWEEP_MS, this.#sweep);
  };
}
