import { describe, expect, test } from 'vitest';
import type { Node, Pod, Taint, Toleration } from '../../api/types/core-v1.ts';
import { actions, mayHelp } from '../cluster-event.ts';
import { PodInfo } from '../pod-info.ts';
import { TestCluster } from '../test-support/cluster.ts';
import { makeNode, makePod } from '../test-support/objects.ts';
import { nodeAffinity } from './node-affinity.ts';
import { nodeDeclaredFeatures } from './node-declared-features.ts';
import { nodeName, nodeUnschedulable, taintToleration } from './node-selection.ts';

const TAINTED = 'node(s) had untolerated taint(s)!';
const taint = (key: string, effect: Taint['effect'] = 'NoSchedule', value?: string): Taint => ({
  key,
  effect,
  ...(value === undefined ? {} : { value }),
});

describe('TaintToleration', () => {
  const cases: readonly [string, readonly Taint[], readonly Toleration[], string][] = [
    ['no taints', [], [], 'ok'],
    ['a taint', [taint('a')], [], TAINTED],
    ['the same key and value', [taint('a', 'NoSchedule', 'x')], [{ key: 'a', value: 'x' }], 'ok'],
    ['another value', [taint('a', 'NoSchedule', 'x')], [{ key: 'a', operator: 'Equal', value: 'y' }], TAINTED],
    ['another effect', [taint('a')], [{ key: 'a', operator: 'Exists', effect: 'NoExecute' }], TAINTED],
    ['any effect', [taint('a', 'NoExecute')], [{ key: 'a', operator: 'Exists' }], 'ok'],
    ['any key', [taint('a'), taint('b', 'NoExecute')], [{ operator: 'Exists' }], 'ok'],
    ['one of two', [taint('a'), taint('b')], [{ key: 'a', operator: 'Exists' }], TAINTED],
    ['only discouraging', [taint('a', 'PreferNoSchedule')], [], 'ok'],
    ['greater than', [taint('sla', 'NoSchedule', '95')], [{ key: 'sla', operator: 'Gt', value: '90' }], 'ok'],
    ['not less than', [taint('sla', 'NoSchedule', '95')], [{ key: 'sla', operator: 'Lt', value: '90' }], TAINTED],
    ['not a number', [taint('sla', 'NoSchedule', 'high')], [{ key: 'sla', operator: 'Gt', value: '90' }], TAINTED],
  ];
  test.each(cases)('%s', (_, taints, tolerations, verdict) => {
    const cluster = new TestCluster({ nodes: [makeNode('n', { taints })] });
    expect(cluster.filter(taintToleration, makePod('p', { spec: { tolerations } }))).toEqual({ n: verdict });
  });

  test('fewer discouraging taints score more', () => {
    const cluster = new TestCluster({
      nodes: [
        makeNode('none'),
        makeNode('one', { taints: [taint('a', 'PreferNoSchedule')] }),
        makeNode('two', { taints: [taint('a', 'PreferNoSchedule'), taint('b', 'PreferNoSchedule')] }),
      ],
    });
    expect(cluster.score(taintToleration, makePod('p'))).toEqual({ none: 100, one: 50, two: 0 });
    const tolerant = makePod('p', { spec: { tolerations: [{ key: 'a', operator: 'Exists' }] } });
    expect(cluster.score(taintToleration, tolerant)).toEqual({ none: 100, one: 100, two: 0 });
  });

  test('a taint that goes may help, one that stays not', () => {
    const info = new PodInfo(makePod('p'));
    const event = { resource: 'Node', action: actions.updateNodeTaint, label: 'NodeUpdate' } as const;
    const [tainted, free] = [makeNode('n', { taints: [taint('a')] }), makeNode('n')];
    expect(mayHelp(taintToleration.hints, info, { ...event, old: tainted, now: free })).toBe(true);
    expect(mayHelp(taintToleration.hints, info, { ...event, old: tainted, now: tainted })).toBe(false);
    expect(mayHelp(taintToleration.hints, info, { ...event, action: actions.updateNodeLabel, old: tainted, now: free })).toBe(
      false,
    );
  });
});

