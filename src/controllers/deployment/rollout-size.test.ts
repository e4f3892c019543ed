import { expect, test } from 'vitest';
import type { Deployment, ReplicaSet } from '../../api/types/apps-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { boundsOf, proportionalSizes } from './rollout-size.ts';

const deployment = (replicas: number, maxSurge: number | string, maxUnavailable: number | string): Deployment => ({
  metadata: { name: 'd' },
  spec: {
    replicas,
    template: {},
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
  },
});

test.each([
  [10, '25%', '25%', 3, 2],
  [1, '25%', '25%', 1, 0],
  [3, 0, '25%', 0, 1],
  [3, 0, 5, 0, 3],
  [0, '25%', 1, 0, 0],
])('%d replicas, surge %s, unavailable %s', (replicas, surge, unavailable, maxSurge, maxUnavailable) => {
  expect(boundsOf(deployment(replicas, surge, unavailable))).toEqual({ replicas, maxSurge, maxUnavailable });
});

const set = (name: string, replicas: number, max: number, day: number): ReplicaSet => ({
  metadata: {
    name,
    creationTimestamp: `2026-01-0${day}T00:00:00Z`,
    annotations: { 'deployment.kubernetes.io/max-replicas': String(max) },
  },
  spec: { replicas },
});

// Upstream's own examples of proportional scaling (no surge).
test.each([
  [12, [10, 0, 0], 10, [12, 0, 0]],
  [7, [5, 3, 2], 10, [4, 2, 1]],
  [5, [5, 3, 2], 10, [2, 2, 1]],
  [12, [5, 3, 2], 10, [6, 4, 2]],
  [20, [5, 3, 2], 10, [10, 6, 4]],
  [0, [5, 3, 2], 10, [0, 0, 0]],
])('to %d from %j', (replicas, sizes, max, expected) => {
  const sets = deepFreeze(sizes.map((size, i) => set(`s${i}`, size, max, 9 - i)).filter((s) => s.spec!.replicas! > 0));
  const result = proportionalSizes(deployment(replicas, 0, 1), sets);
  expect(sets.map((s) => result.get(s))).toEqual(expected.filter((_, i) => sizes[i]! > 0));
});
