import type { JSONSchemaProps } from '../types/apiextensions-v1.ts';
import { BOOL, BYTES, DOUBLE, DURATION, DYN, INT, listOf, mapOf, objectOf, STRING, TIMESTAMP, type Type } from './types.ts';

/** The part of a schema that CEL may see: a type, with the bounds that costs are estimated by (apiserver/pkg/cel DeclType). */
export interface DeclType {
  readonly kind: 'dyn' | 'object' | 'map' | 'list' | 'string' | 'int' | 'double' | 'bool' | 'bytes' | 'duration' | 'timestamp';
  /** Of objects: a name nobody can write. */
  readonly name: string;
  readonly type: Type;
  /** Most characters, items or entries; 0 for what has none of them. */
  readonly maxElements: number;
  /** Fewest bytes as JSON. */
  readonly minSize: number;
  /** Of objects, by the name that CEL has for the property. */
  readonly fields?: ReadonlyMap<string, DeclField>;
  /** Items of lists and values of maps. */
  readonly elements?: DeclType;
  /** Keys of maps, where their length is bounded. */
  readonly keys?: DeclType;
  /** Of maps: what is selected by name is as large as the values are. */
  readonly fieldsAreElements?: boolean;
  /** Null is a value. */
  readonly nullable?: boolean;
  readonly listType?: 'set' | 'map';
  readonly listKeys?: readonly string[];
}

export interface DeclField {
  /** The name in JSON. */
  readonly property: string;
  readonly type: DeclType;
}

/** Upstream's limit of a request body, which bounds everything that the schema does not. */
export const MAX_REQUEST_BYTES = 3 * 1024 * 1024;

export const declField = (type: DeclType, name: string): DeclField | undefined => type.fields?.get(name);

const reserved: ReadonlySet<string> = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

/** A property's name as an identifier of CEL; undefined when it has none. */
export function escapeName(name: string): string | undefined {
  if (name === '' || /^[0-9]/.test(name) || !/^[A-Za-z0-9_./-]*$/.test(name)) return undefined;
  if (reserved.has(name)) return `__${name}__`;
  return name.replace(/__|[-./]/g, (part) => escapes[part]!);
}

const escapes: Readonly<Record<string, string>> = { __: '__underscores__', '.': '__dot__', '-': '__dash__', '/': '__slash__' };

/**
 * What CEL sees of a schema; undefined for what it does not see (no type told). At the root of a resource, kind, apiVersion and the names in
 * the metadata can be seen without being declared.
 */
export function declTypeOf(schema: JSONSchemaProps, isRoot: boolean, name = 'selfType'): DeclType | undefined {
  const type = plainType(schema, isRoot, name);
  return type !== undefined && schema.nullable === true ? { ...type, nullable: true } : type;
}

function plainType(schema: JSONSchemaProps, isRoot: boolean, name: string): DeclType | undefined {
  if (schema['x-kubernetes-int-or-string'] === true) {
    const max = schema.maxLength === undefined ? MAX_REQUEST_BYTES - 2 : Math.max(schema.maxLength, 0) * 4;
    return { kind: 'dyn', name: 'dyn', type: DYN, maxElements: max, minSize: 1 };
  }
  const root = isRoot ? withObjectFields(schema) : schema;
  switch (schema.type) {
    case 'array':
      return listDecl(schema, name);
    case 'object':
      return typeof root.additionalProperties === 'object' ? mapDecl(root, name) : objectDecl(root, name);
    case 'string':
      return stringDecl(schema);
    case 'boolean':
      return { kind: 'bool', name: 'bool', type: BOOL, maxElements: 0, minSize: 4 };
    case 'number':
      return { kind: 'double', name: 'double', type: DOUBLE, maxElements: 0, minSize: 1 };
    case 'integer':
      return { kind: 'int', name: 'int', type: INT, maxElements: 0, minSize: 1 };
    default:
      return undefined;
  }
}

const isEmbedded = (schema: JSONSchemaProps): boolean => schema['x-kubernetes-embedded-resource'] === true;

