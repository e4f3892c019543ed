import { ruleValidator } from '../../custom-resource/rules.ts';
import { valueValidator } from '../../custom-resource/value-validation.ts';
import { type FieldError, invalid } from '../../meta/field-error.ts';
import type { JSONSchemaProps } from '../../types/apiextensions-v1.ts';
import { itemsOf, valuesOf } from './structural-schema.ts';

/**
 * What is wrong with the defaults in a structural schema: each is valid where it stands, by its rules too, and, when `pruned`, without
 * unknown fields.
 */
export function defaultFaults(schema: JSONSchemaProps, path: string, pruned: boolean): readonly FieldError[] {
  const errors: FieldError[] = [];
  visit(schema, path, pruned, errors);
  return errors;
}

function visit(schema: JSONSchemaProps, path: string, pruned: boolean, errors: FieldError[]): void {
  const value = schema.default;
  if (value !== undefined && value !== null) {
    const at = `${path}.default`;
    if (pruned && hasUnknownFields(value, schema)) errors.push(invalid(at, value, 'must not have unknown fields'));
    const invalidValue = valueValidator(schema).validate(value, at);
    errors.push(...(invalidValue.length > 0 ? invalidValue : ruleBreaches(schema, value, at)));
  }
  // Nothing within a map's values has defaults.
  const items = itemsOf(schema);
  if (items !== undefined) visit(items, `${path}.items`, pruned, errors);
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    visit(child, `${path}.properties[${name}]`, pruned, errors);
  }
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
