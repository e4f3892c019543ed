import { deepFreeze } from '../../util/deep-freeze.ts';
import { isRepeated, keep, markRepeated, recall } from '../repeated-parts.ts';
import { isEmptyMap, isList, isMap, type JsonList, type JsonMap, setMember } from './json-value.ts';
import { elementAt, TypedValueError } from './list-items.ts';
import { type PathElement, showElement } from './path-element.ts';
import type { FieldShape, ListShape, MapShape, Shape } from './shape.ts';

/**
 * An object with a configuration merged into it: what the configuration says holds, what it does not mention stays. Nothing is removed.
 * Items of lists come in the order of the object where the configuration has nothing to say of it, and else in its order.
 * Gives `object` itself when nothing changed. Throws `TypedValueError` where the configuration names an item twice.
 */
export function mergeConfiguration<T>(shape: Shape, object: T, configuration: unknown): T {
  return merge(shape, object, configuration, true) as T;
}

function merge(shape: Shape, object: unknown, config: unknown, outermost = false): unknown {
  if (config === undefined || object === config) return object;
  // What it is now decides how it is merged; a value of another kind is replaced.
  const open = shape.scalar !== undefined && shape.map !== undefined;
  if (shape.list !== undefined && (open ? isList(config) : shape.map === undefined))
    return mergeLists(shape.list, object, config);
  if (shape.map !== undefined && (!open || typeof config === 'object')) return mergeMaps(shape.map, object, config, outermost);
  return config;
}

const emptyList: JsonList = Object.freeze([]);
const emptyMap: JsonMap = Object.freeze({});

function mergeMaps(shape: MapShape, was: unknown, config: unknown, outermost = false): unknown {
  const object = isMap(was) ? was : emptyMap;
  const wanted = isMap(config) ? config : emptyMap;
  if (shape.atomic || (isEmptyMap(object) && isEmptyMap(wanted))) return config;
  let out: Record<string, unknown> | undefined;
  for (const name in wanted) {
    const value = wanted[name];
    if (value === undefined) continue;
    const field = shape.fields.get(name);
    const inner = field?.shape ?? shape.values;
    if (inner === undefined) continue;
    const before = Object.hasOwn(object, name) ? object[name] : undefined;
    // A null for what is not there is a value as well: upstream's typed objects drop it later.
    const merged =
      outermost && field !== undefined && before === field.implied && isMap(value) && isRepeated(value)
        ? mergeRepeated(field, value)
        : before === undefined
          ? fresh(inner, value)
          : merge(inner, before, value);
    if (merged === before) continue;
    out ??= { ...object };
    setMember(out, name, merged);
  }
  return out ?? (object === emptyMap ? {} : object);
}

/** A part of many configurations, where there is nothing but what Go has without it. */
function mergeRepeated(field: FieldShape, part: object): unknown {
  const kept = recall<Merged>(part, mergedKey);
  if (kept?.field === field) return kept.value;
  const value = field.implied === undefined ? fresh(field.shape, part) : merge(field.shape, field.implied, part);
  if (typeof value === 'object' && value !== null) markRepeated(deepFreeze(value));
  keep(part, mergedKey, { field, value } satisfies Merged);
  return value;
}

const mergedKey = {};

interface Merged {
  readonly field: FieldShape;
  readonly value: unknown;
}

/** A configuration where nothing was: merged with nothing, so that duplicates are found in it too. */
const fresh = (shape: Shape, config: unknown): unknown => merge(shape, undefined, config);

function mergeLists(shape: ListShape, was: unknown, config: unknown): unknown {
  const object = isList(was) ? was : emptyList;
  const wanted = isList(config) ? config : emptyList;
  if (shape.atomic || (object.length === 0 && wanted.length === 0)) return config;
  const merged = new ListMerge(shape, object, wanted).merge();
  return merged.length === object.length && merged.every((item, i) => item === object[i]) ? object : merged;
}

/** Merges two lists of named items, keeping both orders as far as they agree. Where they do not, the configuration's holds. */
class ListMerge {
  readonly #shape: ListShape;
  readonly #object: JsonList;
  readonly #objectElements: readonly PathElement[];
  readonly #wantedElements: readonly PathElement[];
  /** The object's items; null where one name has several, which are replaced as one. */
  readonly #objectItems = new Map<PathElement, unknown>();
  readonly #wantedItems = new Map<PathElement, unknown>();
  readonly #out: unknown[] = [];
  readonly #taken = new Set<PathElement>();

  constructor(shape: ListShape, object: JsonList, wanted: JsonList) {
    this.#shape = shape;
    this.#object = object;
    this.#wantedElements = wanted.map((item, i) => {
      const element = elementAt(shape, wanted, i);
      if (this.#wantedItems.has(element)) throw new TypedValueError(`duplicate entries for key ${showElement(element)}`);
      this.#wantedItems.set(element, item);
      return element;
    });
    this.#objectElements = object.map((item, i) => {
      const element = elementAt(shape, object, i);
      this.#objectItems.set(element, this.#objectItems.has(element) ? null : item);
      return element;
    });
  }

  merge(): readonly unknown[] {
    const shared = this.#wantedElements.filter((e) => this.#objectItems.has(e));
    let nextShared = 0;
    let left = 0;
    let right = 0;
    const lefts = this.#objectElements;
    const rights = this.#wantedElements;
    while (left < lefts.length || right < rights.length) {
      const mine = lefts[left];
      const theirs = rights[right];
      if (mine !== undefined && theirs !== undefined) {
        if (mine === theirs) {
          this.#take(mine);
          left++;
          right++;
          nextShared++;
          continue;
        }
        // In both, and not yet its turn: it comes where the configuration has it.
        if (this.#wantedItems.has(mine) && shared[nextShared] !== undefined && shared[nextShared] !== mine) {
          left++;
          continue;
        }
      }
      if (mine !== undefined) {
        if (!this.#wantedItems.has(mine)) {
          this.#push(this.#object[left]);
          left++;
          continue;
        }
        if (this.#taken.has(mine)) left++;
      }
      if (theirs !== undefined) {
        this.#take(theirs);
        right++;
        if (shared[nextShared] === theirs) nextShared++;
      }
    }
    return this.#out;
  }

  #take(element: PathElement): void {
    this.#taken.add(element);
    this.#push(merge(this.#shape.items, this.#objectItems.get(element), this.#wantedItems.get(element)));
  }

  #push(item: unknown): void {
    if (item !== undefined) this.#out.push(item);
  }
}
