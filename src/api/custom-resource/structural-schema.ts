import { StatusError } from '../meta/status.ts';
import { builtinSchema } from '../schema/builtin.ts';
import { decode } from '../schema/decode.ts';
import { DecodeError } from '../schema/decode-state.ts';
import { typeEmbedded } from '../schema/embedded-resources.ts';
import type { AnySchema, Field, ListSchema, ListType, MapSchema, ObjectSchema, ScalarSchema, Schema } from '../schema/schema.ts';
import type { CustomResourceDefinitionVersion, JSONSchemaProps } from '../types/apiextensions-v1.ts';
import { publishedSchema } from './published-schema.ts';

export const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

/** The schema of a version of a custom resource, from its structural OpenAPI schema; without one, everything is kept as it is. */
export function compileSchema(version: Pick<CustomResourceDefinitionVersion, 'schema' | 'selectableFields'>): ObjectSchema {
  const props = version.schema?.openAPIV3Schema;
  if (props === undefined) return { kind: 'object', fields: new Map(), preserveUnknown: true };
  const root = compileObject(props);
  const metadata = builtinSchema(OBJECT_META);
  const fields = new Map(root.fields);
  // The metadata of the root are typed, whatever the definition says of them.
  fields.set('metadata', field('metadata', metadata, false));
  return { ...root, fields, published: publishedSchema(props, version.selectableFields) };
}

function field(name: string, schema: Schema, required: boolean): Field {
  return { name, schema, omitEmpty: true, pointer: true, required, proto: 0 };
}

/** What every node may have. */
const common = (props: JSONSchemaProps) => ({
  ...(props.description === undefined ? {} : { description: props.description }),
  ...(props.nullable === true ? { nullable: true } : {}),
  ...(props.default === undefined ? {} : { default: props.default }),
});

function compile(props: JSONSchemaProps): Schema {
  const schema = compileType(props);
  return props.default === undefined ? schema : { ...schema, default: typedDefault(schema, props.default) };
}

/** A default as it is used: what the metadata of resources in it do not know is dropped. */
function typedDefault(schema: Schema, value: unknown): unknown {
  const holder: ObjectSchema = { kind: 'object', fields: new Map([['value', field('value', schema, false)]]) };
  return orAsItIs(value, () => typeEmbedded(holder, { value }, typedMetadata)['value']);
}

const typedMetadata = (metadata: unknown): unknown => decode(builtinSchema(OBJECT_META), metadata).object;

/** A definition whose defaults have the wrong type is refused nowadays, but may have been stored before. */
function orAsItIs(value: unknown, type: () => unknown): unknown {
  try {
    return type();
  } catch (err) {
    if (err instanceof DecodeError || err instanceof StatusError) return value;
    throw err;
  }
}

function compileType(props: JSONSchemaProps): Schema {
  switch (props.type) {
    case 'object':
      return isMap(props) ? compileMap(props) : compileObject(props);
    case 'array':
      return compileList(props);
    case 'string':
    case 'boolean':
    case 'integer':
    case 'number':
      return scalar(props);
    default:
      if (props['x-kubernetes-int-or-string'] === true) return { ...common(props), kind: 'scalar', type: 'int-or-string' };
      // Unknown fields are kept here, and known ones are still what they are.
      return props.properties === undefined ? any(props) : compileObject(props);
  }
}

const any = (props: JSONSchemaProps): AnySchema => ({ ...common(props), kind: 'any' });

const isMap = (props: JSONSchemaProps): boolean =>
  props.additionalProperties !== undefined && props.additionalProperties !== false && props.properties === undefined;

function compileObject(props: JSONSchemaProps): ObjectSchema {
  const required = new Set(props.required);
  const fields = new Map<string, Field>();
  for (const [name, child] of Object.entries(props.properties ?? {})) {
    fields.set(name, field(name, compile(child), required.has(name)));
  }
  const embedded = props['x-kubernetes-embedded-resource'] === true;
  if (embedded) fields.set('metadata', field('metadata', embeddedMetadata(props.properties?.['metadata']), false));
  return {
    ...common(props),
    kind: 'object',
    fields,
    ...(props['x-kubernetes-preserve-unknown-fields'] === true ? { preserveUnknown: true } : {}),
    ...(embedded ? { embedded } : {}),
    ...(props['x-kubernetes-map-type'] === 'atomic' ? { atomic: true } : {}),
    ...(props.required === undefined ? {} : { required: props.required }),
  };
}

/** The metadata of a resource within another: what they are everywhere, with the defaults that the definition has for them. */
function embeddedMetadata(props: JSONSchemaProps | undefined): Schema {
  const builtin = builtinSchema(OBJECT_META) as ObjectSchema;
  const own = Object.entries(props?.properties ?? {}).filter(
    ([name, child]) => child.default !== undefined && builtin.fields.has(name),
  );
  if (props?.default === undefined && own.length === 0) return builtin;
  const fields = new Map(builtin.fields);
  for (const [name, child] of own) {
    const known = fields.get(name)!;
    fields.set(name, { ...known, schema: { ...known.schema, default: child.default } });
  }
  if (props?.default === undefined) return { ...builtin, fields };
  return { ...builtin, fields, default: orAsItIs(props.default, () => typedMetadata(props.default)) };
}

function compileMap(props: JSONSchemaProps): MapSchema {
  const values = props.additionalProperties;
  return {
    ...common(props),
    kind: 'map',
    values: typeof values === 'object' ? compile(values) : { kind: 'any' },
    ...(props['x-kubernetes-map-type'] === 'atomic' ? { atomic: true } : {}),
  };
}

function compileList(props: JSONSchemaProps): ListSchema {
  const { items } = props;
  const declared = props['x-kubernetes-list-type'] as ListType | undefined;
  return {
    ...common(props),
    kind: 'list',
    items: items === undefined || Array.isArray(items) ? { kind: 'any' } : compile(items as JSONSchemaProps),
    listType: declared ?? 'atomic',
    ...(declared === undefined ? { listTypeDeclared: false } : {}),
    mapKeys: props['x-kubernetes-list-map-keys'] ?? [],
  };
}

const scalarTypes = { string: 'string', boolean: 'boolean', integer: 'int64', number: 'float64' } as const;

function scalar(props: JSONSchemaProps): ScalarSchema {
  const { type, format = '' } = props;
  const formatted = type === 'string' && format !== '' && format !== 'byte';
  return {
    ...common(props),
    kind: 'scalar',
    type: scalarTypes[type as keyof typeof scalarTypes],
    ...(formatted ? { formatted } : {}),
  };
}
