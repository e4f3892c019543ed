import type { WebSocket } from 'ws';
import { Slice } from '../../util/slice.ts';
import type { Endpoint } from '../rest/endpoint.ts';
import type { PreparedWatch } from '../rest/watch.ts';
import type { Exchange } from './exchange.ts';
import { FrameSink, MAX_PENDING_BYTES } from './frame-sink.ts';
import type { WatchEncoder } from './watch-encoders.ts';
import { acceptWebSocket, sendMessage } from './web-socket.ts';

/** In a stream of bytes a protobuf event comes after four bytes of its length; a message knows its own. */
const LENGTH_BYTES = 4;

/** A watch over a WebSocket, as browsers ask for it: each event is a message. */
export class WatchSocket extends FrameSink {
  readonly #exchange: Exchange;
  readonly #onEvents: (count: number, bytes: number) => void;
  readonly #stop = new AbortController();
  readonly #text: boolean;
  #socket: WebSocket | undefined;
  /** What came while the initial events were being sent. */
  #waiting: Uint8Array[] | undefined = [];
  #sent = 0;
  #ending = false;

  constructor(exchange: Exchange, endpoint: Endpoint, encoder: WatchEncoder, onEvents: (count: number, bytes: number) => void) {
    super(endpoint, encoder);
    this.#exchange = exchange;
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
    const slice = new Slice();
    for (const entry of prepared.initial) {
      if (slice.over) await slice.next();
      if (entry === undefined) continue;
      await sendMessage(socket, this.#message(this.encoder.event('ADDED', entry)));
      if (this.#stop.signal.aborted && !this.#ending) return;
    }
    if (prepared.announceEnd) {
      await sendMessage(socket, this.#message(this.bookmarkFrame(prepared.revision, true)));
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

  protected push(frame: Uint8Array): void {
    const socket = this.#socket;
    if (this.#ending || socket === undefined) return;
    if (this.#waiting !== undefined) this.#waiting.push(frame);
    else socket.send(this.#message(frame));
    if (socket.bufferedAmount > MAX_PENDING_BYTES || (this.#waiting?.length ?? 0) > MAX_WAITING_EVENTS) socket.terminate();
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
