/** The API server of the benchmark: what `src/cluster/control-plane.ts` puts together, without controllers and scheduler. */
import { builtinResources } from '../src/api/groups/index.ts';
import { defaultAdmission } from '../src/apiserver/admission/index.ts';
import { x509Authenticator } from '../src/apiserver/authn/x509.ts';
import { ensureBootstrapPolicy } from '../src/apiserver/authz/bootstrap.ts';
import { mastersAuthorizer, unionAuthorizer } from '../src/apiserver/authz/chain.ts';
import { rbacAuthorizer } from '../src/apiserver/authz/rbac.ts';
import { fieldManager } from '../src/apiserver/field-manager/index.ts';
import { createApiServer, loopbackUser } from '../src/apiserver/index.ts';
import type { ClusterPki } from '../src/cluster/pki.ts';
import type { Store } from '../src/store/contract.ts';
import { systemClock } from '../src/util/clock.ts';
import { silentLogger } from '../src/util/logger.ts';
import { systemRandom } from '../src/util/random.ts';

/** Resolves when it listens. `created` is when `createApiServer` was done, on the monotonic clock. */
export async function startControlPlaneApi(
  store: Store,
  pki: ClusterPki,
): Promise<{ readonly port: number; readonly created: number }> {
  const rbac = rbacAuthorizer();
  const fields = fieldManager();
  const authorizer = unionAuthorizer([mastersAuthorizer, rbac]);
  const server = await createApiServer({
    ...{ store, resources: builtinResources, authenticators: [x509Authenticator(systemClock)], authorizer },
    ...{ admission: defaultAdmission({ authorizer }), fieldManager: fields },
    ...{ clock: systemClock, random: systemRandom, logger: silentLogger },
  });
  const created = performance.now();
  rbac.initialize(server.access);
  fields.initialize(server.access);
  await ensureBootstrapPolicy(server.access);
  const create = (resource: string, namespace: string, name: string): Promise<unknown> =>
    server.handle(
      { verb: 'create', group: '', version: 'v1', resource, namespace, name: '', options: {}, body: { metadata: { name } } },
      loopbackUser,
    );
  // Whose pods the benchmark makes.
  await create('serviceaccounts', 'default', 'checkout');
  const listener = await server.listen({ port: 0, tls: { ...pki.apiserver, clientCa: pki.ca.cert } });
  return { port: listener.address.port, created };
}
