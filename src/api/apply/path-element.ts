import { goQuote } from '../meta/go-text.ts';
import { parseExactly } from '../wire/exact-integers.ts';
import { goJson, goString, sortedEntries } from './go-json.ts';
import { compareStrings, isList, isMap, type JsonList, type JsonMap } from './json-value.ts';

/**
 * One step of a field path, in its wire form, which is also its identity:
 * `f:<name>` a field of a struct or map, `k:<json object>` the item of a list that has these key fields, `v:<json>` the item of a set
 * with this value, `i:<n>` the item at this index. A canonical element has its keys sorted and its JSON as Go would write it.
 */
export type PathElement = string;

/** A path, from the root; empty for the whole object. */
export type FieldPath = readonly PathElement[];

/** Thrown for text that is no path element. */
export class PathElementError extends Error {
  override readonly name = 'PathElementError';
}

export const fieldElement = (name: string): PathElement => 'f:' + name;
export const valueElement = (value: unknown): PathElement => 'v:' + goJson(value);
export const indexElement = (index: number): PathElement => `i:${index}`;

/** The element of a list item with these key fields; the pairs are sorted by name. */
export function keyElement(fields: readonly (readonly [name: string, value: unknown])[]): PathElement {
  let text = 'k:{';
  for (let i = 0; i < fields.length; i++) {
    const [name, value] = fields[i]!;
    text += `${i === 0 ? '' : ','}${goString(name)}:${goJson(value)}`;
  }
  return `${text}}`;
}

/** The canonical form of an element of the wire; undefined for a type of element that is not known, which upstream drops. */
export function canonicalElement(text: string): PathElement | undefined {
  if (text.length < 2) throw new PathElementError('key must be 2 characters long:');
  if (text[1] !== ':') throw new PathElementError(`missing colon: ${text}`);
  const body = text.slice(2);
  switch (text[0]) {
    case 'f':
      return text;
    case 'v':
      return simpleString.test(body) ? text : valueElement(parse(body));
    case 'k': {
      if (simpleKey.test(body)) return text;
      const value = parse(body);
      if (!isMap(value)) throw new PathElementError(`${body} is no object`);
      return keyElement(sortedEntries(value));
    }
    case 'i': {
      if (!/^[+-]?\d+$/.test(body)) throw new PathElementError(`strconv.Atoi: parsing ${goString(body)}: invalid syntax`);
      return indexElement(Number(body));
    }
    default:
      return undefined;
  }
}

/** JSON that is certainly canonical already. */
const simpleString = /^"[A-Za-z0-9 ./_:-]*"$/;
const simpleKey = /^\{"[A-Za-z0-9]+":"[A-Za-z0-9 ./_:-]*"\}$/;

function parse(text: string): unknown {
  try {
    return parseExactly(text);
  } catch (err) {
    throw new PathElementError(`invalid JSON: ${text}`, { cause: err });
  }
}

/** As error messages show an element: `.name`, `[name="x",port=80]`, `[="x"]`, `[3]`. */
export function showElement(element: PathElement): string {
  const body = element.slice(2);
  switch (element[0]) {
    case 'f':
      return `.${body}`;
    case 'k':
      return `[${Object.entries(parseExactly(body) as JsonMap)
        .map(([name, value]) => `${name}=${showValue(value)}`)
        .join(',')}]`;
    case 'v':
      return `[=${showValue(parseExactly(body))}]`;
    default:
      return `[${body}]`;
  }
}

/** `.spec.containers[name="app"].image`. */
export const showPath = (path: FieldPath): string => path.map(showElement).join('');

function showValue(value: unknown): string {
  if (typeof value === 'string') return goQuote(value);
  if (isList(value)) return `[${value.map(showValue).join(',')}]`;
  if (isMap(value))
    return sortedEntries(value)
      .map(([k, v]) => `${k}=${showValue(v)}`)
      .join('');
  return String(value);
}

const orders: Readonly<Record<string, number>> = { f: 0, k: 1, v: 2, i: 3 };

/** The order in which a set lists its elements: fields, keys, values, indexes; each by what it holds. */
export function compareElements(a: PathElement, b: PathElement): number {
  if (a === b) return 0;
  const kind = a.charCodeAt(0);
  if (kind !== b.charCodeAt(0)) return (orders[a[0]!] ?? 4) - (orders[b[0]!] ?? 4);
  switch (kind) {
    case 0x66:
      return compareStrings(a, b);
    case 0x69:
      return Number(a.slice(2)) - Number(b.slice(2));
    default:
      return compareSameStart(a, b) ?? compareParsed(a, b);
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Where two elements first differ inside of a string, by plain characters, their text tells the order. Undefined where it does not.
 * A closing quote comes before every character but the space and the exclamation mark.
 */
function compareSameStart(a: string, b: string): number | undefined {
  let inString = false;
  for (let i = 2; i < a.length && i < b.length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === BACKSLASH || y === BACKSLASH || x > 0x7e || y > 0x7e) return undefined;
    if (x === y) {
      if (x === QUOTE) inString = !inString;
      continue;
    }
    return inString && x >= QUOTE && y >= QUOTE ? x - y : undefined;
  }
  return undefined;
}

function compareParsed(a: string, b: string): number {
  const left = parseExactly(a.slice(2));
  const right = parseExactly(b.slice(2));
  if (a.startsWith('v:')) return compareValues(left, right);
  return compareFieldLists(Object.entries(left as JsonMap), Object.entries(right as JsonMap));
}

type Pairs = readonly (readonly [string, unknown])[];

/** Pairwise, by name and then by value; the shorter first. */
function compareFieldLists(a: Pairs, b: Pairs): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const [leftName, leftValue] = a[i]!;
    const [rightName, rightValue] = b[i]!;
    const order = compareStrings(leftName, rightName) || compareValues(leftValue, rightValue);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Numbers, strings, booleans, lists, maps, null; within a kind by value. */
export function compareValues(a: unknown, b: unknown): number {
  const kind = valueOrder(a);
  const difference = kind - valueOrder(b);
  if (difference !== 0) return difference;
  switch (kind) {
    case 0:
    case 2:
      return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0;
    case 1:
      return compareStrings(a as string, b as string);
    case 3:
      return compareLists(a as JsonList, b as JsonList);
    case 4:
      return compareFieldLists(sortedEntries(a as JsonMap), sortedEntries(b as JsonMap));
    default:
      return 0;
  }
}

function valueOrder(value: unknown): number {
  switch (typeof value) {
    case 'number':
    case 'bigint':
      return 0;
    case 'string':
      return 1;
    case 'boolean':
      return 2;
    default:
      return isList(value) ? 3 : value === null ? 5 : 4;
  }
}

function compareLists(a: JsonList, b: JsonList): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const order = compareValues(a[i], b[i]);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}
