import type { KubernetesObject } from '../../api/meta/object.ts';
import type { StatusError } from '../../api/meta/status.ts';
import type { Entry } from '../../store/collection.ts';
import type { Endpoint } from '../rest/endpoint.ts';
import type { ObjectEventType, WatchSink } from '../rest/watch.ts';
import type { WatchEncoder } from './watch-encoders.ts';

/** A watcher that has this much waiting is dropped: it reads too slowly, and comes back with its last revision. */
export const MAX_PENDING_BYTES = 16 * 1024 * 1024;

/** An object without content that tells a revision. */
function bookmarkObject(endpoint: Endpoint, revision: number, initialEventsEnd: boolean): object {
  return {
    kind: endpoint.resource.kind,
    apiVersion: endpoint.apiVersion,
    metadata: {
      resourceVersion: String(revision),
      ...(initialEventsEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}),
    },
  };
}

/** The events of a watch as bytes, whatever they are sent over. */
export abstract class FrameSink implements WatchSink {
  protected readonly encoder: WatchEncoder;
  readonly #endpoint: Endpoint;

  constructor(endpoint: Endpoint, encoder: WatchEncoder) {
    this.#endpoint = endpoint;
    this.encoder = encoder;
  }

  protected abstract push(frame: Uint8Array): void;
  abstract end(): void;

  event(type: ObjectEventType, entry: Entry<KubernetesObject>): void {
    this.push(this.encoder.event(type, entry));
  }

  left(object: KubernetesObject, revision: number): void {
    const shown = this.#endpoint.fromStored(object);
    const metadata = { ...shown.metadata, resourceVersion: String(revision) };
    this.push(this.encoder.other('DELETED', { ...shown, metadata }));
  }

  bookmark(revision: number, initialEventsEnd: boolean): void {
    this.push(this.bookmarkFrame(revision, initialEventsEnd));
  }

  protected bookmarkFrame(revision: number, initialEventsEnd: boolean): Uint8Array {
    return this.encoder.other('BOOKMARK', bookmarkObject(this.#endpoint, revision, initialEventsEnd));
  }

  error(error: StatusError): void {
    this.push(this.encoder.other('ERROR', error.status));
  }
}
