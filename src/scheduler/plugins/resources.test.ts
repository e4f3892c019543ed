import { describe, expect, test } from 'vitest';
import type { Pod } from '../../api/types/core-v1.ts';
import { actions, mayHelp } from '../cluster-event.ts';
import { PodInfo } from '../pod-info.ts';
import { podRequests } from '../pod-requests.ts';
import { TestCluster } from '../test-support/cluster.ts';
import { makeNode, makePod } from '../test-support/objects.ts';
import { imageLocality } from './image-locality.ts';
import { nodePorts } from './node-ports.ts';
import { balancedAllocation, nodeResourcesFit } from './resources.ts';

const Gi = 1024 ** 3;
const Mi = 1024 ** 2;
const c = (name: string, requests?: Readonly<Record<string, string>>, more: object = {}): object => ({
  name,
  image: 'i',
  ...(requests === undefined ? {} : { resources: { requests } }),
  ...more,
});
const pod = (spec: object, status?: object): Pod =>
  makePod('p', { spec: spec as Partial<Pod['spec']>, status: status as Pod['status'] });

describe('what a pod asks for', () => {
  const cases: readonly [string, Pod, Partial<ReturnType<typeof podRequests>>][] = [
    ['nothing', pod({ containers: [c('a')] }), { milliCpu: 0, memory: 0, nonZeroMilliCpu: 100, nonZeroMemory: 200 * Mi }],
    [
      'its containers together',
      pod({ containers: [c('a', { cpu: '1', memory: '1Gi' }), c('b', { cpu: '250m' })] }),
      { milliCpu: 1250, memory: Gi, nonZeroMilliCpu: 1250, nonZeroMemory: Gi + 200 * Mi },
    ],
    [
      'the largest init container',
      pod({ containers: [c('a', { cpu: '1' })], initContainers: [c('i', { cpu: '3' }), c('j', { cpu: '2', memory: '1Gi' })] }),
      { milliCpu: 3000, memory: Gi },
    ],
    [
      'sidecars all along',
      pod({
        containers: [c('a', { cpu: '1' })],
        initContainers: [c('side', { cpu: '2' }, { restartPolicy: 'Always' }), c('init', { cpu: '3' })],
      }),
      { milliCpu: 5000 },
    ],
    [
      'sidecars with the containers',
      pod({
        containers: [c('a', { cpu: '4' })],
        initContainers: [c('init', { cpu: '3' }), c('side', { cpu: '2' }, { restartPolicy: 'Always' })],
      }),
      { milliCpu: 6000 },
    ],
    [
      'overhead on top',
      pod({ containers: [c('a', { cpu: '1' })], overhead: { cpu: '500m', memory: '1Gi' } }),
      { milliCpu: 1500, memory: Gi },
    ],
    [
      'the whole pod, where it says',
      pod({ containers: [c('a', { cpu: '1', memory: '1Gi' })], resources: { requests: { cpu: '5' } } }),
      { milliCpu: 5000, memory: Gi, nonZeroMilliCpu: 5000 },
    ],
    [
      'extended resources',
      pod({ containers: [c('a', { 'example.com/gpu': '2' })] }),
      { scalars: new Map([['example.com/gpu', 2]]) },
    ],
    [
      'the larger of wish and reality while resizing',
      pod(
        { containers: [c('a', { cpu: '1', memory: '2Gi' })] },
        {
          containerStatuses: [
            {
              name: 'a',
              resources: { requests: { cpu: '2', memory: '1Gi' } },
              allocatedResources: { cpu: '1500m', memory: '1Gi' },
            },
          ],
        },
      ),
      { milliCpu: 2000, memory: 2 * Gi },
    ],
    [
      'reality alone when the wish cannot be met',
      pod(
        { containers: [c('a', { cpu: '9' })] },
        {
          conditions: [{ type: 'PodResizePending', status: 'True', reason: 'Infeasible' }],
          containerStatuses: [{ name: 'a', resources: { requests: { cpu: '2' } }, allocatedResources: { cpu: '2' } }],
        },
      ),
      { milliCpu: 2000 },
    ],
  ];
  test.each(cases)('%s', (_, p, expected) => {
    expect(podRequests(p)).toMatchObject(expected);
  });
});

