import { goFloat } from '../meta/go-text.ts';
import {
  addRange,
  type CelFunction,
  type Estimate,
  type EstimatedArg,
  global,
  matchCost,
  matchEstimate,
  member,
  type Overload,
  one,
  type Range,
  range,
  STRING_COST,
  scaleRange,
  timesRange,
  traversal,
} from './functions.ts';
import { compileRe2, Re2Error } from './re2.ts';
import {
  canonicalDuration,
  checkedDuration,
  checkedTimestamp,
  durationText,
  millisOf,
  parseTimestamp,
  timeParts,
  timestampText,
} from './time.ts';
import {
  BOOL,
  BYTES,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listOf,
  mapOf,
  optionalOf,
  param,
  STRING,
  TIMESTAMP,
  type Type,
  typeOf,
  UINT,
} from './types.ts';
import {
  CelError,
  compare,
  conversionError,
  costSize,
  Duration,
  equals,
  GrowingList,
  hashKey,
  ListValue,
  MapValue,
  OpaqueValue,
  Optional,
  Timestamp,
  TypeValue,
  textLength,
  typeNameOf,
  Unsigned,
  type Value,
} from './values.ts';

/** The error of a function that has nothing for such arguments. */
export const noOverload = (): CelError => new CelError('no such overload');

const A = param('A');
const B = param('B');
const listA = listOf(A);
const mapAB = mapOf(A, B);

const MIN_INT = -(2n ** 63n);
const MAX_INT = 2n ** 63n - 1n;
const MAX_UINT = 2n ** 64n - 1n;

/** An int in its range. */
export function checkedInt(value: bigint): bigint {
  if (value < MIN_INT || value > MAX_INT) throw new CelError('integer overflow');
  return value;
}

export function checkedUint(value: bigint): Unsigned {
  if (value < 0n || value > MAX_UINT) throw new CelError('unsigned integer overflow');
  return new Unsigned(value);
}

/** `+`, of everything that has it. */
export function add(a: Value, b: Value): Value {
  if (typeof a === 'bigint' && typeof b === 'bigint') return checkedInt(a + b);
  if (typeof a === 'string' && typeof b === 'string') return a + b;
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  if (a instanceof ListValue && b instanceof ListValue) return a.plus(b) ?? GrowingList.concat(a, b);
  if (a instanceof Unsigned && b instanceof Unsigned) return checkedUint(a.value + b.value);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return new Uint8Array(Buffer.concat([a, b]));
  if (a instanceof Duration && b instanceof Duration) return checkedDuration(a.nanos + b.nanos);
  if (a instanceof Timestamp && b instanceof Duration) return checkedTimestamp(a.nanos + b.nanos, a.offset);
  if (a instanceof Duration && b instanceof Timestamp) return checkedTimestamp(a.nanos + b.nanos, b.offset);
  throw noOverload();
}

function subtract(a: Value, b: Value): Value {
  if (typeof a === 'bigint' && typeof b === 'bigint') return checkedInt(a - b);
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (a instanceof Unsigned && b instanceof Unsigned) return checkedUint(a.value - b.value);
  if (a instanceof Duration && b instanceof Duration) return checkedDuration(a.nanos - b.nanos);
  if (a instanceof Timestamp && b instanceof Timestamp) return checkedDuration(a.nanos - b.nanos);
  if (a instanceof Timestamp && b instanceof Duration) return checkedTimestamp(a.nanos - b.nanos, a.offset);
  throw noOverload();
}

function multiply(a: Value, b: Value): Value {
  if (typeof a === 'bigint' && typeof b === 'bigint') return checkedInt(a * b);
  if (typeof a === 'number' && typeof b === 'number') return a * b;
  if (a instanceof Unsigned && b instanceof Unsigned) return checkedUint(a.value * b.value);
  throw noOverload();
}

function divide(a: Value, b: Value): Value {
  if (typeof a === 'number' && typeof b === 'number') return a / b;
  if (typeof a === 'bigint' && typeof b === 'bigint') {
    if (b === 0n) throw new CelError('division by zero');
    return checkedInt(a / b);
  }
  if (a instanceof Unsigned && b instanceof Unsigned) {
    if (b.value === 0n) throw new CelError('division by zero');
    return new Unsigned(a.value / b.value);
  }
  throw noOverload();
}

