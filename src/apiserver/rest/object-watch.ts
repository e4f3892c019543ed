import type { KubernetesObject, WatchEvent } from '../../api/meta/object.ts';
import { expired, type StatusError } from '../../api/meta/status.ts';
import type { Entry } from '../../store/collection.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { Slice } from '../../util/slice.ts';
import type { Endpoint } from './endpoint.ts';
import type { ObjectEventType, PreparedWatch, WatchSink } from './watch.ts';

/** Events that wait for an in-process watcher at most; one that is slower starts anew, as with 410. */
const MAX_PENDING_EVENTS = 65_536;

/** A watch for a caller in the same process: the frozen objects themselves. Ends with the server's time-out; throws for ERROR events and aborts. */
export async function* watchObjects(
  endpoint: Endpoint,
  prepared: PreparedWatch,
  signal: AbortSignal | undefined,
  shutdown: AbortSignal,
): AsyncGenerator<WatchEvent, void, undefined> {
  const queue = new EventQueue(endpoint);
  const stop = new AbortController();
  const onAbort = (): void => queue.fail(signal?.reason);
  const onShutdown = (): void => queue.end();
  signal?.throwIfAborted();
  signal?.addEventListener('abort', onAbort, { once: true });
  shutdown.addEventListener('abort', onShutdown, { once: true });
  try {
    prepared.start(queue, stop.signal);
    const slice = new Slice();
    for (const entry of prepared.initial) {
      if (slice.over) await slice.next();
      if (entry !== undefined) yield { type: 'ADDED', object: endpoint.object(entry) };
    }
    if (prepared.announceEnd) yield bookmark(endpoint, prepared.revision, true);
    for (;;) {
      const events = queue.take();
      if (events.length === 0) {
        if (queue.over) return;
        await queue.next();
        continue;
      }
      yield* events;
    }
  } finally {
    stop.abort();
    signal?.removeEventListener('abort', onAbort);
    shutdown.removeEventListener('abort', onShutdown);
  }
}

function bookmark(endpoint: Endpoint, revision: number, initialEventsEnd: boolean): WatchEvent {
  return {
    type: 'BOOKMARK',
    object: deepFreeze({
      kind: endpoint.resource.kind,
      apiVersion: endpoint.apiVersion,
      metadata: {
        resourceVersion: String(revision),
        ...(initialEventsEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}),
      },
    }),
  };
}

class EventQueue implements WatchSink {
  readonly #endpoint: Endpoint;
  #events: WatchEvent[] = [];
  #wake: (() => void) | undefined;
  #failure: { readonly reason: unknown } | undefined;
  over = false;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  /** What has come since the last call. Throws once the watch has failed and all before that has been taken. */
  take(): readonly WatchEvent[] {
    if (this.#events.length === 0 && this.#failure !== undefined) throw this.#failure.reason;
    const events = this.#events;
    if (events.length > 0) this.#events = [];
    return events;
  }

  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  event(type: ObjectEventType, entry: Entry<KubernetesObject>): void {
    this.#push({ type, object: this.#endpoint.object(entry) });
  }

  left(object: KubernetesObject, revision: number): void {
    const shown = this.#endpoint.fromStored(object);
    const metadata = { ...shown.metadata, resourceVersion: String(revision) };
    this.#push({ type: 'DELETED', object: deepFreeze({ ...shown, metadata }) });
  }

  bookmark(revision: number, initialEventsEnd: boolean): void {
    this.#push(bookmark(this.#endpoint, revision, initialEventsEnd));
  }

  error(error: StatusError): void {
    this.fail(error);
  }

  fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.over = true;
    this.#wakeUp();
  }

  end(): void {
    this.over = true;
    this.#wakeUp();
  }

  #push(event: WatchEvent): void {
    if (this.over) return;
    if (this.#events.length >= MAX_PENDING_EVENTS) {
      this.#events = [];
      this.fail(expired('the watcher was too slow and has been dropped'));
      return;
    }
    this.#events.push(event);
    this.#wakeUp();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
