import { expect, test } from 'vitest';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import { events, leases, namespaces, nodes, pods } from '../../client/resource-refs.ts';
import { podGcController } from '../pod-gc.ts';
import { taintEvictionController } from '../taint-eviction/controller.ts';
import { readyStatus } from '../test-support/pods.ts';
import { createServerFixture, names, type ServerFixture } from '../test-support/server.ts';
import { podCondition } from '../workload/pod-state.ts';
import { nodeLifecycleController } from './controller.ts';

const PERIOD = 10_000;

async function fixture(...nodeNames: string[]): Promise<ServerFixture> {
  const f = await createServerFixture();
  await f.create(namespaces, { metadata: { name: 'kube-node-lease' } });
  for (const name of nodeNames) {
    await f.create(nodes, { metadata: { name, labels: { 'kubernetes.io/os': 'linux' } } });
    const time = new Date(f.clock.now()).toISOString();
    const ready = { type: 'Ready', status: 'True', lastHeartbeatTime: time, lastTransitionTime: time };
    await f.change(nodes, name, (node): Node => ({ ...node, status: { conditions: [ready] } }), 'status');
    await f.create(leases, { metadata: { name, namespace: 'kube-node-lease' }, spec: { holderIdentity: name } });
  }
  f.start(nodeLifecycleController(), taintEvictionController(), podGcController());
  await f.advance();
  return f;
}

/** Time passes while the named nodes renew their leases. */
async function live(f: ServerFixture, ms: number, ...alive: string[]): Promise<void> {
  for (let passed = 0; passed < ms; passed += PERIOD) {
    for (const name of alive) {
      const renewTime = `${new Date(f.clock.now()).toISOString().slice(0, -1)}000Z`;
      await f.change(leases, `kube-node-lease/${name}`, (lease) => ({ ...lease, spec: { ...lease.spec, renewTime } }));
    }
    await f.advance(PERIOD);
  }
}

async function podOn(f: ServerFixture, name: string, node: string, tolerationSeconds?: number): Promise<void> {
  const key = 'node.kubernetes.io/unreachable';
  const tolerations =
    tolerationSeconds === undefined ? [] : [{ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds } as const];
  const pod: Pod = {
    metadata: { name, namespace: 'x' },
    spec: { nodeName: node, containers: [{ name: 'c', image: 'i' }], tolerations },
  };
  await f.create(pods, pod);
  await f.change(pods, `x/${name}`, (p) => ({ ...p, status: readyStatus(f.clock.now()) }), 'status');
}

const taintsOf = (f: ServerFixture, node: string): string[] =>
  (f.find(nodes, node)?.spec?.taints ?? []).map((t) => `${t.key.split('/')[1]}:${t.effect}`).sort();

test('a silent node: unknown, tainted, its pods not ready and then evicted as they tolerate it', async () => {
  const f = await fixture('a', 'b', 'c');
  await podOn(f, 'now', 'a');
  await podOn(f, 'later', 'a', 120);
  await podOn(f, 'well', 'b');
  await live(f, 60_000, 'a', 'b', 'c');
  expect(taintsOf(f, 'a')).toEqual([]);
  expect(f.find(nodes, 'a')?.metadata?.labels).toMatchObject({ 'beta.kubernetes.io/os': 'linux' });

  await live(f, 70_000, 'b', 'c');
  expect(f.find(nodes, 'a')?.status?.conditions?.[0]).toMatchObject({
    type: 'Ready',
    status: 'Unknown',
    reason: 'NodeStatusUnknown',
    message: 'Kubelet stopped posting node status.',
  });
  expect(taintsOf(f, 'a')).toEqual(['unreachable:NoExecute', 'unreachable:NoSchedule']);
  const gone = f.find(pods, 'x/now')!;
  expect(gone.metadata?.deletionTimestamp).toBeDefined();
  expect(podCondition(gone, 'DisruptionTarget')).toMatchObject({
    status: 'True',
    reason: 'DeletionByTaintManager',
    message: 'Taint manager: deleting due to NoExecute taint',
  });
  expect(podCondition(f.find(pods, 'x/later')!, 'Ready')?.status).toBe('False');
  expect(podCondition(f.find(pods, 'x/well')!, 'Ready')?.status).toBe('True');
  expect(f.find(pods, 'x/later')?.metadata?.deletionTimestamp).toBeUndefined();
  const told = f.all(events).map((e) => `${e.reason}: ${e.message}`);
  expect(told).toContain('RegisteredNode: Node a event: Registered Node a in Controller');
  expect(told).toContain('NodeNotReady: Node a status is now: NodeNotReady');
  expect(told).toContain('NodeNotReady: Node is not ready');
  expect(told).toContain('TaintManagerEviction: Marking for deletion Pod x/now');

  await live(f, 120_000, 'b', 'c');
  expect(f.find(pods, 'x/later')?.metadata?.deletionTimestamp).toBeDefined();
  await f.stop();
});

test('a node that comes back loses its taints, and evictions to come are called off', async () => {
  const f = await fixture('a', 'b');
  await podOn(f, 'later', 'a', 300);
  await live(f, 80_000, 'b');
  expect(taintsOf(f, 'a')).toContain('unreachable:NoExecute');
  await f.change(
    nodes,
    'a',
    (node) => ({
      ...node,
      status: { conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: new Date(f.clock.now()).toISOString() }] },
    }),
    'status',
  );
  await live(f, 400_000, 'a', 'b');
  expect(taintsOf(f, 'a')).toEqual([]);
  expect(f.find(pods, 'x/later')?.metadata?.deletionTimestamp).toBeUndefined();
  expect(f.all(events).map((e) => e.message)).toContain('Cancelling deletion of Pod x/later');
  await f.stop();
});

test('when every node is silent nothing is evicted: it may be us', async () => {
  const f = await fixture('a', 'b');
  await podOn(f, 'p', 'a');
  await live(f, 300_000);
  expect(taintsOf(f, 'a')).toEqual(['unreachable:NoSchedule']);
  expect(f.find(pods, 'x/p')?.metadata?.deletionTimestamp).toBeUndefined();
  await f.stop();
});

test('nothing is written about nodes that are well', async () => {
  const f = await fixture('a');
  await live(f, 20_000, 'a');
  const before = f.writes.length;
  await live(f, 300_000, 'a');
  expect(f.writes.slice(before).filter((w) => w.resource !== 'leases')).toEqual([]);
  await f.stop();
});

test('pods of a node that is gone are failed and removed; so is what nobody else would remove', async () => {
  const f = await fixture('a', 'b');
  await podOn(f, 'orphan', 'a');
  await podOn(f, 'stays', 'b');
  await f.create(pods, {
    metadata: { name: 'unscheduled', namespace: 'x', finalizers: ['example.com/x'] },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  });
  const client = f.client.resource(pods);
  await client.delete('unscheduled', 'x');
  let failedFirst = false;
  f.intercept = (request) => {
    if (request.verb === 'delete' && request.name === 'orphan') {
      const pod = f.find(pods, 'x/orphan')!;
      failedFirst =
        pod.status?.phase === 'Failed' && podCondition(pod, 'DisruptionTarget')?.message === 'PodGC: node no longer exists';
    }
  };
  await f.client.resource(nodes).delete('a', '');
  await live(f, 120_000, 'b');
  expect(failedFirst).toBe(true);
  expect(names(f.all(pods, 'x'))).toEqual(['stays', 'unscheduled']);
  expect(f.find(pods, 'x/unscheduled')?.status?.phase).toBe('Failed');
  expect(f.all(events).map((e) => e.message)).toContain('Node a event: Removing Node a from Controller');
  await f.stop();
});
