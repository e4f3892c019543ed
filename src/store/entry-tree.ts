import type { Codec, CollectionSnapshot, Entry } from './collection.ts';
import { compareKeys, SortedMap } from './sorted-map.ts';

/** Entries by key, in key order. Cloning is free; the clone shares what neither side changes later. */
export type EntryTree<T> = SortedMap<string, Entry<T>>;

/** Sorts after every key. */
const LAST = '\x7f';

export function newEntryTree<T>(): EntryTree<T> {
  return new SortedMap<string, Entry<T>>(undefined, compareKeys);
}

/** An entry that makes its bytes when first asked. */
export class LazyEntry<T> implements Entry<T> {
  readonly key: string;
  readonly object: T;
  readonly revision: number;
  readonly createRevision: number;
  readonly #codec: Codec<T>;
  #bytes: Uint8Array | undefined;
  other: Uint8Array | undefined = undefined;
  constructor(key: string, object: T, revision: number, createRevision: number, codec: Codec<T>) {
    this.key = key;
    this.object = object;
    this.revision = revision;
    this.createRevision = createRevision;
    this.#codec = codec;
  }
  get bytes(): Uint8Array {
    return (this.#bytes ??= this.#codec.wire(this.object));
  }
  /** Lets the bytes go; they are made again when somebody asks. */
  release(): void {
    this.#bytes = undefined;
    this.other = undefined;
  }
}

/** A snapshot over a tree that nobody changes any more. */
export class TreeSnapshot<T> implements CollectionSnapshot<T> {
  readonly revision: number;
  readonly #tree: EntryTree<T>;
  constructor(revision: number, tree: EntryTree<T>) {
    this.revision = revision;
    this.#tree = tree;
  }
  get size(): number {
    return this.#tree.size;
  }
  /** A tree of one's own to change. */
  cloneTree(): EntryTree<T> {
    return this.#tree.clone();
  }
  /** The same entries, known to be the state at a later revision too. */
  at(revision: number): TreeSnapshot<T> {
    return revision === this.revision ? this : new TreeSnapshot(revision, this.#tree);
  }
  get(key: string): Entry<T> | undefined {
    return this.#tree.get(key);
  }
  entries(prefix: string, after?: string): Iterable<Entry<T>> {
    return { [Symbol.iterator]: () => new EntryIterator(this.#tree, prefix, after) };
  }
  count(prefix: string, after?: string): number {
    if (prefix === '' && after === undefined) return this.#tree.size;
    // No key lies between one and itself with a NUL.
    const from = after !== undefined && after >= prefix ? `${after}\0` : prefix;
    return this.#tree.forRange(from, prefix + LAST, false);
  }
}

class EntryIterator<T> implements IterableIterator<Entry<T>> {
  readonly #pairs: Iterator<(string | Entry<T>)[]>;
  readonly #prefix: string;
  readonly #after: string | undefined;
  #done = false;
  constructor(tree: EntryTree<T>, prefix: string, after: string | undefined) {
    const from = after !== undefined && after > prefix ? after : prefix;
    this.#pairs = tree.entries(from, []) as Iterator<(string | Entry<T>)[]>;
    this.#prefix = prefix;
    this.#after = after;
  }
  [Symbol.iterator](): this {
    return this;
  }
  next(): IteratorResult<Entry<T>> {
    while (!this.#done) {
      const step = this.#pairs.next();
      if (step.done === true) break;
      const key = step.value[0] as string;
      if (key === this.#after) continue;
      if (!key.startsWith(this.#prefix)) break;
      return { done: false, value: step.value[1] as Entry<T> };
    }
    this.#done = true;
    return { done: true, value: undefined };
  }
}
