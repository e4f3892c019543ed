import { afterEach, expect, test } from 'vitest';
import type { Pod } from '../api/types/core-v1.ts';
import type { ResourceClaim } from '../api/types/resource-v1.ts';
import {
  deviceClasses,
  events,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  priorityClasses,
  resourceClaims,
  resourceSlices,
  storageClasses,
} from '../client/resource-refs.ts';
import { createServerFixture, type ServerFixture } from '../controllers/test-support/server.ts';
import { volumeBinder } from '../controllers/volumes/binder.ts';
import { scheduler } from './scheduler.ts';
import { makeNode } from './test-support/objects.ts';

let f: ServerFixture;
afterEach(() => f.stop());

const web = (name: string, cpu: string, spec: Partial<Pod['spec']> = {}): Pod => ({
  metadata: { name, namespace: 'x', labels: { app: 'web' } },
  spec: { containers: [{ name: 'main', image: 'nginx', resources: { requests: { cpu } } }], ...spec },
});
async function node(name: string, cpu: string): Promise<void> {
  const { metadata, status } = makeNode(name, { cpu });
  await f.create(nodes, { metadata: { name, labels: metadata?.labels ?? {} } });
  await f.change(nodes, name, (n) => ({ ...n, status: { ...n.status, ...status } }), 'status');
}
const nodeOf = (name: string): string | undefined => f.find(pods, `x/${name}`)?.spec?.nodeName;

test('against a whole API server: binding, the condition, events, and room that comes free', async () => {
  f = await createServerFixture();
  f.start(scheduler());
  await node('a', '1');
  await f.create(pods, web('one', '1'));
  await f.create(pods, web('two', '1'));
  await f.advance();
  expect(nodeOf('one')).toBe('a');
  expect(f.find(pods, 'x/one')?.status?.conditions).toEqual([
    { type: 'PodScheduled', status: 'True', observedGeneration: 1, lastTransitionTime: expect.any(String) },
  ]);
  const message =
    '0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: ' +
    '0/1 nodes are available: 1 No preemption victims found for incoming pod.';
  expect(f.find(pods, 'x/two')?.status?.conditions).toEqual([
    {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message,
      observedGeneration: 1,
      lastTransitionTime: expect.any(String),
    },
  ]);
  expect(f.all(events, 'x').map((e) => [e.involvedObject.name, e.type, e.reason, e.message, e.reportingComponent])).toEqual([
    ['one', 'Normal', 'Scheduled', 'Successfully assigned x/one to a', 'default-scheduler'],
    ['two', 'Warning', 'FailedScheduling', message, 'default-scheduler'],
  ]);
  await f.client.resource(pods).delete('one', 'x', { gracePeriodSeconds: 0 });
  await f.advance();
  expect(nodeOf('two')).toBe('a');
});

test('against a whole API server: preemption', async () => {
  f = await createServerFixture();
  f.start(scheduler());
  await node('a', '2');
  await f.create(priorityClasses, { metadata: { name: 'high' }, value: 1000 });
  await f.create(pods, web('small', '2', { priority: 0 }));
  await f.advance();
  await f.create(pods, web('urgent', '2', { priority: 1000, priorityClassName: 'high' }));
  await f.advance();
  // The kubelet has still to end the victim.
  expect(f.find(pods, 'x/small')).toMatchObject({
    metadata: { deletionTimestamp: expect.any(String) },
    status: { conditions: expect.arrayContaining([expect.objectContaining({ type: 'DisruptionTarget', status: 'True' })]) },
  });
  expect(f.find(pods, 'x/urgent')?.status?.nominatedNodeName).toBe('a');
  await f.client.resource(pods).delete('small', 'x', { gracePeriodSeconds: 0 });
  await f.advance();
  expect(nodeOf('urgent')).toBe('a');
  expect(f.find(pods, 'x/urgent')?.status?.nominatedNodeName).toBeUndefined();
});

test('against a whole API server: two schedulers at once bind each pod once', async () => {
  f = await createServerFixture();
  for (let i = 0; i < 3; i++) await node(`n${i}`, '4');
  f.start(scheduler());
  f.start(scheduler());
  for (let i = 0; i < 12; i++) await f.create(pods, web(`p${i}`, '1'));
  await f.advance();
  await f.advance(20_000);
  const places = f.all(pods, 'x').map((p) => p.spec?.nodeName ?? '');
  expect(places.filter((name) => name !== '')).toHaveLength(12);
});

