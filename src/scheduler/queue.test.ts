import { beforeEach, expect, test } from 'vitest';
import { VirtualClock } from '../util/clock.ts';
import { actions, type ClusterEvent, type Hint } from './cluster-event.ts';
import { noMetrics } from './metrics.ts';
import { PodInfo } from './pod-info.ts';
import { SchedulingQueue } from './queue.ts';
import { makePod, type PodOptions } from './test-support/objects.ts';

let clock: VirtualClock;
let queue: SchedulingQueue;
let readied = 0;

const hints: Readonly<Record<string, readonly Hint[]>> = {
  Fit: [{ resource: 'AssignedPod', actions: actions.delete }],
  Taint: [{ resource: 'Node', actions: actions.updateNodeTaint, check: (_, __, now) => now === 'free' }],
};
const deletion: ClusterEvent = { resource: 'AssignedPod', action: actions.delete, label: 'AssignedPodDelete' };

beforeEach(() => {
  clock = new VirtualClock();
  readied = 0;
  queue = new SchedulingQueue({ clock, hintsOf: (plugin) => hints[plugin] ?? [], onReady: () => readied++, metrics: noMetrics });
});

const put = (name: string, options: PodOptions = {}): void => queue.put(new PodInfo(makePod(name, options)));
const pop = (): string | undefined => queue.pop()?.info.name;
/** Pops a pod and says that plugins rejected it. */
const reject = (...plugins: readonly string[]): void => {
  const { info } = queue.pop()!;
  queue.rejected(info.uid, info, new Set(plugins));
};
const fail = (): void => {
  const { info } = queue.pop()!;
  queue.failed(info.uid, info);
};
const counts = (): readonly number[] => (['active', 'backoff', 'unschedulable', 'gated'] as const).map((q) => queue.count(q));

test('the higher priority first, then the older', async () => {
  put('low', { priority: 1 });
  await clock.advance(1);
  put('old');
  put('high', { priority: 10 });
  await clock.advance(1);
  put('young', { priority: 1 });
  expect([pop(), pop(), pop(), pop(), pop()]).toEqual(['high', 'low', 'young', 'old', undefined]);
});

test('a pod that was rejected waits for an event that may help one of the plugins', () => {
  put('p');
  reject('Taint');
  expect(counts()).toEqual([0, 0, 1, 0]);
  queue.happened(deletion);
  queue.happened({ resource: 'Node', action: actions.updateNodeTaint, label: 'NodeUpdate', now: 'tainted' });
  expect(counts()).toEqual([0, 0, 1, 0]);
  queue.happened({
    resource: 'Node',
    action: actions.updateNodeTaint | actions.updateNodeLabel,
    label: 'NodeUpdate',
    now: 'free',
  });
  expect(counts()).toEqual([0, 1, 0, 0]);
});

test('without plugins any event will do', () => {
  put('p');
  reject();
  queue.happened(deletion);
  expect(counts()).toEqual([0, 1, 0, 0]);
});

test('the backoff doubles from one to ten seconds, and counts from the rejection', async () => {
  const waits: number[] = [];
  put('p', { priority: 0 });
  for (let i = 0; i < 6; i++) {
    reject('Fit');
    queue.happened(deletion);
    // Something more urgent keeps the scheduler busy, so that the backoff is not cut short.
    put('busy', { priority: 1 });
    const start = clock.monotonic();
    while (queue.count('backoff') > 0) await clock.advance(500);
    waits.push(clock.monotonic() - start);
    queue.delete('busy');
  }
  expect(waits).toEqual([1000, 2000, 4000, 8000, 10_000, 10_000]);
  reject('Fit');
  await clock.advance(10_000);
  queue.happened(deletion);
  expect(counts()).toEqual([1, 0, 0, 0]);
});

test('an idle scheduler takes pods out of backoff, unless errors put them there', async () => {
  put('p');
  reject('Fit');
  queue.happened(deletion);
  expect(queue.ready).toBe(true);
  expect(pop()).toBe('p');
  queue.delete('p');
  put('q');
  fail();
  expect(queue.ready).toBe(false);
  expect(pop()).toBeUndefined();
  await clock.advance(1000);
  expect(pop()).toBe('q');
});

