import { Registry } from 'prom-client';
import { afterEach, expect, test } from 'vitest';
import type { Node, Pod } from '../api/types/core-v1.ts';
import { createClient } from '../client/client.ts';
import { createControllerContext, runControllers } from '../client/controller-runner.ts';
import { inProcessTransport } from '../client/in-process.ts';
import { events, nodes, persistentVolumeClaims, persistentVolumes, pods, storageClasses } from '../client/resource-refs.ts';
import { createFixture, type Fixture } from '../client/test-support/fixture.ts';
import { silentLogger } from '../util/logger.ts';
import { scheduler } from './scheduler.ts';
import { bindingApi, makeNode, makePod } from './test-support/objects.ts';

let f: Fixture;
afterEach(() => f.stop());

async function start(...objects: readonly (Node | Pod)[]): Promise<void> {
  f = createFixture();
  bindingApi(f);
  for (const object of objects) {
    if (object.kind === 'Node') await f.api.seed(nodes, object as Node);
    else await f.api.seed(pods, object as Pod);
  }
  f.start(scheduler());
  await f.advance();
}

const nodeOf = (name: string): string => f.api.find(pods, `default/${name}`)?.spec?.nodeName ?? '';
const condition = (name: string): unknown => {
  const { lastTransitionTime: _, ...rest } = f.api
    .find(pods, `default/${name}`)
    ?.status?.conditions?.find((c) => c.type === 'PodScheduled') ?? {
    lastTransitionTime: '',
  };
  return rest;
};
const eventsOf = (name: string): readonly string[] =>
  f.api
    .all(events)
    .filter((e) => e.involvedObject.name === name)
    .map((e) => `${e.type} ${e.reason} ${e.message}`);

test('a pod is bound to the emptier node, and an event tells', async () => {
  await start(
    makeNode('a', { cpu: '4' }),
    makeNode('b', { cpu: '4' }),
    makePod('old', { cpu: '2', node: 'a' }),
    makePod('web', { cpu: '1' }),
  );
  expect(nodeOf('web')).toBe('b');
  expect(eventsOf('web')).toEqual(['Normal Scheduled Successfully assigned default/web to b']);
});

