import { isRepeated, keep, recall } from '../repeated-parts.ts';
import { allFields } from './all-fields.ts';
import { emptySet, type FieldSet, leaf, sorted, union, withoutSelf, withSelf } from './field-set.ts';
import { equalValues, isEmptyMap, isList, isMap, type JsonList, type JsonMap, member } from './json-value.ts';
import { allDifferent, elementAt, FEW_ITEMS, itemsByElement, sameName } from './list-items.ts';
import { fieldElement, type PathElement } from './path-element.ts';
import type { FieldShape, ListShape, MapShape, Shape } from './shape.ts';

/** What became of the fields between two objects of one type. No field is in two of the sets. */
export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

export interface CompareOptions {
  /**
   * Both objects are of a Go type: fields that Go would have are there, with their zero values, even where the objects leave them out.
   * False for values as clients wrote them.
   */
  readonly typed: boolean;
  /** A set that is likely to be what was added: equal parts of it are used again instead of made anew. */
  readonly guide?: FieldSet | undefined;
}

/**
 * Compares two objects field by field. Throws `TypedValueError` where a list cannot be walked by its keys.
 * Parts that are the same JavaScript object are not walked.
 */
export function compare(shape: Shape, before: unknown, after: unknown, options: CompareOptions): Comparison {
  const comparer = new Comparer(options.typed);
  comparer.visit(shape, before, after, options.guide);
  return {
    added: comparer.added === undefined ? emptySet : withoutSelf(comparer.added),
    modified: comparer.modified === undefined ? emptySet : withoutSelf(comparer.modified),
    removed: comparer.removed === undefined ? emptySet : withoutSelf(comparer.removed),
  };
}

/** Whether the objects had the same fields with the same values. */
export function isSame(comparison: Comparison): boolean {
  return comparison.added === emptySet && comparison.modified === emptySet && comparison.removed === emptySet;
}

type Draft = Record<PathElement, FieldSet>;

/** The ways a value can be walked; `any` when it is null or absent and its shape leaves all open. */
type Kind = 'scalar' | 'list' | 'map' | 'any';

function kindOf(shape: Shape, value: unknown): Kind {
  if (shape.map === undefined) return shape.list === undefined ? 'scalar' : 'list';
  if (shape.list === undefined) return 'map';
  if (value === undefined || value === null) return 'any';
  return isList(value) ? 'list' : typeof value === 'object' ? 'map' : 'scalar';
}

/** What was found of one value. */
interface Found {
  readonly added: FieldSet | undefined;
  readonly modified: FieldSet | undefined;
  readonly removed: FieldSet | undefined;
}

/** Leaves what it found of the value visited last in its three sinks: nodes for that value's own path. */
class Comparer {
  added: FieldSet | undefined;
  modified: FieldSet | undefined;
  removed: FieldSet | undefined;
  readonly #typed: boolean;
  #outermost = true;

  constructor(typed: boolean) {
    this.#typed = typed;
  }

  visit(shape: Shape, before: unknown, after: unknown, guide?: FieldSet): void {
    this.added = this.modified = this.removed = undefined;
    if (before === after) return;
    if (after === undefined) this.removed = allFields(shape, before, this.#typed);
    else if (before === undefined) this.added = allFields(shape, after, this.#typed, guide);
    else {
      const kind = kindOf(shape, after);
      const other = shape.scalar !== undefined && shape.map !== undefined ? kindOf(shape, before) : kind;
      if (other !== kind) this.#changedKind(shape, other, kind, before, after);
      else this.#walk(shape, kind, before, after, guide);
    }
  }

  /** The value has become another kind of value: what it was is compared as that, and so is what it is now. */
  #changedKind(shape: Shape, was: Kind, is: Kind, before: unknown, after: unknown): void {
    this.#walk(shape, was, before, after);
    const { added, modified, removed } = this;
    this.#walk(shape, is, before, after);
    this.added = either(added, this.added);
    this.modified = either(modified, this.modified);
    this.removed = either(removed, this.removed);
  }

  #walk(shape: Shape, kind: Kind, before: unknown, after: unknown, guide?: FieldSet): void {
    this.added = this.modified = this.removed = undefined;
    switch (kind) {
      case 'scalar':
        this.#leaf(before, after);
        break;
      case 'list':
        this.#list(shape.list!, before, after, guide);
        break;
      default:
        this.#map(shape.map!, before, after, guide);
    }
  }

