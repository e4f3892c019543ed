import { type DeclType, declField } from './decl-type.ts';
import { canonicalDuration, parseTimestamp } from './time.ts';
import { ArrayList, CelError, equals, ListValue, MapValue, type Timestamp, type Value } from './values.ts';

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
  if (json === null || json === undefined) return null;
  switch (type.kind) {
    case 'dyn':
      return dynamicValue(json);
    case 'object':
      if (!isObject(json)) throw new CelError('invalid data, expected a map for the provided schema with type=object');
      return new TypedObject(json, type);
    case 'map':
      if (!isObject(json)) throw new CelError('invalid data, expected a map for the provided schema with type=object');
      return new TypedMap(json, type.elements!);
    case 'list':
      if (!Array.isArray(json)) throw new CelError('invalid data, expected an array for the provided schema with type=array');
      return typedList(json, type);
    case 'string':
      if (typeof json !== 'string') throw new CelError(`expected string, got ${typeof json}`);
      return json;
    case 'int':
      if (typeof json !== 'number' || !Number.isInteger(json))
        throw new CelError(`invalid data, expected int, got ${typeof json}`);
      return BigInt(json);
    case 'double':
      if (typeof json !== 'number') throw new CelError(`invalid data, expected float, got ${typeof json}`);
      return json;
    case 'bool':
      if (typeof json !== 'boolean') throw new CelError(`expected boolean, got ${typeof json}`);
      return json;
    case 'bytes':
      if (typeof json !== 'string') throw new CelError(`expected byte string, got ${typeof json}`);
      return new Uint8Array(Buffer.from(json, 'base64'));
    case 'duration':
      return canonicalDuration(String(json));
    case 'timestamp':
      return dateOrTime(String(json));
  }
}

function dateOrTime(text: string): Timestamp {
  return /^\d{4}-\d\d-\d\d$/.test(text) ? parseTimestamp(`${text}T00:00:00Z`) : parseTimestamp(text);
}

class TypedObject extends MapValue {
  readonly #object: JsonObject;
  readonly #type: DeclType;
  constructor(object: JsonObject, type: DeclType) {
    super();
    this.#object = object;
    this.#type = type;
  }
  get size(): number {
    let size = 0;
    for (const _ of this.keys()) size++;
    return size;
  }
  find(key: Value): Value | undefined {
    const field = typeof key === 'string' ? declField(this.#type, key) : undefined;
    if (field === undefined || !Object.hasOwn(this.#object, field.property)) return undefined;
    return typedValue(this.#object[field.property], field.type);
  }
  *keys(): Iterable<Value> {
    for (const [name, field] of this.#type.fields!) if (Object.hasOwn(this.#object, field.property)) yield name;
  }
  override get typeName(): string {
    return this.#type.name;
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
  switch (type.listType) {
    case 'set':
      return new SetList(json, type);
    case 'map':
      return new KeyedList(json, type);
    default:
      return new TypedList(json, type);
  }
}

class TypedList extends ListValue {
  protected readonly json: readonly unknown[];
  protected readonly type: DeclType;
  constructor(json: readonly unknown[], type: DeclType) {
    super();
    this.json = json;
    this.type = type;
  }
  get size(): number {
    return this.json.length;
  }
  get(i: number): Value {
    return typedValue(this.json[i], this.type.elements!);
  }
}

/** A list of type `set`: equal whatever the order, and a union when added to. */
class SetList extends TypedList {
  override equals(other: ListValue): boolean {
    const items = [...other];
    for (const item of this) if (!items.some((o) => equals(item, o))) return false;
    return true;
  }
  override plus(other: ListValue): ListValue {
    const items = [...this];
    for (const item of other) if (!items.some((o) => equals(item, o))) items.push(item);
    return new ArrayList(items);
  }
}

/** A list of type `map`: items belong together by their keys. */
class KeyedList extends TypedList {
  #keyOf(item: Value): string {
    if (!(item instanceof MapValue)) return '';
    return JSON.stringify(this.type.listKeys!.map((key) => String(item.find(key) ?? '')));
  }
  override equals(other: ListValue): boolean {
    const items = new Map([...other].map((item) => [this.#keyOf(item), item]));
    for (const item of this) {
      const found = items.get(this.#keyOf(item));
      if (found === undefined || !equals(item, found)) return false;
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
    return new ArrayList(items);
  }
}
