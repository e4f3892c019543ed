import { expect, test } from 'vitest';
import { patchTypes } from '../../api/request.ts';
import type { DaemonSet, DaemonSetSpec } from '../../api/types/apps-v1.ts';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import { controllerRevisions, daemonSets, events, nodes, pods } from '../../client/resource-refs.ts';
import { quickKubelet } from '../test-support/pods.ts';
import { createServerFixture, type ServerFixture } from '../test-support/server.ts';
import { isReady } from '../workload/pod-state.ts';
import { daemonSetController } from './controller.ts';
import { placementOn, targetNode, withDaemonTolerations } from './placement.ts';

const set = (more: Partial<DaemonSetSpec> = {}): DaemonSet => ({
  metadata: { name: 'agent', namespace: 'x' },
  spec: {
    selector: { matchLabels: { app: 'agent' } },
    template: { metadata: { labels: { app: 'agent' } }, spec: { containers: [{ name: 'c', image: 'v1' }] } },
    ...more,
  },
});

async function started(object: DaemonSet, nodeNames: readonly string[], delayMs = 1_000): Promise<ServerFixture> {
  const f = await createServerFixture();
  for (const name of nodeNames) await f.create(nodes, { metadata: { name, labels: { disk: 'ssd' } } });
  f.start(
    daemonSetController(),
    quickKubelet(() => true, delayMs),
  );
  await f.create(daemonSets, object);
  await f.advance(5_000);
  return f;
}

const placed = (f: ServerFixture): Record<string, string> =>
  Object.fromEntries(
    f
      .all(pods, 'x')
      .filter((pod) => pod.metadata?.deletionTimestamp === undefined)
      .map((pod): [string, string] => [targetNode(pod) ?? '', pod.spec!.containers[0]!.image!])
      .sort(),
  );
const setImage = async (f: ServerFixture, image: string): Promise<unknown> =>
  await f.client
    .resource(daemonSets)
    .patch('agent', 'x', patchTypes.merge, { spec: { template: { spec: { containers: [{ name: 'c', image }] } } } });
const status = (f: ServerFixture): DaemonSet['status'] => f.find(daemonSets, 'x/agent')?.status;

test('a pod for each node, pinned to it and hard to drive away; nodes come and go', async () => {
  const f = await started(set(), ['a', 'b']);
  expect(placed(f)).toEqual({ a: 'v1', b: 'v1' });
  const [revision] = f.all(controllerRevisions, 'x');
  const hash = revision!.metadata!.labels!['controller-revision-hash'];
  expect(revision).toMatchObject({ revision: 1, metadata: { name: `agent-${hash}` } });
  // Byte for byte what upstream's controllers keep, and look for.
  expect(JSON.stringify(revision!.data)).toBe(
    '{"spec":{"template":{"$patch":"replace","metadata":{"labels":{"app":"agent"}},"spec":{"containers":[{"image":"v1",' +
      '"imagePullPolicy":"Always","name":"c","resources":{},"terminationMessagePath":"/dev/termination-log",' +
      '"terminationMessagePolicy":"File"}],"dnsPolicy":"ClusterFirst","restartPolicy":"Always","schedulerName":"default-scheduler",' +
      '"securityContext":{},"terminationGracePeriodSeconds":30}}}}',
  );
  expect(f.all(pods, 'x')[0]).toMatchObject({
    metadata: {
      generateName: 'agent-',
      labels: { app: 'agent', 'controller-revision-hash': hash, 'pod-template-generation': '1' },
      ownerReferences: [{ kind: 'DaemonSet', name: 'agent', controller: true }],
    },
    spec: {
      tolerations: expect.arrayContaining([
        { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
        { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
      ]),
    },
  });
  expect(status(f)).toEqual({
    currentNumberScheduled: 2,
    desiredNumberScheduled: 2,
    numberAvailable: 2,
    numberMisscheduled: 0,
    numberReady: 2,
    observedGeneration: 1,
    updatedNumberScheduled: 2,
  });
  await f.create(nodes, { metadata: { name: 'c' } });
  await f.advance();
  expect(Object.keys(placed(f))).toEqual(['a', 'b', 'c']);
  await f.client.resource(nodes).delete('c', '');
  await f.advance(5_000);
  // It never got onto the node: nobody else would remove it.
  expect(Object.keys(placed(f))).toEqual(['a', 'b']);
  const before = f.writes.length;
  await f.change(nodes, 'a', (node) => ({ ...node, metadata: { ...node.metadata, annotations: { beat: '1' } } }));
  await f.advance(3_600_000);
  expect(f.writes.slice(before).map((w) => w.resource)).toEqual(['nodes']);
  await f.stop();
});

test('a node selector and taints decide', async () => {
  const template = set().spec!.template;
  const f = await started(set({ template: { ...template, spec: { ...template.spec!, nodeSelector: { disk: 'ssd' } } } }), [
    'a',
    'b',
  ]);
  await f.create(nodes, { metadata: { name: 'plain' } });
  await f.advance();
  expect(Object.keys(placed(f))).toEqual(['a', 'b']);
  await f.change(nodes, 'a', (node) => ({ ...node, metadata: { ...node.metadata, labels: {} } }));
  await f.change(nodes, 'b', (node) => ({
    ...node,
    spec: { ...node.spec, taints: [{ key: 'k', effect: 'NoSchedule' as const }] },
  }));
  await f.advance(5_000);
  // A pod that is there may stay with a NoSchedule taint; it only does not belong there any more.
  expect(Object.keys(placed(f))).toEqual(['b']);
  expect(status(f)).toMatchObject({ desiredNumberScheduled: 0, numberMisscheduled: 1 });
  await f.change(nodes, 'b', (node) => ({
    ...node,
    spec: { ...node.spec, taints: [{ key: 'k', effect: 'NoExecute' as const }] },
  }));
  await f.advance(5_000);
  expect(placed(f)).toEqual({});
  await f.stop();
});

test('a rolling update takes maxUnavailable nodes at a time', async () => {
  const f = await started(set({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 2 } } }), [
    'a',
    'b',
    'c',
    'd',
  ]);
  let fewest = 99;
  f.intercept = () => {
    const ready = f.all(pods, 'x').filter((pod) => isReady(pod) && pod.metadata?.deletionTimestamp === undefined);
    fewest = Math.min(fewest, ready.length);
  };
  await setImage(f, 'v2');
  await f.advance(500);
  expect(placed(f)).toEqual({ a: 'v2', b: 'v2', c: 'v1', d: 'v1' });
  await f.advance(20_000);
  expect(placed(f)).toEqual({ a: 'v2', b: 'v2', c: 'v2', d: 'v2' });
  expect(fewest).toBe(2);
  expect(status(f)).toMatchObject({ updatedNumberScheduled: 4, numberAvailable: 4, observedGeneration: 2 });
  await f.stop();
});

