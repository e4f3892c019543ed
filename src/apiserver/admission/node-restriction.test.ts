import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KubernetesObject } from '../../api/meta/object.ts';
import type { AuthorizationResult, RequestAttributes } from '../contract.ts';
import { nodeRestriction } from './node-restriction.ts';
import { createTestApi, refusal, type TestApi, testPod } from './test-support.ts';

let api: TestApi;
let n1: TestApi;
let audienceAllowed: boolean;
const authorize = (a: RequestAttributes): AuthorizationResult => ({
  decision: a.verb === 'request-serviceaccounts-token-audience' && audienceAllowed ? 'allow' : 'deny',
});
beforeEach(async () => {
  audienceAllowed = false;
  api = await createTestApi(nodeRestriction({ authorize }));
  api.server.addSubresourceHandler({
    ...{ group: '', resource: 'serviceaccounts', subresource: 'token' },
    handle: () => ({ code: 201, object: { kind: 'TokenRequest' }, warnings: [] }),
  });
  n1 = api.as('system:node:n1', 'system:nodes');
  for (const name of ['n1', 'n2']) await api.create('nodes', { metadata: { name } });
});
afterEach(() => api.close());

const uidOf = (name: string): string => api.get('nodes', '', name)?.metadata?.uid ?? '';
const owner = (name = 'n1', more: object = {}): object => ({
  ...{ apiVersion: 'v1', kind: 'Node', name, uid: uidOf(name), controller: true },
  ...more,
});
const mirror = (more: object = {}, owners: readonly object[] = [owner()]): object =>
  testPod('m', { nodeName: 'n1', ...more }, { annotations: { 'kubernetes.io/config.mirror': 'h' }, ownerReferences: owners });

