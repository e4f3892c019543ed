import type { KubernetesObject } from '../../api/meta/object.ts';
import { expired, internalStatus, StatusError } from '../../api/meta/status.ts';
import type { ApiRequest } from '../../api/request.ts';
import type { Change, CollectionWatcher, Entry } from '../../store/collection.ts';
import { CompactedError } from '../../store/contract.ts';
import type { Clock } from '../../util/clock.ts';
import type { Random } from '../../util/random.ts';
import type { Endpoint } from './endpoint.ts';
import { parseResourceVersion, validateListOptions } from './resource-version.ts';
import { compileSelection, type Selection } from './selection.ts';

/** How long a watch lasts when it names no time: at random between this and twice this (upstream's min-request-timeout). */
const MIN_WATCH_SECONDS = 1_800;
/** How often an idle watch that allows bookmarks gets one. */
const BOOKMARK_INTERVAL_MS = 60_000;
/** A last bookmark is sent this long before the end, so that the next watch starts close. */
const LAST_BOOKMARK_MS = 2_000;

export type ObjectEventType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** Where the events of a watch go. Calls are synchronous and cheap. */
export interface WatchSink {
  event(type: ObjectEventType, entry: Entry<KubernetesObject>): void;
  /** An object that left the selection: its last matching state, at the revision of the change. */
  left(object: KubernetesObject, revision: number): void;
  bookmark(revision: number, initialEventsEnd: boolean): void;
  error(error: StatusError): void;
  /** The time is over, or the server stops. */
  end(): void;
}

/** A watch before its first event: what to send first, and how to go on. */
export interface PreparedWatch {
  /** The state to begin with, as ADDED events; empty when the watch begins at a revision. Undefined is a place to rest in a long search. */
  readonly initial: Iterable<Entry<KubernetesObject> | undefined>;
  /** Whether a bookmark with the initial-events-end annotation follows `initial`. */
  readonly announceEnd: boolean;
  /** The revision of `initial`, or where the watch begins. */
  readonly revision: number;
  /** Delivers every later change to `sink`, until the signal aborts or the sink was told of the end. Call it before the first `await` after preparing. */
  start(sink: WatchSink, signal: AbortSignal): void;
}

/** Reads the options of a watch and takes its snapshot. */
export function prepareWatch(endpoint: Endpoint, request: ApiRequest, clock: Clock, random: Random): PreparedWatch {
  const { options } = request;
  validateListOptions(options, true);
  const selection = compileSelection(endpoint, options);
  const version = parseResourceVersion(options.resourceVersion);
  const prefix = endpoint.keyPrefix(request.namespace);
  const withInitial = options.sendInitialEvents ?? version === 0;
  const snapshot = withInitial ? endpoint.collection.snapshot() : undefined;
  const revision = snapshot?.revision ?? (version === 0 ? endpoint.collection.revision : version);
  return {
    initial: snapshot === undefined ? [] : matching(snapshot.entries(prefix), selection),
    announceEnd: options.sendInitialEvents === true && options.allowWatchBookmarks === true,
    revision,
    start: (sink, signal) => {
      const selecting = new SelectingWatcher(prefix, selection, sink);
      const watcher = endpoint.isRemote ? new ConvertingWatcher(endpoint, selecting, signal) : selecting;
      try {
        endpoint.collection.watch(revision, watcher, signal);
      } catch (err) {
        sink.error(watchFailure(err, revision));
        sink.end();
        return;
      }
      runTimers(endpoint, request, clock, random, sink, signal);
      endpoint.ended.addEventListener('abort', () => sink.end(), { once: true, signal });
      if (endpoint.ended.aborted) sink.end();
    },
  };
}

/** Entries that do not match, until the search may rest. */
const SEARCH_STEP = 256;

function* matching(
  entries: Iterable<Entry<KubernetesObject>>,
  selection: Selection,
): Iterable<Entry<KubernetesObject> | undefined> {
  let others = 0;
  for (const entry of entries) {
    if (selection.empty || selection.matches(entry)) yield entry;
    else if (++others % SEARCH_STEP === 0) yield undefined;
  }
}

function watchFailure(err: unknown, revision: number): StatusError {
  if (err instanceof CompactedError) return expired(`too old resource version: ${revision} (${err.compactedRevision})`);
  if (err instanceof StatusError) return err;
  return internalStatus(err instanceof Error ? err.message : String(err));
}