function modulo(a: Value, b: Value): Value {
  const [x, y] = a instanceof Unsigned && b instanceof Unsigned ? [a.value, b.value] : [a, b];
  if (typeof x !== 'bigint' || typeof y !== 'bigint') throw noOverload();
  if (y === 0n) throw new CelError('modulus by zero');
  return a instanceof Unsigned ? new Unsigned(x % y) : x % y;
}

function negate(value: Value): Value {
  if (typeof value === 'bigint') return checkedInt(-value);
  if (typeof value === 'number') return -value;
  throw noOverload();
}

/** The element of a list or map. */
export function index(container: Value, key: Value): Value {
  const found = findIndex(container, key);
  if (found !== undefined) return found;
  if (container instanceof ListValue) throw new CelError(`index out of bounds: ${String(numberIndex(key) ?? key)}`);
  throw new CelError(`no such key: ${keyText(key)}`);
}

export const keyText = (key: Value): string => (key instanceof Unsigned ? String(key.value) : String(key));

/** As `index`; undefined where there is nothing, as in what has no elements at all. Throws for keys that lists cannot have. */
export function findIndex(container: Value, key: Value): Value | undefined {
  if (container instanceof MapValue) {
    if (hashKey(key) === undefined) throw new CelError(`no such key: ${keyText(key)}`);
    return container.find(key);
  }
  if (container instanceof ListValue) {
    const i = numberIndex(key);
    if (i === undefined) throw new CelError(`unsupported index ${describedIndex(key)} in list`);
    return i >= 0 && i < container.size ? container.get(i) : undefined;
  }
  return undefined;
}

const describedIndex = (key: Value): string => (typeof key === 'number' ? `value ${goFloat(key)}` : `type '${typeNameOf(key)}'`);

function numberIndex(key: Value): number | undefined {
  if (typeof key === 'bigint') return Number(key);
  if (key instanceof Unsigned) return Number(key.value);
  return typeof key === 'number' && Number.isInteger(key) ? key : undefined;
}

function contains(value: Value, container: Value): boolean {
  if (container instanceof MapValue) return hashKey(value) !== undefined && container.find(value) !== undefined;
  if (!(container instanceof ListValue)) throw noOverload();
  for (const item of container) if (equals(value, item)) return true;
  return false;
}

function order(a: Value, b: Value): number {
  const result = compare(a, b);
  if (result === undefined) throw noOverload();
  return result;
}

function text(value: Value): string {
  if (typeof value !== 'string') throw noOverload();
  return value;
}

/** The size of a text, bytes, list or map. */
export function sizeOf(value: Value): bigint {
  if (typeof value === 'string') return BigInt(textLength(value));
  if (value instanceof Uint8Array) return BigInt(value.length);
  if (value instanceof ListValue || value instanceof MapValue) return BigInt(value.size);
  throw noOverload();
}

/** Whether a pattern is found in a text. */
export function matches(subject: string, pattern: string): boolean {
  try {
    return compileRe2(pattern).test(subject);
  } catch (err) {
    throw err instanceof Re2Error ? new CelError(err.message) : err;
  }
}

// ------------------------------------------------------------------------------------------------------------ conversions

function toInt(value: Value): Value {
  if (typeof value === 'bigint') return value;
  if (value instanceof Unsigned) return checkedInt(value.value);
  if (typeof value === 'number') {
    if (!(Math.abs(value) < 2 ** 63)) throw new CelError('integer overflow');
    return BigInt(Math.trunc(value));
  }
  if (typeof value === 'string') {
    const parsed = /^[+-]?\d+$/.test(value) ? BigInt(value.replace(/^\+/, '')) : undefined;
    if (parsed === undefined || BigInt.asIntN(64, parsed) !== parsed) throw conversionError('int');
    return parsed;
  }
  if (value instanceof Timestamp) return BigInt(Math.floor(Number(value.nanos / 1_000_000n) / 1000));
  if (value instanceof Duration) return value.nanos;
  throw noOverload();
}

function toUint(value: Value): Value {
  if (value instanceof Unsigned) return value;
  if (typeof value === 'bigint') return checkedUint(value);
  if (typeof value === 'number') {
    if (!(value > -1 && value < 2 ** 64)) throw new CelError('unsigned integer overflow');
    return checkedUint(BigInt(Math.trunc(value)));
  }
  if (typeof value === 'string') {
    const parsed = /^\d+$/.test(value) ? BigInt(value) : undefined;
    if (parsed === undefined || BigInt.asUintN(64, parsed) !== parsed) throw conversionError('uint');
    return new Unsigned(parsed);
  }
  throw noOverload();
}

