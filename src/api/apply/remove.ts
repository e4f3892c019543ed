import { below, type FieldSet, has, isEmpty } from './field-set.ts';
import { isEmptyMap, isList, isMap, type JsonList, type JsonMap, setMember } from './json-value.ts';
import { itemElement, TypedValueError } from './list-items.ts';
import { fieldElement, type PathElement } from './path-element.ts';
import type { ListShape, MapShape, Shape } from './shape.ts';

/**
 * A value without the fields and items of a set. A container that has lost everything is null, and so is an atomic one that has lost
 * something inside. Shares what did not change.
 */
export function removeFields(shape: Shape, value: unknown, fields: FieldSet): unknown {
  if (isList(value)) return shape.list === undefined ? value : withoutItems(shape.list, value, fields);
  if (isMap(value)) return shape.map === undefined ? value : withoutMembers(shape.map, value, fields);
  return value;
}

function withoutItems(shape: ListShape, list: JsonList, fields: FieldSet): unknown {
  if (shape.atomic || list.length === 0) return null;
  const out: unknown[] = [];
  for (const item of list) {
    const element = elementOrNone(shape, item);
    if (element === undefined) out.push(item);
    else if (!has(fields, [element])) out.push(trimmed(shape.items, item, fields, element));
  }
  return out.length === 0 ? null : same(list, out) ? list : out;
}

/** Items without a name cannot be in a set. */
function elementOrNone(shape: ListShape, item: unknown): PathElement | undefined {
  try {
    return itemElement(shape, item);
  } catch (err) {
    if (err instanceof TypedValueError) return undefined;
    throw err;
  }
}

const same = (a: JsonList, b: JsonList): boolean => a.length === b.length && b.every((item, i) => item === a[i]);

function withoutMembers(shape: MapShape, map: JsonMap, fields: FieldSet): unknown {
  if (shape.atomic || isEmptyMap(map)) return null;
  const out: Record<string, unknown> = {};
  let changed = false;
  for (const name in map) {
    const value = map[name];
    if (value === undefined) continue;
    const element = fieldElement(name);
    if (has(fields, [element])) {
      changed = true;
      continue;
    }
    const inner = shape.fields.get(name)?.shape ?? shape.values;
    const rest = inner === undefined ? value : trimmed(inner, value, fields, element);
    if (rest !== value) changed = true;
    setMember(out, name, rest);
  }
  if (!changed) return map;
  return isEmptyMap(out) ? null : out;
}

function trimmed(shape: Shape, value: unknown, fields: FieldSet, element: PathElement): unknown {
  const inner = below(fields, element);
  return isEmpty(inner) ? value : removeFields(shape, value, inner);
}