test('with surge the new pod is there before the old one goes', async () => {
  const rollingUpdate = { maxSurge: 1, maxUnavailable: 0 };
  const f = await started(set({ updateStrategy: { type: 'RollingUpdate', rollingUpdate } }), ['a', 'b', 'c']);
  let fewest = 99;
  let most = 0;
  f.intercept = () => {
    const all = f.all(pods, 'x').filter((pod) => pod.metadata?.deletionTimestamp === undefined);
    most = Math.max(most, all.length);
    fewest = Math.min(fewest, all.filter(isReady).length);
  };
  await setImage(f, 'v2');
  await f.advance(30_000);
  expect(placed(f)).toEqual({ a: 'v2', b: 'v2', c: 'v2' });
  expect([fewest, most]).toEqual([3, 4]);
  await f.stop();
});

test('OnDelete waits for the user', async () => {
  const f = await started(set({ updateStrategy: { type: 'OnDelete' } }), ['a', 'b']);
  await setImage(f, 'v2');
  await f.advance(5_000);
  expect(placed(f)).toEqual({ a: 'v1', b: 'v1' });
  const old = f.all(pods, 'x').find((pod) => targetNode(pod) === 'a')!;
  await f.client.resource(pods).delete(old.metadata!.name!, 'x');
  await f.advance(5_000);
  expect(placed(f)).toEqual({ a: 'v2', b: 'v1' });
  await f.stop();
});

test('failed pods are replaced, ever more slowly', async () => {
  const f = await started(set(), ['a']);
  const fail = async (): Promise<string> => {
    const pod = f.all(pods, 'x')[0]!;
    const name = pod.metadata!.name!;
    await f.change(pods, `x/${name}`, (p): Pod => ({ ...p, status: { ...p.status, phase: 'Failed' } }), 'status');
    return name;
  };
  const first = await fail();
  await f.advance(100);
  expect(f.find(pods, `x/${first}`)).toBeUndefined();
  expect(f.all(events, 'x').map((e) => `${e.reason}: ${e.message}`)).toContain(
    `FailedDaemonPod: Found failed daemon pod x/${first} on node a, will try to kill it`,
  );
  const second = await fail();
  await f.advance(100);
  expect(f.find(pods, `x/${second}`)).toBeDefined();
  await f.advance(2_000);
  expect(f.find(pods, `x/${second}`)).toBeUndefined();
  await f.stop();
});

const node = (taints: NonNullable<Node['spec']>['taints'] = [], labels: Record<string, string> = {}): Node => ({
  metadata: { name: 'n', labels },
  spec: { taints },
});

test.each<[string, Node, Pod['spec'], boolean, boolean]>([
  ['anywhere', node(), { containers: [] }, true, true],
  ['tainted NoSchedule', node([{ key: 'k', effect: 'NoSchedule' }]), { containers: [] }, false, true],
  ['tainted NoExecute', node([{ key: 'k', effect: 'NoExecute' }]), { containers: [] }, false, false],
  ['only advised against', node([{ key: 'k', effect: 'PreferNoSchedule' }]), { containers: [] }, true, true],
  [
    'not ready, which daemons put up with',
    node([{ key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' }]),
    { containers: [] },
    true,
    true,
  ],
  [
    'without network, which host network puts up with',
    node([{ key: 'node.kubernetes.io/network-unavailable', effect: 'NoSchedule' }]),
    { containers: [], hostNetwork: true },
    true,
    true,
  ],
  ['another node', node(), { containers: [], nodeName: 'other' }, false, false],
  ['by selector', node([], { a: 'b' }), { containers: [], nodeSelector: { a: 'c' } }, false, false],
  [
    'by affinity',
    node([], { cores: '8' }),
    {
      containers: [],
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'cores', operator: 'Gt', values: ['4'] }] }],
          },
        },
      },
    },
    true,
    true,
  ],
])('placement: %s', (_, on, spec, shouldRun, mayStay) => {
  expect(placementOn(on, spec!, withDaemonTolerations(spec!))).toEqual({ shouldRun, mayStay });
});