describe('NodeRestriction', () => {
  it('leaves everybody else alone', async () => {
    await api.as('system:node:n1').create('nodes', { metadata: { name: 'n3' } });
    const { message } = await refusal(api.as('system:node:', 'system:nodes').create('nodes', { metadata: { name: 'n4' } }));
    expect(message).toContain('could not determine node from user "system:node:"');
  });

  it('lets a node change itself only', async () => {
    await n1.patch('nodes/status', '', 'n1', { status: { phase: 'Running' } });
    expect((await refusal(n1.patch('nodes/status', '', 'n2', { status: { phase: 'Running' } }))).message).toBe(
      'nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"',
    );
    expect((await refusal(n1.create('nodes', { metadata: { name: 'n5' } }))).message).toContain(
      'not allowed to modify node "n5"',
    );
  });
  it('keeps a node from steering workloads to itself', async () => {
    const labels = { 'kubernetes.io/hostname': 'n1', 'example.com/x': 'y', 'x.node.kubernetes.io/a': 'b' };
    await n1.patch('nodes', '', 'n1', { metadata: { labels } });
    const bad = { 'node-restriction.kubernetes.io/a': 'b', 'node-role.kubernetes.io/master': '' };
    expect((await refusal(n1.patch('nodes', '', 'n1', { metadata: { labels: bad } }))).message).toBe(
      'nodes "n1" is forbidden: is not allowed to modify labels: node-restriction.kubernetes.io/a, node-role.kubernetes.io/master',
    );
    const taints = [{ key: 'a', effect: 'NoSchedule' }];
    expect((await refusal(n1.patch('nodes', '', 'n1', { spec: { taints } }))).message).toContain('not allowed to modify taints');
    await api.remove('nodes', '', 'n1');
    expect((await refusal(n1.create('nodes', { metadata: { name: 'n1', labels: bad } }))).message).toBe(
      'nodes "n1" is forbidden: node "n1" is not allowed to set the following labels: node-restriction.kubernetes.io/a, node-role.kubernetes.io/master',
    );
  });

  it('lets a node make mirror pods', async () => {
    await n1.create('pods', mirror());
    await n1.remove('pods', 'x', 'm');
  });
  const volumes = (source: object): object => ({ volumes: [{ name: 'v', ...source }] });
  it.each([
    [() => testPod('m', { nodeName: 'n1' }), 'annotation, node "n1" can only create mirror pods'],
    [() => mirror({ nodeName: 'n2' }), 'node "n1" can only create pods with spec.nodeName set to itself'],
    [() => mirror({}, []), 'node "n1" can only create pods with an owner reference set to itself'],
    [() => mirror({}, [owner('n2')]), 'node "n1" can only create pods with an owner reference set to itself'],
    [() => mirror({}, [owner(), owner('n2', { controller: false })]), 'with a single owner reference set to itself'],
    [() => mirror({}, [owner('n1', { controller: false })]), 'with a controller owner reference set to itself'],
    [() => mirror({}, [owner('n1', { blockOwnerDeletion: true })]), 'must not set blockOwnerDeletion on an owner reference'],
    [() => mirror({}, [owner('n1', { uid: 'u' })]), 'UID mismatch: expected'],
    [() => mirror({ serviceAccountName: 'a' }), 'node "n1" can not create pods that reference a service account'],
    [() => mirror(volumes({ secret: { secretName: 's' } })), 'can not create pods that reference secrets'],
    [() => mirror(volumes({ configMap: { name: 's' } })), 'can not create pods that reference configmaps'],
    [() => mirror(volumes({ persistentVolumeClaim: { claimName: 's' } })), 'that reference persistentvolumeclaims'],
  ] as readonly (readonly [() => object, string])[])('refuses other pods (%#)', async (pod, cause) => {
    expect((await refusal(n1.create('pods', pod()))).message).toContain(cause);
  });
  it('lets a node write, and take away, its own pods only', async () => {
    await api.create('pods', testPod('mine', { nodeName: 'n1' }));
    await api.create('pods', testPod('other', { nodeName: 'n2' }));
    await n1.patch('pods/status', 'x', 'mine', { status: { phase: 'Running' } });
    expect((await refusal(n1.patch('pods/status', 'x', 'other', { status: { phase: 'Running' } }))).message).toBe(
      'pods "other" is forbidden: node "n1" can only update pod status for pods with spec.nodeName set to itself',
    );
    expect((await refusal(n1.patch('pods/status', 'x', 'mine', { metadata: { labels: { a: 'b' } } }))).message).toContain(
      'node "n1" cannot update labels through pod status',
    );
    expect((await refusal(n1.patch('pods', 'x', 'mine', { metadata: { labels: { a: 'b' } } }))).message).toContain(
      'unexpected operation "UPDATE", node "n1" can only create and delete mirror pods',
    );
    expect((await refusal(n1.remove('pods', 'x', 'other'))).message).toContain(
      'can only delete pods with spec.nodeName set to itself',
    );
    const eviction = (name: string): object => ({ metadata: { name, namespace: 'x' } });
    expect((await refusal(n1.create('pods/eviction', eviction('other')))).message).toContain('can only evict pods');
    await n1.create('pods/eviction', eviction('mine'));
  });

  it('makes tokens for pods of the node, and their audiences', async () => {
    const sources = [{ serviceAccountToken: { path: 't', audience: 'vault' } }, { serviceAccountToken: { path: 'u' } }];
    const pod = await api.create<KubernetesObject>(
      'pods',
      testPod('p', { nodeName: 'n1', serviceAccountName: 'default', ...volumes({ projected: { sources } }) }),
    );
    const request = (bound: object | undefined, audiences: readonly string[] = []): Promise<unknown> =>
      n1.create('serviceaccounts/token', {
        metadata: { name: 'default', namespace: 'x' },
        spec: { audiences, boundObjectRef: bound },
      });
    const bound = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: pod.metadata?.uid };
    await request(bound);
    await request(bound, ['vault']);
    expect((await refusal(request(bound, ['db']))).message).toContain(
      'audience "db" not found in pod spec volume, system:node:n1 is not authorized to request tokens for this audience',
    );
    audienceAllowed = true;
    await request(bound, ['db']);
    expect((await refusal(request(bound, ['a', 'b']))).message).toContain('node may only request 0 or 1 audiences');
    expect((await refusal(request(undefined))).message).toContain('node requested token not bound to a pod');
    expect((await refusal(request({ ...bound, uid: '' }))).message).toContain('without a uid');
    expect((await refusal(request({ ...bound, uid: 'u' }))).message).toContain('The object might have been deleted');
  });

  it('lets a node make its own lease only', async () => {
    await api.create('namespaces', { metadata: { name: 'kube-node-lease' } });
    const lease = (name: string, namespace = 'kube-node-lease'): object => ({ metadata: { name, namespace } });
    await n1.create('leases', lease('n1'));
    expect((await refusal(n1.create('leases', lease('n2')))).message).toContain('same name as the requesting node');
    expect((await refusal(n1.create('leases', lease('n1', 'x')))).message).toContain(
      'can only access leases in the "kube-node-lease" system namespace',
    );
  });
});
