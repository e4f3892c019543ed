import type { WebSocket } from 'ws';
import type { KubernetesObject } from '../../api/meta/object.ts';
import type { StatusError } from '../../api/meta/status.ts';
import type { Entry } from '../../store/collection.ts';
import type { Endpoint } from '../rest/endpoint.ts';
import type { ObjectEventType, PreparedWatch, WatchSink } from '../rest/watch.ts';
import type { Exchange } from './exchange.ts';
import type { WatchEncoder } from './watch-encoders.ts';
import { bookmarkObject, MAX_PENDING_BYTES } from './watch-stream.ts';
import { acceptWebSocket, sendMessage } from './web-socket.ts';

/** In a stream of bytes a protobuf event comes after four bytes of its length; a message knows its own. */
const LENGTH_BYTES = 4;

/** A watch over a WebSocket, as browsers ask for it: each event is a message. */
export class WatchSocket implements WatchSink {
  readonly #exchange: Exchange;
  readonly #endpoint: Endpoint;
  readonly #encoder: WatchEncoder;
  readonly #onEvents: (count: number, bytes: number) => void;
  readonly #stop = new AbortController();
  readonly #text: boolean;
  #socket: WebSocket | undefined;
  /** What came while the initial events were being sent. */
  #waiting: Uint8Array[] | undefined = [];
  #sent = 0;
  #ending = false;

  constructor(exchange: Exchange, endpoint: Endpoint, encoder: WatchEncoder, onEvents: (count: number, bytes: number) => void) {
    this.#exchange = exchange;
    this.#endpoint = endpoint;
    this.#encoder = encoder;
    this.#onEvents = onEvents;
    this.#text = encoder.contentType === 'application/json';
  }

  /** Accepts the connection, sends the initial events, then follows. */
  run(prepared: PreparedWatch, shutdown: AbortSignal): void {
    acceptWebSocket(this.#exchange, (socket) => {
      this.#socket = socket;
      const onShutdown = (): void => this.end();
      shutdown.addEventListener('abort', onShutdown, { once: true });
      socket.once('close', () => {
        shutdown.removeEventListener('abort', onShutdown);
        this.#stop.abort();
        this.#exchange.done(101, this.#sent);
      });
      prepared.start(this, this.#stop.signal);
      this.#sendInitial(prepared, socket).catch((err: unknown) => {
        this.#exchange.onFault?.(this.#exchange, err);
        socket.terminate();
      });
    });
  }

  async #sendInitial(prepared: PreparedWatch, socket: WebSocket): Promise<void> {
    for (const entry of prepared.initial) {
      await sendMessage(socket, this.#message(this.#encoder.event('ADDED', entry)));
      if (this.#stop.signal.aborted && !this.#ending) return;
    }
    if (prepared.announceEnd) {
      const last = bookmarkObject(this.#endpoint, prepared.revision, true);
      await sendMessage(socket, this.#message(this.#encoder.other('BOOKMARK', last)));
    }
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const frame of waiting) socket.send(this.#message(frame));
    this.#exchange.onFollowing?.();
    if (this.#ending) socket.close();
  }

  #message(frame: Uint8Array): Uint8Array | string {
    this.#sent += frame.length;
    this.#onEvents(1, frame.length);
    return this.#text ? Buffer.from(frame.buffer, frame.byteOffset, frame.length).toString() : frame.subarray(LENGTH_BYTES);
  }

  #push(frame: Uint8Array): void {
    const socket = this.#socket;
    if (this.#ending || socket === undefined) return;
    if (this.#waiting !== undefined) this.#waiting.push(frame);
    else socket.send(this.#message(frame));
    if (socket.bufferedAmount > MAX_PENDING_BYTES || (this.#waiting?.length ?? 0) > MAX_WAITING_EVENTS) socket.terminate();
  }

  event(type: ObjectEventType, entry: Entry<KubernetesObject>): void {
    this.#push(this.#encoder.event(type, entry));
  }

  left(object: KubernetesObject, revision: number): void {
    const shown = this.#endpoint.fromStored(object);
    this.#push(this.#encoder.other('DELETED', { ...shown, metadata: { ...shown.metadata, resourceVersion: String(revision) } }));
  }

  bookmark(revision: number, initialEventsEnd: boolean): void {
    this.#push(this.#encoder.other('BOOKMARK', bookmarkObject(this.#endpoint, revision, initialEventsEnd)));
  }

  error(error: StatusError): void {
    this.#push(this.#encoder.other('ERROR', error.status));
  }

  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#stop.abort();
    if (this.#waiting === undefined) this.#socket?.close();
  }
}

/** Events that may come while a client takes its initial ones. */
const MAX_WAITING_EVENTS = 4_096;
