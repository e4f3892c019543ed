import type { RequestAttributes } from '../contract.ts';

/** Watchers of one type. */
interface Counts {
  /** Of everything. */
  all: number;
  /** Of one namespace, and of one object: `namespace/name`. */
  readonly some: Map<string, number>;
}

/** How many watch what: a write costs what its watchers do. */
export class WatcherCounts {
  readonly #types = new Map<string, Counts>();

  /** One begins to watch. Gives what ends it. */
  add(request: RequestAttributes): () => void {
    const type = typeOf(request);
    let counts = this.#types.get(type);
    if (counts === undefined) this.#types.set(type, (counts = { all: 0, some: new Map() }));
    const { some } = counts;
    if (request.namespace === '' && request.name === '') {
      counts.all++;
      return () => {
        counts.all--;
        this.#forgetIfEmpty(type, counts);
      };
    }
    const key = keyOf(request.namespace, request.name);
    some.set(key, (some.get(key) ?? 0) + 1);
    return () => {
      const left = (some.get(key) ?? 1) - 1;
      if (left === 0) some.delete(key);
      else some.set(key, left);
      this.#forgetIfEmpty(type, counts);
    };
  }

  #forgetIfEmpty(type: string, counts: Counts): void {
    if (counts.all === 0 && counts.some.size === 0) this.#types.delete(type);
  }

  /** How many would see a write. */
  of(request: RequestAttributes): number {
    const counts = this.#types.get(typeOf(request));
    if (counts === undefined) return 0;
    const { all, some } = counts;
    if (some.size === 0) return all;
    const { namespace, name } = request;
    let count = all;
    if (namespace !== '') count += some.get(keyOf(namespace, '')) ?? 0;
    if (name !== '') count += (some.get(keyOf('', name)) ?? 0) + (namespace === '' ? 0 : (some.get(keyOf(namespace, name)) ?? 0));
    return count;
  }
}

const typeOf = ({ apiGroup, resource }: RequestAttributes): string => (apiGroup === '' ? resource : `${resource}.${apiGroup}`);
const keyOf = (namespace: string, name: string): string => `${namespace}/${name}`;
