import { deepFreeze } from '../../util/deep-freeze.ts';
import { badRequest, type StatusError } from '../meta/status.ts';
import { isRepeated, keep, markRepeated, recall } from '../repeated-parts.ts';
import type { DuplicateFields } from '../wire/json.ts';
import { builtinSchema } from './builtin.ts';
import { type Decoder, scalarDecoder } from './decode-scalar.ts';
import { DecodeError, DecodeState } from './decode-state.ts';
import { applyDefaults } from './defaults.ts';
import { typeEmbedded } from './embedded-resources.ts';
import { goTypeName } from './go-type.ts';
import { prune } from './prune.ts';
import type { AnySchema, Field, ListSchema, MapSchema, ObjectSchema, Schema } from './schema.ts';

export interface DecodeOptions {
  /** What the value says it is, for messages: `Deployment in version "v1" cannot be handled as a Deployment: …`. */
  readonly kind?: string;
  readonly version?: string;
  /** The kind the request expects; `kind` unless told. */
  readonly into?: string;
  /** False leaves out the defaults that the schema itself tells; they are filled in otherwise, as upstream's decoding does. */
  readonly defaults?: boolean;
  /** An object of the same schema, decoded before and with its defaults: the parts that the value shares with it are taken as they are. */
  readonly known?: unknown;
  /** The value was put together from maps and not read from a text; see `DecodeState.merged`. */
  readonly merged?: boolean;
  /** What is thrown of a value that does not fit; `cannotBeHandled` unless told. */
  readonly failure?: (cause: string) => Error;
}

export interface Decoded<T = unknown> {
  /** In canonical form. The input itself, or sharing parts with it, where nothing had to change. */
  readonly object: T;
  /** `unknown field "spec.containers[0].foo"`, in the order met, at most 100. The fields themselves are gone from `object`. */
  readonly unknownFields: readonly string[];
}

/** Deeper structures than this are refused. Go's parser allows 10,000; no type needs a tenth of it, and recursion stays safe below. */
export const MAX_DECODE_DEPTH = 1000;

/**
 * Checks a parsed JSON value against a built-in type and brings it to the form a Go round trip would give it: unknown fields pruned,
 * null taken for absent, empty `omitempty` values dropped, the zero values of other fields filled in, quantities and times canonical.
 *
 * Two forms differ from Go's output, and no client can tell them apart: an empty list or map that upstream writes as null is
 * `[]` or `{}`, and fields that upstream writes as null (unset times and pointers without omitempty) are absent. So no decoded
 * object ever holds a null outside of raw JSON and maps of times.
 *
 * Integers beyond 2^53 are the nearest double, within the range of their type; `1.0` and `1e3` pass for integers, as JSON.parse
 * does not tell them apart.
 *
 * A custom resource (a schema without a name) is pruned instead, and only its metadata decoded: its types are a matter of validation.
 * Its integers that a double cannot hold are bigints where the reader of the text kept them (`parseExactly`).
 *
 * Throws a BadRequest StatusError with upstream's message when a value has the wrong type, or what `failure` makes of it.
 */
export function decode<T = unknown>(schema: Schema, value: unknown, options: DecodeOptions = {}): Decoded<T> {
  const state = new DecodeState(options.merged);
  state.known = options.known;
  try {
    const custom = schema.kind === 'any' || (schema.kind === 'object' && schema.name === undefined);
    const decoded = custom ? decodeCustom(schema, value ?? {}, state) : decoderOf(schema)(value ?? {}, state, 0);
    const object = (
      options.defaults === false ? decoded : applyDefaults(schema, decoded, custom ? undefined : options.known)
    ) as T;
    return { object, unknownFields: state.unknown.length === 0 ? noUnknownFields : [...new Set(state.unknown)] };
  } catch (err) {
    if (!(err instanceof DecodeError)) throw err;
    throw options.failure?.(err.message) ?? cannotBeHandled(err.message, options);
  }
}

const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

