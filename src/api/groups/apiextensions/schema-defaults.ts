import { embeddedResourceFaults } from '../../custom-resource/embedded-resource.ts';
import { ruleValidator } from '../../custom-resource/rules.ts';
import { valueValidator } from '../../custom-resource/value-validation.ts';
import { type FieldError, formatFieldErrors, invalid } from '../../meta/field-error.ts';
import type { JSONSchemaProps } from '../../types/apiextensions-v1.ts';
import { itemsOf, valuesOf } from './structural-schema.ts';

/** The nearest resource around a part of a schema. */
interface Surroundings {
  readonly schema: JSONSchemaProps;
  /** Set within its type and metadata: the resource that has `value` here, and nothing else but a type. */
  readonly around: ((value: unknown) => object) | undefined;
}

/**
 * What is wrong with the defaults in a structural schema: each is valid where it stands, by its rules too, and, when `pruned`, without
 * unknown fields. In the type and metadata of an embedded resource it makes these valid; unknown fields are dropped there when it is used.
 */
export function defaultFaults(schema: JSONSchemaProps, path: string, pruned: boolean): readonly FieldError[] {
  const errors: FieldError[] = [];
  visit(schema, path, undefined, pruned, errors);
  return errors;
}

function visit(
  schema: JSONSchemaProps,
  path: string,
  outer: Surroundings | undefined,
  pruned: boolean,
  errors: FieldError[],
): void {
  const isResource = outer === undefined || schema['x-kubernetes-embedded-resource'] === true;
  const within: Surroundings = isResource ? { schema, around: undefined } : outer;
  const value = schema.default;
  if (value !== undefined && value !== null) errors.push(...faultsOf(schema, value, within, pruned, `${path}.default`));
  // Nothing within a map's values has defaults.
  const items = itemsOf(schema);
  const { around } = within;
  if (items !== undefined) {
    const inItem = around === undefined ? within : { ...within, around: (item: unknown) => around([item]) };
    visit(items, `${path}.items`, inItem, pruned, errors);
  }
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    visit(child, `${path}.properties[${name}]`, isResource ? inResource(within, name) : inField(within, name), pruned, errors);
  }
}

function inField(within: Surroundings, name: string): Surroundings {
  const { around } = within;
  return around === undefined ? within : { ...within, around: (value) => around({ [name]: value }) };
}

function inResource(within: Surroundings, name: string): Surroundings {
  if (!objectFields.has(name)) return within;
  return { ...within, around: (value) => ({ apiVersion: 'validation/v1', kind: 'Validation', [name]: value }) };
}

function faultsOf(
  schema: JSONSchemaProps,
  value: unknown,
  { schema: resource, around }: Surroundings,
  pruned: boolean,
  at: string,
): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (around !== undefined) {
    const wrong = embeddedResourceFaults(resource, around(value));
    if (wrong.length > 0) return [invalid(at, value, `must result in valid metadata: ${formatFieldErrors(wrong)}`)];
  } else {
    if (pruned && hasUnknownFields(value, schema)) errors.push(invalid(at, value, 'must not have unknown fields'));
    const wrong = embeddedResourceFaults(schema, value, at);
    if (wrong.length > 0) return [...errors, ...wrong];
  }
  const invalidValue = valueValidator(schema).validate(value, at);
  errors.push(...(invalidValue.length > 0 ? invalidValue : ruleBreaches(schema, value, at)));
  return errors;
}

/** The default has to hold as one that stays and, where rules look at an old value that need not be there, as one that comes. */
function ruleBreaches(schema: JSONSchemaProps, value: unknown, at: string): readonly FieldError[] {
  const rules = ruleValidator(schema, schema['x-kubernetes-embedded-resource'] === true);
  if (rules === undefined) return [];
  const staying = rules.validate(value, value, undefined, noWarnings, at);
  return staying.length > 0 ? staying : rules.validate(value, undefined, undefined, noWarnings, at);
}

const noWarnings = (): void => undefined;

const objectFields: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata']);

/** Whether pruning would take something away. */
export function hasUnknownFields(value: unknown, schema: JSONSchemaProps): boolean {
  const open = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const { properties = {}, additionalProperties } = schema;
  const values = valuesOf(schema);
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    return items === undefined ? !open && value.length > 0 : value.some((item) => hasUnknownFields(item, items));
  }
  if (typeof value !== 'object' || value === null) return false;
  const embedded = schema['x-kubernetes-embedded-resource'] === true;
  return Object.entries(value).some(([name, item]) => {
    if (embedded && objectFields.has(name)) return false;
    if (Object.hasOwn(properties, name)) return hasUnknownFields(item, properties[name]!);
    if (values !== undefined) return hasUnknownFields(item, values);
    return !open && additionalProperties !== true;
  });
}
