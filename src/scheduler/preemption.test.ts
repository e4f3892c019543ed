import { describe, expect, test } from 'vitest';
import type { Node, Pod } from '../api/types/core-v1.ts';
import type { PodDisruptionBudget } from '../api/types/policy-v1.ts';
import { SeededRandom } from '../util/random.ts';
import { PodInfo } from './pod-info.ts';
import { findPreemption, type PreemptionResult } from './preemption.ts';
import { TestCluster } from './test-support/cluster.ts';
import { makeNode, makePod, type PodOptions } from './test-support/objects.ts';

const NOW = Date.UTC(2026, 0, 1);

function preempt(
  nodes: readonly Node[],
  pods: readonly Pod[],
  pod: Pod,
  budgets: readonly PodDisruptionBudget[] = [],
): PreemptionResult {
  const cluster = new TestCluster({ nodes, pods });
  const before = snapshot(cluster);
  const info = new PodInfo(pod);
  const decision = cluster.algorithm.schedule(info);
  if (decision.diagnosis === undefined) throw new Error('it fits');
  const result = findPreemption(info, decision.plans, decision.diagnosis, {
    cache: cluster.cache,
    algorithm: cluster.algorithm,
    random: new SeededRandom(1),
    now: NOW,
    budgets: (namespace) => budgets.filter((b) => b.metadata?.namespace === namespace),
  });
  // Trying leaves no trace.
  expect(snapshot(cluster)).toEqual(before);
  return result;
}

const snapshot = (cluster: TestCluster): unknown =>
  cluster.cache.nodes.map((n) => [n.name, n.milliCpu, n.memory, n.generation, [...n.pods.keys()].sort()]);
const outcome = (result: PreemptionResult): unknown =>
  result.candidate === undefined ? result.message : [result.candidate.node.name, ...result.candidate.victims.map((v) => v.name)];

const old = (name: string, node: string, priority: number, cpu: string, more: PodOptions = {}): Pod =>
  makePod(name, { node, priority, cpu, ...more });
const started = (hour: number): PodOptions => ({ status: { startTime: `2025-12-31T${String(hour).padStart(2, '0')}:00:00Z` } });
const urgent = (cpu: string, more: PodOptions = {}): Pod => makePod('urgent', { priority: 100, cpu, ...more });
const budget = (labels: Readonly<Record<string, string>>, allowed: number): PodDisruptionBudget => ({
  metadata: { name: 'b', namespace: 'default' },
  spec: { selector: { matchLabels: labels } },
  status: { disruptionsAllowed: allowed, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
});

describe('victims', () => {
  const one = [makeNode('n', { cpu: '4' })];
  const app = { labels: { app: 'db' } };
  const cases: readonly [string, readonly Pod[], Pod, readonly PodDisruptionBudget[], unknown][] = [
    ['one is enough', [old('a', 'n', 1, '2'), old('b', 'n', 1, '2')], urgent('2'), [], ['n', 'b']],
    ['the least important', [old('a', 'n', 1, '2'), old('b', 'n', 2, '2')], urgent('2'), [], ['n', 'a']],
    [
      'the one that started last',
      [old('a', 'n', 1, '2', started(5)), old('b', 'n', 1, '2', started(3))],
      urgent('2'),
      [],
      ['n', 'a'],
    ],
    ['all that is needed', [old('a', 'n', 1, '2'), old('b', 'n', 2, '2')], urgent('4'), [], ['n', 'b', 'a']],
    ['a small one is spared', [old('a', 'n', 5, '1'), old('b', 'n', 1, '3')], urgent('3'), [], ['n', 'b']],
    [
      'not equals',
      [old('a', 'n', 100, '4')],
      urgent('2'),
      [],
      '0/1 nodes are available: 1 No preemption victims found for incoming pod.',
    ],
    [
      'not enough below',
      [old('a', 'n', 100, '3'), old('b', 'n', 1, '1')],
      urgent('2'),
      [],
      '0/1 nodes are available: 1 Insufficient cpu.',
    ],
    [
      'a used-up budget is kept if it can be',
      [old('a', 'n', 1, '2', app), old('b', 'n', 2, '2')],
      urgent('2'),
      [budget({ app: 'db' }, 0)],
      ['n', 'b'],
    ],
    [
      'a budget that allows one',
      [old('a', 'n', 1, '2', app), old('b', 'n', 2, '2')],
      urgent('2'),
      [budget({ app: 'db' }, 1)],
      ['n', 'a'],
    ],
    ['a used-up budget gives way in the end', [old('a', 'n', 1, '4', app)], urgent('2'), [budget({ app: 'db' }, 0)], ['n', 'a']],
    [
      'who must not preempt',
      [old('a', 'n', 1, '4')],
      urgent('2', { spec: { preemptionPolicy: 'Never' } }),
      [],
      'not eligible due to preemptionPolicy=Never.',
    ],
  ];
  test.each(cases)('%s', (_, pods, pod, budgets, expected) => {
    expect(outcome(preempt(one, pods, pod, budgets))).toEqual(expected);
  });

  test('nodes where it would not help', () => {
    const nodes = [makeNode('cordoned', { unschedulable: true }), makeNode('small', { cpu: '1' })];
    expect(outcome(preempt(nodes, [old('a', 'small', 1, '1')], urgent('2')))).toBe(
      '0/2 nodes are available: 2 Preemption is not helpful for scheduling.',
    );
  });

  test('pods that keep others away', () => {
    const apart = (app: string): PodOptions => ({
      spec: {
        affinity: {
          podAntiAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { labelSelector: { matchLabels: { app } }, topologyKey: 'kubernetes.io/hostname' },
            ],
          },
        },
      },
    });
    const pods = [old('loner', 'n', 1, '1', apart('web')), old('other', 'n', 1, '1')];
    expect(outcome(preempt(one, pods, urgent('1', { labels: { app: 'web' } })))).toEqual(['n', 'loner']);
  });

  test('while the victims of the last time are going, no more', () => {
    const going = old('a', 'n', 1, '4', {
      metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' },
      status: { conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }] },
    });
    const pod = urgent('2', { status: { nominatedNodeName: 'n' } });
    expect(outcome(preempt(one, [going], pod))).toBe('not eligible due to a terminating pod on the nominated node.');
  });
});

describe('the node', () => {
  const two = [makeNode('a', { cpu: '4' }), makeNode('b', { cpu: '4' })];
  const app = { labels: { app: 'db' } };
  const cases: readonly [string, readonly Pod[], readonly PodDisruptionBudget[], string][] = [
    ['without breaking a budget', [old('x', 'a', 1, '4', app), old('y', 'b', 50, '4')], [budget({ app: 'db' }, 0)], 'b'],
    ['whose most important victim matters least', [old('x', 'a', 9, '4'), old('y', 'b', 8, '2'), old('z', 'b', 8, '2')], [], 'b'],
    [
      'whose victims matter least together',
      [old('x', 'a', 9, '2'), old('x2', 'a', 9, '2'), old('y', 'b', 9, '2'), old('z', 'b', 8, '2')],
      [],
      'b',
    ],
    ['with the fewest victims', [old('x', 'a', 0, '2'), old('x2', 'a', 0, '2'), old('y', 'b', 0, '4')], [], 'b'],
    [
      'whose victims have run for the shortest time',
      [old('x', 'a', 1, '4', started(3)), old('y', 'b', 1, '4', started(5))],
      [],
      'b',
    ],
  ];
  test.each(cases)('%s', (_, pods, budgets, node) => {
    const result = preempt(two, pods, urgent('4'), budgets);
    expect(result.candidate?.node.name).toBe(node);
  });
});