/** The root of a custom resource has typed metadata; everything else is as its own schema says. */
function decodeCustom(schema: Schema, value: unknown, state: DecodeState): unknown {
  state.known = undefined;
  if (!isObject(value)) return state.fail(0, value, 'map[string]interface {}', 'map');
  state.owners[0] = 'PartialObjectMetadata';
  for (const name of ['apiVersion', 'kind']) {
    state.path[0] = name;
    const text = value[name];
    if (text !== undefined && text !== null && typeof text !== 'string') state.fail(1, text, 'string', 'string');
  }
  state.path[0] = 'metadata';
  const decodeMetadata = decoderOf(builtinSchema(OBJECT_META));
  const metadata = decodeMetadata(value['metadata'] ?? {}, state, 1);
  const { object, unknownPaths } = prune(schema, value);
  for (const path of unknownPaths) state.unknown.push(`unknown field ${JSON.stringify(path)}`);
  const typed = typeEmbedded(schema, object, (embedded, path) => {
    const inner = new DecodeState();
    const decoded = decodeMetadata(embedded, inner, 0);
    for (const fault of inner.unknown) {
      const field = JSON.parse(fault.slice('unknown field '.length)) as string;
      state.unknown.push(`unknown field ${JSON.stringify(`${path}.${field}`)}`);
    }
    return decoded;
  });
  return metadata === typed['metadata'] ? typed : { ...typed, metadata };
}

const noUnknownFields: readonly string[] = Object.freeze([]);

/** The 400 of a body that cannot become the kind the request expects. */
export function cannotBeHandled(cause: string, options: DecodeOptions): StatusError {
  if (options.kind === undefined) return badRequest(cause);
  const into = options.into ?? options.kind;
  return badRequest(
    `${options.kind} in version ${JSON.stringify(options.version ?? '')} cannot be handled as a ${into}: ${cause}`,
  );
}

/** The text of a strict decoding error, of the problems that `strictProblems` gives. */
export function strictDecodingMessage(problems: readonly string[]): string {
  return `strict decoding error: ${problems.join(', ')}`;
}

/**
 * Strict problems that `decode` and `parseJson` found, as upstream lists them, one by one: what becomes Warning headers when only
 * warnings are asked for. Duplicates inside of unknown fields are left out: upstream never looks there. `inOrderMet`: both were found
 * in one reading of one text, as with built-in types; duplicates come first otherwise.
 */
export function strictProblems(
  unknownFields: readonly string[],
  duplicateFields: DuplicateFields = [],
  inOrderMet = false,
): readonly string[] {
  if (duplicateFields.length === 0) return unknownFields;
  const hidden = unknownFields.map((u) => JSON.parse(u.slice('unknown field '.length)) as string);
  const kept = duplicateFields.filter((d) => {
    // YAML tells its own in words of its own, and looks everywhere.
    if (!d.startsWith('duplicate field ')) return true;
    const path = JSON.parse(d.slice('duplicate field '.length)) as string;
    return !hidden.some((h) => path === h || path.startsWith(`${h}.`) || path.startsWith(`${h}[`));
  });
  const problems = [...kept, ...unknownFields];
  const ordered = inOrderMet && kept.length > 0 && unknownFields.length > 0;
  return (ordered ? duplicateFields.inOrderMet?.(problems) : undefined) ?? problems;
}

const decoders = new WeakMap<Schema, Decoder>();

function decoderOf(schema: Schema): Decoder {
  const known = decoders.get(schema);
  if (known !== undefined) return known;
  const made = compile(schema);
  decoders.set(schema, made);
  return made;
}

function compile(schema: Schema): Decoder {
  switch (schema.kind) {
    case 'scalar':
      return scalarDecoder(schema);
    case 'list':
      return listDecoder(schema);
    case 'map':
      return mapDecoder(schema);
    case 'object':
      return new StructDecoder(schema).decoder();
    case 'any':
      return anyDecoder(schema);
  }
}

/** What a null becomes inside a list or map, and an absent field that Go always writes. */
function zeroOf(schema: Schema): unknown {
  switch (schema.kind) {
    case 'list':
      return [];
    case 'map':
      return {};
    case 'object':
      return decoderOf(schema)({}, new DecodeState(), 0);
    case 'any':
      return null;
    case 'scalar':
      switch (schema.type) {
        case 'string':
        case 'bytes':
          return '';
        case 'time':
        case 'micro-time':
          return null;
        case 'boolean':
          return false;
        case 'quantity':
          return '0';
        case 'duration':
          return '0s';
        default:
          return 0;
      }
  }
}