test('NodeUnschedulable: cordoned nodes are for those who tolerate it', () => {
  const cluster = new TestCluster({ nodes: [makeNode('open'), makeNode('cordoned', { unschedulable: true })] });
  expect(cluster.filter(nodeUnschedulable, makePod('p'))).toEqual({ open: 'ok', cordoned: 'node(s) were unschedulable!' });
  const tolerations = [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' }] as const;
  expect(cluster.filter(nodeUnschedulable, makePod('p', { spec: { tolerations } }))).toEqual({ open: 'ok', cordoned: 'ok' });
});

test('NodeName: a named node and no other', () => {
  const cluster = new TestCluster({ nodes: [makeNode('a'), makeNode('b')] });
  const verdicts = { a: 'ok', b: "node(s) didn't match the requested node name!" };
  expect(cluster.filter(nodeName, makePod('p', { node: 'a' }))).toEqual(verdicts);
});

describe('NodeAffinity', () => {
  const MISMATCH = "node(s) didn't match Pod's node affinity/selector!";
  const nodes = [makeNode('ssd', { labels: { disk: 'ssd', size: '10' } }), makeNode('hdd', { labels: { disk: 'hdd' } })];
  const required = (...terms: readonly object[]): Partial<Pod['spec']> =>
    ({
      affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } },
    }) as Partial<Pod['spec']>;
  const by = (key: string, operator: string, ...values: readonly string[]): object => ({
    matchExpressions: [{ key, operator, ...(values.length === 0 ? {} : { values }) }],
  });
  const cases: readonly [string, Partial<Pod['spec']>, Readonly<Record<string, string>> | string][] = [
    ['node selector', { nodeSelector: { disk: 'ssd' } }, { ssd: 'ok', hdd: MISMATCH }],
    ['In', required(by('disk', 'In', 'hdd', 'nvme')), { ssd: MISMATCH, hdd: 'ok' }],
    ['NotIn', required(by('disk', 'NotIn', 'hdd')), { ssd: 'ok', hdd: MISMATCH }],
    ['Exists', required(by('size', 'Exists')), { ssd: 'ok', hdd: MISMATCH }],
    ['DoesNotExist', required(by('size', 'DoesNotExist')), { ssd: MISMATCH, hdd: 'ok' }],
    ['Gt', required(by('size', 'Gt', '9')), { ssd: 'ok', hdd: MISMATCH }],
    ['Lt', required(by('size', 'Lt', '9')), { ssd: MISMATCH, hdd: MISMATCH }],
    ['terms are alternatives', required(by('disk', 'In', 'hdd'), by('size', 'Exists')), { ssd: 'ok', hdd: 'ok' }],
    ['an empty term is for nothing', required({}), { ssd: MISMATCH, hdd: MISMATCH }],
    [
      'selector and affinity',
      { nodeSelector: { disk: 'ssd' }, ...required(by('disk', 'In', 'hdd')) },
      { ssd: MISMATCH, hdd: MISMATCH },
    ],
    [
      'by name',
      required({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['hdd'] }] }),
      { ssd: MISMATCH, hdd: 'ok' },
    ],
    [
      'names that contradict each other',
      required({
        matchFields: [
          { key: 'metadata.name', operator: 'In', values: ['hdd'] },
          { key: 'metadata.name', operator: 'In', values: ['ssd'] },
        ],
      }),
      'pod affinity terms conflict!',
    ],
  ];
  test.each(cases)('%s', (_, spec, verdict) => {
    expect(new TestCluster({ nodes }).filter(nodeAffinity, makePod('p', { spec }))).toEqual(verdict);
  });

  test('preferred terms score by their weights', () => {
    const preferred = (weight: number, term: object): object => ({ weight, preference: term });
    const spec = {
      affinity: {
        nodeAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            preferred(80, by('disk', 'In', 'ssd')),
            preferred(20, by('disk', 'Exists')),
          ],
        },
      },
    } as Partial<Pod['spec']>;
    expect(new TestCluster({ nodes }).score(nodeAffinity, makePod('p', { spec }))).toEqual({ ssd: 100, hdd: 20 });
  });

  test('only the named nodes are looked at, and the message says by whose will', () => {
    const cluster = new TestCluster({ nodes: [...nodes, makeNode('third', { unschedulable: true })] });
    const spec = required({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['third'] }] });
    expect(cluster.schedule(makePod('p', { spec }))).toBe(
      "0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) didn't satisfy plugin(s) [NodeAffinity].",
    );
  });
});

test('NodeDeclaredFeatures: what a pod needs of the kubelet is declared', () => {
  const declaring = (name: string, ...declaredFeatures: readonly string[]): Node => {
    const node = makeNode(name);
    return { ...node, status: { ...node.status, declaredFeatures } };
  };
  const cluster = new TestCluster({
    nodes: [declaring('new', 'UserNamespacesHostNetworkSupport', 'RestartAllContainersOnContainerExits'), makeNode('old')],
  });
  const failed = 'node declared features check failed - unsatisfied requirements: ';
  const mapped = makePod('p', { spec: { hostNetwork: true, hostUsers: false } });
  expect(cluster.filter(nodeDeclaredFeatures, mapped)).toEqual({ new: 'ok', old: `${failed}UserNamespacesHostNetworkSupport!` });
  const restarting = makePod('p', { container: { restartPolicyRules: [{ action: 'RestartAllContainers' }] } });
  expect(cluster.filter(nodeDeclaredFeatures, restarting)).toEqual({
    new: 'ok',
    old: `${failed}RestartAllContainersOnContainerExits!`,
  });
  expect(cluster.filter(nodeDeclaredFeatures, makePod('p', { spec: { hostNetwork: true } }))).toEqual({ new: 'ok', old: 'ok' });
});
