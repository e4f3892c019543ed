import { FieldPath, formatFieldError, invalid } from '../meta/field-error.ts';
import { DecodeError } from './decode-state.ts';
import type { Schema } from './schema.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/** Brings the metadata of a resource at this path to their canonical form, or throws a `DecodeError`. */
export type MetadataDecoder = (metadata: unknown, path: FieldPath) => unknown;

/**
 * Types the resources inside of a custom one (x-kubernetes-embedded-resource) as the one around them is typed: their metadata are
 * decoded, unknown fields and all, and apiVersion and kind must be strings. The root itself is left to the caller. Gives back the same
 * object when nothing had to change; throws a `DecodeError` where a value cannot be typed.
 */
export function typeEmbedded(schema: Schema, object: JsonObject, metadata: MetadataDecoder): JsonObject {
  return hasEmbedded(schema) ? (visitMembers(schema, object, new FieldPath(), metadata) as JsonObject) : object;
}

const known = new WeakMap<Schema, boolean>();

function hasEmbedded(schema: Schema): boolean {
  if (schema.kind === 'scalar' || schema.kind === 'any') return false;
  let answer = known.get(schema);
  if (answer === undefined) {
    known.set(schema, false); // Built-in types may contain themselves, and embed nothing.
    if (schema.kind === 'list') answer = hasEmbedded(schema.items);
    else if (schema.kind === 'map') answer = hasEmbedded(schema.values);
    else answer = schema.embedded === true || [...schema.fields.values()].some((field) => hasEmbedded(field.schema));
    known.set(schema, answer);
  }
  return answer;
}

function visit(schema: Schema, value: unknown, path: FieldPath, metadata: MetadataDecoder): unknown {
  if (typeof value !== 'object' || value === null || !hasEmbedded(schema)) return value;
  if (Array.isArray(value)) {
    if (schema.kind !== 'list') return value;
    const after = value.map((item: unknown, i) => visit(schema.items, item, path.index(i), metadata));
    return after.every((item, i) => item === value[i]) ? value : after;
  }
  const typed = schema.kind === 'object' && schema.embedded === true ? resource(value as JsonObject, path, metadata) : value;
  return visitMembers(schema, typed as JsonObject, path, metadata);
}

function visitMembers(schema: Schema, object: JsonObject, path: FieldPath, metadata: MetadataDecoder): unknown {
  let changed = false;
  const members = Object.entries(object).map(([name, value]): [string, unknown] => {
    const at = schema.kind === 'map' ? path.key(name) : path.child(name);
    const child = schema.kind === 'map' ? schema.values : schema.kind === 'object' ? schema.fields.get(name)?.schema : undefined;
    const after = child === undefined ? value : visit(child, value, at, metadata);
    changed ||= after !== value;
    return [name, after];
  });
  return changed ? Object.fromEntries(members) : object;
}

function resource(object: JsonObject, path: FieldPath, metadata: MetadataDecoder): JsonObject {
  for (const name of ['apiVersion', 'kind']) {
    const value = object[name];
    if (value !== undefined && typeof value !== 'string') fail(path.child(name), value, 'must be a string');
  }
  const before = object['metadata'];
  if (before === undefined) return object;
  const at = path.child('metadata');
  try {
    const after = metadata(before, at);
    return after === before ? object : { ...object, metadata: after };
  } catch (err) {
    if (err instanceof DecodeError) fail(at, before, err.message);
    throw err;
  }
}

function fail(path: FieldPath, value: unknown, detail: string): never {
  throw new DecodeError(formatFieldError(invalid(path, value, detail)));
}
