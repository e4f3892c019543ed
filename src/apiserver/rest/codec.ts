import type { KubernetesObject } from '../../api/meta/object.ts';
import { apiVersionOf } from '../../api/meta/object.ts';
import type { Codec } from '../../store/collection.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';

const OPEN_BRACE = 0x7b;
/** Objects of one type whose bytes wait for their writer at most. */
const MAX_ENCODED = 512;

/**
 * How one stored type is written: its JSON, kind and apiVersion first, metadata next, without the resourceVersion. All three come at a known
 * offset, so that the wire form is the stored bytes with the revision put in between, and a list item the wire form without its head.
 */
export class ObjectCodec implements Codec<KubernetesObject> {
  readonly #kind: string;
  readonly #apiVersion: string;
  readonly #withDefaults: (object: KubernetesObject) => KubernetesObject;
  /** Whether objects are kept in the version that they say they are in: the storage version of custom types may change. */
  readonly #mixed: boolean;
  /** `{"kind":"Pod","apiVersion":"v1",`: what a list item leaves out. */
  readonly head: Buffer;
  /** Where in stored bytes the metadata's first field begins. */
  readonly #metadataAt: number;
  /** Bytes of objects on their way into the store and out to who wrote them, so that the wire form needs no second stringify. */
  readonly #encoded = new Map<KubernetesObject, Buffer>();

  constructor(
    type: { readonly group: string; readonly version: string; readonly kind: string },
    withDefaults: (object: KubernetesObject) => KubernetesObject,
    mixed = false,
  ) {
    this.#mixed = mixed;
    this.#kind = type.kind;
    this.#apiVersion = apiVersionOf(type);
    this.#withDefaults = withDefaults;
    this.head = Buffer.from(`{"kind":${JSON.stringify(this.#kind)},"apiVersion":${JSON.stringify(this.#apiVersion)},`);
    this.#metadataAt = this.head.length + '"metadata":{'.length;
  }

  encode(object: KubernetesObject): Buffer {
    const { kind: _kind, apiVersion: given, metadata, ...rest } = object;
    const { resourceVersion: _resourceVersion, ...stored } = metadata ?? {};
    const apiVersion = this.#mixed ? (given ?? this.#apiVersion) : this.#apiVersion;
    const bytes = Buffer.from(JSON.stringify({ kind: this.#kind, apiVersion, metadata: stored, ...rest }));
    this.#keep(object, bytes);
    return bytes;
  }

  /** Not everybody who writes wants to read it: what nobody asked for is forgotten. */
  #keep(object: KubernetesObject, bytes: Buffer): void {
    if (this.#encoded.size >= MAX_ENCODED) this.#encoded.delete(this.#encoded.keys().next().value!);
    this.#encoded.set(object, bytes);
  }

  decode(bytes: Uint8Array, revision: number): KubernetesObject {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
    const object = JSON.parse(text) as KubernetesObject & { metadata: { resourceVersion: string } };
    object.metadata.resourceVersion = String(revision);
    return deepFreeze(this.#withDefaults(object));
  }

  withRevision(object: KubernetesObject, revision: number): KubernetesObject {
    const { resourceVersion: _old, ...metadata } = object.metadata ?? {};
    const stamped = deepFreeze({ ...object, metadata: { ...metadata, resourceVersion: String(revision) } });
    const bytes = this.#encoded.get(object);
    if (bytes !== undefined) {
      this.#encoded.delete(object);
      this.#keep(stamped, bytes);
    }
    return stamped;
  }

  wire(object: KubernetesObject): Buffer {
    let bytes = this.#encoded.get(object);
    if (bytes === undefined) bytes = this.encode(object);
    this.#encoded.delete(object);
    const at = this.#metadataAt + (this.#mixed ? (object.apiVersion ?? this.#apiVersion).length - this.#apiVersion.length : 0);
    // Latin-1 writes are the cheap way in for ASCII. An object has at least a name, so a field follows.
    const revision = `"resourceVersion":"${object.metadata?.resourceVersion ?? ''}",`;
    // Memory of its own: it may be kept for long, and a part of Node's pool would keep all that was in the pool at the time.
    const out = Buffer.allocUnsafeSlow(bytes.length + revision.length);
    bytes.copy(out, 0, 0, at);
    out.write(revision, at, 'latin1');
    bytes.copy(out, at + revision.length, at);
    return out;
  }
}

/** How many bytes a list item without its head takes. */
export const itemLength = (bytes: Uint8Array, head: Uint8Array): number => bytes.length - head.length + 1;

/** Copies an object's bytes into `target` without kind and apiVersion, as typed lists hold them; gives the offset behind it. */
export function copyItem(bytes: Uint8Array, head: Uint8Array, target: Buffer, at: number): number {
  target[at] = OPEN_BRACE;
  target.set(bytes.subarray(head.length), at + 1);
  return at + bytes.length - head.length + 1;
}
