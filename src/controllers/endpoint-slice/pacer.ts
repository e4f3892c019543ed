import type { WorkQueue } from '../../client/contract.ts';
import type { Clock } from '../../util/clock.ts';

/** Work that takes less than this is done again as often as it is asked for. */
const CHEAP_MS = 5;
/** A key rests so many times as long as its work took … */
const REST_FACTOR = 2;
/** … but no longer than this. */
const MAX_REST_MS = 250;

/**
 * Wakes keys at once while their work is cheap, and lets those whose work is not rest in proportion to it: a service of thousands of pods that
 * become ready one by one is then computed a few times, not thousands of times, and nobody waits for a delay that is not needed.
 */
export class Pacer {
  readonly #clock: Clock;
  /** When keys may be worked on again, monotonic milliseconds. */
  readonly #restUntil = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wake(queue: WorkQueue, key: string): void {
    const until = this.#restUntil.get(key);
    if (until === undefined) queue.add(key);
    else queue.addAfter(key, until - this.#clock.monotonic());
  }

  /** Runs the work of a key and notes how long it took. */
  async run(key: string, work: (key: string) => Promise<void>): Promise<void> {
    const startedAt = this.#clock.monotonic();
    this.#restUntil.delete(key);
    try {
      await work(key);
    } finally {
      const now = this.#clock.monotonic();
      const took = now - startedAt;
      if (took >= CHEAP_MS) this.#restUntil.set(key, now + Math.min(took * REST_FACTOR, MAX_REST_MS));
    }
  }

  forget(key: string): void {
    this.#restUntil.delete(key);
  }
}
