import { expect, test } from 'vitest';
import { formatTime } from '../../api/meta/time.ts';
import type { Node } from '../../api/types/core-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { checkHealth, defaultHealthLimits, type HealthMemory } from './health.ts';
import { planNodeLabels, planNoExecuteTaint, planNoScheduleTaints } from './taints.ts';
import { defaultRates, EvictionQueue, rateOf, zoneState } from './zones.ts';

const start = Date.UTC(2026, 0, 1);
const at = (seconds: number): number => start + seconds * 1000;

const node = (ready?: string, heartbeat = 0): Node => ({
  metadata: { name: 'n', creationTimestamp: formatTime(start) },
  status:
    ready === undefined ? {} : { conditions: [{ type: 'Ready', status: ready, lastHeartbeatTime: formatTime(at(heartbeat)) }] },
});

/** Looks every five seconds; the node is as `seen` says at each second. */
function watch(seen: (second: number) => { readonly node: Node; readonly renewed?: number }, seconds: number) {
  let memory: HealthMemory | undefined;
  for (let s = 0; ; s += 5) {
    const { node: current, renewed } = seen(s);
    const lease = renewed === undefined ? undefined : { spec: { renewTime: new Date(at(renewed)).toISOString() } };
    const check = checkHealth(deepFreeze(current), lease, memory, defaultHealthLimits, at(s));
    memory = check.memory;
    if (check.conditions !== undefined) return { after: s, conditions: check.conditions };
    if (s >= seconds) return { after: undefined, conditions: undefined };
  }
}

test('a node that keeps its heartbeat, or only its lease, is well', () => {
  expect(watch((s) => ({ node: node('True', s) }), 300).after).toBeUndefined();
  expect(watch((s) => ({ node: node('True'), renewed: s }), 300).after).toBeUndefined();
});

test('a node that falls silent becomes unknown after its grace', () => {
  const { after, conditions } = watch((s) => ({ node: node('True'), renewed: Math.min(s, 20) }), 300);
  expect(after).toBe(75);
  expect(conditions?.map((c) => [c.type, c.status, c.reason, c.message])).toEqual([
    ['Ready', 'Unknown', 'NodeStatusUnknown', 'Kubelet stopped posting node status.'],
    ['MemoryPressure', 'Unknown', 'NodeStatusNeverUpdated', 'Kubelet never posted node status.'],
    ['DiskPressure', 'Unknown', 'NodeStatusNeverUpdated', 'Kubelet never posted node status.'],
    ['PIDPressure', 'Unknown', 'NodeStatusNeverUpdated', 'Kubelet never posted node status.'],
  ]);
});

test('a node that never reported has the longer grace of a start', () => {
  const { after, conditions } = watch(() => ({ node: node() }), 300);
  expect(after).toBe(65);
  expect(conditions?.[0]).toMatchObject({
    type: 'Ready',
    reason: 'NodeStatusNeverUpdated',
    lastHeartbeatTime: '2026-01-01T00:00:00Z',
    lastTransitionTime: '2026-01-01T00:01:05Z',
  });
});

test('a restarted controller gives the whole grace again', () => {
  const check = checkHealth(node('True', -3600), undefined, undefined, defaultHealthLimits, at(0));
  expect([check.conditions, check.memory.probedAt]).toEqual([undefined, at(0)]);
});

const condition = (type: string, status: string): Node => ({ status: { conditions: [{ type, status }] } });

test.each([
  ['well', condition('Ready', 'True'), []],
  ['not ready', condition('Ready', 'False'), ['not-ready']],
  ['unknown', condition('Ready', 'Unknown'), ['unreachable']],
  ['short of memory', condition('MemoryPressure', 'True'), ['memory-pressure']],
  ['short of disk', condition('DiskPressure', 'True'), ['disk-pressure']],
  ['short of processes', condition('PIDPressure', 'True'), ['pid-pressure']],
  ['without network', condition('NetworkUnavailable', 'True'), ['network-unavailable']],
  ['cordoned', { spec: { unschedulable: true } } as Node, ['unschedulable']],
])('taints of a node that is %s', (_, observed, keys) => {
  const stale = { key: 'node.kubernetes.io/disk-pressure', effect: 'NoSchedule' as const };
  const foreign = { key: 'mine', effect: 'NoSchedule' as const };
  const tainted = deepFreeze({ ...observed, spec: { ...observed.spec, taints: [stale, foreign] } });
  const planned = planNoScheduleTaints(tainted, start) ?? tainted.spec.taints;
  expect(planned.map((taint) => taint.key).sort()).toEqual(['mine', ...keys.map((key) => `node.kubernetes.io/${key}`)].sort());
  expect(planNoScheduleTaints({ ...observed, spec: { ...observed.spec, taints: planned } }, start)).toBeUndefined();
});

test('the two NoExecute taints shut each other out', () => {
  const unreachable = planNoExecuteTaint({}, 'node.kubernetes.io/unreachable', start);
  expect(unreachable).toEqual([
    { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: '2026-01-01T00:00:00Z' },
  ]);
  const tainted: Node = { spec: { taints: unreachable! } };
  expect(planNoExecuteTaint(tainted, 'node.kubernetes.io/unreachable', start)).toBeUndefined();
  expect(planNoExecuteTaint(tainted, 'node.kubernetes.io/not-ready', start)?.map((t) => t.key)).toEqual([
    'node.kubernetes.io/not-ready',
  ]);
  expect(planNoExecuteTaint(tainted, undefined, start)).toEqual([]);
});

test('labels are kept under their old names too', () => {
  const labelled: Node = { metadata: { labels: { 'kubernetes.io/os': 'linux', 'beta.kubernetes.io/os': 'windows' } } };
  expect(planNodeLabels(labelled)).toEqual({ 'beta.kubernetes.io/os': 'linux' });
  expect(planNodeLabels({})).toBeUndefined();
});

const nodesOf = (ready: number, not: number): string[] => [...Array(ready).fill('True'), ...Array(not).fill('Unknown')];

test.each([
  [3, 0, 'normal', 0.1],
  [0, 2, 'full', 0.1],
  [1, 2, 'normal', 0.1],
  [2, 3, 'partial', 0],
  [40, 60, 'partial', 0.01],
  [50, 50, 'normal', 0.1],
])('a zone of %d ready and %d other nodes is %s', (ready, not, state, rate) => {
  const list = nodesOf(ready, not);
  expect(zoneState(list, defaultRates)).toBe(state);
  expect(rateOf(zoneState(list, defaultRates), list.length, defaultRates)).toBe(rate);
});

test('nodes leave the queue at its rate', () => {
  const queue = new EvictionQueue(0.1, 0);
  for (const name of ['a', 'b', 'c']) queue.add(name);
  expect([queue.take(0), queue.take(0), queue.nextIn(0)]).toEqual(['a', undefined, 10_000]);
  expect(queue.take(10_000)).toBe('b');
  queue.setRate(0, 10_000);
  expect([queue.take(100_000), queue.nextIn(100_000)]).toEqual([undefined, undefined]);
  queue.setRate(0.1, 100_000);
  queue.remove('c');
  expect(queue.take(200_000)).toBeUndefined();
});