describe('NodeResourcesFit', () => {
  const node = makeNode('n', {
    cpu: '4',
    memory: '8Gi',
    pods: '2',
    allocatable: { 'example.com/gpu': '1', 'ephemeral-storage': '10Gi' },
  });
  const running = (requests: Readonly<Record<string, string>>): Pod =>
    makePod('old', { node: 'n', container: { resources: { requests } } });
  const cases: readonly [string, readonly Pod[], Readonly<Record<string, string>>, string][] = [
    ['fits', [], { cpu: '4', memory: '8Gi' }, 'ok'],
    ['fits beside another', [running({ cpu: '3' })], { cpu: '1' }, 'ok'],
    ['no cpu left', [running({ cpu: '3500m' })], { cpu: '1' }, 'Insufficient cpu'],
    ['no memory left', [running({ memory: '8Gi' })], { memory: '1' }, 'Insufficient memory'],
    ['more than the node has', [], { cpu: '5' }, 'Insufficient cpu!'],
    [
      'several reasons',
      [running({ cpu: '4', memory: '8Gi' })],
      { cpu: '1', memory: '1Gi' },
      'Insufficient cpu, Insufficient memory',
    ],
    ['no such device', [], { 'example.com/fpga': '1' }, 'Insufficient example.com/fpga!'],
    ['the device is taken', [running({ 'example.com/gpu': '1' })], { 'example.com/gpu': '1' }, 'Insufficient example.com/gpu'],
    [
      'no ephemeral storage',
      [running({ 'ephemeral-storage': '10Gi' })],
      { 'ephemeral-storage': '1Gi' },
      'Insufficient ephemeral-storage',
    ],
    ['nothing asked, nothing missing', [running({ cpu: '9' })], {}, 'ok'],
  ];
  test.each(cases)('%s', (_, pods, requests, verdict) => {
    const cluster = new TestCluster({ nodes: [node], pods });
    expect(cluster.filter(nodeResourcesFit, makePod('p', { container: { resources: { requests } } }))).toEqual({ n: verdict });
  });

  test('no more pods than the node takes', () => {
    const cluster = new TestCluster({ nodes: [node], pods: [makePod('a', { node: 'n' }), makePod('b', { node: 'n' })] });
    expect(cluster.filter(nodeResourcesFit, makePod('p'))).toEqual({ n: 'Too many pods' });
  });

  test('emptier nodes score more', () => {
    const nodes = [makeNode('half', { cpu: '4', memory: '8Gi' }), makeNode('empty', { cpu: '4', memory: '8Gi' })];
    const cluster = new TestCluster({ nodes, pods: [makePod('old', { node: 'half', cpu: '2', memory: '4Gi' })] });
    expect(cluster.score(nodeResourcesFit, makePod('p', { cpu: '1', memory: '2Gi' }))).toEqual({ half: 25, empty: 75 });
    // A pod that asks for nothing is taken to need 100m and 200Mi.
    expect(cluster.score(nodeResourcesFit, makePod('p'))).toEqual({ half: 47, empty: 97 });
  });

  test('hints: a pod that goes leaves room enough, or not', () => {
    const cluster = new TestCluster({ nodes: [makeNode('n', { cpu: '4' })], pods: [makePod('stays', { node: 'n', cpu: '2' })] });
    const gone = {
      resource: 'AssignedPod',
      action: actions.delete,
      label: 'AssignedPodDelete',
      node: cluster.cache.node('n'),
    } as const;
    const old = new PodInfo(makePod('gone', { cpu: '2' }));
    const helps = (cpu: string): boolean => mayHelp(nodeResourcesFit.hints, new PodInfo(makePod('p', { cpu })), { ...gone, old });
    expect([helps('2'), helps('3')]).toEqual([true, false]);
  });

  test('hints: room that grows in what the pod lacks', () => {
    const info = new PodInfo(makePod('p', { cpu: '2' }));
    const change = { resource: 'Node', action: actions.updateNodeAllocatable, label: 'NodeUpdate' } as const;
    const helps = (old: string, now: string): boolean =>
      mayHelp(nodeResourcesFit.hints, info, { ...change, old: makeNode('n', { cpu: old }), now: makeNode('n', { cpu: now }) });
    expect([helps('1', '2'), helps('2', '1'), helps('1', '1500m'), helps('3', '3')]).toEqual([true, false, false, false]);
    const shrunk = { resource: 'AssignedPod', action: actions.updatePodScaleDown, label: 'AssignedPodUpdate' } as const;
    const [big, small] = [new PodInfo(makePod('o', { cpu: '2' })), new PodInfo(makePod('o', { cpu: '1' }))];
    expect(mayHelp(nodeResourcesFit.hints, info, { ...shrunk, old: big, now: small })).toBe(true);
    const onlyMemory = new PodInfo(makePod('p', { memory: '1Gi' }));
    expect(mayHelp(nodeResourcesFit.hints, onlyMemory, { ...shrunk, old: big, now: small })).toBe(false);
  });
});

