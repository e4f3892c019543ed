import { goJson } from './go-json.ts';
import { isList, isMap, type JsonMap, member } from './json-value.ts';
import { keyElement, type PathElement, valueElement } from './path-element.ts';
import type { KeyField, ListShape } from './shape.ts';

/** Thrown for a value that cannot be what its schema says: upstream's ValidationErrors. */
export class TypedValueError extends Error {
  override readonly name = 'TypedValueError';
}

/** The element that names an item of a list that is not atomic. Throws `TypedValueError` for an item without a name. */
export function itemElement(list: ListShape, item: unknown): PathElement {
  return list.keys.length === 0 ? setElement(item) : keyedElement(list, item);
}

function setElement(item: unknown): PathElement {
  if (isMap(item)) throw new TypedValueError("associative list without keys has an element that's a map type");
  if (isList(item)) throw new TypedValueError('not supported: associative list with lists as elements');
  if (item === null || item === undefined) {
    throw new TypedValueError("associative list without keys has an element that's an explicit null");
  }
  return valueElement(item);
}

function keyedElement(list: ListShape, item: unknown): PathElement {
  if (item === null || item === undefined) throw new TypedValueError('associative list with keys may not have a null element');
  if (!isMap(item)) throw new TypedValueError('associative list with keys may not have non-map elements');
  const { keys } = list;
  let text = '';
  for (const key of keys) {
    const value = keyValue(key, item);
    if (value === undefined) return partlyKeyedElement(keys, item);
    text += key.prefix + goJson(value);
  }
  return `${text}}`;
}

function keyValue(key: KeyField, item: JsonMap): unknown {
  const value = member(item, key.name);
  return value === undefined ? key.default : value;
}

/** Of an item that leaves keys out which have no default: the keys it has name it. */
function partlyKeyedElement(keys: readonly KeyField[], item: JsonMap): PathElement {
  const fields: [string, unknown][] = [];
  for (const key of keys) {
    const value = keyValue(key, item);
    if (value !== undefined) fields.push([key.name, value]);
  }
  if (fields.length === 0) {
    const names = keys.map((k) => JSON.stringify(k.name)).join(' ');
    throw new TypedValueError(
      `associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`,
    );
  }
  return keyElement(fields);
}

/** Whether two items certainly have the same element. Their keys are scalars then, and given. */
export function sameName(list: ListShape, a: unknown, b: unknown): boolean {
  if (list.keys.length === 0) return a === b && typeof a !== 'object';
  if (!isMap(a) || !isMap(b)) return false;
  for (const key of list.keys) {
    const value = member(a, key.name);
    if (value === undefined || typeof value === 'object' || value !== member(b, key.name)) return false;
  }
  return true;
}

/** Whether an item certainly has an element: at least one of its keys is given, as a scalar. */
export function isNamed(list: ListShape, item: unknown): boolean {
  if (list.keys.length === 0) return item !== undefined && typeof item !== 'object';
  if (!isMap(item)) return false;
  for (const key of list.keys) {
    const value = member(item, key.name);
    if (value !== undefined && typeof value !== 'object') return true;
  }
  return false;
}

/** Whether two items certainly have different elements. */
function differentName(list: ListShape, a: unknown, b: unknown): boolean {
  if (list.keys.length === 0) return a !== b && typeof a !== 'object' && typeof b !== 'object';
  if (!isMap(a) || !isMap(b)) return false;
  for (const key of list.keys) {
    const value = member(a, key.name);
    const other = member(b, key.name);
    if (value === undefined || other === undefined || typeof value === 'object' || typeof other === 'object') return false;
    if (value !== other) return true;
  }
  return false;
}

/** Longer lists are looked through by a table of their items, not each with each. */
export const FEW_ITEMS = 16;

/** Whether certainly no two items have the same element. */
export function allDifferent(list: ListShape, items: readonly unknown[]): boolean {
  if (items.length > FEW_ITEMS) return itemsByElement(list, items).size === items.length;
  for (let i = 1; i < items.length; i++) {
    for (let j = 0; j < i; j++) if (!differentName(list, items[j], items[i])) return false;
  }
  return true;
}

/** The items of a list by their elements, in the order of the elements' first occurrence; several where one element names several. */
export function itemsByElement(list: ListShape, items: readonly unknown[]): Map<PathElement, unknown[]> {
  const out = new Map<PathElement, unknown[]>();
  for (let i = 0; i < items.length; i++) {
    const element = elementAt(list, items, i);
    const same = out.get(element);
    if (same === undefined) out.set(element, [items[i]]);
    else same.push(items[i]);
  }
  return out;
}

/** `itemElement`, saying in an error which item it was. */
export function elementAt(list: ListShape, items: readonly unknown[], index: number): PathElement {
  try {
    return itemElement(list, items[index]);
  } catch (err) {
    if (err instanceof TypedValueError) throw new TypedValueError(`element ${index}: ${err.message}`);
    throw err;
  }
}