test('a pod that fits nowhere says why, and is bound when room is made', async () => {
  await start(
    makeNode('a', { cpu: '1' }),
    makeNode('b', { cpu: '1', unschedulable: true }),
    makePod('old', { cpu: '1', node: 'a' }),
    makePod('web', { cpu: '1' }),
  );
  expect(nodeOf('web')).toBe('');
  expect(condition('web')).toMatchObject({ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' });
  expect(eventsOf('web')[0]).toContain('0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable.');
  await f.client.resource(pods).delete('old', 'default');
  await f.advance();
  expect(nodeOf('web')).toBe('a');
});

test('a cluster without nodes: the pod waits for the first', async () => {
  await start(makePod('web'));
  expect(eventsOf('web')).toEqual(['Warning FailedScheduling no nodes available to schedule pods']);
  await f.api.seed(nodes, makeNode('a'));
  await f.advance();
  expect(nodeOf('web')).toBe('a');
});

test('pods of other schedulers, gated pods and pods being deleted are left alone', async () => {
  await start(
    makeNode('a'),
    makePod('other', { spec: { schedulerName: 'mine' } }),
    makePod('gated', { spec: { schedulingGates: [{ name: 'example.com/wait' }] } }),
    makePod('done', { status: { phase: 'Succeeded' } }),
  );
  expect([nodeOf('other'), nodeOf('gated'), nodeOf('done')]).toEqual(['', '', '']);
  f.api.change(pods, 'default/gated', (p) => ({ ...p, spec: { ...p.spec!, schedulingGates: [] } }));
  await f.advance();
  expect(nodeOf('gated')).toBe('a');
});

test('a binding that fails is tried again after a second, and its room is free meanwhile', async () => {
  f = createFixture();
  let failures = 1;
  bindingApi(f, (name) => {
    if (name === 'web' && failures-- > 0) throw new Error('connection reset');
  });
  await f.api.seed(nodes, makeNode('a', { cpu: '1' }));
  await f.api.seed(pods, makePod('web', { cpu: '1' }));
  f.start(scheduler());
  await f.advance();
  expect(nodeOf('web')).toBe('');
  expect(condition('web')).toMatchObject({
    reason: 'SchedulerError',
    message: 'running Bind plugin "DefaultBinder": connection reset',
  });
  await f.advance(999);
  expect(nodeOf('web')).toBe('');
  await f.advance(1);
  expect(nodeOf('web')).toBe('a');
});

test('a more important pod takes the place of a less important one', async () => {
  await start(
    makeNode('a', { cpu: '2' }),
    makeNode('b', { cpu: '2' }),
    makePod('victim', { cpu: '2', node: 'a', priority: 1 }),
    makePod('kept', { cpu: '2', node: 'b', priority: 2 }),
    makePod('urgent', { cpu: '2', priority: 100 }),
  );
  expect(f.api.find(pods, 'default/victim')).toBeUndefined();
  expect(nodeOf('urgent')).toBe('a');
  expect(eventsOf('urgent')).toEqual([
    'Warning FailedScheduling 0/2 nodes are available: 2 Insufficient cpu.',
    'Normal Scheduled Successfully assigned default/urgent to a',
  ]);
  expect(eventsOf('victim')).toEqual(['Normal Preempted Preempted by pod urgent on node a']);
});

test('the victim is told why, the preemptor nominated, and its place kept while the victim goes', async () => {
  f = createFixture({ gracefulPods: true });
  bindingApi(f);
  await f.api.seed(nodes, makeNode('a', { cpu: '2' }));
  await f.api.seed(pods, makePod('victim', { cpu: '2', node: 'a', priority: 1 }));
  await f.api.seed(pods, makePod('urgent', { cpu: '2', priority: 100 }));
  f.start(scheduler());
  await f.advance();
  expect(f.api.find(pods, 'default/victim')).toMatchObject({
    metadata: { deletionTimestamp: expect.any(String) },
    status: {
      conditions: [
        {
          type: 'DisruptionTarget',
          status: 'True',
          reason: 'PreemptionByScheduler',
          message: 'default-scheduler: preempting to accommodate a higher priority pod',
        },
      ],
    },
  });
  expect(f.api.find(pods, 'default/urgent')?.status?.nominatedNodeName).toBe('a');
  // A pod of less importance does not slip in, nor does a second victim go.
  await f.client.resource(pods).create(makePod('late', { cpu: '1', priority: 50, uid: 'late' }));
  await f.advance();
  expect(nodeOf('late')).toBe('');
  await f.client.resource(pods).delete('victim', 'default', { gracePeriodSeconds: 0 });
  await f.advance();
  await f.advance(10_000);
  expect(nodeOf('urgent')).toBe('a');
  expect(nodeOf('late')).toBe('');
});

test('a preemption that fails is tried again', async () => {
  f = createFixture();
  bindingApi(f);
  let failures = 1;
  f.api.intercept = (request) => {
    if (request.verb === 'delete' && failures-- > 0) throw new Error('connection reset');
  };
  await f.api.seed(nodes, makeNode('a', { cpu: '2' }));
  await f.api.seed(pods, makePod('victim', { cpu: '2', node: 'a', priority: 1 }));
  await f.api.seed(pods, makePod('urgent', { cpu: '2', priority: 100 }));
  f.start(scheduler());
  await f.advance();
  expect(nodeOf('urgent')).toBe('a');
});

test('the message of a pod that fits nowhere ends with what became of preemption', async () => {
  await start(
    makeNode('a', { taints: [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }] }),
    makeNode('b', { cpu: '1' }),
    makeNode('c', { cpu: '1' }),
    makePod('x', { cpu: '1', node: 'b' }),
    makePod('y', { cpu: '1', node: 'c' }),
    makePod('web', { cpu: '1' }),
  );
  const message =
    '0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. no new claims to deallocate, preemption: ' +
    '0/3 nodes are available: 1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod.';
  expect(eventsOf('web')).toEqual([`Warning FailedScheduling ${message}`]);
  expect(condition('web')).toEqual({
    type: 'PodScheduled',
    status: 'False',
    reason: 'Unschedulable',
    message,
    observedGeneration: 1,
  });
});

test('a pod whose binding is under way is not tried again, whatever is said of it', async () => {
  f = createFixture();
  let bindings = 0;
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  f.api.intercept = async (request) => {
    if (request.subresource !== 'binding') return;
    bindings++;
    await gate;
  };
  bindingApi(f);
  await f.api.seed(nodes, makeNode('a', { cpu: '1' }));
  await f.api.seed(pods, makePod('web', { cpu: '1' }));
  f.start(scheduler());
  await f.advance();
  f.api.change(pods, 'default/web', (p) => ({ ...p, metadata: { ...p.metadata, annotations: { a: 'b' } } }));
  // Its place is taken already.
  await f.client.resource(pods).create(makePod('late', { cpu: '1' }));
  await f.advance(60_000);
  expect(bindings).toBe(1);
  expect(condition('late')).toMatchObject({ reason: 'Unschedulable' });
  release();
  await f.advance();
  expect(nodeOf('web')).toBe('a');
  expect(nodeOf('late')).toBe('');
});

test('a pod that is deleted while it is being bound leaves its place', async () => {
  f = createFixture();
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  f.api.intercept = (request) => (request.subresource === 'binding' && request.name === 'web' ? gate : undefined);
  bindingApi(f);
  await f.api.seed(nodes, makeNode('a', { cpu: '1' }));
  await f.api.seed(pods, makePod('web', { cpu: '1' }));
  f.start(scheduler());
  await f.advance();
  await f.client.resource(pods).delete('web', 'default');
  await f.client.resource(pods).create(makePod('late', { cpu: '1' }));
  release();
  await f.advance();
  expect(nodeOf('late')).toBe('a');
});

test('a bound pod that is never seen bound is asked after, and its place given up when it is gone', async () => {
  f = createFixture();
  // Bindings that are accepted, and leave no trace.
  f.api.handle = (
    (handle) => async (request, user) =>
      handle(request, user)
  )(f.api.handle.bind(f.api));
  await f.api.seed(nodes, makeNode('a', { cpu: '1' }));
  await f.api.seed(pods, makePod('web', { cpu: '1' }));
  f.start(scheduler());
  await f.advance();
  expect(nodeOf('web')).toBe('');
  bindingApi(f);
  await f.advance(60_000);
  expect(nodeOf('web')).toBe('a');
});

test('after a restart nothing is bound twice, and what is bound counts', async () => {
  await start(makeNode('a', { cpu: '2' }), makePod('one', { cpu: '1' }), makePod('two', { cpu: '1' }));
  expect([nodeOf('one'), nodeOf('two')]).toEqual(['a', 'a']);
  const bindings = (): number => f.api.requests.filter((r) => r.subresource === 'binding').length;
  expect(bindings()).toBe(2);
  f.stop();
  const api = f.api;
  f = createFixture();
  Object.assign(f, { api });
  const context = createControllerContext({
    client: createClient(inProcessTransport(api, { name: 'test', groups: [] })),
    clock: f.clock,
    random: f.context.random,
    logger: silentLogger,
  });
  const stop = new AbortController();
  runControllers([scheduler()], context, stop.signal);
  await api.seed(pods, makePod('three', { cpu: '1' }));
  await f.advance();
  expect(bindings()).toBe(2);
  expect(nodeOf('three')).toBe('');
  stop.abort();
});

test('a claim that waits for its first consumer gets the volume of the node, and the pod waits until it is bound', async () => {
  f = createFixture();
  bindingApi(f);
  await f.api.seed(nodes, makeNode('a', { cpu: '4' }));
  await f.api.seed(nodes, makeNode('b', { cpu: '1' }));
  await f.api.seed(storageClasses, {
    metadata: { name: 'local' },
    provisioner: 'kubernetes.io/no-provisioner',
    volumeBindingMode: 'WaitForFirstConsumer',
  });
  await f.api.seed(persistentVolumes, {
    metadata: { name: 'disk' },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'local',
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['b'] }] }],
        },
      },
    },
    status: { phase: 'Available' },
  });
  await f.api.seed(persistentVolumeClaims, {
    metadata: { name: 'data', namespace: 'default', uid: 'data' },
    spec: { storageClassName: 'local', accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    status: { phase: 'Pending' },
  });
  const mounting = { spec: { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }] } };
  await f.api.seed(pods, makePod('web', { cpu: '1', ...mounting }));
  f.start(scheduler());
  await f.advance();
  expect(f.api.find(persistentVolumes, 'disk')).toMatchObject({
    metadata: { annotations: { 'pv.kubernetes.io/bound-by-controller': 'yes' } },
    spec: { claimRef: { kind: 'PersistentVolumeClaim', namespace: 'default', name: 'data', uid: 'data' } },
  });
  expect(nodeOf('web')).toBe('');
  expect(f.api.find(pods, 'default/web')?.status?.nominatedNodeName).toBe('b');
  f.api.change(persistentVolumeClaims, 'default/data', (claim) => ({
    ...claim,
    metadata: { ...claim.metadata, annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } },
    spec: { ...claim.spec, volumeName: 'disk' },
    status: { phase: 'Bound' as const },
  }));
  await f.advance();
  expect(nodeOf('web')).toBe('b');
});

