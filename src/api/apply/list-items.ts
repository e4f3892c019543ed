import { isList, isMap } from './json-value.ts';
import { keyElement, type PathElement, valueElement } from './path-element.ts';
import type { ListShape } from './shape.ts';

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
  if (keys.length === 1) {
    const key = keys[0]!;
    const value = Object.hasOwn(item, key.name) ? item[key.name] : undefined;
    const named = value === undefined ? key.default : value;
    if (named !== undefined) return keyElement([[key.name, named]]);
  }
  const fields: [string, unknown][] = [];
  for (const key of keys) {
    const value = Object.hasOwn(item, key.name) ? item[key.name] : undefined;
    const named = value === undefined ? key.default : value;
    if (named !== undefined) fields.push([key.name, named]);
  }
  if (fields.length === 0) {
    const names = keys.map((k) => JSON.stringify(k.name)).join(' ');
    throw new TypedValueError(
      `associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`,
    );
  }
  return keyElement(fields);
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
