import type { GroupVersionKind } from '../meta/object.ts';
import { builtinSchema, hasBuiltinSchema } from './builtin.ts';
import type { Field, ListSchema, MapSchema, ObjectSchema, ScalarSchema, ScalarType, Schema } from './schema.ts';

export type OpenApiVersion = 'v2' | 'v3';

/** A type that operations speak of: a named struct, and the kinds it is. */
export interface OpenApiRoot {
  readonly schema: Schema;
  /** Several for types every group has, as DeleteOptions. */
  readonly kinds?: readonly GroupVersionKind[];
}

/** What types and fields mean, by the names of OpenAPI. Undefined where nothing is known. */
export interface Descriptions {
  type(name: string): string | undefined;
  field(type: string, field: string): string | undefined;
  /** Of a parameter of requests, in the query or the path. */
  parameter(name: string): string | undefined;
}

type Json = Readonly<Record<string, unknown>>;

/** The name of a definition: built-ins have theirs already; a Go path (`k8s.io/api/core/v1.Pod`) becomes `io.k8s.api.core.v1.Pod`. */
export function definitionName(name: string, _version: OpenApiVersion): string {
  const slash = name.indexOf('/');
  if (slash < 0) return name;
  const host = name.slice(0, slash).split('.').reverse().join('.');
  return `${host}.${name.slice(slash + 1).replaceAll('/', '.')}`;
}

const prefixes: Readonly<Record<OpenApiVersion, string>> = { v2: '#/definitions/', v3: '#/components/schemas/' };

/** The `$ref` to a definition. */
export const definitionRef = (name: string, version: OpenApiVersion): string => prefixes[version] + definitionName(name, version);

/**
 * The definitions of the roots and of everything they refer to, by name, sorted as upstream's documents are. OpenAPI v2 has no
 * defaults and no alternatives, as upstream prunes them there.
 */
