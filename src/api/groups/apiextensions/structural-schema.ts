import { compileRe2, Re2Error } from '../../cel/re2.ts';
import { type FieldError, forbidden, formatFieldError, invalid, required } from '../../meta/field-error.ts';
import type { JSONSchemaProps } from '../../types/apiextensions-v1.ts';
import { deepEqual } from '../define.ts';

type Place = 'root' | 'item' | 'field';
type Errors = FieldError[];

/** Keywords that a structural schema cannot have; the reason why a schema is not one, in upstream's words. */
export function unsupportedKeyword(schema: JSONSchemaProps): string | undefined {
  const unsupported: readonly (readonly [name: string, given: boolean])[] = [
    ['id', !!schema.id],
    ['schema', !!schema.$schema],
    ['$ref', !!schema.$ref],
    ['patternProperties', Object.keys(schema.patternProperties ?? {}).length > 0],
    ['dependencies', Object.keys(schema.dependencies ?? {}).length > 0],
    ['additionalItems', schema.additionalItems !== undefined],
    ['definitions', Object.keys(schema.definitions ?? {}).length > 0],
  ];
  const found = unsupported.find(([, given]) => given);
  if (found !== undefined) return `OpenAPIV3Schema '${found[0]}' is not supported`;
  if (schema['x-kubernetes-preserve-unknown-fields'] === false) {
    return "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined";
  }
  if (Array.isArray(schema.items)) return "OpenAPIV3Schema 'items' must be a schema, but is an array";
  for (const child of childSchemas(schema)) {
    const reason = unsupportedKeyword(child);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** The schema of a list's items; undefined for none, and for a list of schemas. */
export const itemsOf = (schema: JSONSchemaProps): JSONSchemaProps | undefined =>
  Array.isArray(schema.items) ? undefined : (schema.items as JSONSchemaProps | undefined);

/** The schema of a map's values; undefined for none, and for a mere true or false. */
export const valuesOf = (schema: JSONSchemaProps): JSONSchemaProps | undefined =>
  typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined;

/** Every schema directly within `schema`. */
export function childSchemas(schema: JSONSchemaProps): readonly JSONSchemaProps[] {
  const { allOf = [], anyOf = [], oneOf = [], not, properties = {}, items } = schema;
  const values = valuesOf(schema);
  return [
    ...(items === undefined ? [] : Array.isArray(items) ? items : [items as JSONSchemaProps]),
    ...allOf,
    ...anyOf,
    ...oneOf,
    ...(not === undefined ? [] : [not]),
    ...Object.values(properties),
    ...(values === undefined ? [] : [values]),
  ];
}

/** Whether the schema, or one within it, is as `test` says. */
export const someSchema = (schema: JSONSchemaProps, test: (schema: JSONSchemaProps) => boolean): boolean =>
  test(schema) || childSchemas(schema).some((child) => someSchema(child, test));

/**
 * What keeps a CRD's schema from being structural: every level says its type, and the logical parts (allOf …) only add constraints to
 * what is there already. In the order of the messages, as upstream sorts them. For schemas without an `unsupportedKeyword`.
 */
export function structuralFaults(schema: JSONSchemaProps, path: string): readonly FieldError[] {
  const errors: Errors = [];
  visit(schema, 'root', path, errors);
  completeValues(schema, schema, path, path, errors);
  return errors
    .map((error) => ({ error, text: formatFieldError(error) }))
    .sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0))
    .map(({ error }) => error);
}

const missingType = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
} as const;

