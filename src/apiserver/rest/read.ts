import type { KubernetesObject } from '../../api/meta/object.ts';
import { badRequest, notFound } from '../../api/meta/status.ts';
import type { ApiRequest } from '../../api/request.ts';
import type { CollectionSnapshot, Entry } from '../../store/collection.ts';
import type { Clock } from '../../util/clock.ts';
import type { MaybePromise } from '../contract.ts';
import type { Endpoint } from './endpoint.ts';
import {
  continueExpired,
  decodeContinue,
  encodeContinue,
  listExpired,
  parseResourceVersion,
  validateListOptions,
  waitForRevision,
} from './resource-version.ts';
import { compileSelection, type Selection } from './selection.ts';

/** A GET of one object. Synchronous unless a revision is asked for that has not been reached. */
export function get(endpoint: Endpoint, request: ApiRequest, clock: Clock): MaybePromise<Entry<KubernetesObject>> {
  const { resourceVersion } = request.options;
  if (resourceVersion !== undefined) {
    const waiting = waitForRevision(endpoint.collection, parseResourceVersion(resourceVersion), clock, request.signal);
    if (waiting !== undefined) return waiting.then(() => getNow(endpoint, request));
  }
  return getNow(endpoint, request);
}

function getNow(endpoint: Endpoint, request: ApiRequest): Entry<KubernetesObject> {
  const entry = endpoint.collection.get(endpoint.key(request.namespace, request.name));
  if (entry === undefined) throw notFound(endpoint.subject, request.name);
  return entry;
}

/** A page of a list, at one revision. */
export interface ListResult {
  readonly endpoint: Endpoint;
  readonly entries: readonly Entry<KubernetesObject>[];
  readonly revision: number;
  /** '' on the last page. */
  readonly continue: string;
  /** How many follow; undefined on the last page and when a selector makes the number unknown. */
  readonly remaining: number | undefined;
}

/** A list. Synchronous unless a revision is asked for that has not been reached. */
export function list(endpoint: Endpoint, request: ApiRequest, clock: Clock): MaybePromise<ListResult> {
  const { options } = request;
  validateListOptions(options, false);
  const selection = compileSelection(endpoint, options);
  const version = parseResourceVersion(options.resourceVersion);
  if (options.continue !== undefined) {
    if (options.resourceVersion !== undefined && options.resourceVersion !== '0') {
      throw badRequest('specifying resource version is not allowed when using continue');
    }
    return continued(endpoint, request, selection);
  }
  const waiting = waitForRevision(endpoint.collection, version, clock, request.signal);
  return waiting === undefined
    ? first(endpoint, request, selection, version)
    : waiting.then(() => first(endpoint, request, selection, version));
}

function first(endpoint: Endpoint, request: ApiRequest, selection: Selection, version: number): ListResult {
  const { options } = request;
  // A limit with a resourceVersion and no match meant "exactly" before matches existed, and still does.
  const exact =
    version > 0 &&
    (options.resourceVersionMatch === 'Exact' || (options.resourceVersionMatch === undefined && (options.limit ?? 0) > 0));
  const snapshot = exact ? endpoint.collection.snapshotAt(version) : endpoint.collection.snapshot();
  if (snapshot === undefined) throw listExpired();
  return page(endpoint, request, selection, snapshot, exact ? version : snapshot.revision, undefined);
}

function continued(endpoint: Endpoint, request: ApiRequest, selection: Selection): ListResult {
  const point = decodeContinue(request.options.continue ?? '');
  if (point.revision < 0) {
    const snapshot = endpoint.collection.snapshot();
    return page(endpoint, request, selection, snapshot, snapshot.revision, point.start);
  }
  const snapshot = endpoint.collection.snapshotAt(point.revision);
  if (snapshot === undefined) throw continueExpired(point.start);
  return page(endpoint, request, selection, snapshot, point.revision, point.start);
}

function page(
  endpoint: Endpoint,
  request: ApiRequest,
  selection: Selection,
  snapshot: CollectionSnapshot<KubernetesObject>,
  revision: number,
  start: string | undefined,
): ListResult {
  const prefix = endpoint.keyPrefix(request.namespace);
  const entries: Entry<KubernetesObject>[] = [];
  if (selection.name !== undefined && (!endpoint.resource.namespaced || request.namespace !== '')) {
    const entry = snapshot.get(prefix + selection.name);
    if (entry !== undefined && selection.matches(entry)) entries.push(entry);
    return { endpoint, entries, revision, continue: '', remaining: undefined };
  }
  const limit = request.options.limit ?? 0;
  // The token's start is the last key given out and a NUL: the least string that is greater.
  const after = start === undefined ? undefined : prefix + (start.endsWith('\0') ? start.slice(0, -1) : start);
  const everything = selection.empty;
  for (const entry of snapshot.entries(prefix, after)) {
    if (!everything && !selection.matches(entry)) continue;
    if (limit > 0 && entries.length === limit) {
      const last = entries[limit - 1]!.key.slice(prefix.length);
      const token = encodeContinue({ revision, start: `${last}\0` });
      return {
        endpoint,
        entries,
        revision,
        continue: token,
        remaining: everything ? remaining(snapshot, prefix, after) - limit : undefined,
      };
    }
    entries.push(entry);
  }
  return { endpoint, entries, revision, continue: '', remaining: undefined };
}

function remaining(snapshot: CollectionSnapshot<KubernetesObject>, prefix: string, after: string | undefined): number {
  if (after === undefined) return snapshot.count(prefix);
  let count = 0;
  for (const _ of snapshot.entries(prefix, after)) count++;
  return count;
}
