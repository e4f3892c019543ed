import type { KubernetesObject } from '../../api/meta/object.ts';
import { apiVersionOf } from '../../api/meta/object.ts';
import { isRepeated, onceFor } from '../../api/repeated-parts.ts';
import type { ObjectMeta } from '../../api/types/meta-v1.ts';
import { parseExactly } from '../../api/wire/exact-integers.ts';
import type { Codec } from '../../store/collection.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';

const OPEN_BRACE = 0x7b;
/** Objects of one type whose bytes wait for their writer at most. */
const MAX_ENCODED = 512;
/** Texts up to this length are written where there is room already, and then copied: making bytes of a string is dear by itself. */
const MAX_SCRATCH_TEXT = 16 * 1024;
/** UTF-16 units take at most three bytes each. */
const MAX_BYTES_PER_UNIT = 3;

/**
 * How one stored type is written: its JSON, kind and apiVersion first, metadata next, without the resourceVersion. All three come at a known
 * offset, so that the wire form is the stored bytes with the revision put in between, and a list item the wire form without its head.
 */
export class ObjectCodec implements Codec<KubernetesObject> {
  readonly #kind: string;
  readonly #apiVersion: string;
  readonly #withDefaults: (object: KubernetesObject) => KubernetesObject;
  /** Custom types: objects are kept in the version that they say they are in, which may change, and have integers of any size. */
  readonly #mixed: boolean;
  /** `{"kind":"Pod","apiVersion":"v1",`: what a list item leaves out. */
  readonly head: Buffer;
  /** Where in stored bytes the metadata's first field begins. */
  readonly #metadataAt: number;
  /** Bytes of objects on their way into the store and out to who wrote them, so that the wire form needs no second stringify. */
  readonly #encoded = new Map<KubernetesObject, Buffer>();
  #scratch: Buffer | undefined;

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
    const apiVersion = this.#mixed ? (given ?? this.#apiVersion) : this.#apiVersion;
    const head = `{"kind":${JSON.stringify(this.#kind)},"apiVersion":${JSON.stringify(apiVersion)},"metadata":`;
    const bytes = this.#bytesOf(`${head}${metadataText(metadata ?? {})}${membersText(rest, ',')}}`);
    this.#keep(object, bytes);
    return bytes;
  }

  #bytesOf(text: string): Buffer {
    if (text.length > MAX_SCRATCH_TEXT) return Buffer.from(text);
    const scratch = (this.#scratch ??= Buffer.allocUnsafeSlow(MAX_SCRATCH_TEXT * MAX_BYTES_PER_UNIT));
    const length = scratch.write(text, 0);
    const out = Buffer.allocUnsafe(length);
    scratch.copy(out, 0, 0, length);
    return out;
  }

  /** Not everybody who writes wants to read it: what nobody asked for is forgotten. */
  #keep(object: KubernetesObject, bytes: Buffer): void {
    if (this.#encoded.size >= MAX_ENCODED) this.#encoded.delete(this.#encoded.keys().next().value!);
    this.#encoded.set(object, bytes);
  }

  decode(bytes: Uint8Array, revision: number): KubernetesObject {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
    const object = (this.#mixed ? parseExactly(text) : JSON.parse(text)) as KubernetesObject & {
      metadata: { resourceVersion: string };
    };
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

const textKey = {};

/** The JSON of a value. That of parts which come again is kept: the specs of a template's objects, and the sets of fields that their writers own. */
function textOf(value: unknown): string | undefined {
  return typeof value === 'object' && value !== null && isRepeated(value)
    ? onceFor(value, textKey, JSON.stringify)
    : JSON.stringify(value);
}

/** The members of an object, each behind a comma; behind `first` the first of them. */
function membersText(members: object, first: string): string {
  let text = '';
  let before = first;
  for (const key of Object.keys(members)) {
    const member = textOf((members as Readonly<Record<string, unknown>>)[key]);
    if (member === undefined) continue;
    text += `${before}${JSON.stringify(key)}:${member}`;
    before = ',';
  }
  return text;
}

/** Without the version, and with managedFields at the end, as Go writes them. */
function metadataText(metadata: ObjectMeta): string {
  const { resourceVersion: _resourceVersion, managedFields, ...others } = metadata;
  const text = JSON.stringify(others);
  if (managedFields === undefined) return text;
  let entries = '';
  for (const entry of managedFields) entries += `${entries === '' ? '{' : ',{'}${membersText(entry, '')}}`;
  return `${text.slice(0, -1)}${text === '{}' ? '' : ','}"managedFields":[${entries}]}`;
}

/** How many bytes a list item without its head takes. */
export const itemLength = (bytes: Uint8Array, head: Uint8Array): number => bytes.length - head.length + 1;

/** Copies an object's bytes into `target` without kind and apiVersion, as typed lists hold them; gives the offset behind it. */
export function copyItem(bytes: Uint8Array, head: Uint8Array, target: Buffer, at: number): number {
  target[at] = OPEN_BRACE;
  target.set(bytes.subarray(head.length), at + 1);
  return at + bytes.length - head.length + 1;
}
