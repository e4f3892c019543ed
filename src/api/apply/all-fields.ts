import { type FieldSet, leaf, sorted } from './field-set.ts';
import { isEmptyMap, isList, isMap, type JsonList, type JsonMap } from './json-value.ts';
import { elementAt, itemsByElement } from './list-items.ts';
import { fieldElement, type PathElement } from './path-element.ts';
import type { FieldShape, ListShape, MapShape, Shape } from './shape.ts';

type Draft = Record<PathElement, FieldSet>;

/**
 * The node of a value that is all new, or all gone: itself and everything in it. This is what most creates cost, so it goes over the
 * value once, in canonical order. `typed` counts in the fields that Go would have. Where `guide` is what comes out, it is given back:
 * objects made from one template share their sets, and making them costs little more than looking.
 */
export function allFields(shape: Shape, value: unknown, typed: boolean, guide?: FieldSet): FieldSet {
  if (typeof value !== 'object' || value === null) return leaf;
  if (isList(value)) return shape.list === undefined ? leaf : allOfList(shape.list, value, typed, guide);
  return shape.map === undefined ? leaf : allOfMap(shape.map, value as JsonMap, typed, guide);
}

/** Collects the children of a node that is in the set itself, making the node only when the guide turns out not to be it. */
class NodeBuilder {
  readonly #guide: FieldSet | undefined;
  #matched: PathElement[] = [];
  #out: Draft | undefined;

  constructor(guide: FieldSet | undefined) {
    this.#guide = guide;
    if (guide === undefined) this.#out = { '.': leaf };
  }
  guideOf(element: PathElement): FieldSet | undefined {
    return this.#guide?.[element];
  }
  put(element: PathElement, child: FieldSet): void {
    if (this.#out !== undefined) this.#out[element] = child;
    else if (child === this.#guide![element]) this.#matched.push(element);
    else this.#make()[element] = child;
  }
  /** The node, whose children came in canonical order, or did not. */
  finish(inOrder: boolean): FieldSet {
    if (this.#out === undefined && this.#isWholeGuide()) return this.#guide!;
    const out = this.#out ?? this.#make();
    return inOrder ? out : sorted(out);
  }
  #make(): Draft {
    const out: Draft = { '.': leaf };
    for (const element of this.#matched) out[element] = this.#guide![element]!;
    this.#out = out;
    return out;
  }
  #isWholeGuide(): boolean {
    let count = 0;
    for (const element in this.#guide) if (element !== '.') count++;
    return count === this.#matched.length && this.#guide!['.'] !== undefined;
  }
}

function allOfMap(shape: MapShape, map: JsonMap, typed: boolean, guide: FieldSet | undefined): FieldSet {
  if (shape.atomic || isEmptyMap(map)) return leaf;
  return shape.fields.size === 0 ? allOfMembers(shape, map, typed, guide) : allOfStruct(shape, map, typed, guide);
}

function allOfMembers(shape: MapShape, map: JsonMap, typed: boolean, guide: FieldSet | undefined): FieldSet {
  const { values } = shape;
  if (values === undefined) return leaf;
  const node = new NodeBuilder(guide);
  for (const name in map) {
    const value = map[name];
    if (value === undefined) continue;
    const element = fieldElement(name);
    node.put(element, allFields(values, value, typed, node.guideOf(element)));
  }
  return node.finish(false);
}

function allOfStruct(shape: MapShape, map: JsonMap, typed: boolean, guide: FieldSet | undefined): FieldSet {
  const present: FieldShape[] = [];
  let undeclared: string[] | undefined;
  for (const name in map) {
    if (map[name] === undefined) continue;
    const field = shape.fields.get(name);
    if (field === undefined) (undeclared ??= []).push(name);
    else insert(present, field);
  }
  if (typed) for (const field of shape.implied) if (map[field.name] === undefined) insert(present, field);
  const node = new NodeBuilder(guide);
  for (const field of present) {
    const value = map[field.name];
    node.put(
      field.element,
      allFields(field.shape, value === undefined ? field.implied : value, typed, node.guideOf(field.element)),
    );
  }
  if (undeclared === undefined || shape.values === undefined) return node.finish(true);
  for (const name of undeclared) {
    const element = fieldElement(name);
    node.put(element, allFields(shape.values, map[name], typed, node.guideOf(element)));
  }
  return node.finish(false);
}

/** Keeps the fields in canonical order. Structs are small, and Go writes them in nearly that order. */
function insert(fields: FieldShape[], field: FieldShape): void {
  const { rank } = field;
  let at = fields.length;
  fields.push(field);
  for (; at > 0 && fields[at - 1]!.rank > rank; at--) fields[at] = fields[at - 1]!;
  fields[at] = field;
}

function allOfList(shape: ListShape, list: JsonList, typed: boolean, guide: FieldSet | undefined): FieldSet {
  if (shape.atomic || list.length === 0) return leaf;
  const node = new NodeBuilder(guide);
  const seen = new Set<PathElement>();
  for (let i = 0; i < list.length; i++) {
    const element = elementAt(shape, list, i);
    if (seen.has(element)) return allOfDuplicates(shape, list, typed);
    seen.add(element);
    node.put(element, allFields(shape.items, list[i], typed, node.guideOf(element)));
  }
  return node.finish(false);
}

/** Items that share a name are owned together. */
function allOfDuplicates(shape: ListShape, list: JsonList, typed: boolean): FieldSet {
  const out: Draft = { '.': leaf };
  for (const [element, items] of itemsByElement(shape, list)) {
    out[element] = items.length > 1 ? leaf : allFields(shape.items, items[0], typed);
  }
  return sorted(out);
}

/**
 * The fields that a configuration names: upstream's ToFieldSet. Leaves, items of lists, members of maps; structs only when they are
 * empty. Nothing is implied. Throws `TypedValueError` for items without a name.
 */
export function configuredFields(shape: Shape, value: unknown): FieldSet {
  return configured(shape, value) ?? {};
}

/** What is below a value; a leaf when the value is owned as one. Undefined when there is nothing. */
function configured(shape: Shape, value: unknown): FieldSet | undefined {
  if (shape.list !== undefined && (isList(value) || shape.map === undefined)) {
    if (shape.list.atomic) return leaf;
    return isList(value) ? configuredItems(shape.list, value) : undefined;
  }
  if (shape.map !== undefined && (isMap(value) || value === null || shape.scalar === undefined)) {
    if (shape.map.atomic) return leaf;
    return isMap(value) ? configuredMembers(shape.map, value) : undefined;
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

function configuredMembers(shape: MapShape, map: JsonMap): FieldSet | undefined {
  const out: Draft = {};
  let any = false;
  for (const name in map) {
    const value = map[name];
    if (value === undefined) continue;
    const field = shape.fields.get(name);
    const inner = field === undefined ? shape.values : field.shape;
    if (inner === undefined) continue;
    let node = configured(inner, value);
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
