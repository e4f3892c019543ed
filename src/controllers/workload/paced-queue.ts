import type { WorkQueue } from '../../client/contract.ts';
import type { Clock } from '../../util/clock.ts';

/** Computing that takes less than this is done again as often as it is asked for. */
const CHEAP_MS = 0.1;
/** A key rests so many times as long as its computing took … */
const REST_FACTOR = 4;
/** … but no longer than this. */
const MAX_REST_MS = 250;
/** More keys than this are not remembered without looking which have rested. */
const MAX_RESTING = 10_000;

/** A work queue that lets keys rest whose computing is dear. */
export interface PacedQueue extends WorkQueue {
  /** Computes something for a key, and notes how long it took. */
  compute<T>(key: string, work: () => T): T;
}

/**
 * Wakes keys at once while computing for them is cheap; others rest in proportion to what it took. The owner of thousands of pods that become
 * ready one by one is then computed a few times, not thousands of times, and nobody waits for a delay that is not needed.
 */
export function pacedQueue(queue: WorkQueue, clock: Clock): PacedQueue {
  /** When keys may be woken again, monotonic milliseconds. */
  const restUntil = new Map<string, number>();
  return {
    get length() {
      return queue.length;
    },
    add(key) {
      const until = restUntil.get(key);
      if (until === undefined) {
        queue.add(key);
        return;
      }
      const left = until - clock.monotonic();
      if (left <= 0) restUntil.delete(key);
      queue.addAfter(key, left);
    },
    addAfter: (key, ms) => queue.addAfter(key, ms),
    addRateLimited: (key) => queue.addRateLimited(key),
    forget(key) {
      restUntil.delete(key);
      queue.forget(key);
    },
    compute(key, work) {
      const startedAt = clock.monotonic();
      const result = work();
      const now = clock.monotonic();
      const took = now - startedAt;
      if (took >= CHEAP_MS) {
        // Several computations of one pass add up.
        const before = Math.max(0, (restUntil.get(key) ?? 0) - startedAt);
        restUntil.set(key, now + Math.min(before + took * REST_FACTOR, MAX_REST_MS));
        if (restUntil.size > MAX_RESTING) for (const [other, until] of restUntil) if (until <= now) restUntil.delete(other);
      }
      return result;
    },
  };
}
