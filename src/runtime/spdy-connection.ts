import { Duplex } from 'node:stream';
import { MAX_DATA_BYTES, type SpdyFrame, SpdyFrameReader, SpdyFrameWriter, spdyResetCodes } from './spdy-framing.ts';
import type { SpdyHeaders } from './spdy-headers.ts';

/** Streams one connection may have open; the next one is refused. */
const MAX_STREAMS = 1_000;

export interface SpdyConnectionOptions {
  /** Clients open streams with odd numbers, servers with even ones. */
  readonly role: 'client' | 'server';
  /** Called for each stream the other side opens. It must call `accept` or `refuse`. Without it every stream is refused. */
  readonly onStream?: (stream: SpdyStream) => void;
  /** Called once, when the connection is over; with an error when it did not end well. */
  readonly onClose?: (err: Error | undefined) => void;
}

/**
 * One SPDY/3.1 connection over a socket that was upgraded.
 *
 * Flow control: Go's spdystream, which is the other side everywhere in Kubernetes, neither keeps SPDY's windows nor sends WINDOW_UPDATE, so
 * windows are not kept here either. A reader that falls behind stops the whole connection instead (as there), and so the sender, through TCP:
 * every stream of a connection must be read or destroyed.
 */
export class SpdyConnection {
  readonly #socket: Duplex;
  readonly #options: SpdyConnectionOptions;
  readonly #writer = new SpdyFrameWriter();
  readonly #reader = new SpdyFrameReader();
  readonly #streams = new Map<number, SpdyStream>();
  /** Streams whose buffers are full: nothing is read while there is one. */
  readonly #full = new Set<SpdyStream>();
  #nextId: number;
  #lastPeerId = 0;
  #closed = false;
  #goneAway = false;