function toDouble(value: Value): Value {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Unsigned) return Number(value.value);
  if (typeof value !== 'string') throw noOverload();
  const special = /^([+-]?)(?:inf|infinity)$/i.exec(value);
  if (special !== null) return special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^nan$/i.test(value)) return Number.NaN;
  const parsed = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isFinite(parsed)) throw conversionError('double');
  return parsed;
}

/** A double as `format` writes it: without an exponent, within reason. */
export function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e21)) {
    return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  }
  return String(value);
}

function toText(value: Value): Value {
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return goFloat(value);
  if (value instanceof Unsigned) return String(value.value);
  if (value instanceof Uint8Array) {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value);
    } catch {
      throw new CelError('invalid UTF-8 in bytes, cannot convert to string');
    }
  }
  if (value instanceof Timestamp) return timestampText(value);
  if (value instanceof Duration) return durationText(value);
  if (value instanceof OpaqueValue) return String(value);
  throw noOverload();
}

function toBool(value: Value): Value {
  if (typeof value === 'boolean') return value;
  if (typeof value !== 'string') throw noOverload();
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
  throw conversionError('bool');
}

function toBytes(value: Value): Value {
  return value instanceof Uint8Array ? value : new TextEncoder().encode(text(value));
}

function toTimestamp(value: Value): Value {
  if (value instanceof Timestamp) return value;
  if (typeof value === 'bigint') return checkedTimestamp(value * 1_000_000_000n);
  return parseTimestamp(text(value));
}

function toDuration(value: Value): Value {
  if (value instanceof Duration) return value;
  if (typeof value === 'bigint') return new Duration(value);
  return canonicalDuration(text(value));
}

/** The type of a value as a value. */
function typeValue(value: Value): Value {
  const name = typeNameOf(value);
  return new TypeValue({ kind: value instanceof OpaqueValue ? 'opaque' : 'dyn', name, params: [] });
}

// ------------------------------------------------------------------------------------------------------------------ costs

const minSize = (args: readonly Value[]): number => Math.ceil(Math.min(costSize(args[0]!), costSize(args[1]!)) * STRING_COST);

/** Comparing two values goes over the shorter one. */
function compareEstimate(args: readonly EstimatedArg[]): Estimate {
  const max = Math.min(args[0]!.size.max, args[1]!.size.max);
  return { cost: scaleRange({ min: max > 0 ? 1 : 0, max }, STRING_COST) };
}

const sizedOrders: ReadonlySet<string> = new Set(
  ['less', 'less_equals', 'greater', 'greater_equals'].flatMap((name) => [`${name}_string`, `${name}_bytes`]),
);

const isUnitEquality = (type: Type): boolean =>
  type.kind === 'opaque' && (type.name.startsWith('kubernetes.') || type.name.startsWith('net.'));

function equalityEstimate(args: readonly EstimatedArg[]): Estimate {
  const [a, b] = args as [EstimatedArg, EstimatedArg];
  if (a.type.name === b.type.name && isUnitEquality(a.type)) return { cost: one };
  return compareEstimate(args);
}

function concatEstimate(args: readonly EstimatedArg[], overload: string): Estimate {
  if (overload === 'add_list') return { cost: one, size: addRange(args[0]!.size, args[1]!.size) };
  if (overload !== 'add_string' && overload !== 'add_bytes') return { cost: one };
  const size = addRange(args[0]!.size, args[1]!.size);
  return { cost: traversal(size), size };
}

// ----------------------------------------------------------------------------------------------------------- declarations

const arithmetic = (name: string, ...types: readonly Type[]): readonly Overload[] =>
  types.map((type) => global(`${name}_${idOf(type)}`, [type, type], type));

const idOf = (type: Type): string => (type.kind === 'int' ? 'int64' : type.kind === 'uint' ? 'uint64' : type.kind);

function orders(name: string): readonly Overload[] {
  const same = [BOOL, INT, UINT, DOUBLE, STRING, BYTES, TIMESTAMP, DURATION].map((t) =>
    global(`${name}_${idOf(t)}`, [t, t], BOOL),
  );
  const numbers = [INT, UINT, DOUBLE];
  const crossed = numbers.flatMap((a) =>
    numbers.filter((b) => b !== a).map((b) => global(`${name}_${idOf(a)}_${idOf(b)}`, [a, b], BOOL)),
  );
  return [...same, ...crossed];
}

