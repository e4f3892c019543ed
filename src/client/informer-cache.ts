import { type KubernetesObject, objectKey } from '../api/meta/object.ts';
import type { Logger } from '../util/logger.ts';
import { Slice } from '../util/slice.ts';
import type { InformerHandler, Lister } from './contract.ts';

interface Index<T> {
  readonly values: (object: T) => readonly string[];
  /** Value to the objects filed under it, by key. */
  readonly buckets: Map<string, Map<string, T>>;
}

const byNamespace = (object: KubernetesObject): readonly string[] => [object.metadata?.namespace ?? ''];

/** The objects of an informer with their indexes, telling handlers of every change. A handler that throws hurts nobody else. */
export class InformerCache<T extends KubernetesObject> implements Lister<T> {
  readonly #objects = new Map<string, T>();
  readonly #namespaces: Index<T> = { values: byNamespace, buckets: new Map() };
  readonly #indexes = new Map<string, Index<T>>();
  readonly #handlers: InformerHandler<T>[] = [];
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(namespace?: string): readonly T[] {
    if (namespace === undefined || namespace === '') return [...this.#objects.values()];
    return this.#bucket(this.#namespaces, namespace);
  }

  byIndex(name: string, value: string): readonly T[] {
    const index = this.#indexes.get(name);
    if (index === undefined) throw new Error(`no index ${name}`);
    return this.#bucket(index, value);
  }

  addIndex(name: string, values: (object: T) => readonly string[]): void {
    if (this.#indexes.has(name)) return;
    const index: Index<T> = { values, buckets: new Map() };
    for (const [key, object] of this.#objects) file(index, key, undefined, object);
    this.#indexes.set(name, index);
  }

  /** A late handler is first told of everything there is. */
  addHandler(handler: InformerHandler<T>): void {
    for (const object of this.#objects.values()) this.#tell(handler, 'onAdd', object, undefined, true);
    this.#handlers.push(handler);
  }

  /** Makes the cache hold exactly `items`; handlers hear of the differences. */
  async replace(items: readonly T[]): Promise<void> {
    const kept = new Set<string>();
    const slice = new Slice();
    for (const item of items) {
      kept.add(objectKey(item));
      this.put(item, true);
      if (slice.over) await slice.next();
    }
    if (this.#objects.size === kept.size) return;
    for (const [key, object] of this.#objects) if (!kept.has(key)) this.remove(object);
  }

  put(object: T, inInitialList = false): void {
    const key = objectKey(object);
    const old = this.#objects.get(key);
    if (old !== undefined && sameVersion(old, object)) return;
    if (old !== undefined && old.metadata?.uid !== object.metadata?.uid) {
      // Deleted and made anew between two observations: two objects, so two events.
      this.remove(old);
      this.put(object, inInitialList);
      return;
    }
    this.#objects.set(key, object);
    this.#file(key, old, object);
    for (const handler of this.#handlers) {
      if (old === undefined) this.#tell(handler, 'onAdd', object, undefined, inInitialList);
      else this.#tell(handler, 'onUpdate', object, old, false);
    }
  }

  remove(object: T): void {
    const key = objectKey(object);
    const old = this.#objects.get(key);
    if (old === undefined) return;
    this.#objects.delete(key);
    this.#file(key, old, undefined);
    for (const handler of this.#handlers) this.#tell(handler, 'onDelete', object, undefined, false);
  }

  #file(key: string, old: T | undefined, next: T | undefined): void {
    file(this.#namespaces, key, old, next);
    for (const index of this.#indexes.values()) file(index, key, old, next);
  }

  #bucket(index: Index<T>, value: string): readonly T[] {
    const bucket = index.buckets.get(value);
    return bucket === undefined ? [] : [...bucket.values()];
  }

  #tell(
    handler: InformerHandler<T>,
    what: 'onAdd' | 'onUpdate' | 'onDelete',
    object: T,
    old: T | undefined,
    inInitialList: boolean,
  ): void {
    try {
      if (what === 'onAdd') handler.onAdd?.(object, inInitialList);
      else if (what === 'onUpdate') handler.onUpdate?.(object, old!);
      else handler.onDelete?.(object);
    } catch (err) {
      this.#logger.error({ err, key: objectKey(object) }, `${what} handler failed`);
    }
  }
}

function sameVersion(a: KubernetesObject, b: KubernetesObject): boolean {
  const version = a.metadata?.resourceVersion;
  return version !== undefined && version === b.metadata?.resourceVersion && a.metadata?.uid === b.metadata?.uid;
}

function file<T>(index: Index<T>, key: string, old: T | undefined, next: T | undefined): void {
  if (old !== undefined) {
    for (const value of index.values(old)) {
      const bucket = index.buckets.get(value);
      if (bucket?.delete(key) === true && bucket.size === 0) index.buckets.delete(value);
    }
  }
  if (next === undefined) return;
  for (const value of index.values(next)) {
    let bucket = index.buckets.get(value);
    if (bucket === undefined) {
      bucket = new Map();
      index.buckets.set(value, bucket);
    }
    bucket.set(key, next);
  }
}
