import { type FieldError, type FieldPath, forbidden, invalid, notSupported, required } from '../../meta/field-error.ts';
import type { JSONSchemaProps } from '../../types/apiextensions-v1.ts';

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string'];

type Place = 'root' | 'item' | 'field';

/**
 * What keeps a CRD's schema from being structural (KEP-1693 of apiextensions): every level says its type, `properties` and
 * `additionalProperties` exclude each other, and the logical parts (allOf …) only add constraints.
 */
export function structuralFaults(schema: JSONSchemaProps, path: FieldPath): readonly FieldError[] {
  const errors: FieldError[] = [];
  visit(schema, path, 'root', errors);
  if (schema.type !== undefined && schema.type !== 'object') {
    errors.push(invalid(path.child('type'), schema.type, 'must be object at the root'));
  }
  if (schema.additionalProperties !== undefined) {
    errors.push(forbidden(path.child('additionalProperties'), 'must not be used at the root'));
  }
  return errors;
}

const missingType = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
} as const;

function visit(schema: JSONSchemaProps, path: FieldPath, place: Place, errors: FieldError[]): void {
  const { type = '', properties, additionalProperties, items } = schema;
  const intOrString = schema['x-kubernetes-int-or-string'] === true;
  const open = schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (type === '' && !intOrString && !open) errors.push(required(path.child('type'), missingType[place]));
  if (type === '' && open && place === 'root') errors.push(required(path.child('type'), missingType.root));
  if (type !== '' && !types.includes(type)) errors.push(notSupported(path.child('type'), type, types));
  if (schema.$ref !== undefined) errors.push(forbidden(path.child('$ref'), '$ref is not supported'));
  if (schema.uniqueItems === true) {
    errors.push(
      forbidden(path.child('uniqueItems'), 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic'),
    );
  }
  if (properties !== undefined && additionalProperties !== undefined && additionalProperties !== false) {
    errors.push(forbidden(path.child('additionalProperties'), 'additionalProperties and properties are mutual exclusive'));
  }
  extensionFaults(schema, path, errors);
  patternFaults(schema, path, errors);
  if (type === 'array' && items === undefined) errors.push(required(path.child('items'), 'must be specified'));
  for (const [name, child] of Object.entries(properties ?? {})) visit(child, path.child('properties').key(name), 'field', errors);
  if (typeof additionalProperties === 'object') visit(additionalProperties, path.child('additionalProperties'), 'field', errors);
  if (Array.isArray(items)) errors.push(forbidden(path.child('items'), 'items must be a schema object and not an array'));
  else if (items !== undefined) visit(items as JSONSchemaProps, path.child('items'), 'item', errors);
  for (const list of ['allOf', 'anyOf', 'oneOf'] as const) {
    (schema[list] ?? []).forEach((part, i) => void visitConstraint(part, path.child(list).index(i), intOrString, errors));
  }
  if (schema.not !== undefined) visitConstraint(schema.not, path.child('not'), false, errors);
}

function extensionFaults(schema: JSONSchemaProps, path: FieldPath, errors: FieldError[]): void {
  const at = (name: string): FieldPath => path.child(name);
  const { type = '', properties } = schema;
  const open = schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (schema['x-kubernetes-int-or-string'] === true) {
    if (open) {
      const detail = 'must be false if x-kubernetes-int-or-string is true';
      errors.push(invalid(at('x-kubernetes-preserve-unknown-fields'), true, detail));
    }
  }
  if (schema['x-kubernetes-embedded-resource'] === true) {
    const detail = 'must be object if x-kubernetes-embedded-resource is true';
    if (type === '') errors.push(required(at('type'), detail));
    else if (type !== 'object') errors.push(invalid(at('type'), type, detail));
    if (!open && Object.keys(properties ?? {}).length === 0) {
      const missing = 'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields';
      errors.push(required(at('properties'), missing));
    }
  }
  const listType = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  if (listType !== undefined) {
    if (type !== 'array') errors.push(invalid(at('type'), type, 'must be array if x-kubernetes-list-type is specified'));
    const known = ['atomic', 'set', 'map'];
    if (!known.includes(listType)) errors.push(notSupported(at('x-kubernetes-list-type'), listType, known));
  }
  if (keys.length > 0 && listType !== 'map') {
    const where = at('x-kubernetes-list-type');
    const detail = 'must be map if x-kubernetes-list-map-keys is non-empty';
    errors.push(listType === undefined ? required(where, detail) : invalid(where, listType, detail));
  }
  if (listType === 'map' && keys.length === 0) {
    errors.push(required(at('x-kubernetes-list-map-keys'), 'must not be empty if x-kubernetes-list-type is map'));
  }
}

function patternFaults(schema: JSONSchemaProps, path: FieldPath, errors: FieldError[]): void {
  if (schema.pattern === undefined) return;
  try {
    new RegExp(schema.pattern, 'u');
  } catch (err) {
    // RE2 and ECMAScript disagree on flags and escapes: a pattern that only one of them knows is not refused here.
    if (/\(\?[a-zA-Z-]+[:)]|\\[A-Za-z]|\[\[:/.test(schema.pattern)) return;
    const why = (err as Error).message;
    errors.push(invalid(path.child('pattern'), schema.pattern, `must be a valid regular expression, but isn't: ${why}`));
  }
}

const structuralOnly = [
  ['description', 'must be empty to be structural'],
  ['title', 'must be empty to be structural'],
  ['default', 'must be undefined to be structural'],
  ['additionalProperties', 'must be undefined to be structural'],
] as const;

/** Within allOf, anyOf, oneOf and not: constraints alone, nothing that gives the value its shape. */
function visitConstraint(schema: JSONSchemaProps, path: FieldPath, intOrString: boolean, errors: FieldError[]): void {
  const namesHalf = intOrString && (schema.type === 'integer' || schema.type === 'string');
  const nested = intOrString && schema.anyOf !== undefined;
  if (schema.type !== undefined && schema.type !== '' && !namesHalf) {
    errors.push(forbidden(path.child('type'), 'must be empty to be structural'));
  }
  for (const [name, detail] of structuralOnly) {
    if (schema[name] !== undefined && schema[name] !== '') errors.push(forbidden(path.child(name), detail));
  }
  if (schema.nullable === true) errors.push(forbidden(path.child('nullable'), 'must be false to be structural'));
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    visitConstraint(child, path.child('properties').key(name), false, errors);
  }
  if (schema.items !== undefined && !Array.isArray(schema.items)) {
    visitConstraint(schema.items as JSONSchemaProps, path.child('items'), false, errors);
  }
  for (const list of ['allOf', 'anyOf', 'oneOf'] as const) {
    (schema[list] ?? []).forEach((part, i) => void visitConstraint(part, path.child(list).index(i), nested, errors));
  }
  if (schema.not !== undefined) visitConstraint(schema.not, path.child('not'), false, errors);
}
