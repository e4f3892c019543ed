import type { KubernetesObject, WatchEvent } from './meta/object.ts';

/** What a request does to a resource: the verbs RBAC knows. */
export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

/** Who asks, after authentication. `extra` keys are lower case. */
export interface UserInfo {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** The four patch formats, by their media type. */
export const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;
export type PatchType = (typeof patchTypes)[keyof typeof patchTypes];

/** Query options of every verb, as upstream names them; those a verb does not know are ignored by it. */
export interface RequestOptions {
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly timeoutSeconds?: number;
  readonly allowWatchBookmarks?: boolean;
  readonly sendInitialEvents?: boolean;
  readonly dryRun?: readonly string[];
  readonly fieldManager?: string;
  readonly fieldValidation?: string;
  readonly force?: boolean;
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: string;
  readonly orphanDependents?: boolean;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

/**
 * A resource request as both transports carry it: the HTTP client writes it as a URL and a body, the in-process client hands it over as it is.
 * `name` is '' for collection requests; `namespace` is '' for cluster-scoped resources and for all namespaces.
 */
export interface ApiRequest {
  readonly verb: Verb;
  readonly group: string;
  readonly version: string;
  /** The plural, as in the URL. */
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace: string;
  readonly name: string;
  readonly options: RequestOptions;
  /** The object of a create or update; the patch of a patch (a list for JSON patch). */
  readonly body?: unknown;
  readonly patchType?: PatchType;
  /**
   * The caller needs no more than metadata: over HTTP, objects come as PartialObjectMetadata. In process they come whole, as ever: they are there
   * anyway, and nothing would be saved.
   */
  readonly metadataOnly?: boolean;
  readonly signal?: AbortSignal;
}

/** The answer to everything but a watch. `object` is frozen. Errors are thrown as `StatusError`. */
export interface ApiResponse {
  /** HTTP code: 200, 201 or 202. */
  readonly code: number;
  readonly object: KubernetesObject;
  /** Texts of the Warning headers. */
  readonly warnings: readonly string[];
}

/** The door of an API server for callers in the same process: the whole pipeline but bytes. `user` has been authenticated by the caller's credentials. */
export interface RequestHandler {
  handle(request: ApiRequest, user: UserInfo): Promise<ApiResponse>;
  /** As `Transport.watch` of the client room: ends with the server's time-out, throws a StatusError for an ERROR event. */
  watch(request: ApiRequest, user: UserInfo): AsyncIterable<WatchEvent>;
  /** A GET of a path that is no resource. */
  raw(path: string, user: UserInfo, signal?: AbortSignal): Promise<unknown>;
}
