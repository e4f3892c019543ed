import { expect, test } from 'vitest';
import type { Pod, PodPhase } from '../../api/types/core-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { deletionCost, inDeletionOrder } from './pod-ranking.ts';

const now = Date.UTC(2026, 0, 2);
const ago = (seconds: number): string => new Date(now - seconds * 1000).toISOString();

interface Sketch {
  readonly node?: string;
  readonly phase?: PodPhase;
  readonly readyFor?: number;
  readonly cost?: string;
  readonly restarts?: number;
  readonly age?: number;
}

const pod = (name: string, s: Sketch): Pod => ({
  metadata: {
    name,
    uid: name,
    creationTimestamp: ago(s.age ?? 1000),
    ...(s.cost === undefined ? {} : { annotations: { 'controller.kubernetes.io/pod-deletion-cost': s.cost } }),
  },
  spec: { containers: [], ...(s.node === undefined ? {} : { nodeName: s.node }) },
  status: {
    phase: s.phase ?? 'Running',
    ...(s.readyFor === undefined ? {} : { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: ago(s.readyFor) }] }),
    containerStatuses: [{ name: 'c', image: '', imageID: '', ready: true, restartCount: s.restarts ?? 0 }],
  },
});

const cases: readonly [string, Sketch, Sketch][] = [
  ['unassigned', { phase: 'Pending' }, { node: 'n', phase: 'Pending' }],
  ['pending before unknown', { node: 'n', phase: 'Pending' }, { node: 'n', phase: 'Unknown' }],
  ['unknown before running', { node: 'n', phase: 'Unknown' }, { node: 'n' }],
  ['not ready', { node: 'n' }, { node: 'n', readyFor: 10 }],
  ['cheaper', { node: 'n', readyFor: 1000, cost: '-5' }, { node: 'n', readyFor: 10 }],
  ['doubled up', { node: 'crowded', readyFor: 1000 }, { node: 'n', readyFor: 10 }],
  ['ready for less time', { node: 'n', readyFor: 10 }, { node: 'n', readyFor: 1000 }],
  ['restarted more', { node: 'n', readyFor: 10, restarts: 3 }, { node: 'n', readyFor: 10, restarts: 1 }],
  ['newer', { node: 'n', readyFor: 10, age: 100 }, { node: 'n', readyFor: 10, age: 10_000 }],
];

test.each(cases)('%s goes first', (_, first, second) => {
  const list = deepFreeze([pod('b', second), pod('a', first)]);
  const rank = (p: Pod): number => (p.spec?.nodeName === 'crowded' ? 5 : 1);
  expect(inDeletionOrder(list, rank, now).map((p) => p.metadata?.name)).toEqual(['a', 'b']);
  const renamed = deepFreeze([pod('a', second), pod('b', first)]);
  expect(inDeletionOrder(renamed, rank, now).map((p) => p.metadata?.name)).toEqual(['b', 'a']);
});

test('about equally long ready is told apart by uid, before restarts are looked at', () => {
  const list = [pod('b', { node: 'n', readyFor: 1001, restarts: 9 }), pod('a', { node: 'n', readyFor: 1000 })];
  expect(inDeletionOrder(list, () => 0, now)[0]?.metadata?.name).toBe('a');
});

test.each([
  ['7', 7],
  ['-7', -7],
  ['07', 0],
  ['+7', 0],
  ['x', 0],
  ['9999999999', 0],
])('the cost of %s is %d', (text, cost) => {
  expect(deletionCost(pod('a', { cost: text }))).toBe(cost);
});