function ordering(symbol: string, name: string, holds: (order: number) => boolean): CelFunction {
  return {
    name: symbol,
    overloads: orders(name),
    call: (a, b) => holds(order(a!, b!)),
    cost: (args, _result, overload) => (overload !== undefined && sizedOrders.has(overload) ? minSize(args) : 1),
    estimate: (args, overload) => (sizedOrders.has(overload) ? compareEstimate(args) : { cost: one }),
  };
}

function conversion(
  name: string,
  result: Type,
  from: readonly Type[],
  convert: (value: Value) => Value,
  more: Partial<CelFunction> = {},
): CelFunction {
  return {
    name,
    overloads: from.map((type) => global(`${idOf(type)}_to_${idOf(result)}`, [type], result)),
    call: (value) => convert(value!),
    ...more,
  };
}

/** A part of a timestamp, in UTC or another zone; of a duration too, when `whole` tells how. */
function timePart(name: string, part: (date: Date, timestamp: Timestamp) => bigint, whole?: bigint): CelFunction {
  return {
    name,
    overloads: [
      member(`timestamp_to_${name}`, [TIMESTAMP], INT),
      member(`timestamp_to_${name}_with_tz`, [TIMESTAMP, STRING], INT),
      ...(whole === undefined ? [] : [member(`duration_to_${name}`, [DURATION], INT)]),
    ],
    call: (value, zone) => {
      if (value instanceof Duration && whole !== undefined) {
        return value.nanos / whole;
      }
      if (!(value instanceof Timestamp)) throw noOverload();
      return part(timeParts(value, zone === undefined ? 'UTC' : text(zone)), value);
    },
  };
}

const dayOfYear = (date: Date): bigint =>
  BigInt(Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000));

const sizeOverloads = ['string', 'bytes', 'list', 'map'].flatMap((kind, i) => {
  const type = [STRING, BYTES, listA, mapAB][i]!;
  return [global(`size_${kind}`, [type], INT), member(`${kind}_size`, [type], INT)];
});

const startTraversal = (args: readonly Value[]): number => Math.ceil(costSize(args[0]!) * STRING_COST);

