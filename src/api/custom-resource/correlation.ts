import { deepEqual } from '../groups/define.ts';
import type { JSONSchemaProps } from '../types/apiextensions-v1.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/**
 * A value beside the one it replaces, on the way down through both: what KEP-4008 (ratcheting) compares. Maps correlate by key, lists of type
 * `map` by their keys; other lists do not correlate by item. Made for one validation, and thrown away with it.
 */
export class Correlation {
  readonly value: unknown;
  readonly old: unknown;
  readonly #schema: JSONSchemaProps;
  readonly #children = new Map<string | number, Correlation>();
  #equal: boolean | undefined;
  #oldItems: ItemsByKey | undefined;

  constructor(value: unknown, old: unknown, schema: JSONSchemaProps) {
    this.value = value;
    this.old = old;
    this.#schema = schema;
  }

  /** The member of that name, where both have it. */
  key(name: string): Correlation | undefined {
    const known = this.#children.get(name);
    if (known !== undefined) return known;
    const { value, old } = this;
    if (!isObject(value) || !isObject(old) || !Object.hasOwn(value, name) || !Object.hasOwn(old, name)) return undefined;
    const { properties, additionalProperties } = this.#schema;
    const schema =
      properties !== undefined && Object.hasOwn(properties, name)
        ? properties[name]
        : typeof additionalProperties === 'object'
          ? additionalProperties
          : undefined;
    if (schema === undefined) return undefined;
    return this.#child(name, new Correlation(value[name], old[name], schema));
  }

  /** The item at that index, where the old list has one with the same keys. */
  index(i: number): Correlation | undefined {
    const known = this.#children.get(i);
    if (known !== undefined) return known;
    const { value, old } = this;
    if (!Array.isArray(value) || !Array.isArray(old) || i >= value.length) return undefined;
    const { items } = this.#schema;
    if (items === undefined || Array.isArray(items) || this.#schema['x-kubernetes-list-type'] !== 'map') return undefined;
    this.#oldItems ??= new ItemsByKey(this.#schema, old);
    const before = this.#oldItems.get(value[i]);
    if (before === undefined) return undefined;
    return this.#child(i, new Correlation(value[i], before, items as JSONSchemaProps));
  }

  /** Nothing has changed in here: the order of a list of type `map` does not count, and what the schema does not name counts as changed. */
  get unchanged(): boolean {
    return (this.#equal ??= this.#isUnchanged());
  }

  #isUnchanged(): boolean {
    const { value, old } = this;
    if (Array.isArray(value) && Array.isArray(old)) {
      if (this.#schema['x-kubernetes-list-type'] !== 'map') return deepEqual(value, old);
      return value.length === old.length && value.every((_, i) => this.index(i)?.unchanged === true);
    }
    if (isObject(value) && isObject(old)) {
      const names = Object.keys(value);
      return names.length === Object.keys(old).length && names.every((name) => this.key(name)?.unchanged === true);
    }
    return deepEqual(value, old);
  }

  #child(at: string | number, child: Correlation): Correlation {
    this.#children.set(at, child);
    return child;
  }
}

/** The items of a list of type `map`, found by another item's keys; the first of several that share them. Empty for other lists. */
export class ItemsByKey {
  readonly #keys: readonly string[];
  readonly #items = new Map<string, unknown>();

  constructor(schema: JSONSchemaProps, items: readonly unknown[]) {
    this.#keys = schema['x-kubernetes-list-type'] === 'map' ? (schema['x-kubernetes-list-map-keys'] ?? []) : [];
    if (this.#keys.length === 0) return;
    for (const item of items) {
      const key = this.#keyOf(item);
      if (key !== undefined && !this.#items.has(key)) this.#items.set(key, item);
    }
  }

  get(item: unknown): unknown {
    const key = this.#keyOf(item);
    return key === undefined ? undefined : this.#items.get(key);
  }

  #keyOf(item: unknown): string | undefined {
    if (!isObject(item) || this.#keys.length === 0) return undefined;
    const values: unknown[] = [];
    for (const name of this.#keys) {
      const value = Object.hasOwn(item, name) ? item[name] : undefined;
      if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint' && typeof value !== 'boolean')
        return undefined;
      values.push(value);
    }
    return JSON.stringify(values);
  }
}

const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);
