import { compareStrings, isList, isMap, type JsonMap } from './json-value.ts';

/** What Go writes otherwise than JSON.stringify: characters that HTML gives a meaning, and control characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unlikeGo = /[\u0000-\u001f<>&\u2028\u2029]/g;
const shortEscapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const plain = /^[^\u0000-\u001f"\\<>&\u2028\u2029]*$/;

/** A string as Go's encoders write it: JSON with the characters escaped that HTML gives a meaning. */
export function goString(text: string): string {
  if (plain.test(text)) return `"${text}"`;
  const escaped = text
    .replace(/["\\]/g, '\\$&')
    .replace(unlikeGo, (c) => shortEscapes[c] ?? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return `"${escaped}"`;
}

/** A value as Go's encoders write it: maps in the order of their keys. */
export function goJson(value: unknown): string {
  if (typeof value === 'string') return goString(value);
  if (isList(value)) return `[${value.map(goJson).join(',')}]`;
  if (isMap(value)) {
    return `{${sortedEntries(value)
      .map(([name, member]) => `${goString(name)}:${goJson(member)}`)
      .join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

/** The members of a map in the order Go writes them. */
export const sortedEntries = (map: JsonMap): [string, unknown][] => Object.entries(map).sort(([a], [b]) => compareStrings(a, b));
