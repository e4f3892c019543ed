import type { KubernetesList, KubernetesObject } from '../../api/meta/object.ts';
import { genericNotFound, invalidObject, notFound } from '../../api/meta/status.ts';
import type { ApiRequest, ApiResponse, UserInfo } from '../../api/request.ts';
import type { Resource, Subresource } from '../../api/resource.ts';
import { builtinSchema } from '../../api/schema/builtin.ts';
import type { Clock } from '../../util/clock.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import type { HandlerScope, MaybePromise, SubresourceHandler, VirtualResource } from '../contract.ts';
import { AdmissionRecord, mutate, validate } from './admission-chain.ts';
import type { Core } from './core.ts';
import { create } from './create.ts';
import { type BodyType, decodeAs } from './decode-body.ts';
import { remove, removeAll } from './delete.ts';
import type { Endpoint } from './endpoint.ts';
import { builtinTypeName } from './kind-schema.ts';
import { patch } from './patch.ts';
import { get, type ListResult, list } from './read.ts';
import { newestFor } from './resource-version.ts';
import { scale } from './scale.ts';
import { methodNotAllowed, type RestResult, Scope, validateWriteOptions } from './scope.ts';
import { update } from './update.ts';

/** Writes that name no object. */
const onCollection: ReadonlySet<string> = new Set(['create', 'deletecollection']);

/** What a request other than a watch comes to. */
export type Outcome = RestResult | ListResult;

export const isList = (outcome: Outcome): outcome is ListResult => 'entries' in outcome;

/** Finds what a resource request is for and does it. The caller has been authorized. */
export class Dispatcher {
  readonly #core: Core;
  readonly #handlers = new Map<string, SubresourceHandler>();

  constructor(core: Core) {
    this.#core = core;
  }

  addHandler(handler: SubresourceHandler): void {
    this.#handlers.set(`${handler.group}/${handler.resource}/${handler.subresource}`, handler);
  }

  hasHandler(group: string, resource: string, subresource: string): boolean {
    return this.#handlers.has(`${group}/${resource}/${subresource}`);
  }

  /** What the body of a create or update is an object of; undefined when only its handler knows. Throws the 404 when nothing is served there. */
  bodyType(request: ApiRequest): BodyType | undefined {
    const { group, version, resource, subresource } = request;
    const endpoint = this.#core.registry.find(group, version, resource);
    if (endpoint === undefined) {
      const virtual = this.#core.registry.findVirtual(group, version, resource);
      if (virtual === undefined || subresource !== undefined) throw genericNotFound();
      return { ...virtual, schema: builtinSchema(virtual.type) };
    }
    if (subresource === undefined) return endpoint.resource;
    const described = endpoint.resource.subresources[subresource] as Subresource | undefined;
    if (described !== undefined) return subresourceType(endpoint.resource, described);
    if (!this.hasHandler(group, resource, subresource)) throw genericNotFound();
    return undefined;
  }