describe('NodeResourcesBalancedAllocation', () => {
  const nodes = [makeNode('even', { cpu: '10', memory: '10Gi' }), makeNode('cpu', { cpu: '10', memory: '10Gi' })];
  const cluster = new TestCluster({ nodes, pods: [makePod('old', { node: 'cpu', cpu: '6' })] });
  test.each([
    ['balances the one and keeps the other', { cpu: '2', memory: '2Gi' }, { even: 75, cpu: 75 }],
    ['makes up for what is used', { memory: '6Gi' }, { even: 60, cpu: 90 }],
    ['makes it worse', { cpu: '4' }, { even: 65, cpu: 65 }],
  ])('a pod that %s', (_, requests, scores) => {
    expect(cluster.score(balancedAllocation, makePod('p', requests))).toEqual(scores);
  });
  test('has no opinion on pods that ask for nothing', () => {
    expect(cluster.score(balancedAllocation, makePod('p'))).toEqual({});
  });
});

describe('NodePorts', () => {
  const TAKEN = "node(s) didn't have free ports for the requested pod ports";
  const port = (hostPort: number, protocol = 'TCP', hostIP?: string): object => ({
    containerPort: hostPort,
    hostPort,
    protocol,
    ...(hostIP === undefined ? {} : { hostIP }),
  });
  const holding = (name: string, ...ports: readonly object[]): Pod => makePod(name, { container: { ports: ports as never } });
  const cases: readonly [string, object, object, string][] = [
    ['another port', port(80), port(81), 'ok'],
    ['the same', port(80), port(80), TAKEN],
    ['another protocol', port(80), port(80, 'UDP'), 'ok'],
    ['another address', port(80, 'TCP', '10.0.0.1'), port(80, 'TCP', '10.0.0.2'), 'ok'],
    ['every address against one', port(80), port(80, 'TCP', '10.0.0.2'), TAKEN],
    ['one against every address', port(80, 'TCP', '10.0.0.2'), port(80, 'TCP', '0.0.0.0'), TAKEN],
  ];
  test.each(cases)('%s', (_, held, wanted, verdict) => {
    const old = { ...holding('old', held) };
    const cluster = new TestCluster({ nodes: [makeNode('n')], pods: [{ ...old, spec: { ...old.spec!, nodeName: 'n' } }] });
    expect(cluster.filter(nodePorts, holding('p', wanted))).toEqual({ n: verdict });
    cluster.cache.removePod('old');
    expect(cluster.filter(nodePorts, holding('p', wanted))).toEqual({ n: 'ok' });
  });
});

test('ImageLocality: large images that are there already, and common ones, score more', () => {
  const cluster = new TestCluster({
    nodes: [
      makeNode('both', { images: { 'app:latest': 500 * Mi, 'registry.local/side:v1': 200 * Mi } }),
      makeNode('one', { images: { 'app:latest': 500 * Mi } }),
      makeNode('none'),
    ],
  });
  const p = pod({
    containers: [
      { name: 'a', image: 'app' },
      { name: 'b', image: 'registry.local/side:v1' },
    ],
  });
  // 500 Mi × 2/3 and 200 Mi × 1/3, between 23 Mi and 2 × 1000 Mi.
  expect(cluster.score(imageLocality, p)).toEqual({ both: 19, one: 15, none: 0 });
});
