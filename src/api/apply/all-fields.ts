import { keep, recall } from '../repeated-parts.ts';
import { type FieldSet, leaf, sorted } from './field-set.ts';
import { isEmptyMap, isList, isMap, type JsonList, type JsonMap } from './json-value.ts';
import { allDifferent, elementAt, itemsByElement } from './list-items.ts';
import { fieldElement, type PathElement } from './path-element.ts';
import type { FieldShape, ListShape, MapShape, Shape } from './shape.ts';

type Draft = Record<PathElement, FieldSet>;

/**
 * The node of a value that is all new, or all gone: itself and everything in it. This is what most creates cost, so it goes over the
 * value once, in canonical order. `typed` counts in the fields that Go would have. Where `guide` is what comes out, it is given back,
 * and nothing is made: objects of one template share their sets, and cost no more than looking.
 */
export function allFields(shape: Shape, value: unknown, typed: boolean, guide?: FieldSet): FieldSet {
  if (guide !== undefined && hasAllFields(shape, value, typed, guide)) return guide;
  if (typeof value !== 'object' || value === null) return leaf;
  if (isList(value)) return shape.list === undefined ? leaf : allOfList(shape.list, value, typed);
  return shape.map === undefined ? leaf : allOfMap(shape.map, value as JsonMap, typed);
}

function allOfMap(shape: MapShape, map: JsonMap, typed: boolean): FieldSet {
  if (shape.atomic || isEmptyMap(map)) return leaf;
  return shape.fields.size === 0 ? allOfMembers(shape, map, typed) : allOfStruct(shape, map, typed);
}

function allOfMembers(shape: MapShape, map: JsonMap, typed: boolean): FieldSet {
  const { values } = shape;
  if (values === undefined) return leaf;
  const out: Draft = { '.': leaf };
  for (const name in map) {
    const value = map[name];
    if (value !== undefined) out[fieldElement(name)] = allFields(values, value, typed);
  }
  return sorted(out);
}

function allOfStruct(shape: MapShape, map: JsonMap, typed: boolean): FieldSet {
  const present: FieldShape[] = [];
  let undeclared: string[] | undefined;
  for (const name in map) {
    if (map[name] === undefined) continue;
    const field = shape.fields.get(name);
    if (field === undefined) (undeclared ??= []).push(name);
    else insert(present, field);
  }
  if (typed) for (const field of shape.implied) if (map[field.name] === undefined) insert(present, field);
  const out: Draft = { '.': leaf };
  for (const field of present) {
    const value = map[field.name];
    out[field.element] = allFields(field.shape, value === undefined ? field.implied : value, typed);
  }
  if (undeclared === undefined || shape.values === undefined) return out;
  for (const name of undeclared) out[fieldElement(name)] = allFields(shape.values, map[name], typed);
  return sorted(out);
}

/** Keeps the fields in canonical order. Structs are small, and Go writes them in nearly that order. */
function insert(fields: FieldShape[], field: FieldShape): void {
  const { rank } = field;
  let at = fields.length;
  fields.push(field);
  for (; at > 0 && fields[at - 1]!.rank > rank; at--) fields[at] = fields[at - 1]!;
  fields[at] = field;
}

function allOfList(shape: ListShape, list: JsonList, typed: boolean): FieldSet {
  if (shape.atomic || list.length === 0) return leaf;
  const out: Draft = { '.': leaf };
  for (let i = 0; i < list.length; i++) {
    const element = elementAt(shape, list, i);
    if (out[element] !== undefined) return allOfDuplicates(shape, list, typed);
    out[element] = allFields(shape.items, list[i], typed);
  }
  return sorted(out);
}

/** Items that share a name are owned together. */
function allOfDuplicates(shape: ListShape, list: JsonList, typed: boolean): FieldSet {
  const out: Draft = { '.': leaf };
  for (const [element, items] of itemsByElement(shape, list)) {
    out[element] = items.length > 1 ? leaf : allFields(shape.items, items[0], typed);
  }
  return sorted(out);
}

/** Whether a node is what `allFields` would make of a value. Makes nothing but the names of items. */
function hasAllFields(shape: Shape, value: unknown, typed: boolean, node: FieldSet): boolean {
  if (typeof value !== 'object' || value === null) return node === leaf;
  if (isList(value)) {
    const { list } = shape;
    return list === undefined || list.atomic || value.length === 0 ? node === leaf : hasAllItems(list, value, typed, node);
  }
  const { map } = shape;
  const members = value as JsonMap;
  return map === undefined || map.atomic || isEmptyMap(members) ? node === leaf : hasAllMembers(map, members, typed, node);
}