/** The operators and functions that CEL itself has. */
export const standardLibrary: readonly CelFunction[] = [
  {
    name: '_+_',
    overloads: [
      ...arithmetic('add', INT, UINT, DOUBLE, STRING, BYTES),
      global('add_list', [listA, listA], listA),
      global('add_duration_duration', [DURATION, DURATION], DURATION),
      global('add_duration_timestamp', [DURATION, TIMESTAMP], TIMESTAMP),
      global('add_timestamp_duration', [TIMESTAMP, DURATION], TIMESTAMP),
    ],
    call: (a, b) => add(a!, b!),
    cost: (args, _result, overload) =>
      overload === 'add_string' || overload === 'add_bytes'
        ? Math.ceil((costSize(args[0]!) + costSize(args[1]!)) * STRING_COST)
        : 1,
    estimate: concatEstimate,
  },
  {
    name: '_-_',
    overloads: [
      ...arithmetic('subtract', INT, UINT, DOUBLE),
      global('subtract_duration_duration', [DURATION, DURATION], DURATION),
      global('subtract_timestamp_duration', [TIMESTAMP, DURATION], TIMESTAMP),
      global('subtract_timestamp_timestamp', [TIMESTAMP, TIMESTAMP], DURATION),
    ],
    call: (a, b) => subtract(a!, b!),
  },
  { name: '_*_', overloads: arithmetic('multiply', INT, UINT, DOUBLE), call: (a, b) => multiply(a!, b!) },
  { name: '_/_', overloads: arithmetic('divide', INT, UINT, DOUBLE), call: (a, b) => divide(a!, b!) },
  { name: '_%_', overloads: arithmetic('modulo', INT, UINT), call: (a, b) => modulo(a!, b!) },
  {
    name: '-_',
    overloads: [global('negate_int64', [INT], INT), global('negate_double', [DOUBLE], DOUBLE)],
    call: (a) => negate(a!),
  },
  {
    name: '!_',
    overloads: [global('logical_not', [BOOL], BOOL)],
    call: (a) => {
      if (typeof a !== 'boolean') throw noOverload();
      return !a;
    },
  },
  {
    name: '_==_',
    overloads: [global('equals', [A, A], BOOL)],
    call: (a, b) => equals(a!, b!),
    cost: (args) => (args[0] instanceof OpaqueValue ? 1 : minSize(args)),
    estimate: equalityEstimate,
  },
  {
    name: '_!=_',
    overloads: [global('not_equals', [A, A], BOOL)],
    call: (a, b) => !equals(a!, b!),
    cost: minSize,
    estimate: compareEstimate,
  },
  ordering('_<_', 'less', (o) => o < 0),
  ordering('_<=_', 'less_equals', (o) => o <= 0),
  ordering('_>_', 'greater', (o) => o > 0),
  ordering('_>=_', 'greater_equals', (o) => o >= 0),
  // These three are evaluated by the evaluator itself, as not all of their arguments may be.
  { name: '_&&_', overloads: [global('logical_and', [BOOL, BOOL], BOOL)], call: lazyOnly },
  { name: '_||_', overloads: [global('logical_or', [BOOL, BOOL], BOOL)], call: lazyOnly },
  { name: '_?_:_', overloads: [global('conditional', [BOOL, A, A], A)], call: lazyOnly },
  { name: '@not_strictly_false', overloads: [global('not_strictly_false', [BOOL], BOOL)], call: lazyOnly },
  {
    name: '@in',
    overloads: [global('in_list', [A, listA], BOOL), global('in_map', [A, mapAB], BOOL)],
    call: (a, b) => contains(a!, b!),
    cost: (args, _result, overload) => (overload === 'in_list' ? costSize(args[1]!) : 1),
    estimate: (args, overload) => ({ cost: overload === 'in_list' ? args[1]!.size : one }),
  },
  {
    name: '_[_]',
    overloads: [
      global('index_list', [listA, INT], A),
      global('index_map', [mapAB, A], B),
      global('optional_list_index_int', [optionalOf(listA), INT], optionalOf(A)),
      global('optional_map_index_value', [optionalOf(mapAB), A], optionalOf(B)),
    ],
    call: (a, b) => (a instanceof Optional ? optionalIndex(a, b!) : index(a!, b!)),
  },
  {
    name: '_[?_]',
    overloads: [
      global('list_optindex_optional_int', [listA, INT], optionalOf(A)),
      global('map_optindex_optional_value', [mapAB, A], optionalOf(B)),
      global('optional_list_optindex_optional_int', [optionalOf(listA), INT], optionalOf(A)),
      global('optional_map_optindex_optional_value', [optionalOf(mapAB), A], optionalOf(B)),
    ],
    call: (a, b) => optionalIndex(a!, b!),
  },
  { name: 'size', overloads: sizeOverloads, call: (a) => sizeOf(a!) },
  {
    name: 'matches',
    overloads: [global('matches', [STRING, STRING], BOOL), member('matches_string', [STRING, STRING], BOOL)],
    call: (a, b) => matches(text(a!), text(b!)),
    cost: (args, _result, overload) => (overload === 'matches_string' ? matchCost(costSize(args[0]!), costSize(args[1]!)) : 1),
    estimate: (args, overload) => ({
      cost: overload === 'matches_string' ? matchEstimate(args[0]!.size, args[1]!.size) : one,
    }),
  },
  {
    name: 'contains',
    overloads: [member('contains_string', [STRING, STRING], BOOL)],
    call: (a, b) => text(a!).includes(text(b!)),
    cost: (args) => startTraversal(args) * Math.ceil(costSize(args[1]!) * STRING_COST),
    estimate: (args) => ({ cost: timesRange(traversal(args[0]!.size), traversal(args[1]!.size)) }),
  },
  {
    name: 'startsWith',
    overloads: [member('starts_with_string', [STRING, STRING], BOOL)],
    call: (a, b) => text(a!).startsWith(text(b!)),
    cost: startTraversal,
    estimate: (args) => ({ cost: traversal(args[1]!.size) }),
  },
  {
    name: 'endsWith',
    overloads: [member('ends_with_string', [STRING, STRING], BOOL)],
    call: (a, b) => text(a!).endsWith(text(b!)),
    cost: startTraversal,
    estimate: (args) => ({ cost: traversal(args[1]!.size) }),
  },
  conversion('int', INT, [INT, UINT, DOUBLE, STRING, TIMESTAMP, DURATION], toInt),
  conversion('uint', UINT, [UINT, INT, DOUBLE, STRING], toUint),
  conversion('double', DOUBLE, [DOUBLE, INT, UINT, STRING], toDouble),
  conversion('bool', BOOL, [BOOL, STRING], toBool),
  conversion('string', STRING, [STRING, BOOL, BYTES, INT, UINT, DOUBLE, TIMESTAMP, DURATION], toText, {
    cost: (args, _result, overload) => (overload === 'bytes_to_string' ? startTraversal(args) : 1),
    estimate: (args, overload) => (overload === 'bytes_to_string' ? bytesEstimate(args[0]!.size) : { cost: one }),
  }),
  conversion('bytes', BYTES, [BYTES, STRING], toBytes, {
    cost: (args, _result, overload) => (overload === 'string_to_bytes' ? startTraversal(args) : 1),
    estimate: (args, overload) =>
      overload === 'string_to_bytes'
        ? { cost: traversal(args[0]!.size), size: { min: args[0]!.size.min, max: args[0]!.size.max * 4 } }
        : { cost: one },
  }),
  conversion('timestamp', TIMESTAMP, [TIMESTAMP, STRING, INT], toTimestamp),
  conversion('duration', DURATION, [DURATION, STRING, INT], toDuration),
  { name: 'dyn', overloads: [global('to_dyn', [A], DYN)], call: (a) => a! },
  { name: 'type', overloads: [global('type', [A], typeOf(A))], call: (a) => typeValue(a!) },
  timePart('getFullYear', (d) => BigInt(d.getUTCFullYear())),
  timePart('getMonth', (d) => BigInt(d.getUTCMonth())),
  timePart('getDayOfYear', dayOfYear),
  timePart('getDate', (d) => BigInt(d.getUTCDate())),
  timePart('getDayOfMonth', (d) => BigInt(d.getUTCDate() - 1)),
  timePart('getDayOfWeek', (d) => BigInt(d.getUTCDay())),
  timePart('getHours', (d) => BigInt(d.getUTCHours()), 3_600_000_000_000n),
  timePart('getMinutes', (d) => BigInt(d.getUTCMinutes()), 60_000_000_000n),
  timePart('getSeconds', (d) => BigInt(d.getUTCSeconds()), 1_000_000_000n),
  timePart('getMilliseconds', (_d, t) => millisOf(t), 1_000_000n),
];

