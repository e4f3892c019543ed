import { randomUUID } from 'node:crypto';
import type { Store } from '../store/contract.ts';
import { openEtcdStore } from '../store/etcd.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import { prefixedStore } from '../store/prefixed-store.ts';
import { type Clock, systemClock } from '../util/clock.ts';
import { type Logger, silentLogger } from '../util/logger.ts';
import { systemRandom } from '../util/random.ts';

/** Where an etcd listens, `host:port`, when the tests of the API are to run over it and not in memory. */
export const TEST_ETCD = 'K8TS_TEST_ETCD';

/**
 * An empty store for a test of the API: in memory on the clock given, or in a real etcd on real time, among the keys below
 * `prefix`: its own unless said.
 */
export async function openTestStore(clock: Clock, logger: Logger = silentLogger, prefix = `/${randomUUID()}`): Promise<Store> {
  const etcd = process.env[TEST_ETCD];
  if (etcd === undefined) return createMemoryStore({ clock, logger });
  const store = await openEtcdStore({ endpoints: [etcd], clock: systemClock, random: systemRandom, logger });
  return prefixedStore(store, prefix);
}
