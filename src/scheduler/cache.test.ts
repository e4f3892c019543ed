import { expect, test } from 'vitest';
import { ClusterCache } from './cache.ts';
import { PodInfo } from './pod-info.ts';
import { makeNode, makePod } from './test-support/objects.ts';

const using = (claim: string) => ({ spec: { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: claim } }] } });

test('an assumed pod counts at once, stays when it is confirmed, and goes when it is forgotten', () => {
  const cache = new ClusterCache();
  cache.setNode(makeNode('a'));
  const node = cache.node('a')!;
  cache.assume(new PodInfo(makePod('p', { cpu: '1' })), 'a');
  expect([node.milliCpu, cache.isAssumed('p'), cache.nodeOf('p')]).toEqual([1000, true, 'a']);
  cache.setPod(makePod('p', { cpu: '1', node: 'a' }));
  expect([node.milliCpu, cache.isAssumed('p')]).toEqual([1000, false]);
  cache.forget('p');
  expect(node.milliCpu).toBe(1000);
  cache.assume(new PodInfo(makePod('q', { cpu: '2' })), 'a');
  cache.forget('q');
  expect(node.milliCpu).toBe(1000);
  // The API knows better where a pod is.
  cache.setNode(makeNode('b'));
  cache.assume(new PodInfo(makePod('r', { cpu: '1' })), 'a');
  cache.setPod(makePod('r', { cpu: '1', node: 'b' }));
  expect([node.milliCpu, cache.node('b')!.milliCpu]).toEqual([1000, 1000]);
});

test('only what matters gives a node a new generation', () => {
  const cache = new ClusterCache();
  cache.setNode(makeNode('a'));
  const node = cache.node('a')!;
  const changes = (act: () => void): boolean => {
    const { generation } = node;
    act();
    return node.generation !== generation;
  };
  const pod = makePod('p', { cpu: '1', node: 'a', labels: { app: 'x' } });
  expect(changes(() => cache.setPod(pod))).toBe(true);
  const running = structuredClone({ ...pod, status: { phase: 'Running', podIP: '10.0.0.1' } }) as typeof pod;
  expect(changes(() => cache.setPod(running))).toBe(false);
  expect(cache.pod('p')?.pod).toBe(running);
  expect(changes(() => cache.setPod(makePod('p', { cpu: '1', node: 'a', labels: { app: 'y' } })))).toBe(true);
  expect(changes(() => cache.setNode(makeNode('a')))).toBe(false);
  expect(changes(() => cache.setNode(makeNode('a', { cpu: '8' })))).toBe(true);
  expect(changes(() => cache.setNode(makeNode('a', { cpu: '8', unschedulable: true })))).toBe(true);
});

test('pods outlive their node for a moment, and are there again when it comes back', () => {
  const cache = new ClusterCache();
  cache.setPod(makePod('early', { cpu: '1', node: 'a', priority: 3, ...using('c') }));
  expect([cache.claimUses('default', 'c'), cache.lowestPriority]).toEqual([0, Number.POSITIVE_INFINITY]);
  cache.setNode(makeNode('a'));
  expect([cache.node('a')!.milliCpu, cache.claimUses('default', 'c'), cache.lowestPriority]).toEqual([1000, 1, 3]);
  cache.removeNode('a');
  expect([cache.claimUses('default', 'c'), cache.lowestPriority]).toEqual([0, Number.POSITIVE_INFINITY]);
  cache.removePod('early');
  cache.setNode(makeNode('a'));
  expect([cache.node('a')!.milliCpu, cache.claimUses('default', 'c'), cache.podCount]).toEqual([0, 0, 0]);
});

test('zones take turns in the order of nodes', () => {
  const cache = new ClusterCache();
  const zone = (z: string) => ({ labels: { 'topology.kubernetes.io/zone': z } });
  for (const [name, z] of [
    ['a1', 'a'],
    ['a2', 'a'],
    ['a3', 'a'],
    ['b1', 'b'],
    ['c1', 'c'],
    ['c2', 'c'],
  ] as const) {
    cache.setNode(makeNode(name, zone(z)));
  }
  expect(cache.nodes.map((n) => n.name)).toEqual(['a1', 'b1', 'c1', 'a2', 'c2', 'a3']);
});

test('what is tried is put back, whatever happens', () => {
  const cache = new ClusterCache();
  cache.setNode(makeNode('a'));
  const node = cache.node('a')!;
  cache.setPod(makePod('bound', { cpu: '1', node: 'a' }));
  cache.assume(new PodInfo(makePod('assumed', { cpu: '1' })), 'a');
  const { generation } = node;
  const attempt = (): never =>
    cache.attempt(node, () => {
      cache.lift('bound');
      cache.lift('assumed');
      cache.place(new PodInfo(makePod('guest', { cpu: '3' })), 'a');
      expect(node.milliCpu).toBe(3000);
      throw new Error('no');
    });
  expect(attempt).toThrow('no');
  expect([node.milliCpu, node.generation, [...node.pods.keys()]]).toEqual([2000, generation, ['bound', 'assumed']]);
  expect([cache.isAssumed('assumed'), cache.nodeOf('guest')]).toEqual([true, undefined]);
});
