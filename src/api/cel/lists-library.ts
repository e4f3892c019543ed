import {
  addRange,
  type CelFunction,
  type Estimate,
  type EstimatedArg,
  global,
  member,
  one,
  type Range,
  range,
  scaleRange,
  timesRange,
  traversal,
  unknownSize,
} from './functions.ts';
import { add, noOverload } from './standard-library.ts';
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
  UINT,
} from './types.ts';
import {
  ArrayList,
  CelError,
  compare,
  costSize,
  Duration,
  equals,
  HashMap,
  ListValue,
  MapValue,
  Optional,
  Unsigned,
  type Value,
} from './values.ts';

const A = param('A');
const B = param('B');
const listA = listOf(A);
/** `lists.range` and `flatten` make no more than this. */
const MAX_MADE = 1_000_000;

function list(value: Value | undefined): ListValue {
  if (!(value instanceof ListValue)) throw noOverload();
  return value;
}

function int(value: Value | undefined): number {
  if (typeof value !== 'bigint') throw noOverload();
  return Number(value);
}

/** The index of an equal item: the first, or the last; -1 when there is none. */
export function equalListIndex(items: ListValue, wanted: Value, last: boolean): bigint {
  for (let k = 0; k < items.size; k++) {
    const i = last ? items.size - 1 - k : k;
    if (equals(items.get(i), wanted)) return BigInt(i);
  }
  return -1n;
}

function ordered(a: Value, b: Value): number {
  const result = compare(a, b);
  if (result === undefined) throw noOverload();
  return result;
}

function isSorted(value: Value | undefined): Value {
  const items = list(value);
  for (let i = 1; i < items.size; i++) if (ordered(items.get(i - 1), items.get(i)) > 0) return false;
  return true;
}

function extreme(name: string, sign: number): CelFunction['call'] {
  return (value) => {
    let best: Value | undefined;
    for (const item of list(value)) if (best === undefined || ordered(item, best) * sign < 0) best = item;
    if (best === undefined) throw new CelError(`${name} called on empty list`);
    return best;
  };
}

const zeros: Readonly<Record<string, Value>> = {
  list_int_sum: 0n,
  list_uint_sum: new Unsigned(0n),
  list_double_sum: 0,
  list_duration_sum: new Duration(0n),
};

/** What nothing adds up to depends on its type. */
const sumAs =
  (overload: string): CelFunction['call'] =>
  (value) => {
    let total: Value | undefined;
    for (const item of list(value)) total = total === undefined ? item : add(total, item);
    return total ?? zeros[overload] ?? 0n;
  };

function elementTraversal(value: Value): number {
  if (typeof value === 'string') return Math.trunc(Buffer.byteLength(value) * 0.1);
  if (value instanceof Uint8Array) return Math.trunc(value.length * 0.1);
  if (value instanceof ListValue) {
    let total = 0;
    for (const item of value) total += elementTraversal(item);
    return total;
  }
  return 1;
}

function perItem([target]: readonly EstimatedArg[]): Estimate {
  const kind = target!.type.params[0]?.kind;
  const each: Range = kind === 'string' || kind === 'bytes' ? addRange(one, traversal(target!.items ?? unknownSize)) : one;
  return { cost: timesRange(target!.size, each) };
}

const overAll = (name: string, types: readonly Type[], result: (type: Type) => Type, call: CelFunction['call']): CelFunction => ({
  name,
  overloads: types.map((type) => member(`list_${type.kind}_${name}`, [listOf(type)], result(type))),
  call,
  cost: (args) => elementTraversal(args[0]!),
  estimate: perItem,
});

const comparable = [INT, UINT, DOUBLE, BOOL, DURATION, TIMESTAMP, STRING, BYTES];
const self = (type: Type): Type => type;