const bytesEstimate = (size: Range): Estimate => ({
  cost: traversal(size),
  size: range(Math.trunc(size.min / 4), size.max),
});

function lazyOnly(): Value {
  throw noOverload();
}

function optionalIndex(container: Value, key: Value): Optional {
  const inner = container instanceof Optional ? container.value : container;
  if (inner === undefined) return Optional.none;
  const found = findIndex(inner, key);
  return found === undefined ? Optional.none : new Optional(found);
}

/** Optional values (cel-go's OptionalTypes). */
export const optionalLibrary: readonly CelFunction[] = [
  { name: 'optional.of', overloads: [global('optional_of', [A], optionalOf(A))], call: (a) => new Optional(a) },
  {
    name: 'optional.ofNonZeroValue',
    overloads: [global('optional_ofNonZeroValue', [A], optionalOf(A))],
    call: (a) => (isZero(a!) ? Optional.none : new Optional(a)),
  },
  { name: 'optional.none', overloads: [global('optional_none', [], optionalOf(A))], call: () => Optional.none },
  {
    name: 'value',
    overloads: [member('optional_value', [optionalOf(A)], A)],
    call: (a) => {
      if (!(a instanceof Optional)) throw noOverload();
      if (a.value === undefined) throw new CelError('optional.none() dereference');
      return a.value;
    },
  },
  {
    name: 'hasValue',
    overloads: [member('optional_hasValue', [optionalOf(A)], BOOL)],
    call: (a) => {
      if (!(a instanceof Optional)) throw noOverload();
      return a.value !== undefined;
    },
  },
  { name: 'or', overloads: [member('optional_or_optional', [optionalOf(A), optionalOf(A)], optionalOf(A))], call: lazyOnly },
  { name: 'orValue', overloads: [member('optional_orValue_value', [optionalOf(A), A], A)], call: lazyOnly },
];

/** Go's zero time, in nanoseconds: 0001-01-01T00:00:00Z. */
const ZERO_TIME = -62_135_596_800_000_000_000n;

function isZero(value: Value): boolean {
  if (value === null || value === false || value === 0n || value === 0 || value === '') return true;
  if (value instanceof Unsigned) return value.value === 0n;
  if (value instanceof ListValue || value instanceof MapValue) return value.size === 0;
  if (value instanceof Uint8Array) return value.length === 0;
  if (value instanceof Duration) return value.nanos === 0n;
  if (value instanceof Timestamp) return value.nanos === ZERO_TIME;
  return value instanceof Optional && value.value === undefined;
}