function visit(schema: JSONSchemaProps, place: Place, path: string, errors: Errors): void {
  const { type = '', properties = {}, additionalProperties } = schema;
  const items = itemsOf(schema);
  const values = valuesOf(schema);
  const embedded = schema['x-kubernetes-embedded-resource'] === true;
  const open = schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (type === 'array' && items === undefined) errors.push(required(`${path}.items`, 'must be specified'));
  if (items !== undefined) visit(items, 'item', `${path}.items`, errors);
  for (const [name, child] of Object.entries(properties)) visit(child, 'field', `${path}.properties[${name}]`, errors);
  if (additionalProperties !== undefined && place === 'root') {
    errors.push(forbidden(`${path}.additionalProperties`, 'must not be used at the root'));
  }
  if (values !== undefined) visit(values, 'field', `${path}.additionalProperties`, errors);
  visitIntOrString(schema, path, errors);
  visitConstraints(schema, isIntOrString(schema.anyOf), isIntOrString(schema.allOf?.[0]?.anyOf), path, errors);
  if (embedded && type !== 'object') {
    const detail = 'must be object if x-kubernetes-embedded-resource is true';
    errors.push(type === '' ? required(`${path}.type`, detail) : invalid(`${path}.type`, type, detail));
  } else if (type === '' && schema['x-kubernetes-int-or-string'] !== true && !open) {
    errors.push(required(`${path}.type`, missingType[place]));
  }
  if (embedded && additionalProperties !== undefined) {
    errors.push(forbidden(`${path}.additionalProperties`, 'must not be used if x-kubernetes-embedded-resource is set'));
  }
  if (place === 'root' && type !== '' && type !== 'object') {
    errors.push(invalid(`${path}.type`, type, 'must be object at the root'));
  }
  visitMetadata(schema, place, path, errors);
  if (embedded && !open && Object.keys(properties).length === 0) {
    const detail = 'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields';
    errors.push(required(`${path}.properties`, detail));
  }
}

function visitIntOrString(schema: JSONSchemaProps, path: string, errors: Errors): void {
  if (schema['x-kubernetes-int-or-string'] !== true) return;
  for (const name of ['x-kubernetes-preserve-unknown-fields', 'x-kubernetes-embedded-resource'] as const) {
    if (schema[name] === true) {
      errors.push(invalid(`${path}.${name}`, true, 'must be false if x-kubernetes-int-or-string is true'));
    }
  }
}

/** What every object has is what it always is: names can be narrowed, and nothing else. */
function visitMetadata(schema: JSONSchemaProps, place: Place, path: string, errors: Errors): void {
  const properties = schema.properties ?? {};
  const isObject = place === 'root' || schema['x-kubernetes-embedded-resource'] === true;
  for (const name of ['kind', 'apiVersion']) {
    const type = properties[name]?.type ?? '';
    if (isObject && properties[name] !== undefined && type !== 'string') {
      errors.push(invalid(`${path}.properties[${name}].type`, type, 'must be string'));
    }
  }
  const { metadata } = properties;
  if (metadata === undefined) return;
  const at = `${path}.properties[metadata]`;
  if (isObject && metadata.type !== 'object') errors.push(invalid(`${at}.type`, metadata.type ?? '', 'must be object'));
  if (place !== 'root') return;
  const { type: _type, default: _default, properties: names = {}, ...rest } = metadata;
  const onlyNames = Object.keys(names).every((name) => name === 'name' || name === 'generateName');
  if (!onlyNames || Object.values(rest).some((value) => !isZero(value))) {
    const detail = 'must not specify anything other than name and generateName, but metadata is implicitly specified';
    errors.push(forbidden(at, detail));
  }
}

const isZero = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === false ||
  value === '' ||
  (Array.isArray(value) ? value.length === 0 : typeof value === 'object' && Object.keys(value).length === 0);

/** The one place where alternatives may tell a type: `anyOf` an integer or a string. */
const isIntOrString = (anyOf: readonly JSONSchemaProps[] | undefined): boolean =>
  anyOf?.length === 2 && deepEqual(anyOf, [{ type: 'integer' }, { type: 'string' }]);