/** Kubernetes' own functions of lists; `indexOf` and `lastIndexOf` stand with those of texts. */
const kubernetesLists: readonly CelFunction[] = [
  overAll('isSorted', comparable, () => BOOL, isSorted),
  { ...overAll('sum', [INT, UINT, DOUBLE, DURATION], self, sumAs('')), callAs: sumAs },
  overAll('max', comparable, self, extreme('max', -1)),
  overAll('min', comparable, self, extreme('min', 1)),
];

// ------------------------------------------------------------------------------------------- cel-go's lists extension

function slice(value: Value | undefined, start: Value | undefined, end: Value | undefined): Value {
  const items = list(value);
  const from = int(start);
  const to = int(end);
  if (from < 0 || to < 0) throw new CelError(`cannot slice(${from}, ${to}), negative indexes not supported`);
  if (from > to) throw new CelError(`cannot slice(${from}, ${to}), start index must be less than or equal to end index`);
  if (to > items.size) throw new CelError(`cannot slice(${from}, ${to}), list is length ${items.size}`);
  return new ArrayList([...items].slice(from, to));
}

function flatten(value: Value | undefined, depth: Value | undefined): Value {
  const levels = depth === undefined ? 1 : int(depth);
  if (levels < 0) throw new CelError('level must be non-negative');
  const out: Value[] = [];
  const visit = (items: ListValue, left: number): void => {
    for (const item of items) {
      if (left > 0 && item instanceof ListValue) visit(item, left - 1);
      else out.push(item);
      if (out.length > MAX_MADE) throw new CelError('list is too long');
    }
  };
  visit(list(value), levels);
  return new ArrayList(out);
}

function makeRange(value: Value | undefined): Value {
  const size = int(value);
  if (size > MAX_MADE) throw new CelError('list is too long');
  return new ArrayList(Array.from({ length: Math.max(size, 0) }, (_, i) => BigInt(i)));
}

function distinct(value: Value | undefined): Value {
  const out: Value[] = [];
  for (const item of list(value)) if (!out.some((known) => equals(known, item))) out.push(item);
  return new ArrayList(out);
}

function sortedBy(value: Value | undefined, by: Value | undefined): Value {
  const items = [...list(value)];
  const keys = [...list(by)];
  const order = items.map((_, i) => i).sort((a, b) => ordered(keys[a]!, keys[b]!));
  return new ArrayList(order.map((i) => items[i]!));
}

/** Making a list, and the call. */
const BASE_COST = 11;

const linear = (_args: readonly Value[], result: Value): number => BASE_COST + costSize(result);

/** Every item is compared with every other, twice; texts at the price of going over them. */
function quadratic([items, keys]: readonly Value[]): number {
  const compared = keys ?? items;
  const first = compared instanceof ListValue && compared.size > 0 ? compared.get(0) : undefined;
  const factor = typeof first === 'string' || first instanceof Uint8Array ? 2.1 : 2;
  return BASE_COST + Math.trunc(factor * costSize(items!) ** 2);
}
const linearEstimate = ([target]: readonly EstimatedArg[]): Estimate => ({
  cost: addRange(range(BASE_COST), target!.size),
  size: target!.size,
});
function quadraticEstimate([target, keys]: readonly EstimatedArg[]): Estimate {
  const kind = (keys ?? target)!.type.params[0]?.kind;
  const squared = timesRange(target!.size, target!.size);
  const cost = scaleRange(squared, kind === 'string' || kind === 'bytes' ? 2.1 : 2);
  return { cost: addRange(range(BASE_COST), cost), size: target!.size };
}

const firstOf =
  (at: (items: ListValue) => number): CelFunction['call'] =>
  (value) => {
    const items = list(value);
    return items.size === 0 ? Optional.none : new Optional(items.get(at(items)));
  };

