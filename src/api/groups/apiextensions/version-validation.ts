import { ruleFaults } from '../../custom-resource/rule-faults.ts';
import { duplicate, type FieldError, forbidden, invalid, required, tooMany } from '../../meta/field-error.ts';
import type {
  CustomResourceColumnDefinition,
  CustomResourceSubresources,
  JSONSchemaProps,
  SelectableField,
} from '../../types/apiextensions-v1.ts';
import { FieldPathError, resolveFieldPath } from './field-path.ts';
import { openApiFaults, type SchemaRules } from './open-api-schema.ts';
import { defaultFaults } from './schema-defaults.ts';
import { structuralFaults, unsupportedKeyword } from './structural-schema.ts';

/** The parts of a served version, which all versions of a definition may have in common. Paths are where upstream has the part. */

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string'];
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];
const maxSelectableFields = 8;
const maxWarningLength = 256;

/** What may stand beside `properties` where status is validated by itself: nothing that would be lost. Upstream's names, and its order. */
const besideStatus: ReadonlyMap<string, string> = new Map([
  ['description', 'Description'],
  ['type', 'Type'],
  ['format', 'Format'],
  ['title', 'Title'],
  ['maximum', 'Maximum'],
  ['exclusiveMaximum', 'ExclusiveMaximum'],
  ['minimum', 'Minimum'],
  ['exclusiveMinimum', 'ExclusiveMinimum'],
  ['maxLength', 'MaxLength'],
  ['minLength', 'MinLength'],
  ['pattern', 'Pattern'],
  ['maxItems', 'MaxItems'],
  ['minItems', 'MinItems'],
  ['uniqueItems', 'UniqueItems'],
  ['multipleOf', 'MultipleOf'],
  ['required', 'Required'],
  ['items', 'Items'],
  ['properties', 'Properties'],
  ['externalDocs', 'ExternalDocs'],
  ['example', 'Example'],
  ['x-kubernetes-preserve-unknown-fields', 'XPreserveUnknownFields'],
  ['x-kubernetes-validations', 'XValidations'],
]);

/**
 * Everything wrong with a schema; `path` is that of `openAPIV3Schema`. `withStatus`: there is a status subresource. `unchanged`: it was
 * accepted before as it is, and then single rules may cost what they want: another release may have priced them otherwise.
 */
export function schemaFaults(
  schema: JSONSchemaProps,
  path: string,
  withStatus: boolean,
  rules: SchemaRules,
  unchanged: boolean,
): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (withStatus) errors.push(...besideStatusFaults(schema, path));
  if (schema.nullable === true) errors.push(forbidden(`${path}.nullable`, 'nullable cannot be true at the root'));
  const unsupported = unsupportedKeyword(schema);
  if (unsupported === undefined) {
    const structural = structuralFaults(schema, path);
    errors.push(...(structural.length > 0 ? structural : defaultFaults(schema, path, rules.prunedDefaults)));
  }
  errors.push(...openApiFaults(schema, path, rules));
  // Expressions are looked at when there is a schema to look at them with.
  if (errors.length === 0 && unsupported === undefined) errors.push(...ruleFaults(schema, path, unchanged));
  // Most of it has been said in other words by now.
  if (errors.length === 0 && unsupported !== undefined) errors.push(invalid(path, '', unsupported));
  return errors;
}

function besideStatusFaults(schema: JSONSchemaProps, path: string): readonly FieldError[] {
  if (schema.type !== undefined && schema.type !== 'object') {
    const detail = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled';
    return [invalid(`${path}.type`, schema.type, detail)];
  }
  const given = (Object.keys(schema) as (keyof JSONSchemaProps)[]).filter((name) => {
    const value = schema[name];
    return value !== undefined && value !== false && value !== '' && !(Array.isArray(value) && value.length === 0);
  });
  if (given.every((name) => besideStatus.has(name))) return [];
  const allowed = `[${[...besideStatus.values()].join(' ')}]`;
  const detail = `only ${allowed} fields are allowed at the root of the schema if the status subresource is enabled`;
  return [invalid(path, schema, detail)];
}

