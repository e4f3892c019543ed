import { badRequest } from '../meta/status.ts';
import { jsonSyntaxProblem } from './json-syntax.ts';

export interface ParseOptions {
  /** Look for fields given twice. Costs about a fifth of the parsing. */
  readonly duplicates: boolean;
}

export interface Parsed {
  readonly value: unknown;
  /** `duplicate field "spec.replicas"`, in the order met, at most 100. The last one given is the one in `value`. */
  readonly duplicateFields: readonly string[];
}

/** Deeper nesting is refused. Go allows 10,000; every walk over an object recurses, and no object comes near this. */
export const MAX_JSON_DEPTH = 1000;
/** Upstream stops counting strict errors here. */
const MAX_DUPLICATES = 100;

const none: readonly string[] = Object.freeze([]);

/**
 * Parses a request body as Go's decoder would. Bytes that are not UTF-8 become U+FFFD; a byte order mark is an error.
 * Integers beyond 2^53 become the nearest double: JSON.parse keeps no more, and the API's own numbers stay far below.
 * Throws a BadRequest StatusError with Go's message for what is not JSON, is nested too deeply, or has a number beyond a double.
 */
export function parseJson(bytes: Uint8Array, options: ParseOptions): Parsed {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch {
    throw notJson(jsonSyntaxProblem(bytes) ?? 'invalid JSON');
  }
  const fields = countFields(value, 1);
  if (!options.duplicates || countColons(bytes) === fields) return { value, duplicateFields: none };
  return { value, duplicateFields: findDuplicates(bytes) };
}

const notJson = (cause: string): Error => badRequest(`couldn't get version/kind; json parse error: ${cause}`);

/** The number of object members below a value. Also refuses what is too deep or too large for what comes after. */
function countFields(value: unknown, depth: number): number {
  if (typeof value !== 'object' || value === null) {
    if (typeof value === 'number' && !Number.isFinite(value)) {
      throw badRequest(`json: cannot unmarshal number ${value > 0 ? '' : '-'}1e999 into Go value of type float64`);
    }
    return 0;
  }
  if (depth > MAX_JSON_DEPTH) throw notJson('exceeded max depth');
  let count = 0;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i];
      if (typeof item !== 'string') count += countFields(item, depth + 1);
    }
    return count;
  }
  for (const key in value) {
    count++;
    const item = (value as Record<string, unknown>)[key];
    if (typeof item !== 'string') count += countFields(item, depth + 1);
  }
  return count;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/** The number of object members written in a text that is known to be JSON. More than were parsed means that some were given twice. */
function countColons(bytes: Uint8Array): number {
  let count = 0;
  const length = bytes.length;
  for (let i = 0; i < length; i++) {
    const c = bytes[i];
    if (c === COLON) count++;
    else if (c === QUOTE) i = closingQuote(bytes, i);
  }
  return count;
}

/** The index of the quote that ends the string that starts at `start`. */
function closingQuote(bytes: Uint8Array, start: number): number {
  let i = start + 1;
  for (;;) {
    const c = bytes[i];
    if (c === QUOTE || c === undefined) return i;
    i += c === BACKSLASH ? 2 : 1;
  }
}

/** Walks a text that is known to be JSON and names the members that an object has twice. */
function findDuplicates(bytes: Uint8Array): readonly string[] {
  const found = new Set<string>();
  const path: (string | number)[] = [];
  let i = 0;
  const skipSpace = (): void => {
    while (bytes[i]! <= 0x20) i++;
  };
  const text = (): string => {
    const end = closingQuote(bytes, i);
    const parsed = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset + i, end + 1 - i).toString('utf8')) as string;
    i = end + 1;
    return parsed;
  };
  const walk = (): void => {
    skipSpace();
    const c = bytes[i];
    if (c === 0x7b) walkObject();
    else if (c === 0x5b) walkList();
    else if (c === QUOTE) i = closingQuote(bytes, i) + 1;
    else while (i < bytes.length && bytes[i] !== 0x2c && bytes[i] !== 0x5d && bytes[i] !== 0x7d) i++;
    skipSpace();
  };
  const walkObject = (): void => {
    const seen = new Set<string>();
    i++;
    skipSpace();
    while (bytes[i] !== 0x7d) {
      const key = text();
      if (seen.has(key) && found.size < MAX_DUPLICATES) found.add(`duplicate field ${JSON.stringify(pathText(path, key))}`);
      seen.add(key);
      skipSpace();
      i++;
      path.push(key);
      walk();
      path.pop();
      if (bytes[i] === 0x2c) {
        i++;
        skipSpace();
      }
    }
    i++;
  };
  const walkList = (): void => {
    i++;
    skipSpace();
    for (let index = 0; bytes[i] !== 0x5d; index++) {
      path.push(index);
      walk();
      path.pop();
      if (bytes[i] === 0x2c) i++;
    }
    i++;
  };
  walk();
  return [...found];
}

/** `spec.containers[0].name`, as strict errors write it: map keys come after a dot too. */
function pathText(path: readonly (string | number)[], key: string): string {
  let out = '';
  for (const step of path) out += typeof step === 'number' ? `[${step}]` : out === '' ? step : `.${step}`;
  return path.length === 0 ? key : `${out}.${key}`;
}