test('many pods in backoff wait it out', async () => {
  for (let i = 0; i < 101; i++) {
    put(`p${i}`);
    reject('Fit');
  }
  queue.happened(deletion);
  expect(queue.ready).toBe(false);
  expect(pop()).toBeUndefined();
  await clock.advance(1000);
  expect(counts()).toEqual([101, 0, 0, 0]);
});

test('a rejection after errors starts their backoff again', async () => {
  put('p');
  fail();
  await clock.advance(1000);
  fail();
  await clock.advance(1999);
  expect(queue.ready).toBe(false);
  await clock.advance(1);
  reject('Fit');
  queue.happened(deletion);
  fail();
  await clock.advance(1000);
  expect(queue.ready).toBe(true);
});

test('a pod that nothing brought back is tried again after five minutes', async () => {
  put('p');
  reject('Fit');
  await clock.advance(5 * 60_000);
  expect(counts()).toEqual([0, 0, 1, 0]);
  await clock.advance(30_000);
  expect(counts()).toEqual([1, 0, 0, 0]);
});

test('a gated pod is not tried before its gates are gone', () => {
  put('p', { spec: { schedulingGates: [{ name: 'g' }] } });
  expect(counts()).toEqual([0, 0, 0, 1]);
  queue.happened(deletion);
  expect(pop()).toBeUndefined();
  put('p');
  expect(counts()).toEqual([1, 0, 0, 0]);
  expect(pop()).toBe('p');
});

test('a held pod comes back when it is released, if something happened meanwhile', () => {
  put('p');
  reject('Fit');
  queue.hold('p');
  queue.happened(deletion);
  expect(counts()).toEqual([0, 0, 1, 0]);
  queue.release('p', false);
  expect(counts()).toEqual([0, 1, 0, 0]);
  expect(pop()).toBe('p');
  queue.rejected('p', new PodInfo(makePod('p')), new Set(['Fit']));
  queue.hold('p');
  queue.release('p', false);
  expect(counts()).toEqual([0, 0, 1, 0]);
  queue.hold('p');
  queue.release('p', true);
  expect(counts()).toEqual([1, 0, 0, 0]);
});

test('a deleted pod is gone from wherever it was, and a pod in flight is not put back', () => {
  put('a');
  put('b');
  expect(pop()).toBe('a');
  queue.delete('a');
  queue.rejected('a', new PodInfo(makePod('a')), new Set(['Fit']));
  queue.delete('b');
  expect(pop()).toBeUndefined();
  expect(counts()).toEqual([0, 0, 0, 0]);
});

test('an update changes the pod in its place; a new priority its place', async () => {
  put('a');
  await clock.advance(1);
  put('b');
  put('a', { labels: { new: 'label' } });
  put('b', { priority: 5 });
  expect(counts()).toEqual([2, 0, 0, 0]);
  expect(pop()).toBe('b');
  expect(queue.pop()?.info.labels).toEqual({ new: 'label' });
});

test("a pod's own change may make it schedulable", () => {
  put('p');
  reject('Fit');
  const event: ClusterEvent = { resource: 'TargetPod', action: actions.updatePodLabel, label: 'PodUpdate' };
  queue.targetChanged('p', event);
  expect(counts()).toEqual([0, 0, 1, 0]);
  queue.targetChanged('p', { ...deletion });
  expect(counts()).toEqual([0, 1, 0, 0]);
});

test('tries and their beginning are remembered; timers end with the queue', async () => {
  put('p');
  await clock.advance(5);
  reject('Fit');
  queue.happened(deletion);
  await clock.advance(1000);
  expect(queue.pop()).toMatchObject({ attempts: 2, firstAttemptAt: 5 });
  queue.rejected('p', new PodInfo(makePod('p')), new Set(['Fit']));
  queue.close();
  expect(clock.pendingTimers).toBe(0);
});