/** The end of the watch, and its bookmarks. */
function runTimers(
  endpoint: Endpoint,
  request: ApiRequest,
  clock: Clock,
  random: Random,
  sink: WatchSink,
  signal: AbortSignal,
): void {
  const { options } = request;
  const seconds =
    options.timeoutSeconds !== undefined && options.timeoutSeconds > 0
      ? options.timeoutSeconds
      : MIN_WATCH_SECONDS * (1 + random.float());
  const end = clock.setTimer(seconds * 1000, () => {
    if (!signal.aborted) sink.end();
  });
  let stopped = false;
  const bookmark = (): void => {
    if (stopped || signal.aborted) return;
    sink.bookmark(endpoint.collection.revision, false);
    tick = clock.setTimer(BOOKMARK_INTERVAL_MS, bookmark);
  };
  const wanted = options.allowWatchBookmarks === true;
  let tick = wanted ? clock.setTimer(BOOKMARK_INTERVAL_MS, bookmark) : undefined;
  const lastAt = seconds * 1000 - LAST_BOOKMARK_MS;
  const last =
    wanted && lastAt > 0
      ? clock.setTimer(lastAt, () => {
          if (!signal.aborted) sink.bookmark(endpoint.collection.revision, false);
        })
      : undefined;
  signal.addEventListener(
    'abort',
    () => {
      stopped = true;
      end.cancel();
      tick?.cancel();
      last?.cancel();
    },
    { once: true },
  );
}

/** Turns changes of the whole collection into the events of one selection of it. */
class SelectingWatcher implements CollectionWatcher<KubernetesObject> {
  readonly #prefix: string;
  readonly #selection: Selection;
  readonly #sink: WatchSink;

  constructor(prefix: string, selection: Selection, sink: WatchSink) {
    this.#prefix = prefix;
    this.#selection = selection;
    this.#sink = sink;
  }

  onChange(change: Change<KubernetesObject>): void {
    const { entry, previous } = change;
    if (!entry.key.startsWith(this.#prefix)) return;
    if (this.#selection.empty) {
      this.#sink.event(typeNames[change.type], entry);
      return;
    }
    const before = previous !== undefined && this.#selection.matches(previous);
    if (change.type === 'deleted') {
      if (before) this.#sink.event('DELETED', entry);
      return;
    }
    const now = this.#selection.matches(entry);
    if (now) this.#sink.event(before ? 'MODIFIED' : 'ADDED', entry);
    else if (before && previous !== undefined) this.#sink.left(previous.object, change.revision);
  }

  onError(error: Error): void {
    this.#sink.error(watchFailure(error, 0));
    this.#sink.end();
  }
}

const typeNames = { added: 'ADDED', modified: 'MODIFIED', deleted: 'DELETED' } as const;

/** Changes that wait for a conversion webhook at most; a watch that is further behind starts anew. */
const MAX_UNCONVERTED = 10_000;

/** Holds changes back, in their order, until they are converted. */
class ConvertingWatcher implements CollectionWatcher<KubernetesObject> {
  readonly #endpoint: Endpoint;
  readonly #next: SelectingWatcher;
  readonly #signal: AbortSignal;
  #queue: Change<KubernetesObject>[] = [];
  #working = false;

  constructor(endpoint: Endpoint, next: SelectingWatcher, signal: AbortSignal) {
    this.#endpoint = endpoint;
    this.#next = next;
    this.#signal = signal;
  }

  onChange(change: Change<KubernetesObject>): void {
    if (!this.#working && this.#ready(change) === undefined) this.#next.onChange(change);
    else if (this.#queue.length >= MAX_UNCONVERTED) this.onError(new CompactedError(change.revision));
    else {
      this.#queue.push(change);
      if (!this.#working) void this.#work();
    }
  }

  onError(error: Error): void {
    this.#queue = [];
    this.#next.onError(error);
  }

  #ready({ entry, previous }: Change<KubernetesObject>): Promise<void> | undefined {
    return this.#endpoint.ready(previous === undefined ? [entry.object] : [entry.object, previous.object]);
  }

  async #work(): Promise<void> {
    this.#working = true;
    try {
      for (let change = this.#queue.shift(); change !== undefined; change = this.#queue.shift()) {
        const waiting = this.#ready(change);
        if (waiting !== undefined) await waiting;
        if (this.#signal.aborted) return;
        this.#next.onChange(change);
      }
    } catch (err) {
      this.onError(err as Error);
    } finally {
      this.#working = false;
    }
  }
}
