import imported from 'sorted-btree';

type Module = typeof imported;

/**
 * A sorted map with free clones that share what neither side changes later. The package is CommonJS: what an ES module sees as its default
 * export is the module itself or the class, depending on who loads it.
 */
export const SortedMap: Module['default'] = 'default' in imported ? imported.default : (imported as unknown as Module['default']);
export type SortedMap<K, V> = InstanceType<typeof SortedMap<K, V>>;

/** The order of keys: by character code, which for ASCII is the order of the bytes. */
export function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