test('metrics count what happened, under upstream names', async () => {
  f = createFixture();
  bindingApi(f);
  const metrics = new Registry();
  await f.api.seed(nodes, makeNode('a', { cpu: '1' }));
  await f.api.seed(pods, makePod('web', { cpu: '1' }));
  await f.api.seed(pods, makePod('big', { cpu: '2' }));
  const stop = new AbortController();
  runControllers([scheduler()], { ...f.context, metrics }, stop.signal);
  await f.advance();
  const text = await metrics.metrics();
  for (const line of [
    'scheduler_pending_pods{queue="unschedulable"} 1',
    'scheduler_pending_pods{queue="active"} 0',
    'scheduler_schedule_attempts_total{result="scheduled",profile="default-scheduler"} 1',
    'scheduler_schedule_attempts_total{result="unschedulable",profile="default-scheduler"} 1',
    'scheduler_pod_scheduling_sli_duration_seconds_count{attempts="1"} 1',
    'scheduler_pod_scheduling_attempts_count 1',
    'scheduler_preemption_attempts_total 1',
    'scheduler_queue_incoming_pods_total{queue="active",event="PodAdd"} 2',
    'scheduler_queue_incoming_pods_total{queue="unschedulable",event="ScheduleAttemptFailure"} 1',
    'scheduler_cache_size{type="nodes"} 1',
    'scheduler_unschedulable_pods{plugin="NodeResourcesFit",profile="default-scheduler"} 1',
    'scheduler_framework_extension_point_duration_seconds_count{extension_point="Filter",status="Success",profile="default-scheduler"} 1',
    'scheduler_framework_extension_point_duration_seconds_count{extension_point="Bind",status="Success",profile="default-scheduler"} 1',
  ]) {
    expect(text).toContain(line);
  }
  stop.abort();
});
