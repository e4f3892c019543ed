import { formatType, type Type } from './types.ts';

/**
 * CEL values at run time: int is a bigint, uint an Unsigned, double a number, bytes a Uint8Array; lists and maps are behind an interface,
 * as most of them are views of JSON that is converted when looked at.
 */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | Unsigned
  | Timestamp
  | Duration
  | TypeValue
  | Optional
  | ListValue
  | MapValue
  | OpaqueValue;

/** Evaluation failed. Swallowed by `&&` and `||` when the other side decides. */
export class CelError extends Error {}

/** A text that cannot be converted; `type` is the full name of what it was to become. */
export const conversionError = (type: string): CelError => new CelError(`type conversion error from 'string' to '${type}'`);

export class Unsigned {
  readonly value: bigint;
  constructor(value: bigint) {
    this.value = value;
  }
}

/** A moment. */
export class Timestamp {
  /** Nanoseconds since the Unix epoch. */
  readonly nanos: bigint;
  /** Minutes east of UTC that it was written with, and is written with again. */
  readonly offset: number;
  constructor(nanos: bigint, offset = 0) {
    this.nanos = nanos;
    this.offset = offset;
  }
}

/** Nanoseconds. */
export class Duration {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

export class TypeValue {
  readonly type: Type;
  constructor(type: Type) {
    this.type = type;
  }
  get name(): string {
    return this.type.name;
  }
}

export class Optional {
  static readonly none = new Optional(undefined);
  readonly value: Value | undefined;
  constructor(value: Value | undefined) {
    this.value = value;
  }
}

export abstract class ListValue {
  abstract readonly size: number;
  /** The item; `i` is within the size. */
  abstract get(i: number): Value;
  *[Symbol.iterator](): Iterator<Value> {
    for (let i = 0; i < this.size; i++) yield this.get(i);
  }
  /** Equality of a list that is a set or a map to somebody; undefined: item by item. */
  equals(_other: ListValue): boolean | undefined {
    return undefined;
  }
  /** Concatenation in the manner of a set or a map; undefined: one after the other. */
  plus(_other: ListValue): ListValue | undefined {
    return undefined;
  }
}

export class ArrayList extends ListValue {
  readonly items: readonly Value[];
  constructor(items: readonly Value[]) {
    super();
    this.items = items;
  }
  get size(): number {
    return this.items.length;
  }
  get(i: number): Value {
    return this.items[i]!;
  }
}

/** Two lists, one after the other, without copying: what `map` and `filter` build. */
export class GrowingList extends ListValue {
  readonly #items: Value[];
  readonly size: number;
  private constructor(items: Value[], size: number) {
    super();
    this.#items = items;
    this.size = size;
  }
  /** `list` and what follows. A list that was grown at its end shares its storage with its longer self. */
  static concat(list: ListValue, more: ListValue): ListValue {
    if (more.size === 0) return list;
    if (list instanceof GrowingList && list.#items.length === list.size) {
      for (const item of more) list.#items.push(item);
      return new GrowingList(list.#items, list.#items.length);
    }
    const items = [...list, ...more];
    return new GrowingList(items, items.length);
  }
  get(i: number): Value {
    return this.#items[i]!;
  }
}

export abstract class MapValue {
  abstract readonly size: number;
  /** The value at a key; undefined when there is none. */
  abstract find(key: Value): Value | undefined;
  abstract keys(): Iterable<Value>;
  /** Equality of an object with one of its type; undefined: member by member. */
  equals(_other: MapValue): boolean | undefined {
    return undefined;
  }
  /** Set for objects of a declared type: what `type()` gives. */
  get typeName(): string | undefined {
    return undefined;
  }
}

export class HashMap extends MapValue {
  readonly #entries: ReadonlyMap<string | bigint | boolean, readonly [key: Value, value: Value]>;
  constructor(entries: Iterable<readonly [key: Value, value: Value]>) {
    super();
    const map = new Map<string | bigint | boolean, readonly [Value, Value]>();
    for (const entry of entries) {
      const key = hashKey(entry[0]);
      if (key === undefined) throw new CelError(`unsupported key type: ${typeNameOf(entry[0])}`);
      if (map.has(key)) throw new CelError(`Failed with repeated key`);
      map.set(key, entry);
    }
    this.#entries = map;
  }
  get size(): number {
    return this.#entries.size;
  }
  find(key: Value): Value | undefined {
    const hash = hashKey(key);
    return hash === undefined ? undefined : this.#entries.get(hash)?.[1];
  }
  *keys(): Iterable<Value> {
    for (const [key] of this.#entries.values()) yield key;
  }
  *entries(): Iterable<readonly [Value, Value]> {
    yield* this.#entries.values();
  }
}

/** Numbers that are equal are one key, whichever type they have. */
export function hashKey(key: Value): string | bigint | boolean | undefined {
  if (typeof key === 'string' || typeof key === 'bigint' || typeof key === 'boolean') return key;
  if (key instanceof Unsigned) return key.value;
  if (typeof key === 'number') return Number.isInteger(key) ? BigInt(key) : undefined;
  return undefined;
}

/** Values of the libraries' own types: URLs, addresses, quantities. */
export abstract class OpaqueValue {
  abstract readonly type: Type;
  abstract equals(other: OpaqueValue): boolean;
  /** What `size` is for cost; 1 for most. */
  get costSize(): number {
    return 1;
  }
}

/** The name of a value's type, as `type()` and messages show it. */
export function typeNameOf(value: Value): string {
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return 'double';
    case 'string':
      return 'string';
  }
  if (value === null) return 'null_type';
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof Unsigned) return 'uint';
  if (value instanceof ListValue) return 'list';
  if (value instanceof MapValue) return value.typeName ?? 'map';
  if (value instanceof Timestamp) return 'google.protobuf.Timestamp';
  if (value instanceof Duration) return 'google.protobuf.Duration';
  if (value instanceof Optional) return 'optional_type';
  if (value instanceof TypeValue) return 'type';
  return formatType(value.type);
}

/** Equality of any two values: values of different types are not equal, numbers are compared by value. */
export function equals(a: Value, b: Value): boolean {
  if (a === b) return true;
  switch (typeof a) {
    case 'bigint':
    case 'number':
      return compareNumbers(a, b) === 0;
    case 'string':
    case 'boolean':
      return false;
  }
  if (a === null || b === null) return false;
  if (a instanceof Unsigned) return compareNumbers(a, b) === 0;
  if (a instanceof ListValue) return b instanceof ListValue && listEquals(a, b);
  if (a instanceof MapValue) return b instanceof MapValue && mapEquals(a, b);
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos;
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos;
  if (a instanceof TypeValue) return b instanceof TypeValue && a.name === b.name;
  if (a instanceof Optional) {
    if (!(b instanceof Optional)) return false;
    if (a.value === undefined || b.value === undefined) return a.value === b.value;
    return equals(a.value, b.value);
  }
  return b instanceof OpaqueValue && a.type.name === b.type.name && a.equals(b);
}

function listEquals(a: ListValue, b: ListValue): boolean {
  if (a.size !== b.size) return false;
  const special = a.equals(b);
  if (special !== undefined) return special;
  for (let i = 0; i < a.size; i++) if (!equals(a.get(i), b.get(i))) return false;
  return true;
}

function mapEquals(a: MapValue, b: MapValue): boolean {
  if (a.size !== b.size) return false;
  const special = a.equals(b);
  if (special !== undefined) return special;
  for (const key of a.keys()) {
    const other = b.find(key);
    if (other === undefined || !equals(a.find(key)!, other)) return false;
  }
  return true;
}

const numeric = (value: Value): bigint | number | undefined =>
  typeof value === 'bigint' || typeof value === 'number' ? value : value instanceof Unsigned ? value.value : undefined;

/** -1, 0 or 1; NaN when either is NaN or no number. JavaScript compares bigint with number by value. */
export function compareNumbers(a: Value, b: Value): number {
  const x = numeric(a);
  const y = numeric(b);
  if (x === undefined || y === undefined) return Number.NaN;
  if (x < y) return -1;
  if (x > y) return 1;
  return Number.isNaN(Number(x)) || Number.isNaN(Number(y)) ? Number.NaN : 0;
}

/** The order of two values of one type: -1, 0 or 1; NaN when one is NaN; undefined when they have no order. */
export function compare(a: Value, b: Value): number | undefined {
  if (numeric(a) !== undefined && numeric(b) !== undefined) return compareNumbers(a, b);
  if (typeof a === 'string' && typeof b === 'string') return a === b ? 0 : compareText(a, b);
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  if ((a instanceof Timestamp && b instanceof Timestamp) || (a instanceof Duration && b instanceof Duration)) {
    return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
  }
  return undefined;
}

/** By code point, as Go's UTF-8 compares. UTF-16 differs only where surrogates meet the last of the first 65,536. */
function compareText(a: string, b: string): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const high = x >= 0xd800 && y >= 0xd800;
    return (high ? a.codePointAt(i)! < b.codePointAt(i)! : x < y) ? -1 : 1;
  }
  return a.length < b.length ? -1 : 1;
}

/** The number of characters of a text. */
export function textLength(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0xd800 && unit < 0xdc00) {
      count--;
      i++;
    }
  }
  return count;
}

/** What `size()` gives, and 1 for what has no size: the measure of costs. */
export function costSize(value: Value): number {
  if (typeof value === 'string') return textLength(value);
  if (value instanceof ListValue || value instanceof MapValue) return value.size;
  if (value instanceof Uint8Array) return value.length;
  return value instanceof OpaqueValue ? value.costSize : 1;
}
