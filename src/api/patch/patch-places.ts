import { customError, type StatusError } from '../meta/status.ts';
import type { Field, Schema } from '../schema/schema.ts';
import { isObject, type Json } from './json-value.ts';

/** What is said of a value that a strategic merge patch reaches: its type, and how a list of it is merged. */
export interface Place {
  /** Undefined where nothing is known: patches of such values fail once they have to be merged. */
  readonly schema: Schema;
  readonly strategy: '' | 'merge' | 'replace';
  readonly mergeKey: string;
}

/** An error that upstream does not turn into one of the API's: a 500 with nothing but its text. */
export const plainError = (message: string): StatusError => customError(500, '', message);

/** The place of a field of a struct. Throws for one that it does not have, and for maps: upstream merges nothing within their values. */
export function memberPlace(schema: Schema, name: string): Place {
  const struct = structName(schema);
  if (struct === undefined) {
    throw plainError(`merging an object in json but data type is not struct, instead is: ${kindOf(schema)}`);
  }
  const field = schema.kind === 'object' ? fieldOf(schema.fields, name) : undefined;
  if (field === undefined) {
    throw plainError(`unable to find api field in struct ${struct} for the json field ${JSON.stringify(name)}`);
  }
  // `retainKeys` is known by what the patch says, not by the type.
  const strategies = field.patchStrategy?.split(',') ?? [];
  const strategy = strategies.includes('merge') ? 'merge' : strategies.includes('replace') ? 'replace' : '';
  return { schema: field.schema, strategy, mergeKey: field.patchMergeKey ?? '' };
}

/** The place of the items of a list that is a member: their schema, and how the list is merged. Throws where there is no list. */
export function itemPlace(schema: Schema, name: string): Place {
  const place = memberPlace(schema, name);
  const list = place.schema;
  if (list.kind === 'list') {
    if (list.items.kind === 'list') throw plainError('unexpected slice of slice');
    return { ...place, schema: list.items };
  }
  const pointer = schema.kind === 'object' && fieldOf(schema.fields, name)?.pointer === true;
  if (pointer || (list.kind === 'scalar' && list.type === 'bytes')) return place;
  throw plainError(`expected slice or array type, but got: ${kindOf(schema)}`);
}

/** A field by its name; as Go's decoder, by its name in another case where there is none. */
function fieldOf(fields: ReadonlyMap<string, Field>, name: string): Field | undefined {
  const exact = fields.get(name);
  if (exact !== undefined) return exact;
  const lower = name.toLowerCase();
  for (const [other, field] of fields) if (other.toLowerCase() === lower) return field;
  return undefined;
}

/** The name of a Go struct; undefined for what is none. */
function structName(schema: Schema): string | undefined {
  if (schema.kind === 'object' || schema.kind === 'any') return schema.name?.split('.').at(-1) ?? '';
  return undefined;
}

/** Go's name of the kind of a type. */
export function kindOf(schema: Schema): string {
  switch (schema.kind) {
    case 'map':
      return 'map';
    case 'list':
      return 'slice';
    case 'scalar':
      return schema.type === 'boolean' ? 'bool' : schema.type;
    default:
      return 'struct';
  }
}

/** Go's name of the type of a decoded JSON value, as a `%s` of it shows. */
export function typeText(value: Json): string {
  if (value === null) return '%!s(<nil>)';
  if (Array.isArray(value)) return '[]interface {}';
  if (isObject(value)) return 'map[string]interface {}';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'string' ? 'string' : Number.isInteger(value) ? 'int64' : 'float64';
}
