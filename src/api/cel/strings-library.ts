import { formatText } from './format-text.ts';
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
  STRING_COST,
  scaleRange,
  timesRange,
  traversal,
  unknownSize,
} from './functions.ts';
import { equalListIndex } from './lists-library.ts';
import { noOverload } from './standard-library.ts';
import { DYN, INT, listOf, param, STRING } from './types.ts';
import { ArrayList, CelError, costSize, ListValue, type Value } from './values.ts';

const LIST_STRING = listOf(STRING);
const A = param('A');

function text(value: Value | undefined): string {
  if (typeof value !== 'string') throw noOverload();
  return value;
}

function int(value: Value | undefined): number {
  if (typeof value !== 'bigint') throw noOverload();
  return Number(value);
}

const traverse = (args: readonly Value[]): number => Math.ceil(costSize(args[0]!) * STRING_COST);
const traverseTwice = (args: readonly Value[]): number => Math.ceil(costSize(args[0]!) * 2 * STRING_COST);
const traverseEstimate = ([target]: readonly EstimatedArg[]): Estimate => ({ cost: traversal(target!.size), size: target!.size });

const outOfRange = (i: number): CelError => new CelError(`index out of range: ${i}`);

function charAt(target: Value | undefined, at: Value | undefined): Value {
  const points = [...text(target)];
  const i = int(at);
  if (i < 0 || i > points.length) throw outOfRange(i);
  return points[i] ?? '';
}

/** Where `sub` begins in `subject`, counted in characters, at or after `from`; -1 when nowhere. */
function find(subject: string, sub: string, from: number): number {
  const points = [...subject];
  const wanted = [...sub];
  for (let i = from; i + wanted.length <= points.length; i++) if (wanted.every((p, k) => points[i + k] === p)) return i;
  return -1;
}

function findLast(subject: string, sub: string, from: number | undefined): number {
  const points = [...subject];
  const wanted = [...sub];
  for (let i = Math.min(from ?? points.length, points.length - wanted.length); i >= 0; i--) {
    if (wanted.every((p, k) => points[i + k] === p)) return i;
  }
  return -1;
}

function indexOf(target: Value | undefined, sub: Value | undefined, offset: Value | undefined): Value {
  if (target instanceof ListValue) return equalListIndex(target, sub!, false);
  const subject = text(target);
  const from = offset === undefined ? 0 : int(offset);
  if (offset !== undefined && (from < 0 || from > [...subject].length)) throw outOfRange(from);
  return BigInt(text(sub) === '' ? from : find(subject, text(sub), from));
}

function lastIndexOf(target: Value | undefined, sub: Value | undefined, offset: Value | undefined): Value {
  if (target instanceof ListValue) return equalListIndex(target, sub!, true);
  const subject = text(target);
  const size = [...subject].length;
  const from = offset === undefined ? undefined : int(offset);
  if (from !== undefined && (from < 0 || from > size)) throw outOfRange(from);
  return BigInt(text(sub) === '' ? (from ?? size) : findLast(subject, text(sub), from));
}

function substring(target: Value | undefined, start: Value | undefined, end: Value | undefined): Value {
  const points = [...text(target)];
  const from = int(start);
  const to = end === undefined ? points.length : int(end);
  if (end !== undefined && from > to) throw new CelError(`invalid substring range. start: ${from}, end: ${to}`);
  if (from < 0 || from > points.length) throw outOfRange(from);
  if (to < 0 || to > points.length) throw outOfRange(to);
  return points.slice(from, to).join('');
}

function replace(target: Value | undefined, old: Value | undefined, by: Value | undefined, limit: Value | undefined): Value {
  const subject = text(target);
  const wanted = text(old);
  const most = limit === undefined ? -1 : int(limit);
  if (most === 0) return subject;
  const parts = wanted === '' ? ['', ...subject, ''] : subject.split(wanted);
  const count = most < 0 ? parts.length - 1 : Math.min(most, parts.length - 1);
  return (
    parts.slice(0, count + 1).join(text(by)) +
    parts
      .slice(count + 1)
      .map((p) => wanted + p)
      .join('')
  );
}

function split(target: Value | undefined, separator: Value | undefined, limit: Value | undefined): Value {
  const most = limit === undefined ? -1 : int(limit);
  if (most === 0) return new ArrayList([]);
  const by = text(separator);
  const parts = by === '' ? [...text(target)] : text(target).split(by);
  if (most < 0 || parts.length <= most) return new ArrayList(parts);
  return new ArrayList([...parts.slice(0, most - 1), parts.slice(most - 1).join(by)]);
}

function join(target: Value | undefined, separator: Value | undefined): Value {
  if (!(target instanceof ListValue)) throw noOverload();
  return [...target].map(text).join(separator === undefined ? '' : text(separator));
}

const asciiCase = (value: string, pattern: RegExp, change: (c: string) => string): string => value.replace(pattern, change);

/** Unicode white space, as Go's strings.TrimSpace has it. */
/** What Unicode calls white space; the byte order mark, which JavaScript counts in, is none. */
const SPACE = '[\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+';
const surroundingSpace = new RegExp(`^${SPACE}|${SPACE}$`, 'gu');
const trim = (value: string): string => value.replace(surroundingSpace, '');

const quoted: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

const quote = (value: string): string => `"${[...value].map((c) => quoted[c] ?? c).join('')}"`;