export function deprecationFaults(deprecated: boolean, warning: string | undefined, path: string): readonly FieldError[] {
  if (warning === undefined) return [];
  const errors: FieldError[] = [];
  const fault = (detail: string): void => void errors.push(invalid(path, warning, detail));
  if (!deprecated) {
    fault('can only be set for deprecated versions');
    return errors;
  }
  if (Buffer.byteLength(warning) > maxWarningLength) fault(`must be <= ${maxWarningLength} characters long`);
  if (warning === '') fault('must not be an empty string');
  let index = 0;
  for (const character of warning) {
    if (!/[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(character)) {
      fault(`must only contain printable UTF-8 characters; non-printable character found at index ${index}`);
      break;
    }
    index += Buffer.byteLength(character);
  }
  return errors;
}

export function columnFaults(item: CustomResourceColumnDefinition, path: string): readonly FieldError[] {
  const errors: FieldError[] = item.name ? [] : [required(`${path}.name`)];
  const types = `must be one of ${columnTypes.join(',')}`;
  if (!item.type) errors.push(required(`${path}.type`, types));
  else if (!columnTypes.includes(item.type)) errors.push(invalid(`${path}.type`, item.type, types));
  if (item.format && !columnFormats.includes(item.format)) {
    errors.push(invalid(`${path}.format`, item.format, `must be one of ${columnFormats.join(',')}`));
  }
  return [...errors, ...pathFaults(item.jsonPath, `${path}.JSONPath`)];
}

/** A path that begins with a dot; whoever reads it takes it apart. */
function pathFaults(text: string | undefined, path: string): readonly FieldError[] {
  if (!text) return [required(path)];
  return text.startsWith('.') ? [] : [invalid(path, text, 'must be a simple json path starting with .')];
}

export function subresourceFaults(subresources: CustomResourceSubresources | undefined, path: string): readonly FieldError[] {
  const scale = subresources?.scale;
  if (scale === undefined) return [];
  const under = (field: string, text: string | undefined, roots: readonly string[], where: string): readonly FieldError[] => {
    const at = `${path}.scale.${field}`;
    const errors = pathFaults(text, at);
    if (errors.length > 0 || roots.some((root) => text?.startsWith(root))) return errors;
    return [invalid(at, text, `should be a json path under ${where}`)];
  };
  const { specReplicasPath, statusReplicasPath, labelSelectorPath } = scale;
  return [
    ...under('specReplicasPath', specReplicasPath, ['.spec.'], '.spec'),
    ...under('statusReplicasPath', statusReplicasPath, ['.status.'], '.status'),
    ...(labelSelectorPath
      ? under('labelSelectorPath', labelSelectorPath, ['.spec.', '.status.'], 'either .spec or .status')
      : []),
  ];
}

/** Fields that can be selected by: scalars outside of the metadata. `old` are those of before, which may be too many. */
export function selectableFaults(
  fields: readonly SelectableField[],
  schema: JSONSchemaProps,
  path: string,
  tooManyBefore: boolean,
): readonly FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  fields.forEach(({ jsonPath }, i) => {
    const at = `${path}[${i}].jsonPath`;
    if (!jsonPath) {
      errors.push(required(at));
      return;
    }
    try {
      const { parts, schema: found } = resolveFieldPath(jsonPath, schema, false);
      if (parts[0] === 'metadata') errors.push(invalid(at, jsonPath, 'must not point to fields in metadata'));
      if (!['string', 'boolean', 'integer'].includes(found?.type ?? '')) {
        const detail =
          'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.';
        errors.push(invalid(at, jsonPath, detail));
      }
      const name = parts.join('.');
      if (seen.has(name)) errors.push(duplicate(at, jsonPath));
      seen.add(name);
    } catch (err) {
      if (!(err instanceof FieldPathError)) throw err;
      errors.push(invalid(at, jsonPath, `is an invalid path: ${err.message}`));
    }
  });
  if (seen.size > maxSelectableFields && !tooManyBefore) errors.push(tooMany(path, seen.size, maxSelectableFields));
  return errors;
}

export const hasTooManySelectable = (fields: readonly SelectableField[] | undefined): boolean =>
  (fields?.length ?? 0) > maxSelectableFields;
