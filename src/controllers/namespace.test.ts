import { expect, test } from 'vitest';
import type { Namespace } from '../api/types/core-v1.ts';
import { configMaps, namespaces, pods, serviceAccounts } from '../client/resource-refs.ts';
import { createFixture } from '../client/test-support/fixture.ts';
import { namespaceController } from './namespace.ts';
import { rootCaPublisher } from './root-ca-publisher.ts';
import { serviceAccountController } from './service-account.ts';

const namespace = (name: string): Namespace => ({
  metadata: { name },
  spec: { finalizers: ['kubernetes'] },
  status: { phase: 'Active' },
});

test('a new namespace gets its service account and CA; both come back when removed or changed', async () => {
  const f = createFixture();
  f.start(serviceAccountController(), rootCaPublisher({ rootCa: 'PEM' }));
  await f.client.resource(namespaces).create(namespace('one'));
  await f.advance();
  expect(f.api.find(serviceAccounts, 'one/default')).toBeDefined();
  expect(f.api.find(configMaps, 'one/kube-root-ca.crt')?.data).toEqual({ 'ca.crt': 'PEM' });
  await f.client.resource(serviceAccounts).delete('default', 'one');
  f.api.change(configMaps, 'one/kube-root-ca.crt', (map) => ({ ...map, data: { 'ca.crt': 'PEM', more: 'x' } }));
  await f.advance();
  expect(f.api.find(serviceAccounts, 'one/default')).toBeDefined();
  expect(f.api.find(configMaps, 'one/kube-root-ca.crt')?.data).toEqual({ 'ca.crt': 'PEM' });
  f.stop();
});

test('deleting a namespace deletes pods first, then the rest, then the namespace', async () => {
  const f = createFixture({ gracefulPods: true });
  f.start(namespaceController());
  await f.api.seed(namespaces, namespace('one'));
  await f.api.seed(pods, {
    metadata: { name: 'p', namespace: 'one' },
    spec: { containers: [], nodeName: 'n', terminationGracePeriodSeconds: 30 },
  });
  await f.api.seed(configMaps, { metadata: { name: 'c', namespace: 'one' } });
  await f.api.seed(configMaps, { metadata: { name: 'c', namespace: 'two' } });
  await f.client.resource(namespaces).delete('one', '');
  await f.advance(6_000);
  const terminating = f.api.find(namespaces, 'one');
  expect(terminating?.status?.phase).toBe('Terminating');
  expect(terminating?.status?.conditions?.find((c) => c.type === 'NamespaceContentRemaining')).toMatchObject({
    status: 'True',
    reason: 'SomeResourcesRemain',
    message: 'Some resources are remaining: pods. has 1 resource instances',
  });
  expect(f.api.find(pods, 'one/p')?.metadata?.deletionTimestamp).toBeDefined();
  expect(f.api.find(configMaps, 'one/c')).toBeDefined();
  await f.client.resource(pods).delete('p', 'one', { gracePeriodSeconds: 0 });
  await f.advance(20_000);
  expect(f.api.find(configMaps, 'one/c')).toBeUndefined();
  expect(f.api.find(namespaces, 'one')).toBeUndefined();
  expect(f.api.find(configMaps, 'two/c')).toBeDefined();
  f.stop();
});

test('content with finalizers is told of and waited for', async () => {
  const f = createFixture();
  f.start(namespaceController({ deletionGraceMs: 0 }));
  await f.api.seed(namespaces, namespace('one'));
  await f.api.seed(configMaps, { metadata: { name: 'c', namespace: 'one', finalizers: ['example.com/hold'] } });
  await f.client.resource(namespaces).delete('one', '');
  await f.advance(1_000);
  const conditions = f.api.find(namespaces, 'one')?.status?.conditions ?? [];
  expect(conditions.map((c) => [c.type, c.status, c.message])).toEqual([
    ['NamespaceDeletionDiscoveryFailure', 'False', 'All resources successfully discovered'],
    ['NamespaceDeletionGroupVersionParsingFailure', 'False', 'All legacy kube types successfully parsed'],
    ['NamespaceDeletionContentFailure', 'False', 'All content successfully deleted, may be waiting on finalization'],
    ['NamespaceContentRemaining', 'True', 'Some resources are remaining: configmaps. has 1 resource instances'],
    [
      'NamespaceFinalizersRemaining',
      'True',
      'Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances',
    ],
  ]);
  await f.client.resource(configMaps).update({ metadata: { name: 'c', namespace: 'one', finalizers: [] } });
  await f.advance(10_000);
  expect(f.api.find(namespaces, 'one')).toBeUndefined();
  f.stop();
});
