import { decode } from '../schema/decode.ts';
import type { Field, ListSchema, ObjectSchema, ScalarSchema, Schema } from '../schema/schema.ts';
import { goString } from './go-json.ts';
import { compareStrings } from './json-value.ts';
import { fieldElement, type PathElement } from './path-element.ts';

/** What a scalar may be; `untyped` any of them. */
export type ScalarKind = 'string' | 'numeric' | 'boolean' | 'untyped';

/**
 * A schema as server-side apply sees it: whether a value is owned as a whole, by field, or by item. A shape without a type of its own
 * (JSON, unknown fields that are kept) is what the value is: such a shape has all three parts.
 */
export interface Shape {
  readonly scalar: ScalarKind | undefined;
  readonly list: ListShape | undefined;
  readonly map: MapShape | undefined;
}

export interface ListShape {
  /** The list is one value. Otherwise it is a set, or a list of items with keys. */
  readonly atomic: boolean;
  /** What names an item, sorted by name; none for a set. */
  readonly keys: readonly KeyField[];
  readonly items: Shape;
}

export interface KeyField {
  readonly name: string;
  /** What comes before the value in the element of an item that has all keys: `k:{"name":`, `,"protocol":`. */
  readonly prefix: string;
  /** What the key is taken for where an item does not say. */
  readonly default: unknown;
}

export interface MapShape {
  readonly atomic: boolean;
  /** The fields that are declared. */
  readonly fields: ReadonlyMap<string, FieldShape>;
  /** The shape of members that are not declared; undefined where there may be none. */
  readonly values: Shape | undefined;
  /** Fields that Go writes when nothing was given: a typed object has them even where ours leaves them out. */
  readonly implied: readonly FieldShape[];
  /** Nothing is declared, everything is kept: changes of the schema's list and map types mean nothing here. */
  readonly free: boolean;
}

export interface FieldShape {
  readonly name: string;
  readonly element: PathElement;
  readonly shape: Shape;
  /** The place of this field among all of its struct in canonical order. */
  readonly rank: number;
  /** What Go has where the field is absent; undefined when it is absent there too. */
  readonly implied: unknown;
}

const noFields: ReadonlyMap<string, FieldShape> = new Map();
const noKeys: readonly KeyField[] = [];

const scalarShape = (scalar: ScalarKind): Shape => ({ scalar, list: undefined, map: undefined });
const scalars: Readonly<Record<ScalarKind, Shape>> = {
  string: scalarShape('string'),
  numeric: scalarShape('numeric'),
  boolean: scalarShape('boolean'),
  untyped: scalarShape('untyped'),
};

/** A value without a schema that is owned as a whole, whatever it is (RawExtension, items of lists without a type). */
export const untypedShape: Shape = {
  scalar: 'untyped',
  list: {
    atomic: true,
    keys: noKeys,
    get items(): Shape {
      return untypedShape;
    },
  },
  map: {
    atomic: true,
    fields: noFields,
    get values(): Shape {
      return untypedShape;
    },
    implied: [],
    free: false,
  },
};

/** A value without a schema whose maps are owned member by member, and whose lists are owned as a whole. */
export const deducedShape: Shape = {
  scalar: 'untyped',
  list: untypedShape.list,
  map: {
    atomic: false,
    fields: noFields,
    get values(): Shape {
      return deducedShape;
    },
    implied: [],
    free: true,
  },
};

const shapes = new WeakMap<Schema, Shape>();
/** Shapes of nodes below one that keeps unknown fields: they keep them too. */
const keepingShapes = new WeakMap<Schema, Shape>();
const rootShapes = new WeakMap<Schema, Shape>();

/** The shape of an object of a type: its root. Made once per schema, part by part as it is walked. */
export function shapeOf(schema: Schema): Shape {
  if (schema.kind !== 'object' || schema.name !== undefined) return shapeWithin(schema, false);
  let shape = rootShapes.get(schema);
  if (shape === undefined) {
    shape = { scalar: undefined, list: undefined, map: new LazyStruct(schema, false, true) };
    rootShapes.set(schema, shape);
  }
  return shape;
}

function shapeWithin(schema: Schema, keeping: boolean): Shape {
  // A named type is the same wherever it is referred to.
  const inherits = keeping && !(schema.kind === 'object' && schema.name !== undefined);
  const cache = inherits ? keepingShapes : shapes;
  let shape = cache.get(schema);
  if (shape === undefined) {
    shape = compile(schema, inherits);
    cache.set(schema, shape);
  }
  return shape;
}

