import type { KubernetesObject } from '../../api/meta/object.ts';
import { badRequest, notFound } from '../../api/meta/status.ts';
import type { ApiRequest } from '../../api/request.ts';
import type { CollectionSnapshot, Entry } from '../../store/collection.ts';
import type { Clock } from '../../util/clock.ts';
import { nextSlice, Slice } from '../../util/slice.ts';
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

/** A list. Synchronous unless it is long, or a revision is asked for that has not been reached. */
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

function first(endpoint: Endpoint, request: ApiRequest, selection: Selection, version: number): MaybePromise<ListResult> {
  const { options } = request;
  // A limit with a resourceVersion and no match meant "exactly" before matches existed, and still does.
  const exact =
    version > 0 &&
    (options.resourceVersionMatch === 'Exact' || (options.resourceVersionMatch === undefined && (options.limit ?? 0) > 0));
  const snapshot = exact ? endpoint.collection.snapshotAt(version) : endpoint.collection.snapshot();
  if (snapshot === undefined) throw listExpired();
  return page(endpoint, request, selection, snapshot, exact ? version : snapshot.revision, undefined);
}

function continued(endpoint: Endpoint, request: ApiRequest, selection: Selection): MaybePromise<ListResult> {
  const point = decodeContinue(request.options.continue ?? '');
  if (point.revision < 0) {
    const snapshot = endpoint.collection.snapshot();
    return page(endpoint, request, selection, snapshot, snapshot.revision, point.start);
  }
  const snapshot = endpoint.collection.snapshotAt(point.revision);
  if (snapshot === undefined) throw continueExpired(point.start);
  return page(endpoint, request, selection, snapshot, point.revision, point.start);
}

/** Entries looked at before the time is. */
const SCAN_STEP = 256;

function page(
  endpoint: Endpoint,
  request: ApiRequest,
  selection: Selection,
  snapshot: CollectionSnapshot<KubernetesObject>,
  revision: number,
  start: string | undefined,
): MaybePromise<ListResult> {
  const scan = new PageScan(endpoint, request, selection, snapshot, revision, start);
  const done = scan.step();
  return done ?? finishScan(scan, request.signal);
}

async function finishScan(scan: PageScan, signal: AbortSignal | undefined): Promise<ListResult> {
  for (;;) {
    await nextSlice();
    signal?.throwIfAborted();
    const done = scan.step();
    if (done !== undefined) return done;
  }
}

/** The search for the entries of one page, a part at a time: large collections must not stop everything else. */
class PageScan {
  readonly #endpoint: Endpoint;
  readonly #selection: Selection;
  readonly #snapshot: CollectionSnapshot<KubernetesObject>;
  readonly #revision: number;
  readonly #prefix: string;
  readonly #after: string | undefined;
  readonly #limit: number;
  readonly #source: Iterator<Entry<KubernetesObject>>;
  readonly #found: Entry<KubernetesObject>[] = [];

  constructor(
    endpoint: Endpoint,
    request: ApiRequest,
    selection: Selection,
    snapshot: CollectionSnapshot<KubernetesObject>,
    revision: number,
    start: string | undefined,
  ) {
    this.#endpoint = endpoint;
    this.#selection = selection;
    this.#snapshot = snapshot;
    this.#revision = revision;
    this.#prefix = endpoint.keyPrefix(request.namespace);
    // The token's start is the last key given out and a NUL: the least string that is greater.
    this.#after = start === undefined ? undefined : this.#prefix + (start.endsWith('\0') ? start.slice(0, -1) : start);
    // What may be of any age comes whole: upstream's watch cache knows no limit there, and clients count on it.
    this.#limit = request.options.resourceVersion === '0' ? 0 : (request.options.limit ?? 0);
    const { name } = selection;
    const single = name !== undefined && (!endpoint.resource.namespaced || request.namespace !== '');
    this.#source = single
      ? one(snapshot.get(this.#prefix + name))
      : snapshot.entries(this.#prefix, this.#after)[Symbol.iterator]();
  }

  /** Goes on for a while. The page when it is complete. */
  step(): ListResult | undefined {
    const everything = this.#selection.empty;
    const slice = new Slice();
    do {
      for (let i = 0; i < SCAN_STEP; i++) {
        const { value, done } = this.#source.next();
        if (done === true) return this.#page('', undefined);
        if (!everything && !this.#selection.matches(value)) continue;
        if (this.#limit > 0 && this.#found.length === this.#limit) return this.#partialPage();
        this.#found.push(value);
      }
    } while (!slice.over);
    return undefined;
  }

  #partialPage(): ListResult {
    const last = this.#found[this.#limit - 1]!.key.slice(this.#prefix.length);
    const token = encodeContinue({ revision: this.#revision, start: `${last}\0` });
    // Who has the token will come for the rest of this.
    this.#endpoint.collection.keep(this.#snapshot);
    const remaining = this.#selection.empty ? this.#snapshot.count(this.#prefix, this.#after) - this.#limit : undefined;
    return this.#page(token, remaining);
  }

  #page(token: string, remaining: number | undefined): ListResult {
    return { endpoint: this.#endpoint, entries: this.#found, revision: this.#revision, continue: token, remaining };
  }
}

function one<T>(value: T | undefined): Iterator<T> {
  return (value === undefined ? [] : [value])[Symbol.iterator]();
}
