import { deepFreeze } from '../util/deep-freeze.ts';

/**
 * Parts of objects that come again and again: the spec of pods that are made of one template. What is worked out of such a part alone is worked
 * out once, and kept with it for as long as anything holds the part. Nothing is kept for parts that nobody has marked.
 */
const known = new WeakMap<object, Map<object, unknown>>();

/** Says that a part has come more than once. It must be deeply frozen. */
export function markRepeated(part: object): void {
  if (!known.has(part)) known.set(part, new Map());
}

export const isRepeated = (part: object): boolean => known.has(part);

/** The kept result of `key` for a part; undefined when there is none. */
export function recall<T>(part: object, key: object): T | undefined {
  return known.get(part)?.get(key) as T | undefined;
}

/** Keeps a result for a repeated part: it must depend on nothing but the part and `key`. */
export function keep(part: object, key: object, result: unknown): void {
  known.get(part)?.set(key, result);
}

/**
 * What `make` gives for a part, which must depend on the part alone; kept under `key` when the part is a repeated one. An object that comes of
 * a repeated part is frozen, and a repeated part itself.
 */
export function onceFor<P extends object, T>(part: P, key: object, make: (part: P) => T): T {
  const results = known.get(part);
  if (results === undefined) return make(part);
  const kept = results.get(key) as T | undefined;
  if (kept !== undefined) return kept;
  const result = make(part);
  if (typeof result === 'object' && result !== null) markRepeated(deepFreeze(result));
  results.set(key, result);
  return result;
}
