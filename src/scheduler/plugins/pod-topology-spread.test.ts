import { describe, expect, test } from 'vitest';
import { selectorFromSet } from '../../api/meta/label-selector.ts';
import type { Node, Pod, TopologySpreadConstraint } from '../../api/types/core-v1.ts';
import { TestCluster } from '../test-support/cluster.ts';
import { makeNode, makePod, type PodOptions } from '../test-support/objects.ts';
import { podTopologySpread } from './pod-topology-spread.ts';

const HOST = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';
const UNEVEN = "node(s) didn't match pod topology spread constraints";
const UNLABELLED = "node(s) didn't match pod topology spread constraints (missing required label)!";

const inZone = (name: string, zone: string, more: Parameters<typeof makeNode>[1] = {}): Node =>
  makeNode(name, { ...more, labels: { [ZONE]: zone, ...more.labels } });
const nodes = [inZone('a1', 'a'), inZone('a2', 'a'), inZone('b1', 'b'), makeNode('none')];
const web = (name: string, options: PodOptions = {}): Pod => makePod(name, { labels: { app: 'web' }, ...options });
const by = (topologyKey: string, more: Partial<TopologySpreadConstraint> = {}): TopologySpreadConstraint => ({
  topologyKey,
  maxSkew: 1,
  whenUnsatisfiable: 'DoNotSchedule',
  labelSelector: { matchLabels: { app: 'web' } },
  ...more,
});
const spread = (...topologySpreadConstraints: readonly TopologySpreadConstraint[]): PodOptions => ({
  spec: { topologySpreadConstraints },
});

describe('demands', () => {
  const one = web('x', { node: 'a1' });
  const cases: readonly [string, readonly Node[], readonly Pod[], Pod, readonly string[]][] = [
    ['none there yet', nodes, [], web('p', spread(by(ZONE))), ['ok', 'ok', 'ok', UNLABELLED]],
    ['one zone ahead', nodes, [one], web('p', spread(by(ZONE))), [UNEVEN, UNEVEN, 'ok', UNLABELLED]],
    ['a greater skew', nodes, [one], web('p', spread(by(ZONE, { maxSkew: 2 }))), ['ok', 'ok', 'ok', UNLABELLED]],
    ['by node', nodes, [one], web('p', spread(by(HOST))), [UNEVEN, 'ok', 'ok', 'ok']],
    [
      'not counted itself',
      nodes,
      [one],
      makePod('p', { labels: { app: 'other' }, ...spread(by(ZONE)) }),
      ['ok', 'ok', 'ok', UNLABELLED],
    ],
    [
      'both at once',
      nodes,
      [one, web('y', { node: 'b1' })],
      web('p', spread(by(ZONE), by(HOST))),
      [UNEVEN, 'ok', UNEVEN, UNLABELLED],
    ],
    [
      'other namespaces do not count',
      nodes,
      [web('x', { node: 'a1', namespace: 'other' })],
      web('p', spread(by(ZONE))),
      ['ok', 'ok', 'ok', UNLABELLED],
    ],
    [
      'nor do pods that are going',
      nodes,
      [web('x', { node: 'a1', metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } })],
      web('p', spread(by(ZONE))),
      ['ok', 'ok', 'ok', UNLABELLED],
    ],
    [
      'too few domains: the least is none',
      nodes,
      [one, web('y', { node: 'b1' })],
      web('p', spread(by(ZONE, { minDomains: 3 }))),
      [UNEVEN, UNEVEN, UNEVEN, UNLABELLED],
    ],
    [
      'as many domains as asked',
      nodes,
      [one, web('y', { node: 'b1' })],
      web('p', spread(by(ZONE, { minDomains: 2 }))),
      ['ok', 'ok', 'ok', UNLABELLED],
    ],
    [
      'nodes out of reach do not count',
      nodes,
      [one],
      web('p', { spec: { nodeSelector: { [ZONE]: 'a' }, topologySpreadConstraints: [by(ZONE)] } }),
      ['ok', 'ok', 'ok', UNLABELLED],
    ],
    [
      'but do when that is ignored',
      nodes,
      [one],
      web('p', {
        spec: { nodeSelector: { [ZONE]: 'a' }, topologySpreadConstraints: [by(ZONE, { nodeAffinityPolicy: 'Ignore' })] },
      }),
      [UNEVEN, UNEVEN, 'ok', UNLABELLED],
    ],
    [
      'tainted nodes count',
      [inZone('a1', 'a'), inZone('b1', 'b', { taints: [{ key: 't', effect: 'NoSchedule' }] })],
      [one],
      web('p', spread(by(ZONE))),
      [UNEVEN, 'ok'],
    ],
    [
      'unless that is honoured',
      [inZone('a1', 'a'), inZone('b1', 'b', { taints: [{ key: 't', effect: 'NoSchedule' }] })],
      [one],
      web('p', spread(by(ZONE, { nodeTaintsPolicy: 'Honor' }))),
      ['ok', 'ok'],
    ],
    [
      'matchLabelKeys: only its own generation counts',
      nodes,
      [web('x', { node: 'a1', labels: { app: 'web', gen: '1' } })],
      web('p', { labels: { app: 'web', gen: '2' }, ...spread(by(ZONE, { matchLabelKeys: ['gen'] })) }),
      ['ok', 'ok', 'ok', UNLABELLED],
    ],
  ];
  test.each(cases)('%s', (_, all, pods, pod, verdicts) => {
    const named = new TestCluster({ nodes: all, pods }).filter(podTopologySpread, pod);
    expect(named).toEqual(Object.fromEntries(all.map((node, i) => [node.metadata?.name, verdicts[i]])));
  });
});

describe('preferences', () => {
  const soft = { whenUnsatisfiable: 'ScheduleAnyway' } as const;
  test('fewer pods of the kind around score more', () => {
    const pods = [web('x', { node: 'a1' }), web('y', { node: 'a1' }), web('z', { node: 'b1' })];
    const cluster = new TestCluster({ nodes, pods });
    // Two zones weigh log(4): the counts 2 and 1 become 3 and 1; 100 × (3 + 1 - s) / 3.
    expect(cluster.score(podTopologySpread, web('p', spread(by(ZONE, soft))))).toEqual({ a1: 33, a2: 33, b1: 100, none: 0 });
    // Four nodes weigh log(6): 4, 0, 2, 0.
    expect(cluster.score(podTopologySpread, web('p', spread(by(HOST, soft))))).toEqual({ a1: 0, a2: 100, b1: 50, none: 100 });
  });

  test('pods of a workload spread by default, over nodes and zones', () => {
    const pods = [web('x', { node: 'a1' }), web('y', { node: 'a2' })];
    const cluster = new TestCluster({ nodes, pods, selector: selectorFromSet({ app: 'web' }) });
    const scores = cluster.score(podTopologySpread, web('p'));
    expect(scores['b1']).toBeGreaterThan(scores['a1']!);
    expect(scores['a1']).toBe(scores['a2']);
    // A node without a zone is counted by its name alone.
    expect(scores['none']).toBeGreaterThan(scores['b1']!);
    expect(new TestCluster({ nodes, pods }).score(podTopologySpread, web('p'))).toEqual({});
  });
});