function replaceEstimate(args: readonly EstimatedArg[]): Estimate {
  const [target, old, by] = args.map((a) => a.size) as [Range, Range, Range];
  const most = old.min === 0 ? target.max + 1 : by.max <= old.min ? 0 : Math.ceil(target.max / old.min);
  const least = old.max === 0 ? target.min + 1 : old.max <= by.min ? 0 : Math.ceil(target.min / old.max);
  const retainedMax = old.min === 0 || by.max <= old.min ? target.max : 0;
  const retainedMin = old.max === 0 || old.max <= by.min ? target.min : 0;
  const size = addRange(timesRange({ min: least, max: most }, by), { min: retainedMin, max: retainedMax });
  return { cost: scaleRange(target, 2 * STRING_COST), size };
}

function splitEstimate([target, , limit]: readonly EstimatedArg[]): Estimate {
  const max = limit?.literal === undefined ? target!.size.max : Number(limit.literal);
  return { cost: scaleRange(target!.size, 2 * STRING_COST), size: range(0, max < 0 ? target!.size.max : max) };
}

function joinEstimate([target, separator]: readonly EstimatedArg[]): Estimate {
  let size = timesRange(target!.size, target!.items ?? unknownSize);
  if (separator !== undefined) {
    const { min, max } = target!.size;
    size = addRange(size, timesRange(separator.size, { min: Math.max(min - 1, 0), max: Math.max(max - 1, 0) }));
  }
  return { cost: traversal(size), size };
}

/** Searching a text goes over it; searching a list compares with its items. */
function searchEstimate([target]: readonly EstimatedArg[]): Estimate {
  if (target!.type.kind !== 'list') return { cost: traversal(target!.size) };
  return { cost: timesRange(target!.size, itemCost(target!)) };
}

/** What it costs to compare one item of a list. */
export function itemCost(list: EstimatedArg): Range {
  const kind = list.type.params[0]?.kind;
  return kind === 'string' || kind === 'bytes' ? addRange(one, traversal(list.items ?? unknownSize)) : one;
}

/** The length of all texts in a value, at the price of going over them; 1 for what is no text. */
export function traversalCost(value: Value): number {
  if (typeof value === 'string' || value instanceof Uint8Array) {
    return Math.trunc((typeof value === 'string' ? Buffer.byteLength(value) : value.length) * STRING_COST);
  }
  if (value instanceof ListValue) {
    let sum = 0;
    for (const item of value) sum += traversalCost(item);
    return sum;
  }
  return 1;
}

const search = (name: string, call: CelFunction['call']): CelFunction => ({
  name,
  overloads: [
    member(`string_${name}_string`, [STRING, STRING], INT),
    member(`string_${name}_string_int`, [STRING, STRING, INT], INT),
    member(`list_a_${name}_int`, [listOf(A), A], INT),
  ],
  call,
  cost: (args) => traversalCost(args[0]!),
  estimate: searchEstimate,
});

/** cel-go's strings extension, version 2. */
export const stringsLibrary: readonly CelFunction[] = [
  { name: 'charAt', overloads: [member('string_char_at_int', [STRING, INT], STRING)], call: charAt },
  search('indexOf', indexOf),
  search('lastIndexOf', lastIndexOf),
  {
    name: 'lowerAscii',
    overloads: [member('string_lower_ascii', [STRING], STRING)],
    call: (a) => asciiCase(text(a), /[A-Z]+/g, (c) => c.toLowerCase()),
    cost: traverse,
    estimate: traverseEstimate,
  },
  {
    name: 'upperAscii',
    overloads: [member('string_upper_ascii', [STRING], STRING)],
    call: (a) => asciiCase(text(a), /[a-z]+/g, (c) => c.toUpperCase()),
    cost: traverse,
    estimate: traverseEstimate,
  },
  {
    name: 'substring',
    overloads: [
      member('string_substring_int', [STRING, INT], STRING),
      member('string_substring_int_int', [STRING, INT, INT], STRING),
    ],
    call: substring,
    cost: traverse,
    estimate: traverseEstimate,
  },
  {
    name: 'trim',
    overloads: [member('string_trim', [STRING], STRING)],
    call: (a) => trim(text(a)),
    cost: traverse,
    estimate: traverseEstimate,
  },
  {
    name: 'replace',
    overloads: [
      member('string_replace_string_string', [STRING, STRING, STRING], STRING),
      member('string_replace_string_string_int', [STRING, STRING, STRING, INT], STRING),
    ],
    call: replace,
    cost: traverseTwice,
    estimate: replaceEstimate,
  },
  {
    name: 'split',
    overloads: [
      member('string_split_string', [STRING, STRING], LIST_STRING),
      member('string_split_string_int', [STRING, STRING, INT], LIST_STRING),
    ],
    call: split,
    cost: traverseTwice,
    estimate: splitEstimate,
  },
  {
    name: 'join',
    overloads: [member('list_join', [LIST_STRING], STRING), member('list_join_string', [LIST_STRING, STRING], STRING)],
    call: join,
    cost: (_args, result) => Math.ceil(costSize(result) * 2 * STRING_COST),
    estimate: joinEstimate,
  },
  {
    name: 'format',
    overloads: [member('string_format', [STRING, listOf(DYN)], STRING)],
    call: (pattern, args) => {
      if (!(args instanceof ListValue)) throw noOverload();
      return formatText(text(pattern), [...args]);
    },
  },
  {
    name: 'strings.quote',
    overloads: [global('strings_quote', [STRING], STRING)],
    call: (a) => quote(text(a)),
    estimate: ([arg]) => ({
      cost: traversal(arg!.size),
      size: range(arg!.size.min + 2, arg!.size.max * 2 + 2),
    }),
  },
];
