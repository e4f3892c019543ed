import { apiVersionOf, type KubernetesObject } from '../../api/meta/object.ts';
import { type ErrorSubject, internalStatus } from '../../api/meta/status.ts';
import type { Resource } from '../../api/resource.ts';
import type { ObjectSchema } from '../../api/schema/schema.ts';
import { encodeMessage } from '../../api/wire/protobuf.ts';
import type { Collection, Entry } from '../../store/collection.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { ObjectCodec } from './codec.ts';
import { Families } from './families.ts';

/** Objects that a conversion webhook gets in one call. */
const MAX_CONVERTED_AT_ONCE = 500;

/** One stored type: its collection, shared by every version served of it. */
export interface StoredType {
  readonly prefix: string;
  readonly collection: Collection<KubernetesObject>;
  /** The version it is written in: another one when a custom type's definition says so. */
  readonly resource: Resource;
  readonly codec: ObjectCodec;
  /** Ends the collection with the type (a CRD that is deleted). */
  close(): void;
}

/** One served version of a stored type: where requests for it read and write, and what its objects look like on the wire. */
export class Endpoint {
  readonly resource: Resource;
  readonly stored: StoredType;
  readonly collection: Collection<KubernetesObject>;
  /** For errors: group and plural. */
  readonly subject: ErrorSubject;
  /** For errors about an object that is invalid: of the kind as it is stored, as upstream names events of either group. */
  readonly invalidSubject: { readonly group: string; readonly kind: string };
  readonly apiVersion: string;
  /** What list items leave out; empty when items keep it, as custom resources do. */
  readonly itemHead: Uint8Array;
  /** `group/plural`: a key for per-type tables. */
  readonly id: string;
  /** What its protobuf is written by; undefined for custom resources, which have none. */
  readonly protobuf: ObjectSchema | undefined;
  /** For a type that is made up when it is asked for: brings its collection up to date before a read. */
  refresh: (() => Promise<void>) | undefined;
  readonly families = new Families();
  /** Whether objects are stored as this version shows them, so that stored bytes are the answer. */
  readonly #native: boolean;
  readonly #ended = new AbortController();
  readonly #codec: ObjectCodec;
  readonly #converted = new WeakMap<KubernetesObject, KubernetesObject>();
  readonly #storable = new WeakMap<KubernetesObject, KubernetesObject>();
  readonly #convertedBytes = new WeakMap<Entry<KubernetesObject>, Uint8Array>();
  readonly #messages = new WeakMap<Entry<KubernetesObject>, Uint8Array>();

  constructor(resource: Resource, stored: StoredType) {
    this.resource = resource;
    this.stored = stored;
    this.collection = stored.collection;
    this.subject = { group: resource.group, resource: resource.plural };
    this.invalidSubject = { group: resource.storage.group, kind: resource.kind };
    this.apiVersion = apiVersionOf(resource);
    this.id = `${resource.group}/${resource.plural}`;
    this.#native =
      resource.storage.version === resource.version &&
      resource.storage.group === resource.group &&
      resource.conversion === undefined;
    this.#codec = this.#native ? stored.codec : new ObjectCodec(resource, (object) => object);
    const custom = isCustom(resource);
    this.itemHead = custom ? new Uint8Array(0) : this.#codec.head;
    this.protobuf = custom || resource.schema.kind !== 'object' ? undefined : resource.schema;
  }

  /** Aborts when this version is served no more, or by another endpoint: its watches end. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  end(): void {
    this.#ended.abort();
  }

  key(namespace: string, name: string): string {
    return this.resource.namespaced ? `${this.stored.prefix}/${namespace}/${name}` : `${this.stored.prefix}/${name}`;
  }

  /** The prefix of all keys of a collection request; `namespace` '' means all. */
  keyPrefix(namespace: string): string {
    return namespace === '' || !this.resource.namespaced ? `${this.stored.prefix}/` : `${this.stored.prefix}/${namespace}/`;
  }

  /** Whether versions are converted by somebody else: `ready` has to be awaited before an object is looked at. */
  get isRemote(): boolean {
    return this.resource.conversion?.remote !== undefined;
  }

