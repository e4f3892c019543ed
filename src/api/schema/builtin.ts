import facts from './facts.json' with { type: 'json' };
import type {
  AnySchema,
  Field,
  ListSchema,
  ListType,
  MapSchema,
  ObjectSchema,
  ScalarSchema,
  ScalarType,
  Schema,
} from './schema.ts';

/** A field as the facts table tells it. */
interface FieldFact {
  readonly type: string;
  readonly proto?: number;
  readonly pointer?: boolean;
  readonly omitempty?: boolean;
  readonly optional?: boolean;
  readonly required?: boolean;
  readonly listType?: string;
  readonly listMapKeys?: readonly string[];
  readonly mapType?: string;
  readonly structType?: string;
  readonly patchStrategy?: string;
  readonly patchMergeKey?: string;
  readonly default?: string;
}

interface TypeFact {
  readonly fields?: Readonly<Record<string, FieldFact>>;
  readonly inline?: readonly { readonly type: string; readonly proto?: number }[];
  readonly alias?: string;
  readonly enum?: readonly unknown[];
  readonly values?: readonly unknown[];
  readonly markers?: readonly string[];
}

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';

/** Types that the facts table names as the type of a field, without an entry of their own. */
const supplement: Readonly<Record<string, TypeFact>> = {
  [`${META}.GroupVersionKind`]: stringsStruct('group', 'version', 'kind'),
  [`${META}.GroupVersionResource`]: stringsStruct('group', 'version', 'resource'),
  [`${META}.GroupResource`]: stringsStruct('group', 'resource'),
  'io.k8s.api.admissionregistration.v1alpha1.ReinvocationPolicyType': { alias: 'string' },
  'io.k8s.api.admissionregistration.v1beta1.ReinvocationPolicyType': { alias: 'string' },
  'io.k8s.api.admissionregistration.v1alpha1.RuleWithOperations': {
    alias: 'io.k8s.api.admissionregistration.v1.RuleWithOperations',
  },
  'io.k8s.api.admissionregistration.v1beta1.RuleWithOperations': {
    alias: 'io.k8s.api.admissionregistration.v1.RuleWithOperations',
  },
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresourceStatus': { fields: {} },
};

function stringsStruct(...names: readonly string[]): TypeFact {
  return { fields: Object.fromEntries(names.map((name, i) => [name, { type: 'string', proto: i + 1 }])) };
}

const types = { ...(facts.types as unknown as Readonly<Record<string, TypeFact | undefined>>), ...supplement };

/** The OpenAPI names of all built-in structs. */
export const builtinTypeNames = (): readonly string[] => Object.keys(types).filter((name) => types[name]?.fields !== undefined);

/** Types whose JSON form is not that of a struct. */
const special: Readonly<Record<string, ScalarType | 'any'>> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': 'quantity',
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': 'time',
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': 'micro-time',
  'io.k8s.apimachinery.pkg.apis.meta.v1.Duration': 'duration',
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': 'int-or-string',
  'io.k8s.apimachinery.pkg.runtime.RawExtension': 'any',
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': 'any',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON': 'any',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool': 'any',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray': 'any',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray': 'any',
  'io.k8s.apimachinery.pkg.types.UID': 'string',
  'io.k8s.apimachinery.pkg.types.NodeName': 'string',
};

const scalarNames: Readonly<Record<string, ScalarType>> = {
  string: 'string',
  bool: 'boolean',
  int32: 'int32',
  int64: 'int64',
  uint32: 'uint32',
  uint64: 'uint64',
  float64: 'float64',
  bytes: 'bytes',
};

const compiled = new Map<string, ObjectSchema>();

/**
 * The schema of a built-in type by its OpenAPI name (`io.k8s.api.core.v1.Pod`), compiled from the facts table at first use.
 * Throws for a name that the table does not have as a struct: that is a programming error.
 */
export function builtinSchema(name: string): ObjectSchema {
  const known = compiled.get(name);
  if (known !== undefined) return known;
  const fact = types[name];
  if (fact?.alias !== undefined) return builtinSchema(fact.alias);
  if (fact?.fields === undefined) throw new Error(`no built-in type ${name}`);
  const schema = new BuiltinObject(name, fact);
  compiled.set(name, schema);
  return schema;
}