test('with the volume controller: a local volume binds where the pod goes, and a second pod follows it', async () => {
  f = await createServerFixture();
  f.start(scheduler(), volumeBinder());
  await node('a', '4');
  await node('b', '2');
  await f.create(storageClasses, {
    metadata: { name: 'local' },
    provisioner: 'kubernetes.io/no-provisioner',
    volumeBindingMode: 'WaitForFirstConsumer',
  });
  await f.create(persistentVolumes, {
    metadata: { name: 'disk' },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'local',
      local: { path: '/data' },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['b'] }] }],
        },
      },
    },
  });
  const mounting: Partial<Pod['spec']> = { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }] };
  await f.create(pods, web('early', '1', mounting));
  await f.advance();
  expect(f.find(pods, 'x/early')?.status?.conditions?.[0]?.message).toContain(
    '0/2 nodes are available: persistentvolumeclaim "data" not found.',
  );
  await f.create(persistentVolumeClaims, {
    metadata: { name: 'data', namespace: 'x' },
    spec: { storageClassName: 'local', accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  });
  await f.advance();
  await f.advance(20_000);
  expect(nodeOf('early')).toBe('b');
  expect(f.find(persistentVolumeClaims, 'x/data')).toMatchObject({ spec: { volumeName: 'disk' }, status: { phase: 'Bound' } });
  await f.create(pods, web('second', '1', mounting));
  await f.create(pods, web('third', '1', mounting));
  await f.advance();
  expect(nodeOf('second')).toBe('b');
  expect(f.find(pods, 'x/third')?.status?.conditions?.[0]?.message).toContain(
    "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match PersistentVolume's node affinity.",
  );
});

test('a resource claim gets a device where the pod goes, and another pod waits until it is free', async () => {
  f = await createServerFixture();
  f.start(scheduler());
  await node('a', '4');
  await node('b', '4');
  await f.create(deviceClasses, {
    metadata: { name: 'gpu' },
    spec: { selectors: [{ cel: { expression: 'device.driver == "gpu.example.com"' } }] },
  });
  await f.create(resourceSlices, {
    metadata: { name: 'b-gpus' },
    spec: {
      driver: 'gpu.example.com',
      nodeName: 'b',
      pool: { name: 'b', generation: 1, resourceSliceCount: 1 },
      devices: [{ name: 'gpu0', attributes: { model: { string: 'large' } } }],
    },
  });
  const claim = (name: string): ResourceClaim => ({
    metadata: { name, namespace: 'x' },
    spec: {
      devices: { requests: [{ name: 'gpu', exactly: { deviceClassName: 'gpu', allocationMode: 'ExactCount', count: 1 } }] },
    },
  });
  const using = (name: string): Partial<Pod['spec']> => ({ resourceClaims: [{ name: 'gpu', resourceClaimName: name }] });
  await f.create(resourceClaims, claim('first'));
  await f.create(resourceClaims, claim('second'));
  await f.create(pods, web('one', '1', using('first')));
  await f.advance();
  await f.advance(20_000);
  expect(nodeOf('one')).toBe('b');
  expect(f.find(resourceClaims, 'x/first')).toMatchObject({
    metadata: { finalizers: ['resource.kubernetes.io/delete-protection'] },
    status: {
      allocation: { devices: { results: [{ request: 'gpu', driver: 'gpu.example.com', pool: 'b', device: 'gpu0' }] } },
      reservedFor: [{ resource: 'pods', name: 'one' }],
    },
  });
  await f.create(pods, web('two', '1', using('second')));
  await f.advance();
  expect(f.find(pods, 'x/two')?.status?.conditions?.[0]?.message).toContain(
    '0/2 nodes are available: 2 cannot allocate all claims.',
  );
  await f.client.resource(pods).delete('one', 'x', { gracePeriodSeconds: 0 });
  await f.change(resourceClaims, 'x/first', ({ status: _, ...c }) => ({ ...c, status: {} }), 'status');
  await f.advance();
  await f.advance(20_000);
  expect(nodeOf('two')).toBe('b');
});
