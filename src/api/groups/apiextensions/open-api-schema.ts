import { type FieldError, forbidden, invalid, notSupported, required } from '../../meta/field-error.ts';
import type { JSONSchemaProps } from '../../types/apiextensions-v1.ts';
import { FieldPathError, resolveFieldPath } from './field-path.ts';
import { itemsOf, someSchema, unsupportedKeyword } from './structural-schema.ts';

type Errors = FieldError[];

/** Rules that a definition from before they were there may go on breaking. */
export interface SchemaRules {
  readonly validTypes: boolean;
  readonly atomicSets: boolean;
  readonly mapKeys: boolean;
  readonly prunedDefaults: boolean;
}

/** Where in an object a schema stands. */
interface Place {
  /** Why there can be no default here. */
  readonly noDefaults?: string;
  readonly insideMeta: boolean;
}

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const reasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];
const objectFields: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata']);

/** Everything wrong with the keywords of a CRD's schema, level by level. */
export function openApiFaults(schema: JSONSchemaProps, path: string, rules: SchemaRules): readonly FieldError[] {
  const errors: Errors = [];
  visit(schema, path, { insideMeta: false }, true, rules, errors);
  return errors;
}

function visit(schema: JSONSchemaProps, path: string, place: Place, root: boolean, rules: SchemaRules, errors: Errors): void {
  visitKeywords(schema, path, place, rules, errors);
  if (schema.uniqueItems === true) {
    const detail = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';
    errors.push(forbidden(`${path}.uniqueItems`, detail));
  }
  const { properties = {}, additionalProperties: values, items } = schema;
  if (values !== undefined) {
    if (values !== true && Object.keys(properties).length > 0) {
      errors.push(forbidden(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'));
    }
    if (typeof values === 'object') {
      const within: Place = place.insideMeta
        ? { ...place, noDefaults: 'inside additionalProperties applying to object metadata' }
        : place;
      visit(values, `${path}.additionalProperties`, within, false, rules, errors);
    }
  }
  for (const [name, child] of Object.entries(properties)) {
    const meta = (root || schema['x-kubernetes-embedded-resource'] === true) && objectFields.has(name);
    const within: Place = meta ? { ...place, insideMeta: true, ...(root ? { noDefaults: `in top-level ${name}` } : {}) } : place;
    visit(child, `${path}.properties[${name}]`, within, false, rules, errors);
  }
  if (schema.not !== undefined) visit(schema.not, `${path}.not`, place, false, rules, errors);
  for (const list of ['allOf', 'oneOf', 'anyOf'] as const) {
    schema[list]?.forEach((part, i) => {
      visit(part, `${path}.${list}[${i}]`, place, false, rules, errors);
    });
  }
  if (Array.isArray(items)) {
    (items as readonly JSONSchemaProps[]).forEach((item, i) => {
      visit(item, `${path}.items[${i}]`, place, false, rules, errors);
    });
  } else if (items !== undefined) visit(items as JSONSchemaProps, `${path}.items`, place, false, rules, errors);
  visitTopology(schema, path, rules, errors);
  visitRules(schema, path, errors);
}

function visitKeywords(schema: JSONSchemaProps, path: string, place: Place, rules: SchemaRules, errors: Errors): void {
  const { type = '' } = schema;
  if (rules.validTypes && type !== '' && !types.includes(type)) errors.push(notSupported(`${path}.type`, type, types));
  if (schema.default !== undefined && schema.default !== null && place.noDefaults !== undefined) {
    errors.push(forbidden(`${path}.default`, `must not be set ${place.noDefaults}`));
  }
  const unsupported: readonly (readonly [name: string, given: boolean])[] = [
    ['id', !!schema.id],
    ['additionalItems', schema.additionalItems !== undefined],
    ['patternProperties', Object.keys(schema.patternProperties ?? {}).length > 0],
    ['definitions', Object.keys(schema.definitions ?? {}).length > 0],
    ['dependencies', schema.dependencies !== undefined],
    ['$ref', schema.$ref !== undefined],
  ];
  for (const [name, given] of unsupported) if (given) errors.push(forbidden(`${path}.${name}`, `${name} is not supported`));
  if (type === 'null') errors.push(forbidden(`${path}.type`, 'type cannot be set to null, use nullable as an alternative'));
  if (Array.isArray(schema.items) && schema.items.length > 0) {
    errors.push(forbidden(`${path}.items`, 'items must be a schema object and not an array'));
  }
  if (place.insideMeta && schema['x-kubernetes-embedded-resource'] === true) {
    errors.push(forbidden(`${path}.x-kubernetes-embedded-resource`, 'must not be used inside of resource meta'));
  }
}

/** How lists and maps are merged. */
function visitTopology(schema: JSONSchemaProps, path: string, rules: SchemaRules, errors: Errors): void {
  const { type = '' } = schema;
  const open = schema['x-kubernetes-preserve-unknown-fields'];
  const listType = schema['x-kubernetes-list-type'];
  const mapType = schema['x-kubernetes-map-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const mustBe = (wanted: string, keyword: string): void => {
    const detail = `must be ${wanted} if ${keyword} is specified`;
    errors.push(type === '' ? required(`${path}.type`, detail) : invalid(`${path}.type`, type, detail));
  };
  if (open === false) {
    errors.push(invalid(`${path}.x-kubernetes-preserve-unknown-fields`, open, 'must be true or undefined'));
  }
  if (mapType !== undefined) {
    if (type !== 'object') mustBe('object', 'x-kubernetes-map-type');
    const known = ['atomic', 'granular'];
    if (!known.includes(mapType)) errors.push(notSupported(`${path}.x-kubernetes-map-type`, mapType, known));
  }
  if (listType !== undefined && type !== 'array') mustBe('array', 'x-kubernetes-list-type');
  else if (rules.atomicSets && isUnatomicSet(schema)) {
    const items = itemsOf(schema);
    const keyword = items?.type === 'array' ? 'x-kubernetes-list-type' : 'x-kubernetes-map-type';
    const detail = 'must be atomic as item of a list with x-kubernetes-list-type=set';
    errors.push(invalid(`${path}.items.${keyword}`, items?.['x-kubernetes-list-type'], detail));
  }
  if (listType !== undefined && !['atomic', 'set', 'map'].includes(listType)) {
    errors.push(notSupported(`${path}.x-kubernetes-list-type`, listType, ['atomic', 'set', 'map']));
  }
  if (keys.length > 0 && listType !== 'map') {
    const detail = 'must be map if x-kubernetes-list-map-keys is non-empty';
    const at = `${path}.x-kubernetes-list-type`;
    errors.push(listType === undefined ? required(at, detail) : invalid(at, listType, detail));
  }
  if (listType === 'map') visitMapList(schema, keys, path, errors);
  if (rules.mapKeys) errors.push(...mapKeyFaults(schema, path));
}

/** A set whose items are taken apart when they are merged; scalars never are. */
export function isUnatomicSet(schema: JSONSchemaProps): boolean {
  if (schema['x-kubernetes-list-type'] !== 'set') return false;
  const items = itemsOf(schema);
  if (items?.type === 'array') return (items['x-kubernetes-list-type'] ?? 'atomic') !== 'atomic';
  return items?.type === 'object' && items['x-kubernetes-map-type'] !== 'atomic';
}

function visitMapList(schema: JSONSchemaProps, keys: readonly string[], path: string, errors: Errors): void {
  const at = `${path}.x-kubernetes-list-map-keys`;
  if (keys.length === 0) errors.push(required(at, 'must not be empty if x-kubernetes-list-type is map'));
  if (schema.items === undefined) {
    errors.push(required(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map'));
    return;
  }
  const items = itemsOf(schema);
  if (items === undefined) {
    errors.push(invalid(`${path}.items`, schema.items, 'must only have a single schema if x-kubernetes-list-type is map'));
    return;
  }
  if (items.type !== 'object') {
    const detail = "must be object if parent array's x-kubernetes-list-type is map";
    errors.push(invalid(`${path}.items.type`, items.type ?? '', detail));
    return;
  }
  keys.forEach((key, i) => {
    const type = items.properties?.[key]?.type;
    if (items.properties?.[key] === undefined) {
      errors.push(invalid(at, keys, 'entries must all be names of item properties'));
    } else if (type === 'array' || type === 'object') {
      const detail = "must be a scalar type if parent array's x-kubernetes-list-type is map";
      errors.push(invalid(`${path}.items.properties[${key}].type`, items.type, detail));
    }
    if (keys.indexOf(key) < i) errors.push(invalid(at, keys, 'must not contain duplicate entries'));
  });
}

/** Items that are told apart are not null, and what tells them apart is always there. */
export function mapKeyFaults(schema: JSONSchemaProps, path: string): readonly FieldError[] {
  const listType = schema['x-kubernetes-list-type'];
  const items = itemsOf(schema);
  if (items === undefined || (listType !== 'set' && listType !== 'map')) return [];
  const errors: Errors = [];
  if (items.nullable === true) {
    errors.push(forbidden(`${path}.items.nullable`, `cannot be nullable when x-kubernetes-list-type is ${listType}`));
  }
  if (listType === 'set') return errors;
  for (const key of schema['x-kubernetes-list-map-keys'] ?? []) {
    const property = items.properties?.[key];
    if (property === undefined) continue;
    const at = `${path}.items.properties[${key}]`;
    const why = 'this property is in x-kubernetes-list-map-keys, so it';
    if (items.required?.includes(key) !== true && (property.default ?? null) === null) {
      errors.push(required(`${at}.default`, `${why} must have a default or be a required property`));
    }
    if (property.nullable === true) errors.push(forbidden(`${at}.nullable`, `${why} cannot be nullable`));
  }
  return errors;
}

const hasBreak = (text: string): boolean => /[\n\r]/.test(text);

/** The form of x-kubernetes-validations; whether the expressions compile is another matter. */
function visitRules(schema: JSONSchemaProps, path: string, errors: Errors): void {
  schema['x-kubernetes-validations']?.forEach((rule, i) => {
    const at = `${path}.x-kubernetes-validations[${i}]`;
    const { message = '', messageExpression = '', reason, fieldPath = '' } = rule;
    const text = (rule.rule ?? '').trim();
    if (text === '') errors.push(required(`${at}.rule`, 'rule is not specified'));
    else if (message !== '' && message.trim() === '') {
      errors.push(invalid(`${at}.message`, message, 'must be non-empty if specified'));
    } else if (hasBreak(message.trim())) errors.push(invalid(`${at}.message`, message, 'must not contain line breaks'));
    else if (hasBreak(text) && message.trim() === '') {
      errors.push(required(`${at}.message`, 'message must be specified if rule contains line breaks'));
    }
    if (messageExpression !== '' && messageExpression.trim() === '') {
      errors.push(required(`${at}.messageExpression`, 'messageExpression must be non-empty if specified'));
    }
    if (reason !== undefined && !reasons.includes(reason)) errors.push(notSupported(`${at}.reason`, reason, reasons));
    if (fieldPath === '') return;
    if (fieldPath.trim() === '') errors.push(invalid(`${at}.fieldPath`, fieldPath, 'must be non-empty if specified'));
    if (hasBreak(fieldPath)) errors.push(invalid(`${at}.fieldPath`, fieldPath, 'must not contain line breaks'));
    if (!leadsSomewhere(fieldPath, schema)) errors.push(invalid(`${at}.fieldPath`, fieldPath, 'must be a valid path'));
  });
}

function leadsSomewhere(path: string, schema: JSONSchemaProps): boolean {
  if (unsupportedKeyword(schema) !== undefined) return true;
  try {
    resolveFieldPath(path, schema);
    return true;
  } catch (err) {
    if (err instanceof FieldPathError) return false;
    throw err;
  }
}

/** Whether there is a type that no value can have. */
export const hasUnknownType = (schema: JSONSchemaProps): boolean =>
  someSchema(schema, (s) => !!s.type && !types.includes(s.type));
