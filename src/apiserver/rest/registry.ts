import type { KubernetesObject } from '../../api/meta/object.ts';
import { apiVersionOf } from '../../api/meta/object.ts';
import type { Resource } from '../../api/resource.ts';
import type { Collection } from '../../store/collection.ts';
import type { ResourceView, VirtualResource } from '../contract.ts';
import { ObjectCodec } from './codec.ts';
import { Endpoint, isCustom, type StoredType } from './endpoint.ts';

/** Opens the collection of everything under a prefix; it ends with the signal. */
export type OpenCollection = (prefix: string, codec: ObjectCodec, signal: AbortSignal) => Promise<Collection<KubernetesObject>>;

interface OpenType extends StoredType {
  resource: Resource;
  users: number;
}

/** Every type served now: stored ones by version, and virtual ones. Types come and go with their CRDs. */
export class Registry {
  readonly #open: OpenCollection;
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #virtual = new Map<string, VirtualResource>();
  readonly #definitions = new Map<VirtualResource, Resource>();
  readonly #stored = new Map<string, Promise<OpenType>>();
  readonly #views = new Map<string, ResourceView>();
  readonly #listeners: (() => void)[] = [];
  #generation = 0;

  constructor(open: OpenCollection) {
    this.#open = open;
  }

  /** Grows with every change of what is served: discovery and OpenAPI are made anew when it has. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * Serves a set of types. Those stored in one place share their collection; its storage version must be among them, be served already,
   * or have the same form as the only one that is.
   */
  async add(resources: readonly Resource[]): Promise<void> {
    const made = await Promise.all(
      resources.map(async (resource) => {
        const writer =
          resources.find((r) => r.storage.prefix === resource.storage.prefix && isStorageVersion(r)) ??
          this.#writerOf(resource) ??
          resource;
        return new Endpoint(resource, await this.#openType(writer));
      }),
    );
    const replaced = made.map((endpoint) => this.#endpoints.get(keyOf(endpoint.resource)));
    for (const endpoint of made) this.#endpoints.set(keyOf(endpoint.resource), endpoint);
    this.#changed();
    for (const endpoint of replaced) endpoint?.end();
  }

  /** Replaces the definitions of types whose objects stay where they are (a CRD that changed). */
  async replace(before: readonly Resource[], after: readonly Resource[]): Promise<void> {
    await this.add(after);
    const kept = new Set(after.map(keyOf));
    for (const resource of before) {
      if (!kept.has(keyOf(resource))) this.#forget(resource);
      await this.#release(resource.storage.prefix);
    }
    this.#changed();
  }

  /** Stops serving types. Their objects stay in the store. */
  async remove(resources: readonly Resource[]): Promise<void> {
    for (const resource of resources) {
      this.#forget(resource);
      await this.#release(resource.storage.prefix);
    }
    this.#changed();
  }

  /** Serves a type that is never stored. `definition` knows its defaults and validation. */
  addVirtual(resource: VirtualResource, definition?: Resource): void {
    this.#virtual.set(keyOf(resource), resource);
    if (definition !== undefined) this.#definitions.set(resource, definition);
    this.#changed();
  }

  /** How the objects of a virtual type are defined, where that is known. */
  definitionOf(virtual: VirtualResource): Resource | undefined {
    return this.#definitions.get(virtual);
  }

  find(group: string, version: string, plural: string): Endpoint | undefined {
    return this.#endpoints.get(`${group}/${version}/${plural}`);
  }

  findVirtual(group: string, version: string, plural: string): VirtualResource | undefined {
    return this.#virtual.get(`${group}/${version}/${plural}`);
  }

  /** Whether anything is served in this group version. */
  hasGroupVersion(group: string, version: string): boolean {
    const prefix = `${group}/${version}/`;
    for (const key of this.#endpoints.keys()) if (key.startsWith(prefix)) return true;
    for (const key of this.#virtual.keys()) if (key.startsWith(prefix)) return true;
    return false;
  }

  endpoints(): Iterable<Endpoint> {
    return this.#endpoints.values();
  }

  virtuals(): Iterable<VirtualResource> {
    return this.#virtual.values();
  }

  *resources(): Iterable<Resource> {
    for (const endpoint of this.#endpoints.values()) yield endpoint.resource;
  }

  /** Calls `listener` after every change of what is served. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** The live view of a type by group and plural, in its storage version. */
  view<T extends KubernetesObject>(group: string, plural: string): ResourceView<T> | undefined {
    const key = `${group}/${plural}`;
    const known = this.#views.get(key);
    if (known !== undefined) return known as unknown as ResourceView<T>;
    for (const endpoint of this.#endpoints.values()) {
      if (endpoint.id !== key) continue;
      const view = new CollectionView(endpoint.stored);
      this.#views.set(key, view);
      return view as unknown as ResourceView<T>;
    }
    return undefined;
  }

  async close(): Promise<void> {
    for (const stored of this.#stored.values()) (await stored).close();
    this.#stored.clear();
  }

  #forget(resource: Resource): void {
    const key = keyOf(resource);
    this.#endpoints.get(key)?.end();
    this.#endpoints.delete(key);
  }

  #writerOf(resource: Resource): Resource | undefined {
    for (const { resource: r } of this.#endpoints.values()) {
      if (r.storage.prefix === resource.storage.prefix && isStorageVersion(r)) return r;
    }
    return undefined;
  }

  async #openType(writer: Resource): Promise<StoredType> {
    const { prefix } = writer.storage;
    let opening = this.#stored.get(prefix);
    if (opening === undefined) {
      opening = this.#openNew(writer);
      this.#stored.set(prefix, opening);
    }
    const stored = await opening;
    stored.users++;
    stored.resource = writer;
    return stored;
  }

  async #openNew(writer: Resource): Promise<OpenType> {
    const codec = codecOf(writer);
    const end = new AbortController();
    const { prefix } = writer.storage;
    const collection = await this.#open(`${prefix}/`, codec, end.signal);
    return { prefix, collection, resource: writer, codec, users: 0, close: () => end.abort() };
  }

  async #release(prefix: string): Promise<void> {
    const stored = await this.#stored.get(prefix);
    if (stored === undefined || --stored.users > 0) return;
    this.#stored.delete(prefix);
    stored.close();
  }

  /** What is served together with others' has changed: documents are made anew. */
  touch(): void {
    this.#changed();
  }

  #changed(): void {
    this.#generation++;
    this.#views.clear();
    for (const listener of this.#listeners) listener();
  }
}

const keyOf = (r: { readonly group: string; readonly version: string; readonly plural: string }): string =>
  `${r.group}/${r.version}/${r.plural}`;

const isStorageVersion = (r: Resource): boolean => apiVersionOf(r) === apiVersionOf(r.storage);

/**
 * How the objects of a type are stored. A built-in type may be stored in a version that is not served, and has the same form there; objects
 * from before that was so are taken for what they would be now.
 */
function codecOf(writer: Resource): ObjectCodec {
  if (isCustom(writer) || isStorageVersion(writer)) {
    return new ObjectCodec(writer, (object) => writer.defaults(object), isCustom(writer));
  }
  const apiVersion = apiVersionOf(writer.storage);
  return new ObjectCodec({ ...writer.storage, kind: writer.kind }, (object) => ({ ...writer.defaults(object), apiVersion }));
}

class CollectionView implements ResourceView {
  readonly resource: Resource;
  readonly #stored: StoredType;
  constructor(stored: StoredType) {
    this.resource = stored.resource;
    this.#stored = stored;
  }
  get revision(): number {
    return this.#stored.collection.revision;
  }
  get(namespace: string, name: string): KubernetesObject | undefined {
    const { prefix, collection } = this.#stored;
    return collection.get(namespace === '' ? `${prefix}/${name}` : `${prefix}/${namespace}/${name}`)?.object;
  }
  *list(namespace = ''): Iterable<KubernetesObject> {
    const { prefix, collection } = this.#stored;
    const from = namespace === '' ? `${prefix}/` : `${prefix}/${namespace}/`;
    for (const entry of collection.snapshot().entries(from)) yield entry.object;
  }
  watch(
    onChange: (change: {
      readonly type: 'added' | 'modified' | 'deleted';
      readonly object: KubernetesObject;
      readonly previous: KubernetesObject | undefined;
    }) => void,
    signal: AbortSignal,
  ): void {
    const { collection } = this.#stored;
    const follow = (): void => {
      collection.watch(
        collection.revision,
        {
          onChange: (c) => onChange({ type: c.type, object: c.entry.object, previous: c.previous?.object }),
          onError: () => {
            // The collection loads itself anew after a fault; a view goes on from there.
            if (!signal.aborted) follow();
          },
        },
        signal,
      );
    };
    follow();
  }
}
