import { apiVersionOf, type KubernetesObject, type WatchEvent } from '../../api/meta/object.ts';
import { alreadyExists, conflict, expired, genericNotFound, notFound, staleConflict } from '../../api/meta/status.ts';
import { formatTime } from '../../api/meta/time.ts';
import { applyJsonPatch } from '../../api/patch/json-patch.ts';
import type { Json } from '../../api/patch/json-value.ts';
import { applyMergePatch } from '../../api/patch/merge-patch.ts';
import { type ApiRequest, type ApiResponse, patchTypes, type RequestHandler, type UserInfo } from '../../api/request.ts';
import type { Clock } from '../../util/clock.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import type { Random } from '../../util/random.ts';
import type { ResourceRef } from '../contract.ts';
import * as builtin from '../resource-refs.ts';

type Stored = KubernetesObject & { readonly spec?: unknown; readonly status?: unknown };
type Mutable = Record<string, Json>;

interface Change {
  readonly revision: number;
  readonly resource: string;
  readonly event: WatchEvent;
  readonly previous: Stored | undefined;
}

/** Types with a status subresource, as far as the tests here care. */
const withStatus = new Set(
  'pods nodes namespaces services replicationcontrollers persistentvolumes persistentvolumeclaims resourcequotas deployments replicasets statefulsets daemonsets jobs cronjobs horizontalpodautoscalers poddisruptionbudgets certificatesigningrequests'.split(
    ' ',
  ),
);

export interface MemoryApiOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Pods with a node wait for someone to delete them with grace 0, as under a kubelet. */
  readonly gracefulPods?: boolean;
  /** Further types, for tests of custom resources. */
  readonly resources?: readonly ResourceRef[];
}

/**
 * An API server for the tests of clients and controllers: objects in maps, revisions, watches, finalizers, status subresources, patches.
 * No validation, no defaults, no admission. Merge semantics of strategic patches are those of a merge patch.
 */
export class MemoryApi implements RequestHandler {
  readonly clock: Clock;
  readonly random: Random;
  readonly requests: ApiRequest[] = [];
  /** Called before each request is handled; may throw to make it fail. */
  intercept: ((request: ApiRequest) => void | Promise<void>) | undefined;
  revision = 1;
  readonly #options: MemoryApiOptions;
  readonly #objects = new Map<string, Map<string, Stored>>();
  readonly #refs = new Map<string, ResourceRef>();
  readonly #history: Change[] = [];
  #oldest = 0;
  readonly #watchers = new Set<() => void>();

  constructor(options: MemoryApiOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.random = options.random;
    for (const ref of [...Object.values(builtin), ...(options.resources ?? [])]) this.addResource(ref as ResourceRef);
  }

  addResource(ref: ResourceRef): void {
    this.#refs.set(`${ref.group}/${ref.plural}`, ref);
  }

  removeResource(ref: ResourceRef): void {
    this.#refs.delete(`${ref.group}/${ref.plural}`);
  }

