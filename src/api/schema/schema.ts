/**
 * What a value may look like. One schema per type drives decoding, pruning, defaults, structural validation, strategic merge,
 * server-side apply, OpenAPI publishing and protobuf. Built-ins compile from the facts table, CRDs from their OpenAPI.
 * Schemas may be recursive: reach `items`, `values` and field schemas through their getters, never by walking ahead.
 */
export type Schema = ObjectSchema | MapSchema | ListSchema | ScalarSchema | AnySchema;

/** How server-side apply treats a list or map: as one value, as a set, or item by item. */
export type ListType = 'atomic' | 'set' | 'map';

interface SchemaBase {
  /** The name error messages give a named type that is no struct: `v1.DNSPolicy`. */
  readonly goType?: string;
  /** The description for OpenAPI, when known. */
  readonly description?: string;
  /** For CRDs: explicit null is a value here, not an absence. */
  readonly nullable?: boolean;
  /** The default, as plain JSON; undefined when there is none. */
  readonly default?: unknown;
  /** The OpenAPI constraints of a CRD's node (minimum, pattern, enum, x-kubernetes-validations …), compiled by the CRD code. */
  readonly constraints?: Readonly<Record<string, unknown>>;
}

/** A struct: named fields. */
export interface ObjectSchema extends SchemaBase {
  readonly kind: 'object';
  /** The OpenAPI name (`io.k8s.api.core.v1.Container`); undefined inside CRDs. */
  readonly name?: string;
  readonly fields: ReadonlyMap<string, Field>;
  /** Unknown fields are kept (x-kubernetes-preserve-unknown-fields). */
  readonly preserveUnknown?: boolean;
  /** Fields that are not listed have this schema (a CRD's additionalProperties beside properties does not exist; this is for embedded objects). */
  readonly embedded?: boolean;
  /** Server-side apply owns it as one value (structType/mapType: atomic). */
  readonly atomic?: boolean;
  /** At most one of the optional fields is given, and a field that always is says which. */
  readonly union?: boolean;
  readonly required?: readonly string[];
  /** For the root of a custom resource: what OpenAPI says of it, as its definition has it. References in it are to ObjectMeta only. */
  readonly published?: (version: 'v2' | 'v3') => Readonly<Record<string, unknown>>;
}

/** A field of a struct, with what the facts table says of it. */
export interface Field {
  readonly name: string;
  readonly schema: Schema;
  /** Left out when empty. */
  readonly omitEmpty: boolean;
  /** Left out when empty in what is written, but told apart from unset in what is read. */
  readonly keepsEmpty?: boolean;
  /** nil is distinct from zero. */
  readonly pointer: boolean;
  readonly required: boolean;
  /** Protobuf field number; 0 when it has none. */
  readonly proto: number;
  /** Strategic merge. */
  readonly patchStrategy?: string;
  readonly patchMergeKey?: string;
}

/** String keys, values of one schema. */
export interface MapSchema extends SchemaBase {
  readonly kind: 'map';
  readonly values: Schema;
  readonly atomic?: boolean;
}

export interface ListSchema extends SchemaBase {
  readonly kind: 'list';
  readonly items: Schema;
  readonly listType: ListType;
  /** False when the type says nothing of itself and `listType` is what that means; OpenAPI is silent then too. */
  readonly listTypeDeclared?: boolean;
  /** The keys of an item, for `map` lists. */
  readonly mapKeys: readonly string[];
}

export type ScalarType =
  | 'string'
  | 'boolean'
  | 'int32'
  | 'int64'
  | 'uint32'
  | 'uint64'
  | 'float64'
  | 'bytes'
  | 'quantity'
  | 'time'
  | 'micro-time'
  | 'duration'
  | 'int-or-string';

export interface ScalarSchema extends SchemaBase {
  readonly kind: 'scalar';
  readonly type: ScalarType;
  /** The closed set of values, for enums. */
  readonly enum?: readonly string[];
  /** For CRDs: a text with a format other than `byte`, which server-side apply takes for any scalar. */
  readonly formatted?: boolean;
}

/** Any JSON (RawExtension, FieldsV1, a CRD's preserve-unknown-fields node). */
export interface AnySchema extends SchemaBase {
  readonly kind: 'any';
  /** RawExtension holds a whole object; JSON any value. */
  readonly name?: string;
}