export function openApiDefinitions(
  roots: readonly OpenApiRoot[],
  version: OpenApiVersion,
  descriptions?: Descriptions,
): Readonly<Record<string, Json>> {
  const steps = openApiDefinitionSteps(roots, version, descriptions);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** As `openApiDefinitions`, a definition at a time: all of Kubernetes' take long, and the caller may let others run in between. */
export function* openApiDefinitionSteps(
  roots: readonly OpenApiRoot[],
  version: OpenApiVersion,
  descriptions?: Descriptions,
): Generator<void, Readonly<Record<string, Json>>> {
  const emitter = new Emitter(version, descriptions);
  for (const root of roots) emitter.root(root);
  while (emitter.step()) yield;
  return Object.fromEntries([...emitter.definitions].sort(([a], [b]) => (a < b ? -1 : 1)));
}

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const APIEXTENSIONS = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1';

/** Scalars that are types of their own, by name. They decode themselves, so none has a zero value for a default. */
const namedScalars: Readonly<Partial<Record<ScalarType, { readonly name: string; readonly v2: Json; readonly v3: Json }>>> = {
  quantity: {
    name: 'io.k8s.apimachinery.pkg.api.resource.Quantity',
    v2: { type: 'string' },
    v3: { oneOf: [{ type: 'string' }, { type: 'number' }] },
  },
  time: { name: `${META}.Time`, v2: { format: 'date-time', type: 'string' }, v3: { format: 'date-time', type: 'string' } },
  'micro-time': {
    name: `${META}.MicroTime`,
    v2: { format: 'date-time', type: 'string' },
    v3: { format: 'date-time', type: 'string' },
  },
  duration: { name: `${META}.Duration`, v2: { type: 'string' }, v3: { type: 'string' } },
  'int-or-string': {
    name: 'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
    v2: { format: 'int-or-string', type: 'string' },
    v3: { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
  },
};

const plainScalars: Readonly<Partial<Record<ScalarType, Json>>> = {
  string: { type: 'string' },
  boolean: { type: 'boolean' },
  int32: { format: 'int32', type: 'integer' },
  int64: { format: 'int64', type: 'integer' },
  uint32: { format: 'int64', type: 'integer' },
  uint64: { format: 'int64', type: 'integer' },
  float64: { format: 'double', type: 'number' },
  bytes: { format: 'byte', type: 'string' },
};

/** Names that hold any JSON object; others that do hold any JSON value. */
const anyObjects: ReadonlySet<string> = new Set([`${META}.FieldsV1`, 'io.k8s.apimachinery.pkg.runtime.RawExtension']);
/** OpenAPI 2 has no way to say them, so upstream says nothing. */
const anyValues: ReadonlySet<string> = new Set(
  ['JSON', 'JSONSchemaPropsOrArray', 'JSONSchemaPropsOrBool', 'JSONSchemaPropsOrStringArray'].map((n) => `${APIEXTENSIONS}.${n}`),
);

class Emitter {
  readonly #version: OpenApiVersion;
  readonly #definitions = new Map<string, Json>();
  readonly #kinds = new Map<string, readonly GroupVersionKind[]>();
  readonly #open: ObjectSchema[] = [];
  readonly #seen = new Set<string>();

  readonly #descriptions: Descriptions | undefined;

  constructor(version: OpenApiVersion, descriptions: Descriptions | undefined) {
    this.#version = version;
    this.#descriptions = descriptions;
  }

  root(root: OpenApiRoot): void {
    if (root.schema.kind !== 'object' || root.schema.name === undefined) throw new Error('a root of OpenAPI needs a name');
    if (root.kinds !== undefined) {
      this.#kinds.set(root.schema.name, [...(this.#kinds.get(root.schema.name) ?? []), ...root.kinds]);
    }
    this.#need(root.schema);
  }

  get definitions(): ReadonlyMap<string, Json> {
    return this.#definitions;
  }

  /** Makes one more definition; false when there are no more. */
  step(): boolean {
    const schema = this.#open.pop();
    if (schema === undefined) return false;
    const kinds = this.#kinds.get(schema.name!);
    const definition = this.#struct(schema);
    this.#definitions.set(
      definitionName(schema.name!, this.#version),
      kinds === undefined ? definition : { ...definition, 'x-kubernetes-group-version-kind': kinds },
    );
    return true;
  }

  #need(schema: ObjectSchema): void {
    if (this.#seen.has(schema.name!)) return;
    this.#seen.add(schema.name!);
    this.#open.push(schema);
  }

  #struct(schema: ObjectSchema): Json {
    if (schema.published !== undefined) {
      this.#need(builtinSchema(`${META}.ObjectMeta`));
      return schema.published(this.#version);
    }
    const names = [...schema.fields.keys()].sort();
    const properties = Object.fromEntries(
      names.map((name) => [name, this.#describedProperty(schema.name, schema.fields.get(name)!)]),
    );
    const required = [...schema.fields.values()].filter((f) => f.required).sort((a, b) => a.proto - b.proto);
    return {
      ...this.#describedType(schema),
      ...(names.length === 0 ? {} : { properties }),
      ...(required.length === 0 ? {} : { required: required.map((f) => f.name) }),
      type: 'object',
      ...(schema.atomic === true ? { 'x-kubernetes-map-type': 'atomic' } : {}),
      ...(schema.union === true ? { 'x-kubernetes-unions': [union(schema)] } : {}),
      ...(schema.preserveUnknown === true ? { 'x-kubernetes-preserve-unknown-fields': true } : {}),
      ...(schema.embedded === true ? { 'x-kubernetes-embedded-resource': true } : {}),
      ...nullable(schema),
    };
  }

  #describedType(schema: ObjectSchema): Json {
    const known = schema.name === undefined ? undefined : this.#descriptions?.type(schema.name);
    return known === undefined ? describe(schema) : { description: known };
  }

  #describedProperty(type: string | undefined, field: Field): Json {
    const property = this.#property(field);
    const known =
      type === undefined || this.#descriptions === undefined
        ? undefined
        : (this.#descriptions.field(type, field.name) ?? this.#ofItsType(field.schema));
    return this.#wrapped(known === undefined ? property : { description: known, ...property });
  }

  /** What a field is told of that has no text of its own: what its type is, or that of its items. */
  #ofItsType(schema: Schema): string | undefined {
    switch (schema.kind) {
      case 'list':
        return this.#ofItsType(schema.items);
      case 'map':
        return this.#ofItsType(schema.values);
      case 'scalar':
        return undefined;
      default:
        return schema.name === undefined ? undefined : this.#descriptions?.type(schema.name);
    }
  }

  #property(field: Field): Json {
    const zero = field.pointer ? undefined : this.#zero(field.schema, field.omitEmpty);
    return {
      ...this.#value(field.schema, zero),
      ...(field.patchMergeKey === undefined ? {} : { 'x-kubernetes-patch-merge-key': field.patchMergeKey }),
      ...(field.patchStrategy === undefined ? {} : { 'x-kubernetes-patch-strategy': field.patchStrategy }),
    };
  }

  /** What Go has where nothing is given: published as the default of v3. */
  #zero(schema: Schema, omitEmpty: boolean): unknown {
    if (schema.kind === 'object') return schema.name === undefined ? undefined : {};
    if (schema.kind !== 'scalar' || omitEmpty) return undefined;
    switch (schema.type) {
      case 'string':
        return '';
      case 'boolean':
        return false;
      default:
        return schema.type === 'bytes' || schema.type in namedScalars ? undefined : 0;
    }
  }

  #value(schema: Schema, zero: unknown): Json {
    const given = schema.default ?? zero;
    const shown = given === undefined || this.#version === 'v2' ? {} : { default: given };
    return { ...shown, ...this.#type(schema), ...nullable(schema), ...schema.constraints };
  }

  #type(schema: Schema): Json {
    switch (schema.kind) {
      case 'scalar':
        return this.#scalar(schema);
      case 'list':
        return this.#list(schema);
      case 'map':
        return this.#map(schema);
      case 'any':
        return this.#any(schema.name, describe(schema));
      case 'object':
        return schema.name === undefined ? this.#struct(schema) : this.#named(schema, schema.name);
    }
  }

  /** A struct that is a type of its own. A field that has it merged otherwise says so beside the reference. */
  #named(schema: ObjectSchema, name: string): Json {
    const own = hasBuiltinSchema(name) ? builtinSchema(name) : schema;
    this.#need(own);
    const otherwise = (schema.atomic === true) !== (own.atomic === true);
    const mapType = schema.atomic === true ? 'atomic' : 'granular';
    return {
      ...this.#reference(name, describe(schema)),
      ...(otherwise ? { 'x-kubernetes-map-type': mapType } : {}),
    };
  }

  #scalar(schema: ScalarSchema): Json {
    const named = namedScalars[schema.type];
    if (named !== undefined) {
      this.#definitions.set(named.name, named[this.#version]);
      return this.#reference(named.name, describe(schema));
    }
    return {
      ...describe(schema),
      ...(schema.enum === undefined ? {} : { enum: [...schema.enum].sort() }),
      ...plainScalars[schema.type],
    };
  }

  #list(schema: ListSchema): Json {
    const declared = schema.listTypeDeclared !== false;
    return {
      ...describe(schema),
      items: this.#wrapped(this.#value(schema.items, undefined)),
      type: 'array',
      ...(schema.mapKeys.length === 0 ? {} : { 'x-kubernetes-list-map-keys': schema.mapKeys }),
      ...(declared ? { 'x-kubernetes-list-type': schema.listType } : {}),
    };
  }

  #map(schema: MapSchema): Json {
    return {
      ...describe(schema),
      additionalProperties: this.#wrapped(this.#value(schema.values, undefined)),
      type: 'object',
      ...(schema.atomic === true ? { 'x-kubernetes-map-type': 'atomic' } : {}),
    };
  }

  #any(name: string | undefined, described: Json): Json {
    if (name === undefined) return { ...described, 'x-kubernetes-preserve-unknown-fields': true };
    if (!anyObjects.has(name) && !anyValues.has(name)) return { ...described, type: 'object' };
    this.#definitions.set(name, anyObjects.has(name) ? { type: 'object' } : {});
    return this.#reference(name, described);
  }

  #reference(name: string, described: Json): Json {
    return { ...described, $ref: definitionRef(name, this.#version) };
  }

  /** OpenAPI 3 lets nothing stand beside a `$ref`: it is wrapped where something does. */
  #wrapped(value: Json): Json {
    const { $ref, ...rest } = value;
    if ($ref === undefined || this.#version === 'v2' || Object.keys(rest).length === 0) return value;
    return { allOf: [{ $ref }], ...rest };
  }
}

/** One of the optional fields is given, and the field that always is says which. */
function union(schema: ObjectSchema): Json {
  const fields = [...schema.fields.values()];
  const discriminator = fields.find((f) => !f.omitEmpty)?.name;
  const members = fields.filter((f) => f.omitEmpty).map(({ name }) => [name, name.charAt(0).toUpperCase() + name.slice(1)]);
  return {
    ...(discriminator === undefined ? {} : { discriminator }),
    'fields-to-discriminateBy': Object.fromEntries(members),
  };
}

const describe = (schema: Schema): Json => (schema.description === undefined ? {} : { description: schema.description });
const nullable = (schema: Schema): Json => (schema.nullable === true ? { nullable: true } : {});
