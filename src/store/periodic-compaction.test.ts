import { expect, it } from 'vitest';
import { VirtualClock } from '../util/clock.ts';
import { silentLogger } from '../util/logger.ts';
import { bytes } from './contract-test.ts';
import { createMemoryStore } from './memory-store.ts';
import { compactPeriodically } from './periodic-compaction.ts';

it('forgets what is older than the interval, and nothing younger', async () => {
  const clock = new VirtualClock();
  const store = createMemoryStore({ clock, logger: silentLogger, history: { maxAge: Number.POSITIVE_INFINITY } });
  const stop = new AbortController();
  const put = async (): Promise<number> =>
    (await store.commit([{ type: 'put', key: '/registry/a', value: bytes('x') }])).revision;
  compactPeriodically(store, clock, silentLogger, stop.signal);
  const first = await put();
  await clock.advance(300_000);
  expect(store.compactedRevision).toBeLessThan(first);
  const second = await put();
  await clock.advance(300_000);
  expect(store.compactedRevision).toBe(first);
  await clock.advance(300_000);
  expect(store.compactedRevision).toBe(second);
  stop.abort();
  await put();
  await clock.advance(900_000);
  expect(store.compactedRevision).toBe(second);
  await store.close();
});