  /** `head`: bytes that were read behind the upgrade. */
  constructor(socket: Duplex, head: Buffer, options: SpdyConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#nextId = options.role === 'client' ? 1 : 2;
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('end', () => {
      socket.end();
      this.#close(undefined);
    });
    socket.on('error', (err) => this.#close(err));
    socket.on('close', () => this.#close(undefined));
    if (head.length > 0) this.#onData(head);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Opens a stream; resolves when the other side accepts it, rejects when it refuses or the connection ends. */
  async open(headers: SpdyHeaders): Promise<SpdyStream> {
    if (this.#closed || this.#goneAway) throw new Error('the SPDY connection is closed');
    const id = this.#nextId;
    this.#nextId += 2;
    const stream = new SpdyStream(this, id, headers);
    this.#streams.set(id, stream);
    this.#socket.write(this.#writer.synStream(id, headers));
    await stream.accepted;
    return stream;
  }

  /** Ends the connection and every stream of it. */
  close(): void {
    if (!this.#closed) this.#socket.write(this.#writer.goAway(this.#lastPeerId));
    this.#socket.end();
    this.#close(undefined);
  }

  /** For SpdyStream: sends what it writes. */
  send(id: number, data: Uint8Array, fin: boolean, callback: (err?: Error | null) => void): void {
    if (this.#closed) {
      callback(new Error('the SPDY connection is closed'));
      return;
    }
    this.#socket.cork();
    let at = 0;
    do {
      const part = data.subarray(at, at + MAX_DATA_BYTES);
      at += part.length;
      const last = at >= data.length;
      const head = this.#writer.dataHeader(id, part.length, fin && last);
      if (part.length === 0) this.#socket.write(head, last ? callback : undefined);
      else {
        this.#socket.write(head);
        this.#socket.write(part, last ? callback : undefined);
      }
    } while (at < data.length);
    this.#socket.uncork();
  }

  /** For SpdyStream: answers the stream the other side opened. */
  reply(id: number): void {
    if (!this.#closed) this.#socket.write(this.#writer.synReply(id, {}));
  }

  /** For SpdyStream: breaks a stream off. */
  reset(id: number, status: number): void {
    if (!this.#closed) this.#socket.write(this.#writer.rstStream(id, status));
  }

  /** For SpdyStream: it is over. */
  forget(stream: SpdyStream): void {
    this.#streams.delete(stream.id);
    this.drained(stream);
  }

  /** For SpdyStream: its reader has caught up. */
  drained(stream: SpdyStream): void {
    if (this.#full.delete(stream) && this.#full.size === 0) this.#socket.resume();
  }

  #onData(chunk: Buffer): void {
    if (this.#closed) return;
    try {
      for (const frame of this.#reader.read(chunk)) this.#onFrame(frame);
    } catch (err) {
      this.#socket.destroy();
      this.#close(err as Error);
    }
  }

  #onFrame(frame: SpdyFrame): void {
    switch (frame.type) {
      case 'DATA': {
        const stream = this.#streams.get(frame.streamId);
        // What arrives for a stream that is over here was on its way when it ended.
        if (stream === undefined) return;
        if (frame.data.length > 0 && !stream.receive(frame.data)) {
          this.#full.add(stream);
          this.#socket.pause();
        }
        if (frame.fin) stream.receiveEnd();
        return;
      }
      case 'SYN_STREAM': {
        const { streamId } = frame;
        const fromPeer = streamId % 2 === (this.#options.role === 'client' ? 0 : 1);
        if (!fromPeer || streamId <= this.#lastPeerId) throw new RangeError(`SPDY stream ${streamId} out of order`);
        this.#lastPeerId = streamId;
        if (this.#options.onStream === undefined || this.#streams.size >= MAX_STREAMS) {
          this.reset(streamId, spdyResetCodes.refusedStream);
          return;
        }
        const stream = new SpdyStream(this, streamId, frame.headers);
        this.#streams.set(streamId, stream);
        if (frame.fin) stream.receiveEnd();
        this.#options.onStream(stream);
        return;
      }
      case 'SYN_REPLY': {
        const stream = this.#streams.get(frame.streamId);
        stream?.receiveReply();
        if (frame.fin) stream?.receiveEnd();
        return;
      }
      case 'RST_STREAM':
        this.#streams.get(frame.streamId)?.receiveReset(frame.status);
        return;
      case 'PING':
        // Ours come back to us; those of the other side are sent back to it.
        if (frame.id % 2 === (this.#options.role === 'client' ? 0 : 1)) this.#socket.write(this.#writer.ping(frame.id));
        return;
      case 'GOAWAY':
        this.#goneAway = true;
        return;
      case 'HEADERS':
        if (frame.fin) this.#streams.get(frame.streamId)?.receiveEnd();
        return;
      default:
        return;
    }
  }

  #close(err: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const stream of [...this.#streams.values()]) stream.receiveReset(0);
    this.#full.clear();
    // What is still buffered in streams can be read; the socket itself has nothing more to say.
    this.#socket.resume();
    this.#options.onClose?.(err);
  }
}

/** One stream: read what the other side sends, write to it; `end()` closes this direction only. Destroying it early resets the stream. */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: SpdyHeaders;
  readonly #connection: SpdyConnection;
  readonly accepted: Promise<void>;
  #onReply: (err?: Error) => void = () => {};
  #reset = false;
  #hasWritten = false;

  constructor(connection: SpdyConnection, id: number, headers: SpdyHeaders) {
    super({ allowHalfOpen: true, decodeStrings: true });
    this.id = id;
    this.headers = headers;
    this.#connection = connection;
    this.accepted = new Promise((resolve, reject) => {
      this.#onReply = (err) => (err === undefined ? resolve() : reject(err));
    });
    // Who opens a stream awaits it; for others a failure is no news.
    this.accepted.catch(() => {});
    // A reset while nobody listens must not end the process; it shows as the end of the data, as in Go.
    this.on('error', () => {});
  }

  /** Takes the stream the other side opened. */
  accept(): void {
    this.#connection.reply(this.id);
    this.#onReply();
  }
  /** Refuses the stream the other side opened. */
  refuse(): void {
    this.#reset = true;
    this.#connection.reset(this.id, spdyResetCodes.refusedStream);
    this.destroy();
  }

  /** From the connection: data; false when the reader is behind. */
  receive(data: Uint8Array): boolean {
    return this.readableEnded || this.destroyed || this.push(data);
  }
  /** From the connection: the other side sends no more. */
  receiveEnd(): void {
    if (!this.destroyed && !this.readableEnded) this.push(null);
  }
  /** From the connection: accepted. */
  receiveReply(): void {
    this.#onReply();
  }
  /** From the connection: broken off, or the connection ended. What has arrived can still be read. */
  receiveReset(status: number): void {
    this.#reset = true;
    this.#onReply(new Error(status === 0 ? 'the SPDY connection ended' : `the SPDY stream was reset (status ${status})`));
    this.receiveEnd();
    this.#connection.forget(this);
    if (!this.writableEnded) this.end();
  }

  override _read(): void {
    this.#connection.drained(this);
  }
  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (err?: Error | null) => void): void {
    this.#hasWritten = true;
    if (this.#reset) callback(new Error('the SPDY stream was reset'));
    else this.#connection.send(this.id, chunk, false, callback);
  }
  override _final(callback: (err?: Error | null) => void): void {
    if (this.#reset) callback();
    else this.#connection.send(this.id, new Uint8Array(0), true, callback);
  }
  override _destroy(err: Error | null, callback: (err?: Error | null) => void): void {
    // A stream that was only read and has been read to its end needs no word more. One would be harmful: the other side closes the connection
    // when it has said everything, and what it said last is lost when the kernel answers our word with a reset.
    const over = this.readableEnded && (this.writableFinished || !this.#hasWritten);
    if (!over && !this.#reset) this.#connection.reset(this.id, spdyResetCodes.cancel);
    this.#onReply(err ?? new Error('the SPDY stream was destroyed'));
    this.#connection.forget(this);
    callback(err);
  }
}