  #leaf(before: unknown, after: unknown): void {
    if (!equalValues(before, after)) this.modified = leaf;
  }

  #map(shape: MapShape, was: unknown, is: unknown, guide?: FieldSet): void {
    const before = isMap(was) ? was : emptyMap;
    const after = isMap(is) ? is : emptyMap;
    if (shape.atomic || (isEmptyMap(before) && isEmptyMap(after))) {
      this.#leaf(was, is);
      return;
    }
    const sinks = new Sinks();
    const outermost = this.#outermost;
    this.#outermost = false;
    let shared = 0;
    for (const name in after) {
      const next = after[name];
      if (next === undefined) continue;
      const declared = shape.fields.get(name);
      let previous = member(before, name);
      if (previous === undefined) previous = this.#implied(declared, before !== emptyMap);
      else shared++;
      if (previous === next) continue;
      if (outermost && guide !== undefined && declared !== undefined && previous === declared.implied && isRepeatedPart(next)) {
        this.#repeated(declared, previous, next, sinks, guide);
      } else this.#member(shape, declared, name, previous, next, sinks, guide);
    }
    for (const _name in before) shared--;
    // Whatever was there is there still.
    if (shared === 0) {
      this.#take(sinks);
      return;
    }
    for (const name in before) {
      const previous = before[name];
      if (previous === undefined || member(after, name) !== undefined) continue;
      const declared = shape.fields.get(name);
      this.#member(shape, declared, name, previous, this.#implied(declared, after !== emptyMap), sinks);
    }
    this.#take(sinks);
  }

  /** A new part that has come before in other objects: what it adds to what Go has without it is known. */
  #repeated(field: FieldShape, before: unknown, after: object, sinks: Sinks, guide: FieldSet): void {
    const kept = recall<Found>(after, field);
    if (kept === undefined) {
      this.visit(field.shape, before, after, guide[field.element]);
      const { added, modified, removed } = this;
      keep(after, field, { added, modified, removed } satisfies Found);
    } else {
      this.added = kept.added;
      this.modified = kept.modified;
      this.removed = kept.removed;
    }
    if (this.added ?? this.modified ?? this.removed) sinks.put(field.element, this);
  }

  #implied(declared: FieldShape | undefined, present: boolean): unknown {
    return this.#typed && present ? declared?.implied : undefined;
  }

  #member(
    shape: MapShape,
    field: FieldShape | undefined,
    name: string,
    before: unknown,
    after: unknown,
    sinks: Sinks,
    guide?: FieldSet,
  ): void {
    const inner = field === undefined ? shape.values : field.shape;
    if (inner === undefined) return;
    if (guide === undefined) this.visit(inner, before, after);
    else this.visit(inner, before, after, guide[field === undefined ? fieldElement(name) : field.element]);
    if (this.added ?? this.modified ?? this.removed) {
      sinks.put(field === undefined ? fieldElement(name) : field.element, this);
    }
  }

  #list(shape: ListShape, was: unknown, is: unknown, guide?: FieldSet): void {
    const before = isList(was) ? was : emptyList;
    const after = isList(is) ? is : emptyList;
    if (shape.atomic || (before.length === 0 && after.length === 0)) {
      this.#leaf(was, is);
      return;
    }
    const sinks = new Sinks();
    if (!this.#sameItems(shape, before, after, sinks)) this.#items(shape, before, after, sinks, guide);
    this.#take(sinks);
  }

  /** The usual case: the same few items in the same order, none twice. Elements are made only of what differs. */
  #sameItems(shape: ListShape, before: JsonList, after: JsonList, sinks: Sinks): boolean {
    const { length } = before;
    if (length !== after.length || length > FEW_ITEMS) return false;
    for (let i = 0; i < length; i++) if (!sameName(shape, before[i], after[i])) return false;
    if (!allDifferent(shape, before)) return false;
    for (let i = 0; i < length; i++) {
      this.visit(shape.items, before[i], after[i]);
      if (this.added ?? this.modified ?? this.removed) sinks.put(elementAt(shape, before, i), this);
    }
    return true;
  }

  #items(shape: ListShape, before: JsonList, after: JsonList, sinks: Sinks, guide: FieldSet | undefined): void {
    const was = itemsByElement(shape, before);
    const is = itemsByElement(shape, after);
    for (const [element, previous] of was) this.#item(shape, element, previous, is.get(element) ?? none, sinks, guide);
    for (const [element, next] of is) if (!was.has(element)) this.#item(shape, element, none, next, sinks, guide);
  }

  /** Items with one name. Where there are several of them they are owned together, as one value. */
  #item(
    shape: ListShape,
    element: PathElement,
    before: JsonList,
    after: JsonList,
    sinks: Sinks,
    guide: FieldSet | undefined,
  ): void {
    this.added = this.modified = this.removed = undefined;
    if (before.length <= 1 && after.length <= 1) this.visit(shape.items, before[0], after[0], guide?.[element]);
    else if (before.length >= 2 && after.length >= 2) this.#leaf(before, after);
    else if (before.length >= 2) {
      if (after.length === 1) this.visit(shape.items, undefined, after[0]);
      this.removed = leaf;
    } else {
      if (before.length === 1) this.visit(shape.items, before[0], undefined);
      this.added = leaf;
    }
    sinks.put(element, this);
  }

  #take(sinks: Sinks): void {
    this.added = sinks.added === undefined ? undefined : sorted(sinks.added);
    this.modified = sinks.modified === undefined ? undefined : sorted(sinks.modified);
    this.removed = sinks.removed === undefined ? undefined : sorted(sinks.removed);
  }
}

const isRepeatedPart = (value: unknown): value is object => typeof value === 'object' && value !== null && isRepeated(value);

const emptyMap: JsonMap = Object.freeze({});
const emptyList: JsonList = Object.freeze([]);
const none: JsonList = emptyList;

function either(a: FieldSet | undefined, b: FieldSet | undefined): FieldSet | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const self = a === leaf || b === leaf;
  const both = union(withoutSelf(a), withoutSelf(b));
  return self ? withSelf(both) : both;
}

/** The children of one node, for each of the three sets, made when the first one comes. */
class Sinks {
  added: Draft | undefined;
  modified: Draft | undefined;
  removed: Draft | undefined;

  put(element: PathElement, found: Found): void {
    if (found.added !== undefined) (this.added ??= {})[element] = found.added;
    if (found.modified !== undefined) (this.modified ??= {})[element] = found.modified;
    if (found.removed !== undefined) (this.removed ??= {})[element] = found.removed;
  }
}
