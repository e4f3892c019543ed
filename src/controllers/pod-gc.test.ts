import { expect, test } from 'vitest';
import type { Node, Pod, PodPhase } from '../api/types/core-v1.ts';
import { deepFreeze } from '../util/deep-freeze.ts';
import { planPodGc } from './pod-gc.ts';

interface Like {
  readonly phase?: PodPhase;
  readonly node?: string;
  readonly going?: boolean;
  readonly reason?: string;
  readonly age?: number;
}

const pod = (name: string, { phase = 'Running', node, going, reason, age = 0 }: Like = {}): Pod => ({
  metadata: {
    name,
    creationTimestamp: `2026-01-01T00:00:0${9 - age}Z`,
    ...(going === true ? { deletionTimestamp: '2026-01-01T00:01:00Z' } : {}),
  },
  spec: { containers: [], ...(node === undefined ? {} : { nodeName: node }) },
  status: { phase, ...(reason === undefined ? {} : { reason }) },
});

const nodes: Readonly<Record<string, Node>> = {
  well: { status: { conditions: [{ type: 'Ready', status: 'True' }] } },
  down: { spec: { taints: [{ key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' }] } },
};

test.each<[string, Pod[], Record<string, string>]>([
  [
    'finished pods over the threshold: evicted first, then the oldest',
    [
      pod('young', { phase: 'Succeeded', age: 1 }),
      pod('old', { phase: 'Succeeded', age: 3 }),
      pod('evicted', { phase: 'Failed', reason: 'Evicted' }),
      pod('older', { phase: 'Failed', age: 5 }),
      pod('running'),
    ],
    { evicted: 'terminated', older: 'terminated' },
  ],
  [
    'terminating without a node',
    [pod('a', { phase: 'Pending', going: true }), pod('b', { phase: 'Pending' }), pod('c', { going: true, node: 'well' })],
    { a: 'unscheduled' },
  ],
  [
    'terminating on a node out of service',
    [pod('a', { going: true, node: 'down' }), pod('b', { node: 'down' })],
    { a: 'out-of-service' },
  ],
  ['on a node that is gone', [pod('a', { node: 'gone' }), pod('b', { node: 'unseen' })], { a: 'orphaned' }],
])('%s', (_, list, expected) => {
  const removals = planPodGc(deepFreeze(list), (name) => nodes[name], new Set(['gone']), 2);
  expect(Object.fromEntries(removals.map(({ pod: { metadata }, why }) => [metadata!.name, why]))).toEqual(expected);
});

test('a threshold of 0 keeps all that finished', () => {
  expect(planPodGc([pod('a', { phase: 'Failed' })], () => undefined, new Set(), 0)).toEqual([]);
});