function compile(schema: Schema, keeping: boolean): Shape {
  switch (schema.kind) {
    case 'scalar':
      return scalarOf(schema);
    case 'any':
      return anyShape(schema.name);
    case 'list':
      return { scalar: undefined, list: new LazyList(schema, undefined, keeping), map: undefined };
    case 'map':
      return { scalar: undefined, list: undefined, map: new LazyValues(schema.values, schema.atomic === true, keeping) };
    case 'object':
      return { scalar: undefined, list: undefined, map: new LazyStruct(schema, keeping, false) };
  }
}

function scalarOf(schema: ScalarSchema): Shape {
  switch (schema.type) {
    case 'string':
    case 'bytes':
    case 'duration':
      return schema.formatted === true ? scalars.untyped : scalars.string;
    case 'boolean':
      return scalars.boolean;
    case 'int32':
    case 'int64':
    case 'uint32':
    case 'uint64':
    case 'float64':
      return scalars.numeric;
    case 'int-or-string':
      // OpenAPI 3 gives it alternatives and no type, so it is what the value is.
      return deducedShape;
    default:
      return scalars.untyped;
  }
}

const RAW_EXTENSION = 'io.k8s.apimachinery.pkg.runtime.RawExtension';
const FIELDS_V1 = 'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1';

function anyShape(name: string | undefined): Shape {
  if (name === RAW_EXTENSION) return untypedShape;
  if (name === FIELDS_V1) return { scalar: undefined, list: undefined, map: deducedShape.map };
  return deducedShape;
}

class LazyList implements ListShape {
  readonly atomic: boolean;
  readonly #schema: ListSchema;
  readonly #keyNames: readonly string[];
  readonly #keeping: boolean;
  #keys: readonly KeyField[] | undefined;
  #items: Shape | undefined;

  /** `field` is the field this list is the value of: its strategic merge tells the type of a list that tells none. */
  constructor(schema: ListSchema, field: Field | undefined, keeping: boolean) {
    const merges = schema.listTypeDeclared === false && /^merge\b/.test(field?.patchStrategy ?? '');
    this.atomic = schema.listType === 'atomic' && !merges;
    const keys = merges ? (field?.patchMergeKey === undefined ? [] : [field.patchMergeKey]) : schema.mapKeys;
    this.#keyNames = [...keys].sort(compareStrings);
    this.#schema = schema;
    this.#keeping = keeping;
  }
  get keys(): readonly KeyField[] {
    this.#keys ??= this.#keyNames.map((name, i) => ({
      name,
      prefix: `${i === 0 ? 'k:{' : ','}${goString(name)}:`,
      default: keyDefault(this.#schema.items, name),
    }));
    return this.#keys;
  }
  get items(): Shape {
    this.#items ??= shapeWithin(this.#schema.items, this.#keeping);
    return this.#items;
  }
}

/** The default that OpenAPI publishes for a key: its own, or the zero value where Go always writes one. */
function keyDefault(items: Schema, name: string): unknown {
  const field = items.kind === 'object' ? items.fields.get(name) : undefined;
  if (field === undefined) return undefined;
  const { schema } = field;
  if (schema.default !== undefined || field.pointer || field.omitEmpty || schema.kind !== 'scalar') return schema.default;
  return scalarZero(schema);
}

function scalarZero(schema: ScalarSchema): unknown {
  switch (schema.type) {
    case 'string':
      return '';
    case 'boolean':
      return false;
    case 'int32':
    case 'int64':
    case 'uint32':
    case 'uint64':
    case 'float64':
      return 0;
    default:
      return undefined;
  }
}

class LazyValues implements MapShape {
  readonly atomic: boolean;
  readonly fields = noFields;
  readonly implied: readonly FieldShape[] = [];
  readonly #schema: Schema;
  readonly #keeping: boolean;
  #values: Shape | undefined;

  constructor(values: Schema, atomic: boolean, keeping: boolean) {
    this.atomic = atomic;
    this.#schema = values;
    this.#keeping = keeping;
  }
  get values(): Shape {
    this.#values ??= shapeWithin(this.#schema, this.#keeping);
    return this.#values;
  }
  get free(): boolean {
    return this.values === deducedShape;
  }
}

