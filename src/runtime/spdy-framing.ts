import { SpdyHeaderReader, type SpdyHeaders, SpdyHeaderWriter } from './spdy-headers.ts';

/**
 * Frames of SPDY/3.1 as bytes: what kubectl, the API server, kubelets and container runtimes speak for exec, attach and port-forward
 * (all through Go's spdystream). Both directions and both roles.
 */

/** A frame that was read. Data arrives in as many parts as the network makes of it: only the last part of a frame carries its `fin`. */
export type SpdyFrame =
  | {
      readonly type: 'SYN_STREAM';
      readonly streamId: number;
      readonly headers: SpdyHeaders;
      readonly fin: boolean;
      readonly unidirectional: boolean;
    }
  | { readonly type: 'SYN_REPLY' | 'HEADERS'; readonly streamId: number; readonly headers: SpdyHeaders; readonly fin: boolean }
  | { readonly type: 'RST_STREAM'; readonly streamId: number; readonly status: number }
  | { readonly type: 'SETTINGS' }
  | { readonly type: 'PING'; readonly id: number }
  | { readonly type: 'GOAWAY'; readonly lastStreamId: number; readonly status: number }
  | { readonly type: 'WINDOW_UPDATE'; readonly streamId: number; readonly delta: number }
  | { readonly type: 'DATA'; readonly streamId: number; readonly data: Uint8Array; readonly fin: boolean };

/** Status codes of RST_STREAM. */
export const spdyResetCodes = {
  protocolError: 1,
  invalidStream: 2,
  refusedStream: 3,
  unsupportedVersion: 4,
  cancel: 5,
  internalError: 6,
  flowControlError: 7,
} as const;

const VERSION = 3;
const CONTROL = 0x8000;
const HEADER_BYTES = 8;
const FLAG_FIN = 1;
const FLAG_UNIDIRECTIONAL = 2;
/** A control frame larger than this is refused, bytes. */
const MAX_CONTROL_BYTES = 64 * 1024;
/** Most data put in one frame, bytes. */
export const MAX_DATA_BYTES = 1024 * 1024;

const types = {
  SYN_STREAM: 1,
  SYN_REPLY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  GOAWAY: 7,
  HEADERS: 8,
  WINDOW_UPDATE: 9,
} as const;

/** Makes the frames one side of a connection sends, in the order they are sent (the headers' compression has a memory). */
export class SpdyFrameWriter {
  readonly #headers = new SpdyHeaderWriter();

  synStream(streamId: number, headers: SpdyHeaders, options: { readonly fin?: boolean } = {}): Buffer {
    const block = this.#headers.write(headers);
    const body = Buffer.alloc(10);
    body.writeUInt32BE(streamId, 0);
    return control(types.SYN_STREAM, options.fin === true ? FLAG_FIN : 0, Buffer.concat([body, block]));
  }
  synReply(streamId: number, headers: SpdyHeaders, options: { readonly fin?: boolean } = {}): Buffer {
    const block = this.#headers.write(headers);
    return control(types.SYN_REPLY, options.fin === true ? FLAG_FIN : 0, Buffer.concat([numbers(streamId), block]));
  }
  rstStream(streamId: number, status: number): Buffer {
    return control(types.RST_STREAM, 0, numbers(streamId, status));
  }
  ping(id: number): Buffer {
    return control(types.PING, 0, numbers(id));
  }
  goAway(lastStreamId: number): Buffer {
    return control(types.GOAWAY, 0, numbers(lastStreamId, 0));
  }
  windowUpdate(streamId: number, delta: number): Buffer {
    return control(types.WINDOW_UPDATE, 0, numbers(streamId, delta));
  }
  /** The head of a data frame; `length` bytes (at most `MAX_DATA_BYTES`) follow it. */
  dataHeader(streamId: number, length: number, fin: boolean): Buffer {
    const head = Buffer.alloc(HEADER_BYTES);
    head.writeUInt32BE(streamId, 0);
    head.writeUInt32BE(length, 4);
    head[4] = fin ? FLAG_FIN : 0;
    return head;
  }
}

