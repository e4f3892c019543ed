import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { Store } from './contract.ts';

/** Upstream's --etcd-compaction-interval. */
const INTERVAL_MS = 300_000;

/**
 * Forgets a store's history once it is between one and two intervals old, for stores that do not do so themselves. Several API servers
 * may do it on one store: none forgets what is younger than the interval.
 */
export function compactPeriodically(store: Store, clock: Clock, logger: Logger, signal: AbortSignal): void {
  let last = store.revision;
  const tick = (): void => {
    const { revision } = store;
    store
      .compact(last)
      .then(() => {
        last = revision;
      })
      // The next one makes up for it.
      .catch((err: unknown) => signal.aborted || logger.warn({ err, revision: last }, 'history could not be compacted'))
      .finally(() => {
        if (!signal.aborted) timer = clock.setTimer(INTERVAL_MS, tick);
      });
  };
  let timer = clock.setTimer(INTERVAL_MS, tick);
  signal.addEventListener('abort', () => timer.cancel(), { once: true });
}
