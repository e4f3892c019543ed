import type { GroupVersionKind, GroupVersionResource, KubernetesList, KubernetesObject, WatchEvent } from '../api/meta/object.ts';
import type { ApiRequest, ApiResponse, PatchType, RequestOptions } from '../api/request.ts';

/**
 * How requests reach an API server. Two implementations: in-process (the frozen objects themselves, no JSON) and HTTP.
 * Both authenticate and authorize alike. Errors are `StatusError`; a lost connection is an Error of another kind, and may be retried.
 */
export interface Transport {
  request(request: ApiRequest): Promise<ApiResponse>;
  /** Events until the server ends the watch (the iteration ends), the signal aborts (it rejects), or an ERROR event (it throws a StatusError). */
  watch(request: ApiRequest): AsyncIterable<WatchEvent>;
  /** A GET of a path that is no resource (`/version`, `/apis`). */
  raw(path: string, signal?: AbortSignal): Promise<unknown>;
}

/** A resource type as a client needs to know it. A `Resource` of the api room fits. */
export interface ResourceRef<T extends KubernetesObject = KubernetesObject>
  extends Omit<GroupVersionResource, 'resource'>,
    GroupVersionKind {
  readonly plural: string;
  readonly namespaced: boolean;
  /** Carries T; never present. */
  readonly _type?: T;
}

export interface CallOptions extends RequestOptions {
  readonly signal?: AbortSignal;
  /** Metadata will do (`ApiRequest.metadataOnly`). `kind` may then be PartialObjectMetadata. */
  readonly metadataOnly?: boolean;
}

/** The operations on one resource. `namespace` is '' for cluster-scoped objects, and for all namespaces in `list` and `watch`. */
export interface ResourceClient<T extends KubernetesObject> {
  get(name: string, namespace: string, options?: CallOptions): Promise<T>;
  list(namespace: string, options?: CallOptions): Promise<KubernetesList<T>>;
  /** The namespace is the object's own. */
  create(object: T, options?: CallOptions): Promise<T>;
  update(object: T, options?: CallOptions): Promise<T>;
  updateStatus(object: T, options?: CallOptions): Promise<T>;
  patch(
    name: string,
    namespace: string,
    patchType: PatchType,
    patch: unknown,
    options?: CallOptions & { readonly subresource?: string },
  ): Promise<T>;
  delete(name: string, namespace: string, options?: CallOptions): Promise<void>;
  deleteCollection(namespace: string, options?: CallOptions): Promise<void>;
  watch(namespace: string, options?: CallOptions): AsyncIterable<WatchEvent<T>>;
  /** Any other subresource: `binding`, `eviction`, `scale`, `token`. GET without a body. */
  subresource<R extends KubernetesObject>(
    verb: 'get' | 'create' | 'update',
    name: string,
    namespace: string,
    subresource: string,
    body?: KubernetesObject,
    options?: CallOptions,
  ): Promise<R>;
}

export interface Client {
  resource<T extends KubernetesObject>(ref: ResourceRef<T>): ResourceClient<T>;
  raw(path: string, signal?: AbortSignal): Promise<unknown>;
}

/** Read-only view of an informer's cache. Objects are frozen and shared. Keys are `namespace/name` or `name`. */
export interface Lister<T extends KubernetesObject> {
  get(key: string): T | undefined;
  /** All, or those of one namespace. */
  list(namespace?: string): readonly T[];
  /** Those filed under `value` in the named index. */
  byIndex(index: string, value: string): readonly T[];
}

export interface InformerHandler<T extends KubernetesObject> {
  onAdd?(object: T, inInitialList: boolean): void;
  onUpdate?(object: T, old: T): void;
  /** The last known state. */
  onDelete?(object: T): void;
}

/**
 * A list-and-watch cache of one resource type, shared by everyone in the process.
 * Promises: handlers see every object that still exists, each change at most once and in order per object; intermediate states may be skipped.
 * `synced` resolves when the first list has been delivered to the handlers. A broken watch is taken up again with backoff, without a gap.
 */
export interface Informer<T extends KubernetesObject> extends Lister<T> {
  addHandler(handler: InformerHandler<T>): void;
  addIndex(name: string, values: (object: T) => readonly string[]): void;
  readonly hasSynced: boolean;
  synced(signal?: AbortSignal): Promise<void>;
}

/** One informer per resource type and process; `start` runs those asked for so far and later ones as they are asked for. */
export interface InformerFactory {
  informer<T extends KubernetesObject>(
    ref: ResourceRef<T>,
    options?: {
      readonly fieldSelector?: string;
      readonly labelSelector?: string;
      readonly namespace?: string;
      /** No more than metadata is looked at: whole objects are not kept for it, unless somebody else keeps them. */
      readonly metadataOnly?: boolean;
    },
  ): Informer<T>;
  start(signal: AbortSignal): void;
  /** Resolves when every informer asked for so far has synced. */
  synced(signal?: AbortSignal): Promise<void>;
}

/** Keys to work on: each once however often it was added, never in two workers at a time, retried with backoff. */
export interface WorkQueue {
  add(key: string): void;
  addAfter(key: string, ms: number): void;
  /** Adds with the key's own exponential backoff. */
  addRateLimited(key: string): void;
  /** Resets the key's backoff. */
  forget(key: string): void;
  readonly length: number;
}

/**
 * Records Events, aggregating repeats as upstream's EventCorrelator does. Never throws, never blocks; a lost event is counted.
 * In place of an object a bare ObjectReference may be given (one without `metadata`), to name a fieldPath.
 */
export interface EventRecorder {
  event(
    object: KubernetesObject,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    annotations?: Readonly<Record<string, string>>,
  ): void;
}
