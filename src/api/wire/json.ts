import { mayHaveLargeIntegers, parseExactly } from './exact-integers.ts';
import { closingQuote, countColons, countFields, notJson, QUOTE } from './json-members.ts';
import { jsonSyntaxProblem } from './json-syntax.ts';
import type { RepeatedText } from './repeated-text.ts';

export { MAX_JSON_DEPTH } from './json-members.ts';

export interface ParseOptions {
  /** Look for fields given twice. Costs about a fifth of the parsing. */
  readonly duplicates: boolean;
  /** Parts that have come before are taken from here, and those that may come again are kept here. */
  readonly repeated?: RepeatedText | undefined;
  /** Integers of an int64 that a double cannot hold come as bigints: for custom resources. */
  readonly exact?: boolean | undefined;
}

export interface Parsed {
  readonly value: unknown;
  /** `duplicate field "spec.replicas"`, in the order met, at most 100. The last one given is the one in `value`. */
  readonly duplicateFields: DuplicateFields;
}

/** What there is twice in a text. */
export interface DuplicateFields extends ReadonlyArray<string> {
  /** Problems of this kind and of the kind `unknown field "spec.foo"`, all of the same text, in the order in which a reader of the text meets them. */
  readonly inOrderMet?: (problems: readonly string[]) => readonly string[];
}

/** Upstream stops counting strict errors here. */
const MAX_DUPLICATES = 100;

const none: readonly string[] = Object.freeze([]);

/**
 * Parses a request body as Go's decoder would. Bytes that are not UTF-8 become U+FFFD; a byte order mark is an error.
 * Integers beyond 2^53 become the nearest double unless they are to be `exact`: the API's own numbers stay far below.
 * Throws a BadRequest StatusError with Go's message for what is not JSON, is nested too deeply, or has a number beyond a double.
 */
export function parseJson(bytes: Uint8Array, options: ParseOptions): Parsed {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  // What has as many characters as bytes has every character where its byte is.
  const large = options.exact === true && mayHaveLargeIntegers(text);
  const repeated = text.length === bytes.length && !large ? options.repeated : undefined;
  const known = repeated?.recognize(text);
  if (known !== undefined) {
    const { value, fields, start, end } = known;
    const written = options.duplicates ? countColons(bytes, 0, start) + countColons(bytes, end, bytes.length) : fields;
    return { value, duplicateFields: written === fields ? none : findDuplicates(bytes) };
  }
  let value: unknown;
  try {
    value = large ? parseExactly(text) : JSON.parse(text);
  } catch {
    throw notJson(jsonSyntaxProblem(bytes) ?? 'invalid JSON');
  }
  const fields = countFields(value, 1);
  repeated?.learn(text);
  if (!options.duplicates || countColons(bytes, 0, bytes.length) === fields) return { value, duplicateFields: none };
  return { value, duplicateFields: findDuplicates(bytes) };
}

/** Names the members that an object has twice. */
function findDuplicates(bytes: Uint8Array): DuplicateFields {
  const found = new Set<string>();
  eachMember(bytes, (path, key, again) => {
    if (again && found.size < MAX_DUPLICATES) found.add(`duplicate field ${JSON.stringify(pathText(path, key))}`);
  });
  // Not enumerable: what is compared is the list.
  return Object.defineProperty([...found], 'inOrderMet', { value: (problems: readonly string[]) => inOrderMet(bytes, problems) });
}

/** Go's decoder tells of an unknown field where it begins, and of a duplicate where the second one does. */
function inOrderMet(bytes: Uint8Array, problems: readonly string[]): readonly string[] {
  const wanted = new Set(problems);
  const met = new Set<string>();
  eachMember(bytes, (path, key, again) => {
    if (wanted.size === met.size) return;
    const problem = `${again ? 'duplicate' : 'unknown'} field ${JSON.stringify(pathText(path, key))}`;
    if (wanted.has(problem)) met.add(problem);
  });
  return [...met, ...problems.filter((problem) => !met.has(problem))];
}

/** Walks a text that is known to be JSON: every member of every object, in the order written. `again` tells that the object has had one of that name. */
function eachMember(bytes: Uint8Array, visit: (path: readonly (string | number)[], key: string, again: boolean) => void): void {
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
      visit(path, key, seen.has(key));
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
}

/** `spec.containers[0].name`, as strict errors write it: map keys come after a dot too. */
function pathText(path: readonly (string | number)[], key: string): string {
  let out = '';
  for (const step of path) out += typeof step === 'number' ? `[${step}]` : out === '' ? step : `.${step}`;
  return path.length === 0 ? key : `${out}.${key}`;
}