function listDecoder(schema: ListSchema): Decoder {
  const leaf = schema.items.kind === 'scalar';
  let items: Decoder | undefined;
  return (value, state, depth) => {
    if (!Array.isArray(value)) return state.fail(depth, value, goTypeName(schema), 'slice');
    items ??= decoderOf(schema.items);
    const list = value as readonly unknown[];
    const known = Array.isArray(state.known) ? (state.known as readonly unknown[]) : none;
    let out: unknown[] | undefined;
    for (let i = 0; i < list.length; i++) {
      const item = list[i];
      let decoded: unknown;
      if (item === known[i] && typeof item === 'object' && item !== null) decoded = item;
      else if (item === null || item === undefined) decoded = zeroOf(schema.items);
      else if (leaf) decoded = items(item, state, depth) ?? null;
      else {
        state.path[depth] = i;
        state.known = known[i];
        decoded = items(item, state, depth + 1);
      }
      if (out !== undefined) out.push(decoded);
      else if (decoded !== item) {
        out = list.slice(0, i);
        out.push(decoded);
      }
    }
    return out ?? list;
  };
}

function mapDecoder(schema: MapSchema): Decoder {
  const leaf = schema.values.kind === 'scalar';
  let values: Decoder | undefined;
  return (value, state, depth) => {
    if (!isObject(value)) return state.fail(depth, value, goTypeName(schema), 'map');
    values ??= decoderOf(schema.values);
    let out: Record<string, unknown> | undefined;
    for (const key in value) {
      const item = value[key];
      let decoded: unknown;
      if (item === null || item === undefined) decoded = zeroOf(schema.values);
      else if (leaf) decoded = values(item, state, depth) ?? null;
      else {
        if (depth >= MAX_DECODE_DEPTH) throw new DecodeError('exceeded max depth');
        state.path[depth] = key;
        state.owners[depth] = '';
        state.known = undefined;
        decoded = values(item, state, depth + 1);
      }
      if (out === undefined && decoded !== item) out = { ...value };
      if (out !== undefined) setOwn(out, key, decoded);
    }
    return out ?? value;
  };
}

/** Types that decode themselves upstream, without strictness: a JSON schema in several forms. */
const jsonSchemaForms: ReadonlySet<string> = new Set(
  ['JSONSchemaPropsOrBool', 'JSONSchemaPropsOrArray', 'JSONSchemaPropsOrStringArray'].map(
    (name) => `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.${name}`,
  ),
);
const JSON_SCHEMA = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps';

function anyDecoder(schema: AnySchema): Decoder {
  if (schema.name === undefined || !jsonSchemaForms.has(schema.name)) return (value) => value;
  const one: Decoder = (value, state, depth) =>
    isObject(value) ? decoderOf(builtinSchema(JSON_SCHEMA))(value, state, depth) : value;
  const many = listDecoder({ kind: 'list', listType: 'atomic', mapKeys: [], items: { kind: 'any' } });
  const orBool = schema.name.endsWith('OrBool');
  return (value, state, depth) => {
    if (typeof value === 'boolean' && orBool) return value;
    if (!isObject(value) && !(Array.isArray(value) && !orBool)) {
      throw new DecodeError(orBool ? 'boolean or JSON schema expected' : 'array or JSON schema expected');
    }
    state.silent++;
    state.known = undefined;
    const decoded = Array.isArray(value)
      ? (many(value, state, depth) as unknown[]).map((item) => one(item, state, depth + 1))
      : one(value, state, depth);
    state.silent--;
    return decoded;
  };
}

/** How a field is decoded, and when it is left out. */
interface FieldPlan {
  /** Plain strings are most of all fields, and need no call. */
  readonly plainString: boolean;
  /** With `plainString`: left out when empty. */
  readonly omitEmpty: boolean;
  /** Takes null and undefined too; undefined means left out. */
  readonly decode: Decoder;
}

/** Fields that Go writes whether they were given or not. */
interface AlwaysWritten {
  readonly name: string;
  readonly zero: () => unknown;
}

class StructDecoder {
  readonly #schema: ObjectSchema;
  readonly #owner: string;
  #plans: Map<string, FieldPlan> | undefined;
  #always: readonly AlwaysWritten[] = [];

  constructor(schema: ObjectSchema) {
    this.#schema = schema;
    this.#owner = schema.name ?? 'struct';
  }

  decoder(): Decoder {
    return (value, state, depth) => this.#decode(value, state, depth);
  }

