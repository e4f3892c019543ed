import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { VirtualClock } from '../util/clock.ts';
import { silentLogger } from '../util/logger.ts';
import { createWorkQueue, NotYetError, runWorkers } from './work-queue.ts';

test('a key added while it is worked on is worked on once more, not at the same time', async () => {
  const clock = new VirtualClock();
  const queue = createWorkQueue({ name: 'q', clock });
  const stop = new AbortController();
  let running = 0;
  let runs = 0;
  const gates: (() => void)[] = [];
  runWorkers(
    {
      queue,
      workers: 4,
      logger: silentLogger,
      reconcile: async () => {
        expect(++running).toBe(1);
        runs++;
        await new Promise<void>((resolve) => gates.push(resolve));
        running--;
      },
    },
    stop.signal,
  );
  queue.add('a');
  queue.add('a');
  await clock.advance(0);
  expect(runs).toBe(1);
  queue.add('a');
  queue.add('a');
  await clock.advance(0);
  gates.shift()!();
  await clock.advance(0);
  expect(runs).toBe(2);
  gates.shift()!();
  await clock.advance(0);
  expect(runs).toBe(2);
  stop.abort();
});

test('failures back off exponentially and success resets', async () => {
  const clock = new VirtualClock();
  const registry = new Registry();
  const queue = createWorkQueue({ name: 'q', clock, metrics: registry });
  const stop = new AbortController();
  const times: number[] = [];
  runWorkers(
    {
      queue,
      workers: 1,
      logger: silentLogger,
      reconcile: async () => {
        times.push(clock.monotonic());
        if (times.length < 5) throw new Error('not yet');
      },
    },
    stop.signal,
  );
  queue.add('a');
  await clock.advance(1000);
  expect(times).toEqual([0, 5, 15, 35, 75]);
  expect(queue.failures('a')).toBe(0);
  expect(clock.pendingTimers).toBe(0);
  expect(await registry.getSingleMetricAsString('workqueue_retries_total')).toContain('workqueue_retries_total{name="q"} 4');
  expect(await registry.getSingleMetricAsString('workqueue_adds_total')).toContain('workqueue_adds_total{name="q"} 5');
  stop.abort();
});

test('addAfter keeps the earliest time; requeueAfterMs brings a key back; maxRetries gives up', async () => {
  const clock = new VirtualClock();
  const queue = createWorkQueue({ name: 'q', clock });
  const stop = new AbortController();
  const log: string[] = [];
  runWorkers(
    {
      queue,
      workers: 1,
      logger: silentLogger,
      maxRetries: 2,
      reconcile: async (key) => {
        log.push(`${key}@${clock.monotonic()}`);
        if (key === 'bad') throw new Error('always');
        return key === 'again' && log.length < 3 ? { requeueAfterMs: 50 } : undefined;
      },
    },
    stop.signal,
  );
  queue.addAfter('late', 100);
  queue.addAfter('late', 20);
  queue.addAfter('late', 200);
  queue.add('again');
  await clock.advance(1000);
  expect(log).toEqual(['again@0', 'late@20', 'again@50']);
  log.length = 0;
  queue.add('bad');
  await clock.advance(10_000);
  expect(log).toEqual(['bad@1000', 'bad@1005', 'bad@1015']);
  stop.abort();
});

test('retries of many keys share a bucket of ten a second', () => {
  const clock = new VirtualClock();
  const queue = createWorkQueue({ name: 'q', clock });
  for (let i = 0; i < 150; i++) queue.addRateLimited(`k${i}`);
  return clock.advance(100).then(async () => {
    expect(queue.length).toBe(101);
    await clock.advance(5_000);
    expect(queue.length).toBe(150);
  });
});

test('what waits for others is tried again as a failure is, without a warning', async () => {
  const clock = new VirtualClock();
  const queue = createWorkQueue({ name: 'q', clock });
  const stop = new AbortController();
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (_fields: unknown, message: string) => void warnings.push(message) };
  let runs = 0;
  const reconcile = async (): Promise<void> => {
    runs++;
    if (runs < 3) throw new NotYetError('others first');
    if (runs < 4) throw new Error('a fault');
  };
  runWorkers({ queue, workers: 1, logger, reconcile }, stop.signal);
  queue.add('a');
  await clock.advance(1000);
  expect(runs).toBe(4);
  expect(warnings).toEqual(['reconcile failed; retrying']);
  stop.abort();
});
