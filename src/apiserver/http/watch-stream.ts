import type { ServerResponse } from 'node:http';
import { nextSlice, Slice } from '../../util/slice.ts';
import type { Endpoint } from '../rest/endpoint.ts';
import type { PreparedWatch } from '../rest/watch.ts';
import { endChunks, takeOverChunks } from './chunks.ts';
import type { Exchange } from './exchange.ts';
import { FrameSink, MAX_PENDING_BYTES } from './frame-sink.ts';
import { type Framing, joinFrames, type WatchEncoder } from './watch-encoders.ts';

/** Initial events are written in pieces of about this size. */
const PIECE_BYTES = 256 * 1024;

/**
 * Streams a watch over HTTP. Events of one turn of the loop go out as one write; over HTTP/1.1 as one chunk, made once for all watchers of a
 * type.
 */
export class WatchStream extends FrameSink {
  readonly #exchange: Exchange;
  readonly #res: ServerResponse;
  readonly #stop = new AbortController();
  readonly #onEvents: (count: number, bytes: number) => void;
  #framing: Framing = 'plain';
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #sent = 0;
  #scheduled = false;
  #blocked = false;
  #initial = true;
  #ended = false;

  constructor(exchange: Exchange, endpoint: Endpoint, encoder: WatchEncoder, onEvents: (count: number, bytes: number) => void) {
    super(endpoint, encoder);
    this.#exchange = exchange;
    this.#res = exchange.res as ServerResponse;
    this.#onEvents = onEvents;
  }

  /** Sends the head and the initial events, then follows. Ends with the client, the time-out or `shutdown`. */
  run(prepared: PreparedWatch, shutdown: AbortSignal): void {
    const res = this.#res;
    res.writeHead(200, { ...this.#exchange.responseHeaders(this.encoder.contentType) });
    if (takeOverChunks(res)) this.#framing = 'chunk';
    const onShutdown = (): void => this.end();
    shutdown.addEventListener('abort', onShutdown, { once: true });
    res.once('close', () => {
      shutdown.removeEventListener('abort', onShutdown);
      this.#ended = true;
      this.#stop.abort();
      this.#pending = [];
      this.#exchange.done(200, this.#sent);
    });
    prepared.start(this, this.#stop.signal);
    this.#sendInitial(prepared).catch((err: unknown) => {
      this.#exchange.onFault?.(this.#exchange, err);
      res.destroy();
    });
  }

  async #sendInitial(prepared: PreparedWatch): Promise<void> {
    let parts: Uint8Array[] = [];
    let size = 0;
    const slice = new Slice();
    for (const entry of prepared.initial) {
      if (entry !== undefined) {
        const frame = this.encoder.event('ADDED', entry);
        parts.push(frame);
        size += frame.length;
      }
      if (size < PIECE_BYTES && !slice.over) continue;
      if (this.#ended) return;
      if (this.#write(parts, size)) await nextSlice();
      else await this.#drained();
      slice.restart();
      parts = [];
      size = 0;
    }
    if (prepared.announceEnd) {
      const frame = this.bookmarkFrame(prepared.revision, true);
      parts.push(frame);
      size += frame.length;
    }
    if (!this.#ended) this.#write(parts, size);
    this.#initial = false;
    this.#exchange.onFollowing?.();
    this.#schedule();
  }

  /** False when the client has to take something first. */
  #write(frames: readonly Uint8Array[], size: number): boolean {
    if (frames.length === 0) return true;
    this.#onEvents(frames.length, size);
    return this.#res.write(joinFrames(frames, size, this.#framing));
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        this.#res.off('drain', go);
        this.#res.off('close', go);
        resolve();
      };
      this.#res.on('drain', go);
      this.#res.on('close', go);
    });
  }

  /** Sends what is waiting and closes the answer. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stop.abort();
    this.#flush();
    if (this.#framing === 'chunk') endChunks(this.#res);
    else this.#res.end();
  }

  protected push(frame: Uint8Array): void {
    if (this.#stop.signal.aborted) return;
    this.#pending.push(frame);
    this.#pendingBytes += frame.length;
    if (this.#pendingBytes > MAX_PENDING_BYTES) {
      this.#pending = [];
      this.#ended = true;
      this.#stop.abort();
      this.#res.destroy();
      return;
    }
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#blocked || this.#initial || this.#pending.length === 0) return;
    this.#scheduled = true;
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#scheduled = false;
    const pending = this.#pending;
    if (pending.length === 0 || this.#res.destroyed || this.#res.writableEnded) return;
    const size = this.#pendingBytes;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#sent += size;
    this.#onEvents(pending.length, size);
    const more = this.#res.write(this.encoder.join(pending, size, this.#framing));
    if (more || this.#ended) return;
    this.#blocked = true;
    this.#res.once('drain', () => {
      this.#blocked = false;
      this.#schedule();
    });
  };
}