  /** Synchronous for reads of what is there. `warnings` is filled by writes, and `annotations` by what admission has to say for the audit. */
  dispatch(
    request: ApiRequest,
    user: UserInfo,
    agent: string,
    warnings: string[],
    duplicateFields?: readonly string[],
    annotations?: Map<string, string>,
  ): MaybePromise<Outcome> {
    const endpoint = this.#core.registry.find(request.group, request.version, request.resource);
    if (endpoint === undefined) return this.#dispatchVirtual(request, user, agent, warnings, duplicateFields);
    if (endpoint.resource.deprecation !== undefined) warnings.push(endpoint.resource.deprecation);
    const waiting = newestFor(endpoint.collection, request, this.#core.clock);
    if (waiting !== undefined) {
      return waiting.then(() => this.#dispatchNow(endpoint, request, user, agent, warnings, duplicateFields, annotations));
    }
    return this.#dispatchNow(endpoint, request, user, agent, warnings, duplicateFields, annotations);
  }

  #dispatchNow(
    endpoint: Endpoint,
    request: ApiRequest,
    user: UserInfo,
    agent: string,
    warnings: string[],
    duplicateFields?: readonly string[],
    annotations?: Map<string, string>,
  ): MaybePromise<Outcome> {
    if (endpoint.isRemote) return this.#dispatchRemote(endpoint, request, user, agent, warnings, duplicateFields);
    if (endpoint.refresh !== undefined) {
      return endpoint.refresh().then(() => this.#dispatchStored(endpoint, request, user, agent, warnings, duplicateFields));
    }
    return this.#dispatchStored(endpoint, request, user, agent, warnings, duplicateFields, annotations);
  }

  /** A type that somebody else converts: what the request may look at is converted before, and what it answers. */
  async #dispatchRemote(
    endpoint: Endpoint,
    request: ApiRequest,
    user: UserInfo,
    agent: string,
    warnings: string[],
    duplicateFields?: readonly string[],
  ): Promise<Outcome> {
    if (request.name !== '') {
      const entry = endpoint.collection.get(endpoint.key(request.namespace, request.name));
      if (entry !== undefined) await endpoint.ready([entry.object]);
    } else if (request.options.fieldSelector !== undefined) await readyAll(endpoint, request.namespace);
    const outcome = await this.#dispatchStored(endpoint, request, user, agent, warnings, duplicateFields);
    if (isList(outcome)) await endpoint.ready(outcome.entries.map((entry) => entry.object));
    else if (outcome.entry !== undefined && outcome.endpoint !== undefined) await endpoint.ready([outcome.entry.object]);
    return outcome;
  }

  #dispatchStored(
    endpoint: Endpoint,
    request: ApiRequest,
    user: UserInfo,
    agent: string,
    warnings: string[],
    duplicateFields?: readonly string[],
    annotations?: Map<string, string>,
  ): MaybePromise<Outcome> {
    const { subresource = '' } = request;
    if (subresource === '') {
      if (!endpoint.resource.verbs.includes(request.verb)) throw methodNotAllowed();
      if (request.verb === 'get') return toResult(endpoint, get(endpoint, request, this.#core.clock));
      if (request.verb === 'list') return list(endpoint, request, this.#core.clock);
      return this.#write(new Scope(this.#core, endpoint, request, user, agent, duplicateFields), warnings, annotations);
    }
    const scope = new Scope(this.#core, endpoint, request, user, agent, duplicateFields);
    return this.#subresource(scope, subresource, warnings);
  }

  async #write(scope: Scope, warnings: string[], annotations?: Map<string, string>): Promise<Outcome> {
    try {
      return await this.#writeVerb(scope);
    } finally {
      if (scope.warnings.length > 0) warnings.push(...scope.warnings);
      if (annotations !== undefined) for (const [key, value] of scope.annotations) annotations.set(key, value);
    }
  }

  #writeVerb(scope: Scope): Promise<Outcome> {
    const { request, endpoint } = scope;
    if (endpoint.resource.namespaced && request.namespace === '' && request.verb !== 'deletecollection') throw methodNotAllowed();
    // Collections have no PUT and no PATCH, objects no POST.
    if ((request.name === '') !== onCollection.has(request.verb)) throw methodNotAllowed();
    switch (request.verb) {
      case 'create':
        return create(scope);
      case 'update':
        return update(scope, undefined);
      case 'patch':
        return patch(scope, undefined);
      case 'delete':
        return remove(scope);
      case 'deletecollection':
        return this.#removeCollection(scope);
      default:
        throw methodNotAllowed();
    }
  }

  async #removeCollection(scope: Scope): Promise<Outcome> {
    const found = list(scope.endpoint, scope.request, this.#core.clock);
    const result = found instanceof Promise ? await found : found;
    await removeAll(scope, result.entries);
    return result;
  }

  #subresource(scope: Scope, name: string, warnings: string[]): MaybePromise<Outcome> {
    const { endpoint, request } = scope;
    const subresource = endpoint.resource.subresources[name] as Subresource | undefined;
    const handler = this.#handlers.get(`${endpoint.resource.group}/${endpoint.resource.plural}/${name}`);
    if (handler !== undefined) return this.#handled(scope, handler, subresource, warnings);
    if (subresource === undefined) throw genericNotFound();
    if (!subresource.verbs.includes(request.verb)) throw methodNotAllowed();
    if (subresource.scale !== undefined) return withWarnings(scale(scope, subresource.scale), scope, warnings);
    // What is no view of its parent needs a handler, and this server has none.
    if (subresource.strategy === undefined) throw genericNotFound();
    if (request.verb === 'get') return toResult(endpoint, get(endpoint, request, this.#core.clock));
    if (request.verb === 'update') return withWarnings(update(scope, subresource), scope, warnings);
    if (request.verb === 'patch') return withWarnings(patch(scope, subresource), scope, warnings);
    throw methodNotAllowed();
  }

  async #handled(
    scope: Scope,
    handler: SubresourceHandler,
    subresource: Subresource | undefined,
    warnings: string[],
  ): Promise<Outcome> {
    const { endpoint, request } = scope;
    if (subresource !== undefined && !subresource.verbs.includes(request.verb)) throw methodNotAllowed();
    const entry = endpoint.collection.get(scope.key);
    if (entry === undefined) throw notFound(endpoint.subject, request.name);
    let body = request.body;
    if (request.verb !== 'get') {
      validateWriteOptions(request);
      const type = subresource === undefined ? undefined : subresourceType(endpoint.resource, subresource);
      const decoded = type === undefined ? (body as KubernetesObject) : decodeAs<KubernetesObject>(scope, type);
      const chain = scope.chain('CREATE');
      const record = scope.admission('CREATE', request.name, deepFreeze(decoded), undefined, type ?? subresource?.kind);
      await mutate(chain, record);
      await validate(chain, record);
      body = record.object;
    }
    const parent = endpoint.object(entry);
    const response = await handler.handle(this.#handlerScope({ ...request, body }, scope.user, parent, scope));
    warnings.push(...scope.warnings, ...response.warnings);
    return fromResponse(response);
  }

  #dispatchVirtual(
    request: ApiRequest,
    user: UserInfo,
    agent: string,
    warnings: string[],
    duplicateFields: readonly string[] = [],
  ): Promise<Outcome> {
    const virtual = this.#core.registry.findVirtual(request.group, request.version, request.resource);
    if (virtual === undefined || (request.subresource ?? '') !== '') throw genericNotFound();
    if (!virtual.verbs.includes(request.verb)) throw methodNotAllowed();
    return this.#virtual(virtual, request, user, agent, warnings, duplicateFields);
  }

  async #virtual(
    virtual: VirtualResource,
    request: ApiRequest,
    user: UserInfo,
    agent: string,
    warnings: string[],
    duplicateFields: readonly string[],
  ): Promise<Outcome> {
    validateWriteOptions(request);
    const found: string[] = [];
    const reader = { request, duplicateFields, warnings: found, agent };
    const decoded = decodeAs<KubernetesObject>(reader, { ...virtual, schema: builtinSchema(virtual.type) });
    const { group, version, plural, kind } = virtual;
    const target = { operation: 'CREATE' as const, group, version, resource: plural, subresource: '' };
    const chain = this.#core.chains.chain(target);
    const dryRun = (request.options.dryRun ?? []).length > 0;
    const record = new AdmissionRecord(
      {
        operation: 'CREATE',
        resource: undefined,
        group,
        version,
        plural,
        kind: { group, version, kind },
        subresource: '',
        namespace: request.namespace,
        name: decoded.metadata?.name ?? '',
        options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
        user,
        dryRun,
        warnings: found,
        annotations: new Map(),
      },
      deepFreeze(decoded),
      undefined,
    );
    await mutate(chain, record);
    const definition = this.#core.registry.definitionOf(virtual);
    if (definition !== undefined && record.object !== undefined) {
      const errors = definition.validate(record.object, { user, now: this.#core.clock.now(), dryRun, warnings: found });
      if (errors.length > 0) throw invalidObject(virtual, '', errors);
    }
    await validate(chain, record);
    const scope = { dryRun, now: this.#core.clock.now(), warnings: found };
    const response = await virtual.handle(this.#handlerScope({ ...request, body: record.object }, user, undefined, scope));
    warnings.push(...found, ...response.warnings);
    return fromResponse(response);
  }

  #handlerScope(
    request: ApiRequest,
    user: UserInfo,
    parent: KubernetesObject | undefined,
    of: { readonly dryRun: boolean; readonly now: number; readonly warnings: string[] },
  ): HandlerScope {
    return { request, user, access: this.#core.access, parent, dryRun: of.dryRun, now: of.now, warnings: of.warnings };
  }
}

/** What a watch has to wait for before it can begin; undefined when there is nothing. */
export function readyToWatch(endpoint: Endpoint, request: ApiRequest, clock: Clock): Promise<void> | undefined {
  const waiting = newestFor(endpoint.collection, request, clock);
  if (!endpoint.isRemote) return waiting;
  return (waiting ?? Promise.resolve()).then(() => readyAll(endpoint, request.namespace));
}

/** Converts everything of a namespace, or of all; again what has come meanwhile, so that at the end nothing is missing at that moment. */
async function readyAll(endpoint: Endpoint, namespace: string): Promise<void> {
  for (;;) {
    const objects: KubernetesObject[] = [];
    for (const entry of endpoint.collection.snapshot().entries(endpoint.keyPrefix(namespace))) objects.push(entry.object);
    const waiting = endpoint.ready(objects);
    if (waiting === undefined) return;
    await waiting;
  }
}

async function withWarnings(result: Promise<Outcome>, scope: Scope, warnings: string[]): Promise<Outcome> {
  try {
    return await result;
  } finally {
    if (scope.warnings.length > 0) warnings.push(...scope.warnings);
  }
}

function toResult(endpoint: Endpoint, entry: ReturnType<typeof get>): MaybePromise<RestResult> {
  if (entry instanceof Promise) return entry.then((e) => ({ code: 200, endpoint, entry: e, object: undefined }));
  return { code: 200, endpoint, entry, object: undefined };
}

const fromResponse = (response: ApiResponse): RestResult => ({
  code: response.code,
  endpoint: undefined,
  entry: undefined,
  object: response.object,
});

/** What a subresource's body is decoded as: the kind it names, or its parent's. */
function subresourceType(resource: Resource, subresource: Subresource): BodyType {
  const { kind, olderVersions } = subresource;
  return kind === undefined ? resource : { ...kind, schema: builtinSchema(builtinTypeName(kind)), olderVersions };
}

/** An outcome as in-process callers get it: frozen objects. */
export function toObject(outcome: Outcome): KubernetesObject {
  if (!isList(outcome)) {
    if (outcome.entry !== undefined && outcome.endpoint !== undefined) return outcome.endpoint.object(outcome.entry);
    return outcome.object ?? {};
  }
  const { endpoint, entries, revision } = outcome;
  const result: KubernetesList = {
    ...{ kind: endpoint.resource.listKind, apiVersion: endpoint.apiVersion },
    metadata: {
      resourceVersion: String(revision),
      ...(outcome.continue === '' ? {} : { continue: outcome.continue }),
      ...(outcome.remaining === undefined ? {} : { remainingItemCount: outcome.remaining }),
    },
    items: Object.freeze(entries.map((entry) => endpoint.object(entry))) as readonly KubernetesObject[],
  };
  Object.freeze(result.metadata);
  return Object.freeze(result) as KubernetesObject;
}