function withObjectFields(schema: JSONSchemaProps): JSONSchemaProps {
  const text: JSONSchemaProps = { type: 'string' };
  const metadata: JSONSchemaProps = { type: 'object', properties: { name: text, generateName: text } };
  return { ...schema, properties: { ...schema.properties, kind: text, apiVersion: text, metadata } };
}

function listDecl(schema: JSONSchemaProps, name: string): DeclType | undefined {
  const items = schema.items as JSONSchemaProps | undefined;
  if (items === undefined || Array.isArray(items)) return undefined;
  const elements = declTypeOf(items, isEmbedded(items), `${name}.@idx`);
  if (elements === undefined) return undefined;
  const listType = schema['x-kubernetes-list-type'];
  return {
    kind: 'list',
    name: 'list',
    type: listOf(elements.type),
    maxElements:
      schema.maxItems === undefined ? Math.trunc((MAX_REQUEST_BYTES - 2) / (elements.minSize + 1)) : Math.max(schema.maxItems, 0),
    minSize: 2,
    elements,
    ...(listType === 'set' || listType === 'map' ? { listType } : {}),
    ...(listType === 'map' ? { listKeys: schema['x-kubernetes-list-map-keys'] ?? [] } : {}),
  };
}

function mapDecl(schema: JSONSchemaProps, name: string): DeclType | undefined {
  const values = schema.additionalProperties as JSONSchemaProps;
  const elements = declTypeOf(values, isEmbedded(values), `${name}.@elem`);
  if (elements === undefined) return undefined;
  return {
    kind: 'map',
    name: 'map',
    type: mapOf(STRING, elements.type),
    maxElements:
      schema.maxProperties === undefined
        ? Math.trunc((MAX_REQUEST_BYTES - 2) / (elements.minSize + 6))
        : Math.max(schema.maxProperties, 0),
    minSize: 2,
    elements,
  };
}

function objectDecl(schema: JSONSchemaProps, name: string): DeclType {
  const fields = new Map<string, DeclField>();
  const types = new Map<string, Type>();
  const required = new Set(schema.required);
  let minSize = 2;
  for (const [property, child] of Object.entries(schema.properties ?? {})) {
    const type = declTypeOf(child, isEmbedded(child), `${name}.${property}`);
    if (type === undefined) continue;
    const escaped = escapeName(property);
    if (escaped !== undefined) {
      fields.set(escaped, { property, type });
      types.set(escaped, type.type);
    }
    if (required.has(property) && child.default === undefined) minSize += property.length + type.minSize + 4;
  }
  return { kind: 'object', name, type: objectOf(name, types), maxElements: 0, minSize, fields };
}

const formats: Readonly<Record<string, readonly [DeclType['kind'], Type, number, number]>> = {
  duration: ['duration', DURATION, 3, 32],
  date: ['timestamp', TIMESTAMP, 12, 12],
  'date-time': ['timestamp', TIMESTAMP, 21, 32],
};

function stringDecl(schema: JSONSchemaProps): DeclType {
  const format = Object.hasOwn(formats, schema.format ?? '') ? formats[schema.format!] : undefined;
  if (format !== undefined) {
    const [kind, type, minSize, maxElements] = format;
    return { kind, name: kind, type, maxElements, minSize };
  }
  const most = MAX_REQUEST_BYTES - 2;
  const max = schema.maxLength === undefined ? undefined : Math.max(schema.maxLength, 0);
  if (schema.format === 'byte') return { kind: 'bytes', name: 'bytes', type: BYTES, maxElements: max ?? most, minSize: 2 };
  const values = (schema.enum ?? []).filter((v): v is string => typeof v === 'string');
  const bound = max !== undefined ? max * 4 : (schema.enum ?? []).length > 0 ? Math.max(0, ...values.map((v) => v.length)) : most;
  return { kind: 'string', name: 'string', type: STRING, maxElements: bound, minSize: 2 };
}