  /** Makes stored objects convertible at once; undefined when they are. Rejects with a StatusError. */
  ready(objects: Iterable<KubernetesObject>): Promise<void> | undefined {
    const { conversion } = this.resource;
    if (conversion?.remote === undefined) return undefined;
    const missing: KubernetesObject[] = [];
    for (const object of objects) {
      if (object.apiVersion !== this.apiVersion && !this.#converted.has(object)) missing.push(object);
    }
    return missing.length === 0 ? undefined : this.#convertRemotely(missing);
  }

  async #convertRemotely(objects: readonly KubernetesObject[]): Promise<void> {
    const { conversion, kind } = this.resource;
    for (let from = 0; from < objects.length; from += MAX_CONVERTED_AT_ONCE) {
      const batch = objects.slice(from, from + MAX_CONVERTED_AT_ONCE);
      const converted = await conversion!.remote!(batch, this.apiVersion);
      batch.forEach((object, i) => {
        this.#converted.set(object, deepFreeze({ ...converted[i], kind, apiVersion: this.apiVersion } as KubernetesObject));
      });
    }
  }

  /** Makes an object storable at once; undefined when it is. Rejects with a StatusError. */
  readyToStore(object: KubernetesObject): Promise<void> | undefined {
    const { conversion, storage } = this.resource;
    const apiVersion = apiVersionOf(storage);
    if (conversion?.remote === undefined || apiVersion === this.apiVersion) return undefined;
    return conversion.remote([object], apiVersion).then(([stored]) => void this.#storable.set(object, stored!));
  }

  /** The object as this version shows it. Frozen. */
  object(entry: Entry<KubernetesObject>): KubernetesObject {
    return this.#native ? entry.object : this.fromStored(entry.object);
  }

  /** A stored object as this version shows it. */
  fromStored(object: KubernetesObject): KubernetesObject {
    if (this.#native) return object;
    let converted = this.#converted.get(object);
    if (converted === undefined) {
      const { conversion, kind } = this.resource;
      if (this.isRemote && object.apiVersion !== this.apiVersion) throw internalStatus('the object has not been converted');
      const plain = conversion === undefined ? object : conversion.fromStorage(object);
      const asItIs = plain === object && object.kind === kind && object.apiVersion === this.apiVersion;
      converted = asItIs ? object : deepFreeze({ ...plain, kind, apiVersion: this.apiVersion });
      this.#converted.set(object, converted);
    }
    return converted;
  }

  /** An object of this version as it is stored. */
  toStored(object: KubernetesObject): KubernetesObject {
    if (this.#native) return object;
    const { conversion } = this.resource;
    const ready = this.#storable.get(object);
    if (ready !== undefined) return ready;
    const plain = conversion === undefined ? object : conversion.toStorage(object);
    const apiVersion = apiVersionOf(this.resource.storage);
    if (plain === object && object.apiVersion === apiVersion) return object;
    return { ...plain, kind: this.stored.resource.kind, apiVersion };
  }

  /** The wire JSON of an entry. */
  bytes(entry: Entry<KubernetesObject>): Uint8Array {
    if (this.#native) return entry.bytes;
    let bytes = this.#convertedBytes.get(entry);
    if (bytes === undefined) {
      const object = this.object(entry);
      // Most custom objects are stored as they are shown, whatever the conversion might have done.
      bytes = object === entry.object ? entry.bytes : this.#codec.wire(object);
      this.#convertedBytes.set(entry, bytes);
    }
    return bytes;
  }

  /** The protobuf message of an entry, without an envelope: what single answers, list items and watch events are made of. */
  message(entry: Entry<KubernetesObject>): Uint8Array {
    const known = this.#native ? entry.other : this.#messages.get(entry);
    if (known !== undefined) return known;
    if (this.protobuf === undefined) throw new Error(`${this.id} has no protobuf`);
    const message = encodeMessage(this.protobuf, this.object(entry));
    if (this.#native) entry.other = message;
    else this.#messages.set(entry, message);
    return message;
  }
}

/** Custom resources have no OpenAPI name: their schema comes from their definition. */
export const isCustom = (resource: Resource): boolean => resource.schema.kind === 'object' && resource.schema.name === undefined;
