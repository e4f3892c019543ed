import { type FieldError, FieldPath, invalid, required } from '../meta/field-error.ts';
import { isDNS1035Label, nameIsPathSegment } from '../meta/names.ts';
import { validateObjectMeta } from '../meta/object-meta-validation.ts';
import { StatusError } from '../meta/status.ts';
import { builtinSchema } from '../schema/builtin.ts';
import { decode } from '../schema/decode.ts';
import type { JSONSchemaProps } from '../types/apiextensions-v1.ts';
import type { ObjectMeta } from '../types/meta-v1.ts';
import { OBJECT_META } from './structural-schema.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/** What is wrong with the type and metadata of the whole resources inside of a custom one (x-kubernetes-embedded-resource) at `path`. */
export function embeddedResourceFaults(schema: JSONSchemaProps, object: unknown, path = ''): readonly FieldError[] {
  if (!hasEmbedded(schema)) return [];
  const errors: FieldError[] = [];
  visit(schema, object, new FieldPath(path), errors);
  return errors;
}

const known = new WeakMap<JSONSchemaProps, boolean>();

function hasEmbedded(schema: JSONSchemaProps): boolean {
  let answer = known.get(schema);
  if (answer === undefined) {
    const { items, additionalProperties, properties } = schema;
    answer =
      schema['x-kubernetes-embedded-resource'] === true ||
      (items !== undefined && !Array.isArray(items) && hasEmbedded(items as JSONSchemaProps)) ||
      (typeof additionalProperties === 'object' && hasEmbedded(additionalProperties)) ||
      Object.values(properties ?? {}).some(hasEmbedded);
    known.set(schema, answer);
  }
  return answer;
}

function visit(schema: JSONSchemaProps, value: unknown, path: FieldPath, errors: FieldError[]): void {
  if (typeof value !== 'object' || value === null || !hasEmbedded(schema)) return;
  const { items, additionalProperties, properties } = schema;
  if (Array.isArray(value)) {
    if (items === undefined || Array.isArray(items)) return;
    value.forEach((item: unknown, i) => void visit(items as JSONSchemaProps, item, path.index(i), errors));
    return;
  }
  const object = value as JsonObject;
  if (schema['x-kubernetes-embedded-resource'] === true) errors.push(...resourceFaults(object, path));
  for (const [name, child] of Object.entries(object)) {
    const property = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (property !== undefined) visit(property, child, path.child(name), errors);
    else if (typeof additionalProperties === 'object') visit(additionalProperties, child, path.key(name), errors);
  }
}

function resourceFaults(object: JsonObject, path: FieldPath): readonly FieldError[] {
  const errors: FieldError[] = [];
  const { apiVersion, kind, metadata } = object;
  if (apiVersion === undefined) errors.push(required(path.child('apiVersion')));
  if (kind === undefined) errors.push(required(path.child('kind')));
  if (apiVersion !== undefined) errors.push(...apiVersionFaults(apiVersion, path.child('apiVersion')));
  if (kind !== undefined) errors.push(...kindFaults(kind, path.child('kind')));
  if (metadata !== undefined) errors.push(...metadataFaults(metadata, path.child('metadata')));
  return errors;
}

function apiVersionFaults(value: unknown, path: FieldPath): readonly FieldError[] {
  if (typeof value !== 'string') return [invalid(path, value, 'must be a string')];
  if (value === '') return [invalid(path, value, 'must not be empty')];
  if (value.split('/').length > 2) return [invalid(path, value, `unexpected GroupVersion string: ${value}`)];
  return [];
}

function kindFaults(value: unknown, path: FieldPath): readonly FieldError[] {
  if (typeof value !== 'string') return [invalid(path, value, 'must be a string')];
  if (value === '') return [invalid(path, value, 'must not be empty')];
  const bad = isDNS1035Label(value.toLowerCase());
  if (bad.length === 0) return [];
  return [invalid(path, value, `may have mixed case, but should otherwise match: ${bad.join(',')}`)];
}

function metadataFaults(value: unknown, path: FieldPath): readonly FieldError[] {
  try {
    const { object } = decode<ObjectMeta>(builtinSchema(OBJECT_META), value);
    const meta = object.name ? object : { ...object, name: 'fakename' };
    return validateObjectMeta(meta, { namespaced: meta.namespace !== undefined, validateName: nameIsPathSegment }, path);
  } catch (err) {
    if (!(err instanceof StatusError)) throw err;
    return [invalid(path, value, err.message)];
  }
}
