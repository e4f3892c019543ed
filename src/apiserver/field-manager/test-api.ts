import { builtinResources } from '../../api/groups/index.ts';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { StatusError } from '../../api/meta/status.ts';
import { type ApiRequest, type PatchType, patchTypes, type RequestOptions } from '../../api/request.ts';
import type { ManagedFieldsEntry, Status } from '../../api/types/meta-v1.ts';
import { VirtualClock } from '../../util/clock.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { silentLogger } from '../../util/logger.ts';
import { SeededRandom } from '../../util/random.ts';
import { type Authorizer, loopbackUser } from '../contract.ts';
import { type ApiServer, createApiServer } from '../index.ts';
import { openTestStore } from '../test-store.ts';
import { fieldManager } from './field-manager.ts';

/** An object as tests look at it. */
// biome-ignore lint/suspicious/noExplicitAny: what a test looks at is its own affair
export type Any = any;

const everything: Authorizer = { authorize: () => ({ decision: 'allow' }) };

/** A whole API server over the memory store that tracks fields, with the namespace `x`. Time stands still unless moved. */
export class ApplyApi {
  readonly server: ApiServer;
  readonly clock: VirtualClock;
  private constructor(server: ApiServer, clock: VirtualClock) {
    this.server = server;
    this.clock = clock;
  }

  static async start(authorizer: Authorizer = everything): Promise<ApplyApi> {
    const clock = new VirtualClock();
    const manager = fieldManager();
    const server = await createApiServer({
      store: await openTestStore(clock),
      resources: builtinResources,
      authenticators: [],
      authorizer,
      admission: [],
      fieldManager: manager,
      clock,
      random: new SeededRandom(1),
      logger: silentLogger,
    });
    manager.initialize(server.access);
    const api = new ApplyApi(server, clock);
    await api.send('create', 'v1', 'namespaces', '', { body: { metadata: { name: 'x' } } });
    return api;
  }

  close(): Promise<void> {
    return this.server.close(0);
  }

  /** `type` is `configmaps`, `deployments/scale`: plural and subresource. */
  async send(
    verb: ApiRequest['verb'],
    apiVersion: string,
    type: string,
    name: string,
    rest: Partial<ApiRequest> = {},
  ): Promise<Any> {
    const [resource, subresource] = type.split('/') as [string, string | undefined];
    const [version, group = ''] = apiVersion.split('/').reverse() as [string, string | undefined];
    const namespaced = [...this.server.registry.resources()].find((r) => r.plural === resource)?.namespaced === true;
    const request: ApiRequest = {
      ...{ verb, group, version, resource, namespace: namespaced ? 'x' : '', name, options: {} },
      ...(subresource === undefined ? {} : { subresource }),
      ...rest,
      ...(rest.body === undefined ? {} : { body: deepFreeze(rest.body) }),
    };
    return (await this.server.handle(request, loopbackUser)).object;
  }

  create(object: KubernetesObject, type: string, manager = 'creator'): Promise<Any> {
    return this.send('create', object.apiVersion ?? 'v1', type, '', { body: object, options: { fieldManager: manager } });
  }
  update(object: KubernetesObject, type: string, manager = 'updater'): Promise<Any> {
    const { name = '' } = object.metadata ?? {};
    return this.send('update', object.apiVersion ?? 'v1', type, name, { body: object, options: { fieldManager: manager } });
  }
  merge(apiVersion: string, type: string, name: string, body: unknown, manager = 'patcher'): Promise<Any> {
    return this.patch(apiVersion, type, name, body, patchTypes.merge, { fieldManager: manager });
  }
  patch(
    apiVersion: string,
    type: string,
    name: string,
    body: unknown,
    patchType: PatchType,
    options: RequestOptions,
  ): Promise<Any> {
    return this.send('patch', apiVersion, type, name, { body, patchType, options });
  }
  apply(config: KubernetesObject, type: string, manager: string, options: RequestOptions = {}): Promise<Any> {
    const { name = '' } = config.metadata ?? {};
    return this.patch(config.apiVersion ?? 'v1', type, name, config, patchTypes.apply, { fieldManager: manager, ...options });
  }
  get(apiVersion: string, type: string, name: string): Promise<Any> {
    return this.send('get', apiVersion, type, name);
  }
}

/** The status that a request is refused with. */
export async function refusal(request: Promise<unknown>): Promise<Status> {
  try {
    await request;
  } catch (err) {
    if (err instanceof StatusError) return err.status;
    throw err;
  }
  throw new Error('the request was not refused');
}

/** The entries in short: `manager operation subresource`, and the fields as JSON. */
export function entriesOf(object: KubernetesObject): Record<string, string> {
  const show = (e: ManagedFieldsEntry): string => [e.manager, e.operation, e.subresource].filter(Boolean).join(' ');
  return Object.fromEntries((object.metadata?.managedFields ?? []).map((e) => [show(e), JSON.stringify(e.fieldsV1)]));
}
