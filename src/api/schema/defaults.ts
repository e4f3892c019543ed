import { deepFreeze } from '../../util/deep-freeze.ts';
import { isRepeated, onceFor } from '../repeated-parts.ts';
import type { Field, ObjectSchema, Schema } from './schema.ts';

/** Gives the value with defaults filled in; the same value when nothing was missing. */
type Defaulter = (value: unknown, known: unknown, outermost?: boolean) => unknown;

const defaulters = new WeakMap<Schema, Defaulter | null>();

/**
 * Fills in the defaults that the schema itself tells, at every depth: in fields, list items and map values that are there.
 * An absent object does not come into being for the sake of the defaults inside it. Null counts as absent where the schema
 * is not nullable. Copies what changes; returns the same object when nothing does. Parts of a schema without defaults cost nothing,
 * nor do parts that `known` has as well: an object of this schema that has its defaults.
 */
export function applyDefaults<T>(schema: Schema, object: T, known?: unknown): T {
  const defaulter = defaulterOf(schema);
  return defaulter === null ? object : (defaulter(object, known, true) as T);
}

function defaulterOf(schema: Schema): Defaulter | null {
  const known = defaulters.get(schema);
  if (known !== undefined) return known;
  const made = reachesDefault(schema) ? compile(schema) : null;
  defaulters.set(schema, made);
  return made;
}

/** Whether a default is anywhere inside. Schemas may be recursive, so every one is looked at once. */
function reachesDefault(root: Schema): boolean {
  const seen = new Set<Schema>([root]);
  const open: Schema[] = [root];
  const visit = (schema: Schema): boolean => {
    if (schema.default !== undefined) return true;
    if (!seen.has(schema)) {
      seen.add(schema);
      open.push(schema);
    }
    return false;
  };
  for (let schema = open.pop(); schema !== undefined; schema = open.pop()) {
    if (schema.kind === 'object') {
      for (const field of schema.fields.values()) if (visit(field.schema)) return true;
    } else if (schema.kind === 'list' && visit(schema.items)) return true;
    else if (schema.kind === 'map' && visit(schema.values)) return true;
  }
  return false;
}

function compile(schema: Schema): Defaulter {
  switch (schema.kind) {
    case 'object':
      return objectDefaulter(schema);
    case 'list': {
      const item = schema.items;
      return (value, known) =>
        Array.isArray(value) ? listWithDefaults(item, value, Array.isArray(known) ? known : none) : value;
    }
    case 'map': {
      const item = schema.values;
      return (value) => (isObject(value) ? mapValues(value, (v) => withDefault(item, v, v === null, undefined)) : value);
    }
    default:
      return (value) => value;
  }
}

/** The default where the value is missing, and then the defaults inside of either. */
function withDefault(schema: Schema, value: unknown, missing: boolean, known: unknown): unknown {
  const given =
    missing && schema.default !== undefined && (value === undefined || schema.nullable !== true) ? schema.default : value;
  const inner = defaulterOf(schema);
  return inner === null || given === undefined || given === null ? given : inner(given, known);
}

function objectDefaulter(schema: ObjectSchema): Defaulter {
  const concerned: { readonly name: string; readonly schema: Schema }[] = [];
  for (const field of schema.fields.values()) {
    const fill = field.schema.default !== undefined && !vanishes(field);
    if (fill) deepFreeze(field.schema.default);
    if (fill || defaulterOf(field.schema) !== null) {
      concerned.push({ name: field.name, schema: fill ? field.schema : withoutDefault(field.schema) });
    }
  }
  return (value, known, outermost) => {
    if (!isObject(value)) return value;
    const same = isObject(known) ? known : nothing;
    let out: Record<string, unknown> | undefined;
    for (const field of concerned) {
      const before = Object.hasOwn(value, field.name) ? value[field.name] : undefined;
      if (typeof before === 'object' && before !== null && before === same[field.name]) continue;
      const after =
        outermost === true && typeof before === 'object' && before !== null && isRepeated(before)
          ? onceFor(before, field, (part) => withDefault(field.schema, part, false, undefined))
          : withDefault(field.schema, before, before === undefined || before === null, same[field.name]);
      if (after !== before) (out ??= { ...value })[field.name] = after;
    }
    return out ?? value;
  };
}

/** A default that is the zero value of a field that Go leaves out when zero: filling it in changes nothing on the wire. */
const vanishes = (field: Field): boolean =>
  field.omitEmpty && !field.pointer && field.schema.kind === 'scalar' && !field.schema.default;

const withoutDefault = (schema: Schema): Schema => (schema.default === undefined ? schema : { ...schema, default: undefined });

function listWithDefaults(schema: Schema, list: readonly unknown[], known: readonly unknown[]): readonly unknown[] {
  let out: unknown[] | undefined;
  for (let i = 0; i < list.length; i++) {
    const before = list[i];
    if (typeof before === 'object' && before !== null && before === known[i]) continue;
    const after = withDefault(schema, before, before === null, known[i]);
    if (after !== before) (out ??= [...list])[i] = after;
  }
  return out ?? list;
}

function mapValues(
  map: Readonly<Record<string, unknown>>,
  change: (value: unknown) => unknown,
): Readonly<Record<string, unknown>> {
  let out: Record<string, unknown> | undefined;
  for (const key of Object.keys(map)) {
    const after = change(map[key]);
    if (after === map[key]) continue;
    out ??= { ...map };
    Object.defineProperty(out, key, { value: after, enumerable: true, configurable: true, writable: true });
  }
  return out ?? map;
}

const none: readonly unknown[] = Object.freeze([]);
const nothing: Readonly<Record<string, unknown>> = Object.freeze({});

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
