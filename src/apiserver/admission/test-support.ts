import { builtinResources } from '../../api/groups/index.ts';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { StatusError } from '../../api/meta/status.ts';
import type { ApiRequest, ApiResponse, PatchType, RequestOptions, UserInfo } from '../../api/request.ts';
import { VirtualClock } from '../../util/clock.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { silentLogger } from '../../util/logger.ts';
import { SeededRandom } from '../../util/random.ts';
import { type AdmissionPlugin, loopbackUser } from '../contract.ts';
import { type ApiServer, createApiServer } from '../index.ts';
import { openTestStore } from '../test-store.ts';

/** What a test asks of the server. `path` is `pods`, `apps/deployments`, `pods/status`: group, plural, subresource, as far as there are any. */
export interface TestApi {
  readonly server: ApiServer;
  readonly clock: VirtualClock;
  /** The same as another user. */
  as(name: string, ...groups: readonly string[]): TestApi;
  create<T extends KubernetesObject>(type: string, object: object, options?: RequestOptions): Promise<T>;
  /** As `create`, with the warnings. */
  respond(type: string, object: object, options?: RequestOptions): Promise<ApiResponse>;
  update<T extends KubernetesObject>(type: string, object: object, options?: RequestOptions): Promise<T>;
  patch(type: string, namespace: string, name: string, patch: unknown, patchType?: PatchType): Promise<KubernetesObject>;
  remove(type: string, namespace: string, name: string): Promise<KubernetesObject>;
  get<T extends KubernetesObject>(type: string, namespace: string, name: string): T | undefined;
  close(): Promise<void>;
}

/** A whole API server over the memory store with these plugins and the namespace `x`. */
export async function createTestApi(...plugins: readonly AdmissionPlugin[]): Promise<TestApi> {
  const clock = new VirtualClock();
  const server = await createApiServer({
    store: await openTestStore(clock),
    resources: builtinResources,
    authenticators: [],
    authorizer: { authorize: () => ({ decision: 'allow' }) },
    admission: plugins,
    clock,
    random: new SeededRandom(1),
    logger: silentLogger,
  });
  const api = apiOf(server, clock, loopbackUser);
  await api.create('namespaces', { metadata: { name: 'x' } });
  await api.create('serviceaccounts', { metadata: { name: 'default', namespace: 'x' } });
  return api;
}

function apiOf(server: ApiServer, clock: VirtualClock, user: UserInfo): TestApi {
  const send = (
    verb: ApiRequest['verb'],
    type: string,
    namespace: string,
    name: string,
    rest: Partial<ApiRequest>,
  ): Promise<ApiResponse> => {
    const [plural, subresource] = type.split('/') as [string, string | undefined];
    const resource = [...server.registry.resources()].find((r) => r.plural === plural);
    if (resource === undefined) throw new Error(`no resource ${plural}`);
    const { group, version } = resource;
    return server.handle(
      {
        ...{ verb, group, version, resource: plural, namespace, name, options: {} },
        ...(subresource === undefined ? {} : { subresource }),
        ...rest,
      },
      user,
    );
  };
  const respond: TestApi['respond'] = (type, object, options = {}) => {
    const { name = '', namespace = '' } = (object as KubernetesObject).metadata ?? {};
    return send('create', type, namespace, type.includes('/') ? name : '', { body: deepFreeze(object), options });
  };
  return {
    server,
    clock,
    as: (name, ...groups) => apiOf(server, clock, { name, groups }),
    respond,
    create: async (type, object, options) => (await respond(type, object, options)).object as never,
    async update(type, object, options = {}) {
      const { name = '', namespace = '' } = (object as KubernetesObject).metadata ?? {};
      return (await send('update', type, namespace, name, { body: deepFreeze(object), options })).object as never;
    },
    async patch(type, namespace, name, body, patchType = 'application/merge-patch+json') {
      return (await send('patch', type, namespace, name, { body, patchType })).object;
    },
    remove: async (type, namespace, name) => (await send('delete', type, namespace, name, {})).object,
    get(type, namespace, name) {
      const resource = [...server.registry.resources()].find((r) => r.plural === type);
      return server.access.view(resource?.group ?? '', type)?.get(namespace, name) as never;
    },
    close: () => server.close(),
  };
}

/** The Status that a call is refused with. */
export async function refusal(
  call: Promise<unknown>,
): Promise<{ readonly code: number; readonly message: string; readonly status: StatusError['status'] }> {
  try {
    await call;
  } catch (err) {
    if (err instanceof StatusError) return { code: err.code, message: err.message, status: err.status };
    throw err;
  }
  throw new Error('it was admitted');
}

/** A pod of one container that passes validation. */
export const testPod = (name: string, more: object = {}, metadata: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'x', ...metadata },
  spec: { containers: [{ name: 'c', image: 'i' }], ...more },
});