/** Whether the table has this struct. */
export const hasBuiltinSchema = (name: string): boolean => types[name]?.fields !== undefined;

class BuiltinObject implements ObjectSchema {
  readonly kind = 'object';
  readonly name: string;
  readonly atomic: boolean;
  readonly union: boolean;
  readonly #fact: TypeFact;
  #fields: ReadonlyMap<string, Field> | undefined;
  constructor(name: string, fact: TypeFact) {
    this.name = name;
    this.#fact = fact;
    this.atomic = (fact.markers ?? []).includes('structType=atomic');
    this.union = (fact.markers ?? []).includes('union');
  }
  get fields(): ReadonlyMap<string, Field> {
    this.#fields ??= collectFields(this.#fact);
    return this.#fields;
  }
  get required(): readonly string[] {
    return [...this.fields.values()].filter((f) => f.required).map((f) => f.name);
  }
}

/** Fields of embedded structs come first, as Go marshals them in declaration order; where protobuf nests them is kept in `inlineOf`. */
function collectFields(fact: TypeFact): Map<string, Field> {
  const fields = new Map<string, Field>();
  for (const inline of fact.inline ?? []) {
    for (const [name, field] of builtinSchema(inline.type).fields) fields.set(name, field);
  }
  for (const [name, field] of Object.entries(fact.fields ?? {})) fields.set(name, new BuiltinField(name, field));
  return fields;
}

/** Embedded structs of a type that protobuf writes as a message of their own, by their field number. */
export function inlineMessages(name: string): readonly { readonly type: string; readonly proto: number }[] {
  return (types[name]?.inline ?? []).flatMap((i) => (i.proto === undefined ? [] : [{ type: i.type, proto: i.proto }]));
}

/** Every struct that a type embeds, whether protobuf nests it or, as TypeMeta, leaves it out. */
export const inlineTypes = (name: string): readonly string[] => (types[name]?.inline ?? []).map((i) => i.type);

/** The embedded structs through which Go reaches a field of a type, outermost first; none for a field of its own. Their OpenAPI names. */
export function embeddedStructs(type: string, field: string): readonly string[] {
  const fact = types[type];
  if (fact?.alias !== undefined) return embeddedStructs(fact.alias, field);
  if (fact === undefined || fact.fields?.[field] !== undefined) return [];
  const embedded = inlineTypes(type).find((name) => builtinSchema(name).fields.has(field));
  return embedded === undefined ? [] : [embedded, ...embeddedStructs(embedded, field)];
}

/** Lists whose defaults are for who has given none, and that may not be empty. */
const keptEmpty: ReadonlySet<string> = new Set(['list<io.k8s.api.autoscaling.v2.HPAScalingPolicy>']);

class BuiltinField implements Field {
  readonly name: string;
  readonly omitEmpty: boolean;
  readonly keepsEmpty?: boolean;
  readonly pointer: boolean;
  readonly required: boolean;
  readonly proto: number;
  readonly patchStrategy?: string;
  readonly patchMergeKey?: string;
  readonly #fact: FieldFact;
  #schema: Schema | undefined;
  constructor(name: string, fact: FieldFact) {
    this.name = name;
    this.omitEmpty = fact.omitempty === true;
    this.pointer = fact.pointer === true;
    this.required = fact.optional !== true && (fact.required === true || fact.omitempty !== true);
    this.proto = fact.proto ?? 0;
    if (keptEmpty.has(fact.type)) this.keepsEmpty = true;
    if (fact.patchStrategy !== undefined) this.patchStrategy = fact.patchStrategy;
    if (fact.patchMergeKey !== undefined) this.patchMergeKey = fact.patchMergeKey;
    this.#fact = fact;
  }
  get schema(): Schema {
    this.#schema ??= fieldSchema(this.#fact);
    return this.#schema;
  }
}

function fieldSchema(fact: FieldFact): Schema {
  const schema = typeSchema(fact.type, fact);
  const value = parseDefault(fact.default);
  if (schema.kind === 'object' && value === undefined && fact.structType === undefined) return schema;
  if (schema.kind === 'object' && fact.structType !== undefined) {
    return { ...objectView(schema), atomic: fact.structType === 'atomic' };
  }
  if (schema.kind === 'scalar' && fact.listType !== undefined) {
    // Bytes, which are a list to Go.
    return { ...schema, constraints: { 'x-kubernetes-list-type': fact.listType } };
  }
  return value === undefined ? schema : withDefault(schema, value);
}