class LazyStruct implements MapShape {
  readonly atomic: boolean;
  readonly values: Shape | undefined;
  readonly #schema: ObjectSchema;
  readonly #keeping: boolean;
  readonly #wholeObject: boolean;
  #fields: ReadonlyMap<string, FieldShape> | undefined;
  #implied: readonly FieldShape[] | undefined;

  constructor(schema: ObjectSchema, keeping: boolean, root: boolean) {
    this.#schema = schema;
    this.#wholeObject = schema.name === undefined && (root || schema.embedded === true);
    this.#keeping = keeping || schema.preserveUnknown === true;
    this.atomic = schema.atomic === true;
    // An object that declares nothing is free, unless Go says it is a struct without fields.
    const open = this.#keeping || (schema.name === undefined && schema.fields.size === 0);
    this.values = open ? deducedShape : undefined;
  }
  get free(): boolean {
    return this.values === deducedShape && this.fields.size === 0;
  }
  get fields(): ReadonlyMap<string, FieldShape> {
    this.#fields ??= this.#compileFields();
    return this.#fields;
  }
  get implied(): readonly FieldShape[] {
    this.#implied ??= [...this.fields.values()].filter((f) => f.implied !== undefined);
    return this.#implied;
  }
  #compileFields(): ReadonlyMap<string, FieldShape> {
    const declared = new Map(this.#schema.fields);
    // Every object has these, whether its definition says so or not.
    if (this.#wholeObject)
      for (const name of ['apiVersion', 'kind']) if (!declared.has(name)) declared.set(name, typeField(name));
    const typed = this.#schema.name !== undefined;
    const fields = new Map<string, FieldShape>();
    let rank = 0;
    for (const name of [...declared.keys()].sort(compareStrings)) {
      fields.set(name, new LazyField(declared.get(name)!, rank++, this.#keeping, typed));
    }
    return fields;
  }
}

const typeField = (name: string): Field => ({
  name,
  schema: { kind: 'scalar', type: 'string' },
  omitEmpty: true,
  pointer: false,
  required: false,
  proto: 0,
});

class LazyField implements FieldShape {
  readonly name: string;
  readonly element: PathElement;
  readonly rank: number;
  readonly #field: Field;
  readonly #keeping: boolean;
  readonly #typed: boolean;
  #shape: Shape | undefined;
  #implied: unknown = unknown;

  constructor(field: Field, rank: number, keeping: boolean, typed: boolean) {
    this.name = field.name;
    this.element = fieldElement(field.name);
    this.rank = rank;
    this.#field = field;
    this.#keeping = keeping;
    this.#typed = typed;
  }
  get shape(): Shape {
    this.#shape ??= this.#compileShape();
    return this.#shape;
  }
  get implied(): unknown {
    if (this.#implied === unknown) this.#implied = this.#typed ? impliedValue(this.#field) : undefined;
    return this.#implied;
  }
  #compileShape(): Shape {
    const { schema } = this.#field;
    if (schema.kind === 'list' && schema.listTypeDeclared === false && this.#field.patchStrategy !== undefined) {
      return { scalar: undefined, list: new LazyList(schema, this.#field, this.#keeping), map: undefined };
    }
    return shapeWithin(schema, this.#keeping);
  }
}

const unknown = Symbol('not looked at');

/** What a Go struct holds, and a field manager sees, where a field was not given. Most are omitted then. */
function impliedValue(field: Field): unknown {
  const { schema } = field;
  if (schema.kind === 'scalar' && (schema.type === 'time' || schema.type === 'micro-time') && !field.pointer) {
    // Times are structs, which `omitempty` does not leave out; creationTimestamp alone is `omitzero`.
    return field.name === 'creationTimestamp' ? undefined : null;
  }
  if (field.pointer) return field.omitEmpty ? undefined : null;
  switch (schema.kind) {
    case 'object':
      return decode(schema, {}, { defaults: false }).object;
    case 'any':
      return field.omitEmpty ? undefined : null;
    case 'list':
      return field.omitEmpty ? undefined : [];
    case 'map':
      return field.omitEmpty ? undefined : {};
    case 'scalar':
      if (schema.type === 'quantity') return '0';
      if (schema.type === 'duration') return '0s';
      if (schema.type === 'int-or-string') return 0;
      return field.omitEmpty ? undefined : (scalarZero(schema) ?? '');
  }
}
