import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { ensurePriorityClasses } from '../admission/index.ts';
import { ensureTokenTracking } from '../authn/legacy-token.ts';
import { ensureBootstrapPolicy } from '../authz/bootstrap.ts';
import { fieldManager } from '../field-manager/index.ts';
import { BootstrapKeeper } from '../flow-control/bootstrap-keeper.ts';
import { addAggregation } from '../index.ts';
import { TestServer } from '../test-server.ts';

const SEEDED = [
  '/api/v1/namespaces',
  '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
  '/apis/rbac.authorization.k8s.io/v1/roles',
  '/apis/rbac.authorization.k8s.io/v1/rolebindings',
  '/apis/scheduling.k8s.io/v1/priorityclasses',
  '/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas',
  '/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations',
  '/apis/apiregistration.k8s.io/v1/apiservices',
  '/api/v1/configmaps',
];

/** An object without what each write makes anew. */
function lasting(object: KubernetesObject): object {
  const { status: _s, metadata, ...rest } = object as KubernetesObject & { readonly status?: unknown };
  const { uid: _u, creationTimestamp: _c, resourceVersion: _r, managedFields: _m, ...kept } = metadata ?? {};
  return { ...rest, metadata: kept };
}

const stop = new AbortController();
let seeded: TestServer;
let bare: TestServer;
beforeAll(async () => {
  seeded = await TestServer.start({ fieldManager: fieldManager() });
  addAggregation(seeded.server, { cert: '', key: '' });
  const { access } = seeded.server;
  await Promise.all([
    ensureBootstrapPolicy(access),
    ensurePriorityClasses(access),
    ensureTokenTracking(access),
    new BootstrapKeeper(access).start(stop.signal),
  ]);
  bare = await TestServer.start();
  for (const name of ['default', 'kube-system', 'kube-public', 'kube-node-lease'])
    await bare.request('POST', '/api/v1/namespaces', { body: { metadata: { name } }, as: 'root' });
});
afterAll(async () => {
  stop.abort();
  await Promise.all([seeded.close(), bare.close()]);
});

describe('the first objects', () => {
  it.each(SEEDED)('are as %s would have taken them from a client', async (path) => {
    const { items } = (await seeded.request('GET', path)).json as { items: KubernetesObject[] };
    expect(items.length).toBeGreaterThan(0);
    const { kind, apiVersion } = (await seeded.request('GET', path)).json as { kind: string; apiVersion: string };
    for (const item of items) {
      expect(item.metadata?.uid).toMatch(/^[0-9a-f-]{36}$/);
      expect(item.metadata?.managedFields?.[0]).toMatchObject({ operation: 'Update', fieldsType: 'FieldsV1' });
      const own = { kind: kind.replace(/List$/, ''), apiVersion, ...item };
      const { namespace = '' } = item.metadata ?? {};
      const target = namespace === '' ? path : path.replace(/[^/]+$/, `namespaces/${namespace}/$&`);
      const answer = await bare.request('POST', `${target}?dryRun=All&fieldValidation=Strict`, {
        body: lasting(own as KubernetesObject),
      });
      // What is there already is told of after it was found valid.
      if (answer.code === 409) continue;
      expect(answer.json).toMatchObject({ kind: own.kind });
      expect(lasting(answer.json)).toEqual(lasting(own as KubernetesObject));
    }
  });

  it('are left as they are by a second start', async () => {
    const before = (await seeded.request('GET', SEEDED[1]!)).json;
    await ensureBootstrapPolicy(seeded.server.access);
    expect((await seeded.request('GET', SEEDED[1]!)).json).toEqual(before);
  });
});
