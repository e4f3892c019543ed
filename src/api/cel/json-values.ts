import { durationNanos } from '../custom-resource/formats.ts';
import { type DeclType, declField } from './decl-type.ts';
import { parseTimestamp } from './time.ts';
import { ArrayList, CelError, Duration, equals, ListValue, MapValue, type Timestamp, type Value } from './values.ts';

type JsonObject = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** JSON as CEL sees it without a schema: whole numbers are ints. */
export function dynamicValue(json: unknown): Value {
  switch (typeof json) {
    case 'string':
    case 'boolean':
    case 'bigint':
      return json;
    case 'number':
      return Number.isInteger(json) && Math.abs(json) < 2 ** 63 ? BigInt(json) : json;
    case 'object':
      if (json === null) return null;
      return Array.isArray(json) ? new DynamicList(json) : new DynamicMap(json as JsonObject);
    default:
      return null;
  }
}

class DynamicList extends ListValue {
  readonly #items: readonly unknown[];
  constructor(items: readonly unknown[]) {
    super();
    this.#items = items;
  }
  get size(): number {
    return this.#items.length;
  }
  get(i: number): Value {
    return dynamicValue(this.#items[i]);
  }
}

class DynamicMap extends MapValue {
  readonly #object: JsonObject;
  constructor(object: JsonObject) {
    super();
    this.#object = object;
  }
  get size(): number {
    return Object.keys(this.#object).length;
  }
  find(key: Value): Value | undefined {
    return typeof key === 'string' && Object.hasOwn(this.#object, key) ? dynamicValue(this.#object[key]) : undefined;
  }
  keys(): Iterable<Value> {
    return Object.keys(this.#object);
  }
}

/** JSON as CEL sees it through a declared type. Values that do not fit it are errors when looked at. */
export function typedValue(json: unknown, type: DeclType): Value {
  if (json === null || json === undefined) {
    if (type.nullable === true) return null;
    throw new CelError('invalid data, got null for schema with nullable=false');
  }
  switch (type.kind) {
    case 'dyn':
      if (typeof json === 'string' || typeof json === 'bigint') return json;
      if (typeof json === 'number' && Number.isInteger(json)) return BigInt(json);
      throw new CelError('invalid data, expected XIntOrString value to be either a string or integer');
    case 'object':
      if (!isObject(json)) throw new CelError('invalid data, expected a map for the provided schema with type=object');
      return new TypedObject(json, type);
    case 'map':
      if (!isObject(json)) throw new CelError('invalid data, expected a map for the provided schema with type=object');
      return new TypedMap(json, type.elements!);
    case 'list':
      if (!Array.isArray(json)) throw new CelError('invalid data, expected an array for the provided schema with type=array');
      return typedList(json, type);
    case 'int':
      if (typeof json === 'bigint') return json;
      if (typeof json !== 'number' || !Number.isInteger(json)) throw wrongType('int', json);
      return BigInt(json);
    case 'double':
      if (typeof json === 'bigint') return Number(json);
      if (typeof json !== 'number') throw wrongType('float', json);
      return json;
    case 'bool':
      if (typeof json !== 'boolean') throw wrongType('bool', json);
      return json;
    default:
      if (typeof json !== 'string') throw wrongType('string', json);
      return textValue(json, type.kind);
  }
}

const wrongType = (wanted: string, json: unknown): CelError =>
  new CelError(`invalid data, expected ${wanted}, got ${goType(json)}`);

/** What Go calls the type of a JSON value. */
function goType(json: unknown): string {
  if (Array.isArray(json)) return '[]interface {}';
  switch (typeof json) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int64';
    case 'number':
      return Number.isInteger(json) ? 'int64' : 'float64';
    default:
      return 'map[string]interface {}';
  }
}

/** A text by its format. */
function textValue(text: string, kind: DeclType['kind']): Value {
  switch (kind) {
    case 'bytes':
      return new Uint8Array(Buffer.from(text, 'base64'));
    case 'duration': {
      const nanos = durationNanos(text);
      if (nanos === undefined) throw new CelError(`Invalid duration ${text}: time: invalid duration ${JSON.stringify(text)}`);
      return new Duration(nanos);
    }
    case 'timestamp':
      return dateOrTime(text);
    default:
      return text;
  }
}

function dateOrTime(text: string): Timestamp {
  try {
    if (/^\d{4}-\d\d-\d\d$/.test(text)) return parseTimestamp(`${text}T00:00:00Z`);
    return parseTimestamp(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(text) ? `${text}Z` : text);
  } catch (err) {
    throw err instanceof CelError ? new CelError(`Invalid date-time formatted string ${text}: ${err.message}`) : err;
  }
}

class TypedObject extends MapValue {
  readonly json: JsonObject;
  readonly #type: DeclType;
  constructor(json: JsonObject, type: DeclType) {
    super();
    this.json = json;
    this.#type = type;
  }
  get size(): number {
    return Object.keys(this.json).length;
  }
  find(key: Value): Value | undefined {
    const field = typeof key === 'string' ? declField(this.#type, key) : undefined;
    // A null is taken for absence, here and only here.
    if (field === undefined || !Object.hasOwn(this.json, field.property) || this.json[field.property] === null) return undefined;
    return typedValue(this.json[field.property], field.type);
  }
  *keys(): Iterable<Value> {
    for (const [name, field] of this.#type.fields!) if (Object.hasOwn(this.json, field.property)) yield name;
  }
  override get typeName(): string {
    return this.#type.name;
  }
  override equals(other: MapValue): boolean | undefined {
    if (!(other instanceof TypedObject)) return undefined;
    for (const name of this.keys()) {
      const [a, b] = [this.find(name), other.find(name)];
      if (a === undefined || b === undefined ? a !== b : !equals(a, b)) return false;
    }
    const known = new Set([...this.#type.fields!.values()].map((field) => field.property));
    // What CEL cannot see is compared as it is, where both have it.
    return Object.entries(this.json).every(
      ([name, value]) =>
        known.has(name) || !Object.hasOwn(other.json, name) || equals(dynamicValue(value), dynamicValue(other.json[name])),
    );
  }
}

class TypedMap extends MapValue {
  readonly #object: JsonObject;
  readonly #values: DeclType;
  constructor(object: JsonObject, values: DeclType) {
    super();
    this.#object = object;
    this.#values = values;
  }
  get size(): number {
    return Object.keys(this.#object).length;
  }
  find(key: Value): Value | undefined {
    return typeof key === 'string' && Object.hasOwn(this.#object, key) ? typedValue(this.#object[key], this.#values) : undefined;
  }
  keys(): Iterable<Value> {
    return Object.keys(this.#object);
  }
}

function typedList(json: readonly unknown[], type: DeclType): ListValue {
  const items = new TypedItems(json, type.elements!);
  switch (type.listType) {
    case 'set':
      return new SetList(items);
    case 'map':
      return new KeyedList(items, type.listKeys!);
    default:
      return items;
  }
}

class TypedItems extends ListValue {
  readonly #json: readonly unknown[];
  readonly #type: DeclType;
  constructor(json: readonly unknown[], type: DeclType) {
    super();
    this.#json = json;
    this.#type = type;
  }
  get size(): number {
    return this.#json.length;
  }
  get(i: number): Value {
    return typedValue(this.#json[i], this.#type);
  }
}

/** A list whose equality and sum are not those of lists. */
abstract class SpecialList extends ListValue {
  protected readonly items: ListValue;
  constructor(items: ListValue) {
    super();
    this.items = items;
  }
  get size(): number {
    return this.items.size;
  }
  get(i: number): Value {
    return this.items.get(i);
  }
}

/** A list of type `set`: equal whatever the order, and a union when added to. */
class SetList extends SpecialList {
  override equals(other: ListValue): boolean {
    const items = [...this];
    for (const item of other) if (!items.some((own) => equals(own, item))) return false;
    return true;
  }
  override plus(other: ListValue): ListValue {
    const items = [...this];
    for (const item of other) if (!items.some((own) => equals(own, item))) items.push(item);
    return new SetList(new ArrayList(items));
  }
}

/** A list of type `map`: items belong together by their keys. */
class KeyedList extends SpecialList {
  readonly #keys: readonly string[];
  constructor(items: ListValue, keys: readonly string[]) {
    super(items);
    this.#keys = keys;
  }
  #keyOf(item: Value): string {
    if (!(item instanceof MapValue)) return '';
    return JSON.stringify(
      this.#keys.map((key) => (item instanceof TypedObject ? (item.json[key] ?? null) : String(item.find(key) ?? ''))),
    );
  }
  override equals(other: ListValue): boolean {
    const items = new Map([...this].map((item) => [this.#keyOf(item), item]));
    for (const item of other) {
      const found = items.get(this.#keyOf(item));
      if (found === undefined || !equals(found, item)) return false;
    }
    return true;
  }
  override plus(other: ListValue): ListValue {
    const items = [...this];
    const places = new Map(items.map((item, i) => [this.#keyOf(item), i]));
    for (const item of other) {
      const at = places.get(this.#keyOf(item));
      if (at === undefined) items.push(item);
      else items[at] = item;
    }
    return new KeyedList(new ArrayList(items), this.#keys);
  }
}
