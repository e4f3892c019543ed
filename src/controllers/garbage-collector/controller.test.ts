import { expect, test } from 'vitest';
import type { KubernetesObject, OwnerReference } from '../../api/meta/object.ts';
import type { Deployment } from '../../api/types/apps-v1.ts';
import type { ConfigMap, Pod } from '../../api/types/core-v1.ts';
import type { ResourceRef } from '../../client/contract.ts';
import {
  configMaps,
  customResourceDefinitions,
  deployments,
  events,
  namespaces,
  nodes,
  pods,
  replicaSets,
  secrets,
} from '../../client/resource-refs.ts';
import { createFixture } from '../../client/test-support/fixture.ts';
import { deploymentController } from '../deployment/controller.ts';
import { replicaSetController } from '../replica-set.ts';
import { createServerFixture, names, type ServerFixture } from '../test-support/server.ts';
import { garbageCollector } from './controller.ts';

const web = (replicas: number): Deployment => ({
  metadata: { name: 'web', namespace: 'x' },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
  },
});

async function fixture(): Promise<ServerFixture> {
  const f = await createServerFixture();
  f.start(garbageCollector());
  await f.advance();
  return f;
}

const owned = (name: string, ...owners: readonly OwnerReference[]): ConfigMap => ({
  metadata: { name, namespace: 'x', ownerReferences: owners },
});

const refTo = (owner: KubernetesObject, more: Partial<OwnerReference> = {}): OwnerReference => ({
  apiVersion: owner.apiVersion!,
  kind: owner.kind!,
  name: owner.metadata!.name!,
  uid: owner.metadata!.uid!,
  ...more,
});

const plain = (name: string): ConfigMap => ({ metadata: { name, namespace: 'x' } });

async function deployed(replicas: number): Promise<ServerFixture> {
  const f = await createServerFixture();
  f.start(garbageCollector(), deploymentController(), replicaSetController());
  await f.create(deployments, web(replicas));
  await f.advance();
  expect(f.all(pods, 'x')).toHaveLength(replicas);
  return f;
}

test('in the background everything goes at once', async () => {
  const f = await deployed(200);
  await f.client.resource(deployments).delete('web', 'x', { propagationPolicy: 'Background' });
  expect(f.find(deployments, 'x/web')).toBeUndefined();
  await f.advance();
  expect([f.all(replicaSets, 'x').length, f.all(pods, 'x').length]).toEqual([0, 0]);
  // One deletion for each object: nothing is asked for twice.
  expect(f.writes.filter((w) => w.verb === 'delete' && w.resource === 'pods')).toHaveLength(200);
  await f.stop();
});

test('in the foreground the owner waits until what blocks it is gone', async () => {
  const f = await deployed(2);
  await f.create(nodes, { metadata: { name: 'n' } });
  for (const pod of f.all(pods, 'x')) {
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: pod.metadata!.name! },
      target: { kind: 'Node', name: 'n' },
    };
    await f.client.resource(pods).subresource('create', pod.metadata!.name!, 'x', 'binding', binding as KubernetesObject);
  }
  await f.client.resource(deployments).delete('web', 'x', { propagationPolicy: 'Foreground' });
  await f.advance();
  expect(f.find(deployments, 'x/web')?.metadata?.finalizers).toEqual(['foregroundDeletion']);
  expect(f.all(replicaSets, 'x')[0]?.metadata?.finalizers).toEqual(['foregroundDeletion']);
  const terminating = f.all(pods, 'x');
  expect(terminating.map((pod) => pod.metadata?.deletionTimestamp !== undefined)).toEqual([true, true]);
  for (const pod of terminating) await f.client.resource(pods).delete(pod.metadata!.name!, 'x', { gracePeriodSeconds: 0 });
  await f.advance();
  expect([f.all(deployments, 'x').length, f.all(replicaSets, 'x').length, f.all(pods, 'x').length]).toEqual([0, 0, 0]);
  await f.stop();
});

test('orphans are left standing without an owner', async () => {
  const f = await deployed(2);
  await f.client.resource(deployments).delete('web', 'x', { propagationPolicy: 'Orphan' });
  await f.advance();
  expect(f.find(deployments, 'x/web')).toBeUndefined();
  expect(f.all(replicaSets, 'x').map((set) => set.metadata?.ownerReferences ?? [])).toEqual([[]]);
  expect(f.all(pods, 'x').map((pod) => pod.metadata?.ownerReferences?.[0]?.kind)).toEqual(['ReplicaSet', 'ReplicaSet']);
  await f.stop();
});

test('what names an owner that is not there goes; one owner of two is enough to stay', async () => {
  const f = await fixture();
  const owner = await f.create(secrets, { metadata: { name: 'owner', namespace: 'x' } });
  const absent = { apiVersion: 'v1', kind: 'Secret', name: 'never', uid: 'no-such-uid' };
  await f.create(configMaps, owned('absent', absent));
  await f.create(configMaps, owned('other-uid', refTo(owner, { uid: 'another' })));
  await f.create(configMaps, owned('both', refTo(owner), absent));
  await f.create(configMaps, owned('good', refTo(owner)));
  await f.create(configMaps, owned('unknown-kind', { apiVersion: 'example.com/v1', kind: 'Thing', name: 't', uid: 't' }));
  await f.advance();
  expect(names(f.all(configMaps, 'x'))).toEqual(['both', 'good', 'unknown-kind']);
  expect(f.find(configMaps, 'x/both')?.metadata?.ownerReferences).toEqual([refTo(owner)]);
  await f.stop();
});