function numbers(...values: readonly number[]): Buffer {
  const out = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => {
    out.writeUInt32BE(value >>> 0, i * 4);
  });
  return out;
}

function control(type: number, flags: number, body: Buffer): Buffer {
  const head = Buffer.alloc(HEADER_BYTES);
  head.writeUInt16BE(CONTROL | VERSION, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt32BE(body.length, 4);
  head[4] = flags;
  return Buffer.concat([head, body]);
}

/** Reads what one side of a connection received. Holds at most one control frame. */
export class SpdyFrameReader {
  readonly #headers = new SpdyHeaderReader();
  #pending: Buffer = Buffer.alloc(0);
  /** The data frame whose bytes are arriving. */
  #data: { readonly streamId: number; left: number; readonly fin: boolean } | undefined;

  /** The frames that `chunk` completes. Throws `RangeError` on what is no SPDY/3: the connection is lost then. */
  *read(chunk: Buffer): Generator<SpdyFrame, void> {
    let input = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    this.#pending = Buffer.alloc(0);
    for (;;) {
      const data = this.#data;
      if (data !== undefined) {
        const part = input.subarray(0, data.left);
        input = input.subarray(part.length);
        data.left -= part.length;
        if (data.left > 0) {
          if (part.length > 0) yield { type: 'DATA', streamId: data.streamId, data: part, fin: false };
          return;
        }
        this.#data = undefined;
        yield { type: 'DATA', streamId: data.streamId, data: part, fin: data.fin };
      }
      if (input.length < HEADER_BYTES) break;
      const length = input.readUIntBE(5, 3);
      const flags = input[4]!;
      if ((input[0]! & 0x80) === 0) {
        this.#data = { streamId: input.readUInt32BE(0), left: length, fin: (flags & FLAG_FIN) !== 0 };
        input = input.subarray(HEADER_BYTES);
        continue;
      }
      const version = input.readUInt16BE(0) & 0x7fff;
      if (version !== VERSION) throw new RangeError(`SPDY version ${version}, want ${VERSION}`);
      if (length > MAX_CONTROL_BYTES) throw new RangeError('SPDY control frame too long');
      if (input.length < HEADER_BYTES + length) break;
      const frame = this.#control(input.readUInt16BE(2), flags, input.subarray(HEADER_BYTES, HEADER_BYTES + length));
      input = input.subarray(HEADER_BYTES + length);
      if (frame !== undefined) yield frame;
    }
    // Copied, so that a few bytes do not keep the whole chunk.
    this.#pending = Buffer.from(input);
  }

  #control(type: number, flags: number, body: Buffer): SpdyFrame | undefined {
    const number = (at: number): number => {
      if (at + 4 > body.length) throw new RangeError('SPDY control frame cut off');
      return body.readUInt32BE(at);
    };
    const streamId = (): number => number(0) & 0x7fffffff;
    const fin = (flags & FLAG_FIN) !== 0;
    switch (type) {
      case types.SYN_STREAM:
        return {
          type: 'SYN_STREAM',
          streamId: streamId(),
          headers: this.#headers.read(body.subarray(10)),
          fin,
          unidirectional: (flags & FLAG_UNIDIRECTIONAL) !== 0,
        };
      case types.SYN_REPLY:
        return { type: 'SYN_REPLY', streamId: streamId(), headers: this.#headers.read(body.subarray(4)), fin };
      case types.HEADERS:
        return { type: 'HEADERS', streamId: streamId(), headers: this.#headers.read(body.subarray(4)), fin };
      case types.RST_STREAM:
        return { type: 'RST_STREAM', streamId: streamId(), status: number(4) };
      case types.SETTINGS:
        return { type: 'SETTINGS' };
      case types.PING:
        return { type: 'PING', id: number(0) };
      case types.GOAWAY:
        return { type: 'GOAWAY', lastStreamId: streamId(), status: number(4) };
      case types.WINDOW_UPDATE:
        return { type: 'WINDOW_UPDATE', streamId: streamId(), delta: number(4) & 0x7fffffff };
      default:
        // The draft has unknown control frames skipped.
        return undefined;
    }
  }
}