const extension: readonly CelFunction[] = [
  {
    name: 'slice',
    overloads: [member('list_slice', [listA, INT, INT], listA)],
    call: slice,
    cost: linear,
    estimate: linearEstimate,
  },
  {
    name: 'flatten',
    overloads: [member('list_flatten', [listOf(listOf(A))], listA), member('list_flatten_int', [listOf(DYN), INT], listOf(DYN))],
    call: flatten,
    cost: linear,
    estimate: linearEstimate,
  },
  {
    name: 'lists.range',
    overloads: [global('lists_range', [INT], listOf(INT))],
    call: makeRange,
    cost: linear,
    estimate: ([arg]) => {
      const size = arg!.literal === undefined ? unknownSize : range(Number(arg!.literal));
      return { cost: addRange(range(BASE_COST), size), size };
    },
  },
  {
    name: 'distinct',
    overloads: [member('list_distinct', [listA], listA)],
    call: distinct,
    cost: quadratic,
    estimate: quadraticEstimate,
  },
  {
    name: 'reverse',
    overloads: [member('list_reverse', [listA], listA)],
    call: (value) => new ArrayList([...list(value)].reverse()),
    cost: linear,
    estimate: linearEstimate,
  },
  {
    name: 'sort',
    overloads: comparable.map((type) => member(`list_${type.kind}_sort`, [listOf(type)], listOf(type))),
    call: (value) => sortedBy(value, value),
    cost: quadratic,
    estimate: quadraticEstimate,
  },
  {
    name: '@sortByAssociatedKeys',
    overloads: comparable.map((type) => member(`list_${type.kind}_sortByAssociatedKeys`, [listA, listOf(type)], listA)),
    call: sortedBy,
    cost: quadratic,
    estimate: quadraticEstimate,
  },
  { name: 'first', overloads: [member('list_first', [listA], optionalOf(A))], call: firstOf(() => 0) },
  { name: 'last', overloads: [member('list_last', [listA], optionalOf(A))], call: firstOf((items) => items.size - 1) },
];

// -------------------------------------------------------------------------------------------------------------- sets

const includes = (items: ListValue, wanted: Value): boolean => {
  for (const item of items) if (equals(item, wanted)) return true;
  return false;
};

const containsAll = (items: ListValue, wanted: ListValue): boolean => {
  for (const item of wanted) if (!includes(items, item)) return false;
  return true;
};

const set = (name: string, factor: number, call: (a: ListValue, b: ListValue) => boolean): CelFunction => ({
  name: `sets.${name}`,
  overloads: [global(`list_sets_${name}_list`, [listA, listA], BOOL)],
  call: (a, b) => call(list(a), list(b)),
  cost: (args) => 1 + factor * costSize(args[0]!) * costSize(args[1]!),
  estimate: ([a, b]) => ({ cost: addRange(one, timesRange(range(factor), timesRange(a!.size, b!.size))) }),
});

const sets: readonly CelFunction[] = [
  set('contains', 1, containsAll),
  set('equivalent', 2, (a, b) => containsAll(a, b) && containsAll(b, a)),
  set('intersects', 1, (a, b) => [...b].some((item) => includes(a, item))),
];

// ---------------------------------------------------------------------------------------- two-variable comprehensions

function insert(target: Value | undefined, key: Value | undefined, value: Value | undefined): Value {
  if (!(target instanceof MapValue)) throw noOverload();
  const entries = [...target.keys()].map((k) => [k, target.find(k)!] as const);
  const added: (readonly [Value, Value])[] = [];
  if (value !== undefined) added.push([key!, value]);
  else if (key instanceof MapValue) for (const k of key.keys()) added.push([k, key.find(k)!]);
  else throw noOverload();
  for (const [k] of added) if (target.find(k) !== undefined) throw new CelError(`insert failed: key ${String(k)} already exists`);
  return new HashMap([...entries, ...added]);
}

const mapInsert: CelFunction = {
  name: 'cel.@mapInsert',
  overloads: [
    global('@mapInsert_map_key_value', [mapOf(A, B), A, B], mapOf(A, B)),
    global('@mapInsert_map_map', [mapOf(A, B), mapOf(A, B)], mapOf(A, B)),
  ],
  call: insert,
};

/** Functions of lists, of lists taken as sets, and those that the two-variable macros need. */
export const listsLibrary: readonly CelFunction[] = [...kubernetesLists, ...extension, ...sets, mapInsert];