test('owners in another namespace are none, and it is told', async () => {
  const f = await fixture();
  await f.create(namespaces, { metadata: { name: 'y' } });
  const owner = await f.create(configMaps, { metadata: { name: 'owner', namespace: 'y' } });
  const { uid } = owner.metadata!;
  await f.create(configMaps, owned('child', refTo(owner)));
  await f.create(nodes, { metadata: { name: 'n', ownerReferences: [refTo(owner)] } });
  await f.advance();
  expect(f.find(configMaps, 'x/child')).toBeUndefined();
  expect(f.find(nodes, 'n')).toBeDefined();
  const told = f.all(events).filter((e) => e.reason === 'OwnerRefInvalidNamespace');
  expect(told.map((e) => `${e.involvedObject.kind}: ${e.message}`).sort()).toEqual([
    `ConfigMap: ownerRef [v1/ConfigMap, namespace: x, name: owner, uid: ${uid}] does not exist in namespace "x"`,
    `Node: ownerRef [v1/ConfigMap, namespace: , name: owner, uid: ${uid}] does not exist in namespace ""`,
  ]);
  await f.stop();
});

test('cluster-scoped owners own objects of namespaces', async () => {
  const f = await fixture();
  const node = await f.create(nodes, { metadata: { name: 'n' } });
  await f.create(configMaps, owned('child', refTo(node)));
  await f.advance();
  expect(f.find(configMaps, 'x/child')).toBeDefined();
  await f.client.resource(nodes).delete('n', '');
  await f.advance();
  expect(f.find(configMaps, 'x/child')).toBeUndefined();
  await f.stop();
});

test('a circle of owners that wait for each other is broken', async () => {
  const f = await fixture();
  const a = await f.create(configMaps, plain('a'));
  const b = await f.create(configMaps, owned('b', refTo(a, { blockOwnerDeletion: true })));
  await f.change(configMaps, 'x/a', (map) => ({
    ...map,
    metadata: { ...map.metadata, ownerReferences: [refTo(b, { blockOwnerDeletion: true })] },
  }));
  await f.client.resource(configMaps).delete('a', 'x', { propagationPolicy: 'Foreground' });
  await f.advance();
  expect(f.all(configMaps, 'x')).toEqual([]);
  await f.stop();
});

test('an owner waits no longer for a dependent that ceases to block it', async () => {
  const f = await fixture();
  const owner = await f.create(configMaps, plain('owner'));
  await f.create(configMaps, {
    metadata: { ...owned('child', refTo(owner, { blockOwnerDeletion: true })).metadata, finalizers: ['example.com/held'] },
  });
  await f.client.resource(configMaps).delete('owner', 'x', { propagationPolicy: 'Foreground' });
  await f.advance();
  expect(f.find(configMaps, 'x/owner')).toBeDefined();
  await f.change(configMaps, 'x/child', (map) => ({ ...map, metadata: { ...map.metadata, ownerReferences: [] } }));
  await f.advance();
  expect(f.find(configMaps, 'x/owner')).toBeUndefined();
  await f.stop();
});

test('a conflict is tried again', async () => {
  const f = await fixture();
  const owner = await f.create(secrets, { metadata: { name: 'owner', namespace: 'x' } });
  await f.create(configMaps, owned('child', refTo(owner)));
  await f.advance();
  let refused = 0;
  f.intercept = (request) => {
    if (request.verb === 'delete' && request.resource === 'configmaps' && refused++ === 0) throw new Error('connection lost');
  };
  await f.client.resource(secrets).delete('owner', 'x');
  await f.advance(100);
  expect(f.find(configMaps, 'x/child')).toBeUndefined();
  expect(refused).toBe(2);
  await f.stop();
});

test('no more than metadata is asked for, but where another keeps the whole', async () => {
  const f = await createServerFixture();
  const lists: [string, boolean][] = [];
  f.intercept = ({ verb, resource, metadataOnly = false }) => {
    if (verb === 'list') lists.push([resource, metadataOnly]);
  };
  f.start(deploymentController(), garbageCollector());
  await f.advance();
  const whole = lists.filter(([, metadataOnly]) => !metadataOnly).map(([resource]) => resource);
  const kept = ['apiservices', 'customresourcedefinitions', 'deployments', 'pods', 'replicasets'];
  expect(whole.sort()).toEqual(kept);
  expect(lists.length).toBeGreaterThan(30);
  expect(new Set(lists.map(([resource]) => resource)).size).toBe(lists.length);
  await f.stop();
});

interface Widget extends KubernetesObject {
  readonly spec?: object;
}
const widgets: ResourceRef<Widget> = {
  group: 'example.com',
  version: 'v1',
  kind: 'Widget',
  plural: 'widgets',
  namespaced: true,
};

test('custom resources are collected, and own, from the moment they are defined', async () => {
  const f = createFixture();
  f.start(garbageCollector());
  await f.advance();
  f.api.addResource(widgets);
  await f.api.seed(customResourceDefinitions, { metadata: { name: 'widgets.example.com' } } as never);
  await f.advance(2_000);
  const widget = await f.api.seed(widgets, { metadata: { name: 'w', namespace: 'x' } });
  const child: Pod = { metadata: { name: 'p', namespace: 'x', ownerReferences: [refTo(widget)] }, spec: { containers: [] } };
  const pod = await f.api.seed(pods, child);
  await f.api.seed(widgets, { metadata: { name: 'grandchild', namespace: 'x', ownerReferences: [refTo(pod)] } });
  await f.advance();
  expect(f.api.all(pods)).toHaveLength(1);
  await f.client.resource(widgets).delete('w', 'x');
  await f.advance();
  expect([f.api.all(pods).length, f.api.all(widgets).length]).toEqual([0, 0]);
  f.api.removeResource(widgets);
  await f.client.resource(customResourceDefinitions).delete('widgets.example.com', '');
  await f.advance(60_000);
  f.stop();
});