function hasAllItems(shape: ListShape, list: JsonList, typed: boolean, node: FieldSet): boolean {
  for (let i = 0; i < list.length; i++) {
    const child = node[elementAt(shape, list, i)];
    if (child === undefined || !hasAllFields(shape.items, list[i], typed, child)) return false;
  }
  return hasChildrenAndSelf(node, list.length) && allDifferent(shape, list);
}

function hasAllMembers(shape: MapShape, map: JsonMap, typed: boolean, node: FieldSet): boolean {
  let count = 0;
  for (const name in map) {
    const value = map[name];
    if (value === undefined) continue;
    const field = shape.fields.get(name);
    const inner = field === undefined ? shape.values : field.shape;
    if (inner === undefined) return false;
    const child = node[field === undefined ? fieldElement(name) : field.element];
    if (child === undefined || !hasAllFields(inner, value, typed, child)) return false;
    count++;
  }
  if (typed) {
    for (const field of shape.implied) {
      if (map[field.name] !== undefined) continue;
      const child = node[field.element];
      if (child === undefined || !hasAllFields(field.shape, field.implied, typed, child)) return false;
      count++;
    }
  }
  return hasChildrenAndSelf(node, count);
}

function hasChildrenAndSelf(node: FieldSet, children: number): boolean {
  let left = children;
  for (const element in node) if (element !== '.') left--;
  return left === 0 && node['.'] !== undefined;
}

/**
 * The fields that a configuration names: upstream's ToFieldSet. Leaves, items of lists, members of maps; structs only when they are
 * empty. Nothing is implied. Throws `TypedValueError` for items without a name.
 */
export function configuredFields(shape: Shape, value: unknown): FieldSet {
  return configured(shape, value, true) ?? {};
}

const configuredKey = {};

interface Configured {
  readonly shape: Shape;
  readonly node: FieldSet | undefined;
}

/** As `configured`, of a member of the outermost object: of what has come before in other objects it is known. */
function configuredPart(shape: Shape, part: object): FieldSet | undefined {
  const kept = recall<Configured>(part, configuredKey);
  if (kept?.shape === shape) return kept.node;
  const node = configured(shape, part);
  keep(part, configuredKey, { shape, node } satisfies Configured);
  return node;
}

/** What is below a value; a leaf when the value is owned as one. Undefined when there is nothing. */
function configured(shape: Shape, value: unknown, outermost = false): FieldSet | undefined {
  if (shape.list !== undefined && (isList(value) || shape.map === undefined)) {
    if (shape.list.atomic) return leaf;
    return isList(value) ? configuredItems(shape.list, value) : undefined;
  }
  if (shape.map !== undefined && (isMap(value) || value === null || shape.scalar === undefined)) {
    if (shape.map.atomic) return leaf;
    return isMap(value) ? configuredMembers(shape.map, value, outermost) : undefined;
  }
  return leaf;
}

function configuredItems(shape: ListShape, list: JsonList): FieldSet | undefined {
  if (list.length === 0) return undefined;
  const out: Draft = {};
  for (const [element, items] of itemsByElement(shape, list)) {
    out[element] = items.length > 1 ? leaf : owned(configured(shape.items, items[0]));
  }
  return sorted(out);
}

function configuredMembers(shape: MapShape, map: JsonMap, outermost = false): FieldSet | undefined {
  const out: Draft = {};
  let any = false;
  for (const name in map) {
    const value = map[name];
    if (value === undefined) continue;
    const field = shape.fields.get(name);
    const inner = field === undefined ? shape.values : field.shape;
    if (inner === undefined) continue;
    let node = outermost && isMap(value) ? configuredPart(inner, value) : configured(inner, value);
    if (value === null || field === undefined || (isMap(value) && isEmptyMap(value))) node = owned(node);
    if (node === undefined) continue;
    out[field === undefined ? fieldElement(name) : field.element] = node;
    any = true;
  }
  return any ? sorted(out) : undefined;
}

/** The node with its own field in the set. */
function owned(node: FieldSet | undefined): FieldSet {
  if (node === undefined || node === leaf) return leaf;
  return { '.': leaf, ...node };
}