function visitConstraints(
  schema: JSONSchemaProps,
  skipAnyOf: boolean,
  skipFirstAllOfAnyOf: boolean,
  path: string,
  errors: Errors,
): void {
  for (const list of ['anyOf', 'allOf', 'oneOf'] as const) {
    if (list === 'anyOf' && skipAnyOf) continue;
    schema[list]?.forEach((part, i) => {
      visitConstraint(part, list === 'allOf' && i === 0 && skipFirstAllOfAnyOf, `${path}.${list}[${i}]`, errors);
    });
  }
  if (schema.not !== undefined) visitConstraint(schema.not, false, `${path}.not`, errors);
  if (!schema.pattern) return;
  try {
    compileRe2(schema.pattern);
  } catch (err) {
    if (!(err instanceof Re2Error)) throw err;
    errors.push(invalid(`${path}.pattern`, schema.pattern, `must be a valid regular expression, but isn't: ${err.message}`));
  }
}

const shapeKeywords = [
  ['type', 'must be empty to be structural'],
  ['additionalProperties', 'must be undefined to be structural'],
  ['default', 'must be undefined to be structural'],
  ['title', 'must be empty to be structural'],
  ['description', 'must be empty to be structural'],
  ['nullable', 'must be false to be structural'],
  ['x-kubernetes-preserve-unknown-fields', 'must be false to be structural'],
  ['x-kubernetes-embedded-resource', 'must be false to be structural'],
  ['x-kubernetes-int-or-string', 'must be false to be structural'],
  ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-map-type', 'must be undefined to be structural'],
  ['x-kubernetes-validations', 'must be empty to be structural'],
] as const;

/** Within allOf, anyOf, oneOf and not: constraints alone, nothing that gives the value its shape. */
function visitConstraint(schema: JSONSchemaProps, skipAnyOf: boolean, path: string, errors: Errors): void {
  visitConstraints(schema, skipAnyOf, false, path, errors);
  const items = itemsOf(schema);
  if (items !== undefined) visitConstraint(items, false, `${path}.items`, errors);
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    visitConstraint(child, false, `${path}.properties[${name}]`, errors);
  }
  for (const [name, detail] of shapeKeywords) {
    // An empty schema says as much as true: it is not nothing here.
    const given = name === 'additionalProperties' ? schema[name] !== undefined && schema[name] !== false : !isZero(schema[name]);
    if (given || (name === 'default' && schema.default !== undefined && schema.default !== null)) {
      errors.push(forbidden(`${path}.${name}`, detail));
    }
  }
  if (schema.properties?.['metadata'] !== undefined) {
    errors.push(forbidden(`${path}.properties[metadata]`, 'must not be specified in a nested context'));
  }
}

/** Every value that a constraint speaks of is one that the structure around it knows. */
function completeValues(
  constraint: JSONSchemaProps,
  structure: JSONSchemaProps | undefined,
  path: string,
  from: string,
  errors: Errors,
): void {
  const nested = (part: JSONSchemaProps, at: string): void => complete(part, structure, path, at, errors);
  if (constraint.not !== undefined) nested(constraint.not, `${from}.not`);
  for (const list of ['allOf', 'anyOf', 'oneOf'] as const) {
    constraint[list]?.forEach((part, i) => {
      nested(part, `${from}.${list}[${i}]`);
    });
  }
}

function complete(
  constraint: JSONSchemaProps,
  structure: JSONSchemaProps | undefined,
  path: string,
  from: string,
  errors: Errors,
): void {
  if (structure === undefined) {
    errors.push(required(path, `because it is defined in ${from}`));
    return;
  }
  completeValues(constraint, structure, path, from, errors);
  const items = itemsOf(constraint);
  if (items !== undefined) complete(items, itemsOf(structure), `${path}.items`, `${from}.items`, errors);
  for (const [name, child] of Object.entries(constraint.properties ?? {})) {
    const part = `.properties[${name}]`;
    complete(child, structure.properties?.[name], path + part, from + part, errors);
  }
}