  /** Puts an object in without a request, metadata filled in. */
  async seed<T extends KubernetesObject>(ref: ResourceRef<T>, object: T): Promise<T> {
    return this.#create(
      { verb: 'create', group: ref.group, version: ref.version, resource: ref.plural, namespace: '', name: '', options: {} },
      ref,
      object as Stored,
      true,
    ) as T;
  }

  all<T extends KubernetesObject>(ref: ResourceRef<T>, namespace = ''): readonly T[] {
    return [...this.#table(ref).values()].filter(
      (o) => namespace === '' || o.metadata?.namespace === namespace,
    ) as unknown as T[];
  }

  find<T extends KubernetesObject>(ref: ResourceRef<T>, key: string): T | undefined {
    return this.#table(ref).get(key) as T | undefined;
  }

  /** Changes an object as some other client would, status and all. */
  change<T extends KubernetesObject>(ref: ResourceRef<T>, key: string, fn: (object: T) => T): T {
    const old = this.find(ref, key);
    if (old === undefined) throw new Error(`no ${ref.plural} ${key}`);
    return this.#store(ref, key, fn(old) as Stored, 'MODIFIED') as T;
  }

  /** Forgets history, so that watches from before now get 410. */
  compact(): void {
    this.#history.length = 0;
    this.#oldest = this.revision;
  }

  async handle(request: ApiRequest, _user?: UserInfo): Promise<ApiResponse> {
    this.requests.push(request);
    await this.intercept?.(request);
    request.signal?.throwIfAborted();
    const ref = this.#refs.get(`${request.group}/${request.resource}`);
    if (ref === undefined) throw genericNotFound();
    const respond = (object: KubernetesObject, code = 200): ApiResponse => ({ code, object, warnings: [] });
    switch (request.verb) {
      case 'get':
        return respond(this.#need(request, ref));
      case 'list':
        return respond(this.#list(request, ref));
      case 'create':
        if (request.subresource !== undefined) return respond(this.#createSubresource(request, ref), 201);
        return respond(this.#create(request, ref, request.body as Stored, false), 201);
      case 'update':
        return respond(this.#update(request, ref, request.body as Stored));
      case 'patch':
        return respond(this.#update(request, ref, this.#patched(request, ref)));
      case 'delete':
        return respond(this.#delete(request, ref, this.#need(request, ref)));
      case 'deletecollection':
        for (const object of this.#select(request, ref)) this.#delete(request, ref, object);
        return respond({ kind: 'Status', apiVersion: 'v1' });
      case 'watch':
        throw new Error('watch goes through watch()');
    }
  }

  async *watch(request: ApiRequest, _user?: UserInfo): AsyncGenerator<WatchEvent> {
    this.requests.push(request);
    await this.intercept?.(request);
    const ref = this.#refs.get(`${request.group}/${request.resource}`);
    if (ref === undefined) throw genericNotFound();
    let from = Number(request.options.resourceVersion ?? this.revision);
    if (from < this.#oldest) throw expired(`too old resource version: ${from} (${this.#oldest})`);
    const { signal } = request;
    const id = `${ref.group}/${ref.plural}`;
    for (;;) {
      signal?.throwIfAborted();
      for (const change of this.#history) {
        if (change.revision <= from || change.resource !== id) continue;
        from = change.revision;
        const event = this.#filtered(request, change);
        if (event !== undefined) yield event;
      }
      from = Math.max(from, this.revision);
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#watchers.delete(wake);
          signal?.removeEventListener('abort', wake);
          resolve();
        };
        this.#watchers.add(wake);
        signal?.addEventListener('abort', wake, { once: true });
      });
      if (this.#closing) {
        this.#closing = false;
        return;
      }
    }
  }
  #closing = false;

  /** Ends one running watch normally, as a server's time-out does. */
  endOneWatch(): void {
    this.#closing = true;
    for (const wake of [...this.#watchers].slice(0, 1)) wake();
  }

  async raw(path: string): Promise<unknown> {
    const versions = new Map<string, ResourceRef[]>();
    for (const ref of this.#refs.values()) {
      const gv = apiVersionOf(ref);
      versions.set(gv, [...(versions.get(gv) ?? []), ref]);
    }
    if (path === '/api') return { kind: 'APIVersions', versions: ['v1'] };
    if (path === '/apis') {
      const groups = [...versions.keys()].filter((gv) => gv.includes('/'));
      return {
        kind: 'APIGroupList',
        groups: groups.map((gv) => {
          const version = { groupVersion: gv, version: gv.split('/')[1] };
          return { name: gv.split('/')[0], versions: [version], preferredVersion: version };
        }),
      };
    }
    const gv = path.replace(/^\/apis?\//, '');
    const refs = versions.get(gv);
    if (refs === undefined) throw genericNotFound();
    const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
    return {
      kind: 'APIResourceList',
      groupVersion: gv,
      resources: refs.map((ref) => ({
        name: ref.plural,
        singularName: ref.kind.toLowerCase(),
        namespaced: ref.namespaced,
        kind: ref.kind,
        verbs,
      })),
    };
  }

  #table(ref: ResourceRef): Map<string, Stored> {
    const id = `${ref.group}/${ref.plural}`;
    let table = this.#objects.get(id);
    if (table === undefined) {
      table = new Map();
      this.#objects.set(id, table);
    }
    return table;
  }

  #need(request: ApiRequest, ref: ResourceRef): Stored {
    const object = this.#table(ref).get(request.namespace === '' ? request.name : `${request.namespace}/${request.name}`);
    if (object === undefined) throw notFound({ group: ref.group, resource: ref.plural }, request.name);
    return object;
  }

  #select(request: ApiRequest, ref: ResourceRef): readonly Stored[] {
    return [...this.#table(ref).values()].filter((object) => this.#matches(request, object));
  }

  #matches(request: ApiRequest, object: Stored): boolean {
    if (request.namespace !== '' && object.metadata?.namespace !== request.namespace) return false;
    const { labelSelector, fieldSelector } = request.options;
    for (const term of (labelSelector ?? '').split(',').filter((t) => t !== '')) {
      const labels = object.metadata?.labels ?? {};
      if (term.startsWith('!')) {
        if (term.slice(1) in labels) return false;
      } else if (!term.includes('=')) {
        if (!(term in labels)) return false;
      } else {
        const [key, value] = term.split(/==?/) as [string, string];
        if (labels[key] !== value) return false;
      }
    }
    for (const term of (fieldSelector ?? '').split(',').filter((t) => t !== '')) {
      const negative = term.includes('!=');
      const [key, value] = term.split(/!=|==?/) as [string, string];
      const found =
        key.split('.').reduce<unknown>((at, part) => (at as Record<string, unknown> | undefined)?.[part], object) ?? '';
      if ((found === value) === negative) return false;
    }
    return true;
  }

  #list(request: ApiRequest, ref: ResourceRef): KubernetesObject {
    return deepFreeze({
      apiVersion: apiVersionOf(ref),
      kind: `${ref.kind}List`,
      metadata: { resourceVersion: String(this.revision) },
      items: this.#select(request, ref),
    }) as KubernetesObject;
  }

  #filtered(request: ApiRequest, change: Change): WatchEvent | undefined {
    const now = this.#matches(request, change.event.object);
    if (change.event.type !== 'MODIFIED') return now ? change.event : undefined;
    const before = change.previous !== undefined && this.#matches(request, change.previous);
    if (now) return before ? change.event : { type: 'ADDED', object: change.event.object };
    return before ? { type: 'DELETED', object: change.event.object } : undefined;
  }

  #create(request: ApiRequest, ref: ResourceRef, body: Stored, keepStatus: boolean): Stored {
    const meta = body.metadata ?? {};
    const name = meta.name || `${meta.generateName ?? ''}${this.random.nameSuffix(5)}`;
    const namespace = ref.namespaced ? (meta.namespace ?? request.namespace) : '';
    const key = namespace === '' ? name : `${namespace}/${name}`;
    if (this.#table(ref).has(key)) throw alreadyExists({ group: ref.group, resource: ref.plural }, name);
    const object: Stored = {
      apiVersion: apiVersionOf(ref),
      kind: ref.kind,
      ...body,
      metadata: {
        ...meta,
        name,
        ...(namespace === '' ? {} : { namespace }),
        uid: meta.uid ?? this.random.uuid(),
        creationTimestamp: meta.creationTimestamp ?? formatTime(this.clock.now()),
        generation: 1,
      },
      ...(!keepStatus && withStatus.has(ref.plural) ? { status: {} } : {}),
    };
    return this.#store(ref, key, object, 'ADDED');
  }

  #createSubresource(request: ApiRequest, ref: ResourceRef): KubernetesObject {
    const object = this.#need(request, ref);
    if (request.subresource === 'eviction') return this.#delete(request, ref, object);
    return object;
  }

  #patched(request: ApiRequest, ref: ResourceRef): Stored {
    const current = this.#need(request, ref) as unknown as Json;
    const patch = request.body as Json;
    const next = request.patchType === patchTypes.json ? applyJsonPatch(current, patch) : applyMergePatch(current, patch);
    return next as unknown as Stored;
  }

  #update(request: ApiRequest, ref: ResourceRef, body: Stored): Stored {
    const old = this.#need(request, ref);
    const subject = { group: ref.group, resource: ref.plural };
    const sent = body.metadata?.resourceVersion;
    if (sent !== undefined && sent !== old.metadata?.resourceVersion) throw staleConflict(subject, request.name);
    if (body.metadata?.uid !== undefined && body.metadata.uid !== old.metadata?.uid) {
      throw conflict(
        subject,
        request.name,
        `Precondition failed: UID in precondition: ${body.metadata.uid}, UID in object meta: ${old.metadata?.uid}`,
      );
    }
    const key = request.namespace === '' ? request.name : `${request.namespace}/${request.name}`;
    const { deletionTimestamp, deletionGracePeriodSeconds, creationTimestamp, uid, generation = 1 } = old.metadata ?? {};
    const next: Mutable = { ...(old as unknown as Mutable) };
    if (request.subresource === 'status') next['status'] = (body as unknown as Mutable)['status']!;
    else {
      for (const field of new Set([...Object.keys(old), ...Object.keys(body)])) {
        if (field === 'status' && withStatus.has(ref.plural)) continue;
        const value = (body as unknown as Mutable)[field];
        if (value === undefined) delete next[field];
        else next[field] = value;
      }
    }
    const same = JSON.stringify(next['spec']) === JSON.stringify(old.spec);
    const updated = {
      ...next,
      metadata: {
        ...body.metadata,
        ...(deletionTimestamp === undefined ? {} : { deletionTimestamp, deletionGracePeriodSeconds }),
        creationTimestamp,
        uid,
        generation: same ? generation : generation + 1,
        resourceVersion: old.metadata?.resourceVersion,
      },
    } as unknown as Stored;
    if (JSON.stringify(updated) === JSON.stringify(old)) return old;
    const finalizers = updated.metadata?.finalizers ?? [];
    const gone = ref.plural === 'namespaces' && request.subresource === 'finalize' && deletionTimestamp !== undefined;
    if (deletionTimestamp !== undefined && finalizers.length === 0 && (gone || !this.#lingers(ref, old, 30))) {
      const spec = updated.spec as { finalizers?: readonly string[] } | undefined;
      if (ref.plural !== 'namespaces' || (spec?.finalizers ?? []).length === 0) return this.#store(ref, key, updated, 'DELETED');
    }
    return this.#store(ref, key, updated, 'MODIFIED');
  }

  #lingers(ref: ResourceRef, object: Stored, grace: number): boolean {
    const nodeName = (object.spec as { nodeName?: string } | undefined)?.nodeName;
    return this.#options.gracefulPods === true && ref.plural === 'pods' && nodeName !== undefined && grace > 0;
  }

  #delete(request: ApiRequest, ref: ResourceRef, object: Stored): Stored {
    const { preconditions, propagationPolicy, gracePeriodSeconds = 30 } = request.options;
    const subject = { group: ref.group, resource: ref.plural };
    const { name = '', namespace, uid, resourceVersion } = object.metadata ?? {};
    if (preconditions?.uid !== undefined && preconditions.uid !== uid) {
      throw conflict(subject, name, `Precondition failed: UID in precondition: ${preconditions.uid}, UID in object meta: ${uid}`);
    }
    if (preconditions?.resourceVersion !== undefined && preconditions.resourceVersion !== resourceVersion) {
      throw conflict(subject, name, `Precondition failed: ResourceVersion in precondition: ${preconditions.resourceVersion}`);
    }
    const key = namespace === undefined ? name : `${namespace}/${name}`;
    const own = new Set(object.metadata?.finalizers ?? []);
    if (propagationPolicy !== undefined) {
      own.delete('orphan');
      own.delete('foregroundDeletion');
      if (propagationPolicy === 'Foreground') own.add('foregroundDeletion');
      if (propagationPolicy === 'Orphan') own.add('orphan');
    }
    const namespaceHeld =
      ref.plural === 'namespaces' &&
      ((object.spec as { finalizers?: readonly string[] } | undefined)?.finalizers ?? []).length > 0;
    if (own.size === 0 && !namespaceHeld && !this.#lingers(ref, object, gracePeriodSeconds)) {
      return this.#store(ref, key, object, 'DELETED');
    }
    const marked: Stored = {
      ...object,
      metadata: {
        ...object.metadata,
        finalizers: [...own],
        deletionTimestamp: object.metadata?.deletionTimestamp ?? formatTime(this.clock.now()),
        deletionGracePeriodSeconds: ref.plural === 'pods' ? gracePeriodSeconds : 0,
      },
      ...(namespaceHeld ? { status: { ...(object.status as object | undefined), phase: 'Terminating' } } : {}),
    };
    if (JSON.stringify(marked) === JSON.stringify(object)) return object;
    return this.#store(ref, key, marked, 'MODIFIED');
  }

  #store(ref: ResourceRef, key: string, object: Stored, type: 'ADDED' | 'MODIFIED' | 'DELETED'): Stored {
    const revision = ++this.revision;
    const table = this.#table(ref);
    const previous = table.get(key);
    const stored = deepFreeze({ ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } });
    if (type === 'DELETED') table.delete(key);
    else table.set(key, stored);
    this.#history.push({
      revision,
      resource: `${ref.group}/${ref.plural}`,
      event: deepFreeze({ type, object: stored }),
      previous,
    });
    for (const wake of [...this.#watchers]) wake();
    return stored;
  }
}