  #prepare(): Map<string, FieldPlan> {
    const plans = new Map<string, FieldPlan>();
    const always: AlwaysWritten[] = [];
    for (const field of this.#schema.fields.values()) {
      plans.set(field.name, planOf(field));
      if (isAlwaysWritten(field)) {
        let zero: unknown;
        always.push({ name: field.name, zero: () => (zero ??= Object.freeze(zeroOf(field.schema))) });
      }
    }
    this.#always = always;
    this.#plans = plans;
    return plans;
  }

  #decode(value: unknown, state: DecodeState, depth: number): unknown {
    if (!isObject(value)) return state.fail(depth, value, goTypeName(this.#schema), 'struct');
    if (depth >= MAX_DECODE_DEPTH) throw new DecodeError('exceeded max depth');
    const plans = this.#plans ?? this.#prepare();
    const path = state.path;
    state.owners[depth] = this.#owner;
    const known = isObject(state.known) ? state.known : nothing;
    let out: Record<string, unknown> | undefined;
    for (const key in value) {
      const item = value[key];
      const plan = plans.get(key);
      let decoded: unknown;
      if (plan === undefined) state.unknownField(depth, key);
      else if (plan.plainString && typeof item === 'string') decoded = item === '' && plan.omitEmpty ? undefined : item;
      else if (known !== nothing && typeof item === 'object' && item !== null && known[key] === item) decoded = item;
      else if (depth === 0 && typeof item === 'object' && item !== null && isRepeated(item)) {
        decoded = decodeRepeated(item, key, plan, state);
      } else {
        path[depth] = key;
        state.known = known === nothing ? undefined : known[key];
        decoded = plan.decode(item, state, depth + 1);
      }
      if (out !== undefined) {
        if (decoded !== undefined) out[key] = decoded;
      } else if (decoded !== item) {
        out = before(value, key);
        if (decoded !== undefined) out[key] = decoded;
      }
    }
    for (const field of this.#always) {
      if ((out ?? value)[field.name] === undefined) {
        out ??= { ...value };
        out[field.name] = field.zero();
      }
    }
    return out ?? value;
  }
}

/** A part of the outermost object that has come before: decoded once, unless there is something to be told of it each time. */
function decodeRepeated(item: object, key: string, plan: FieldPlan, state: DecodeState): unknown {
  const kept = recall(item, plan);
  if (kept !== undefined) return kept;
  state.path[0] = key;
  state.known = undefined;
  const decoded = plan.decode(item, state, 1);
  if (state.unknown.length === 0 && typeof decoded === 'object' && decoded !== null) {
    markRepeated(deepFreeze(decoded));
    keep(item, plan, decoded);
  }
  return decoded;
}

/** The members of an object that come before a key. All of them are known fields, so none is `__proto__`. */
function before(value: Readonly<Record<string, unknown>>, end: string): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const key in value) {
    if (key === end) break;
    out[key] = value[key];
  }
  return out;
}

/** Structs, and scalars that Go holds in structs: omitempty never leaves them out. Unset times are null, and stay absent here. */
function isAlwaysWritten(field: Field): boolean {
  const schema = field.schema;
  if (field.pointer || schema.kind === 'any') return false;
  if (schema.kind === 'object') return true;
  if (schema.kind === 'scalar') {
    if (schema.type === 'time' || schema.type === 'micro-time') return false;
    if (schema.type === 'quantity' || schema.type === 'int-or-string' || schema.type === 'duration') return true;
  }
  return !field.omitEmpty;
}

function planOf(field: Field): FieldPlan {
  const schema = field.schema;
  const omitEmpty = field.omitEmpty && !field.pointer && field.keepsEmpty !== true;
  const inner = decoderOf(schema);
  const plan = (decode: Decoder): FieldPlan => ({
    plainString: schema.kind === 'scalar' && schema.type === 'string',
    omitEmpty,
    decode: (value, state, depth) => (value === null || value === undefined ? undefined : decode(value, state, depth)),
  });
  if (!omitEmpty) return plan(inner);
  switch (schema.kind) {
    case 'list':
      return plan((value, state, depth) => {
        const list = inner(value, state, depth) as readonly unknown[];
        return list.length === 0 ? undefined : list;
      });
    case 'map':
      return plan((value, state, depth) => {
        const map = inner(value, state, depth) as Readonly<Record<string, unknown>>;
        for (const _key in map) return map;
        return undefined;
      });
    case 'scalar':
      switch (schema.type) {
        case 'string':
        case 'bytes':
        case 'boolean':
        case 'int32':
        case 'int64':
        case 'uint32':
        case 'uint64':
        case 'float64':
          return plan((value, state, depth) => inner(value, state, depth) || undefined);
        default:
          return plan(inner);
      }
    default:
      return plan(inner);
  }
}

const none: readonly unknown[] = Object.freeze([]);
const nothing: Readonly<Record<string, unknown>> = Object.freeze({});

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Sets an own member, whatever its name: `__proto__` is data here. */
function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  } else target[key] = value;
}