/** The schema with a default of its own. No built-in list or map has one. */
function withDefault(schema: Schema, value: unknown): Schema {
  if (schema.kind === 'list' || schema.kind === 'map') return schema;
  return { ...(schema.kind === 'object' ? objectView(schema) : schema), default: value };
}

/** A struct schema as plain data, to override parts of; its fields stay lazy. */
function objectView(schema: ObjectSchema): ObjectSchema {
  return {
    kind: 'object',
    ...(schema.name === undefined ? {} : { name: schema.name }),
    ...(schema.atomic === undefined ? {} : { atomic: schema.atomic }),
    get fields() {
      return schema.fields;
    },
    get required() {
      return schema.required ?? [];
    },
  };
}

/** What the constants mean that defaults are told by. */
const constants: Readonly<Record<string, string>> = { AzureDataDiskCachingReadWrite: 'ReadWrite', AzureSharedBlobDisk: 'Shared' };

/** Defaults are Go literals in JSON, or `ref(Constant)`. */
function parseDefault(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  const constant = /^ref\((.*)\)$/.exec(text)?.[1];
  return constant === undefined ? JSON.parse(text) : constants[constant];
}

function typeSchema(type: string, fact: Partial<FieldFact>, goType?: string): Schema {
  const generic = /^(list|map)<(.*)>$/.exec(type);
  if (generic !== null) {
    const inner = generic[2]!;
    return generic[1] === 'list' ? new BuiltinList(inner, fact, goType) : new BuiltinMap(inner, fact.mapType, goType);
  }
  const scalar = scalarNames[type];
  if (scalar !== undefined) return scalarSchema(scalar, goType);
  const known = special[type];
  if (known === 'any') return { kind: 'any', name: type } satisfies AnySchema;
  if (known !== undefined) return scalarSchema(known, shortGoName(type));
  const target = types[type];
  if (target === undefined) return { kind: 'any', name: type } satisfies AnySchema;
  if (target.alias !== undefined) {
    const base = typeSchema(target.alias, fact, goType ?? shortGoName(type));
    const values = (target.values ?? []).filter((v): v is string => typeof v === 'string');
    return base.kind === 'scalar' && target.enum !== undefined && values.length > 0 ? { ...base, enum: values } : base;
  }
  return builtinSchema(type);
}

const scalarSchema = (type: ScalarType, goType: string | undefined): ScalarSchema =>
  goType === undefined ? { kind: 'scalar', type } : { kind: 'scalar', type, goType };

/** `v1.DNSPolicy`, of `io.k8s.api.core.v1.DNSPolicy`. */
const shortGoName = (name: string): string => name.split('.').slice(-2).join('.');

class BuiltinList implements ListSchema {
  readonly kind = 'list';
  readonly listType: ListType;
  readonly listTypeDeclared: boolean;
  readonly mapKeys: readonly string[];
  readonly goType?: string;
  readonly #inner: string;
  #items: Schema | undefined;
  constructor(inner: string, fact: Partial<FieldFact>, goType?: string) {
    this.#inner = inner;
    if (goType !== undefined) this.goType = goType;
    this.listType = fact.listType === 'set' || fact.listType === 'map' ? fact.listType : 'atomic';
    this.listTypeDeclared = fact.listType !== undefined;
    this.mapKeys = fact.listMapKeys ?? [];
  }
  get items(): Schema {
    this.#items ??= typeSchema(this.#inner, {});
    return this.#items;
  }
}

class BuiltinMap implements MapSchema {
  readonly kind = 'map';
  readonly atomic: boolean;
  readonly constraints?: Readonly<Record<string, unknown>>;
  readonly goType?: string;
  readonly #inner: string;
  #values: Schema | undefined;
  constructor(inner: string, mapType: string | undefined, goType?: string) {
    this.#inner = inner;
    if (goType !== undefined) this.goType = goType;
    this.atomic = mapType === 'atomic';
    // What is not said of other maps is published where a type says it.
    if (mapType === 'granular') this.constraints = { 'x-kubernetes-map-type': mapType };
  }
  get values(): Schema {
    this.#values ??= typeSchema(this.#inner, {});
    return this.#values;
  }
}
