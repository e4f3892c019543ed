import type { KubernetesObject } from '../../api/meta/object.ts';
import { encodeProtobufWatchEvent, wrapProtobuf } from '../../api/wire/protobuf.ts';
import type { Entry } from '../../store/collection.ts';
import type { Endpoint } from '../rest/endpoint.ts';
import type { ObjectEventType } from '../rest/watch.ts';
import { chunkOf } from './chunks.ts';
import { encodeObject } from './encode-object.ts';

/** Whether a write is a chunk of HTTP/1.1's chunked coding, or just bytes. */
export type Framing = 'chunk' | 'plain';

/** How events become bytes. */
export interface WatchEncoder {
  readonly contentType: string;
  event(type: ObjectEventType, entry: Entry<KubernetesObject>): Uint8Array;
  /** Any object under an event type: bookmarks, errors, objects that left the selection. */
  other(type: string, object: object): Uint8Array;
  /** Frames as one write; `size` is that of all together. */
  join(frames: readonly Uint8Array[], size: number, framing: Framing): Uint8Array;
}

const newline = Buffer.from('}\n');
const heads: Readonly<Record<ObjectEventType, Buffer>> = {
  ADDED: Buffer.from('{"type":"ADDED","object":'),
  MODIFIED: Buffer.from('{"type":"MODIFIED","object":'),
  DELETED: Buffer.from('{"type":"DELETED","object":'),
};

/** Larger writes are put together for each watcher, so that not too much is kept. */
const MAX_SHARED_BYTES = 1024 * 1024;

/** Frames as one write. */
export function joinFrames(frames: readonly Uint8Array[], size: number, framing: Framing): Uint8Array {
  if (framing === 'chunk') return chunkOf(frames, size);
  return frames.length === 1 ? frames[0]! : Buffer.concat(frames, size);
}

/**
 * Frames put together for one write. Watchers of one type mostly wait for the same ones, and ask in a row: the last answer is kept until
 * the next, so that they share it.
 */
class FrameJoiner {
  readonly #framing: Framing;
  #frames: readonly Uint8Array[] = [];
  #joined: Uint8Array = newline;

  constructor(framing: Framing) {
    this.#framing = framing;
  }

  join(frames: readonly Uint8Array[], size: number): Uint8Array {
    if (size > MAX_SHARED_BYTES) return joinFrames(frames, size, this.#framing);
    const known = this.#frames;
    if (known.length === frames.length && known.every((frame, i) => frame === frames[i])) return this.#joined;
    this.#frames = frames;
    this.#joined = joinFrames(frames, size, this.#framing);
    return this.#joined;
  }
}

/** The last frame made, as all watchers of a type ask for it in a row. */
class LastFrame {
  #entry: Entry<KubernetesObject> | undefined;
  #type: ObjectEventType | undefined;
  #frame: Uint8Array = newline;

  get(type: ObjectEventType, entry: Entry<KubernetesObject>): Uint8Array | undefined {
    return entry === this.#entry && type === this.#type ? this.#frame : undefined;
  }

  keep(type: ObjectEventType, entry: Entry<KubernetesObject>, frame: Uint8Array): Uint8Array {
    this.#entry = entry;
    this.#type = type;
    this.#frame = frame;
    return frame;
  }
}

/** JSON events of whole objects: ready bytes in a small frame. Shared by all watchers of an endpoint. */
export class JsonWatchEncoder implements WatchEncoder {
  readonly contentType = 'application/json';
  readonly #endpoint: Endpoint;
  readonly #last = new LastFrame();
  readonly #joiners = { chunk: new FrameJoiner('chunk'), plain: new FrameJoiner('plain') };

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  event(type: ObjectEventType, entry: Entry<KubernetesObject>): Uint8Array {
    const last = this.#last.get(type, entry);
    if (last !== undefined) return last;
    const bytes = this.#endpoint.bytes(entry);
    const head = heads[type];
    const frame = Buffer.allocUnsafe(head.length + bytes.length + newline.length);
    frame.set(head, 0);
    frame.set(bytes, head.length);
    frame.set(newline, head.length + bytes.length);
    return this.#last.keep(type, entry, frame);
  }

  join(frames: readonly Uint8Array[], size: number, framing: Framing): Uint8Array {
    return this.#joiners[framing].join(frames, size);
  }

  other(type: string, object: object): Uint8Array {
    return jsonFrame(type, object);
  }
}

const PROTOBUF_STREAM = 'application/vnd.kubernetes.protobuf;stream=watch';

/** Protobuf events of whole objects, each after four bytes of its length. Shared by all watchers of an endpoint. */
export class ProtobufWatchEncoder implements WatchEncoder {
  readonly contentType = PROTOBUF_STREAM;
  readonly #endpoint: Endpoint;
  readonly #last = new LastFrame();
  readonly #joiners = { chunk: new FrameJoiner('chunk'), plain: new FrameJoiner('plain') };

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  event(type: ObjectEventType, entry: Entry<KubernetesObject>): Uint8Array {
    const last = this.#last.get(type, entry);
    if (last !== undefined) return last;
    const { apiVersion, resource } = this.#endpoint;
    const object = wrapProtobuf(this.#endpoint.message(entry), apiVersion, resource.kind);
    return this.#last.keep(type, entry, delimited(encodeProtobufWatchEvent(type, object)));
  }

  join(frames: readonly Uint8Array[], size: number, framing: Framing): Uint8Array {
    return this.#joiners[framing].join(frames, size);
  }

  other(type: string, object: object): Uint8Array {
    return protobufFrame(type, object);
  }
}

/** Events of objects that are made into something else first: Table, PartialObjectMetadata. One for each watcher. */
export class TransformingWatchEncoder implements WatchEncoder {
  readonly contentType: string;
  readonly #endpoint: Endpoint;
  readonly #transform: (object: KubernetesObject) => object;
  readonly #frame: (type: string, object: object) => Uint8Array;

  constructor(endpoint: Endpoint, encoding: 'json' | 'protobuf', transform: (object: KubernetesObject) => object) {
    this.#endpoint = endpoint;
    this.#transform = transform;
    this.contentType = encoding === 'json' ? 'application/json' : PROTOBUF_STREAM;
    this.#frame = encoding === 'json' ? jsonFrame : protobufFrame;
  }

  event(type: ObjectEventType, entry: Entry<KubernetesObject>): Uint8Array {
    return this.#frame(type, this.#transform(this.#endpoint.object(entry)));
  }

  join(frames: readonly Uint8Array[], size: number, framing: Framing): Uint8Array {
    return joinFrames(frames, size, framing);
  }

  /** A Status stays what it is. */
  other(type: string, object: object): Uint8Array {
    return this.#frame(type, type === 'ERROR' ? object : this.#transform(object as KubernetesObject));
  }
}

const jsonFrame = (type: string, object: object): Uint8Array =>
  Buffer.from(`{"type":"${type}","object":${JSON.stringify(object)}}\n`);

function protobufFrame(type: string, object: object): Uint8Array {
  const bytes = encodeObject(object, 'protobuf');
  if (bytes === undefined) throw new Error('an object of a watch in protobuf has no protobuf');
  return delimited(encodeProtobufWatchEvent(type, bytes));
}

function delimited(event: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(4 + event.length);
  frame.writeUInt32BE(event.length, 0);
  frame.set(event, 4);
  return frame;
}
