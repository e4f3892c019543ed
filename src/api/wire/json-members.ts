import { badRequest } from '../meta/status.ts';

/** Deeper nesting is refused. Go allows 10,000; every walk over an object recurses, and no object comes near this. */
export const MAX_JSON_DEPTH = 1000;

/** What the 400 for a text that is no JSON begins with, as upstream has it where it looks for the kind of an object. */
export const JSON_FAULT = "couldn't get version/kind; json parse error: ";

/** The 400 for what is no JSON that can be taken. */
export const notJson = (cause: string): Error => badRequest(JSON_FAULT + cause);

/** The number of object members below a value. Also refuses what is too deep or too large for what comes after. */
export function countFields(value: unknown, depth: number): number {
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

export const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/** The number of object members written in a part of a text that is known to be JSON; the part begins and ends outside of strings. */
export function countColons(bytes: Uint8Array, start: number, end: number): number {
  let count = 0;
  for (let i = start; i < end; i++) {
    const c = bytes[i];
    if (c === COLON) count++;
    else if (c === QUOTE) i = closingQuote(bytes, i);
  }
  return count;
}

/** The index of the quote that ends the string that starts at `start`. */
export function closingQuote(bytes: Uint8Array, start: number): number {
  let i = start + 1;
  for (;;) {
    const c = bytes[i];
    if (c === QUOTE || c === undefined) return i;
    i += c === BACKSLASH ? 2 : 1;
  }
}
