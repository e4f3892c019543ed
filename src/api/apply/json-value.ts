/** What server-side apply walks: JSON as JavaScript holds it. Undefined means absent, null is a value. */
export type JsonMap = Readonly<Record<string, unknown>>;
export type JsonList = readonly unknown[];

export const isMap = (value: unknown): value is JsonMap => typeof value === 'object' && value !== null && !Array.isArray(value);
export const isList = (value: unknown): value is JsonList => Array.isArray(value);

/** Whether a map has no members. Members that are undefined do not exist. */
export function isEmptyMap(map: JsonMap): boolean {
  for (const key in map) if (map[key] !== undefined) return false;
  return true;
}

/** Equality of two values: maps in any order of keys, absent like undefined, null only like null. */
export function equalValues(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (isList(a)) {
    if (!isList(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!equalValues(a[i], b[i])) return false;
    return true;
  }
  if (isList(b)) return false;
  return equalMaps(a as JsonMap, b as JsonMap);
}

function equalMaps(a: JsonMap, b: JsonMap): boolean {
  let shared = 0;
  for (const key in a) {
    const value = a[key];
    const other = member(b, key);
    if (value !== other && !equalValues(value, other)) return false;
    shared++;
  }
  for (const _key in b) shared--;
  if (shared === 0) return true;
  // Not the same keys: those of one that the other has not may be undefined.
  for (const key in b) if (b[key] !== undefined && member(a, key) === undefined) return false;
  return true;
}

/** An own member. What objects inherit are functions, which JSON has none of, but for `__proto__`. */
export function member(map: JsonMap, name: string): unknown {
  const value = map[name];
  return (typeof value === 'function' || name === '__proto__') && !Object.hasOwn(map, name) ? undefined : value;
}

/** Sets a member, whatever its name: `__proto__` is data too. */
export function setMember(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  else target[key] = value;
}

/** The order of Go's strings.Compare: by UTF-8 bytes, which for JavaScript's strings is by code point. */
export function compareStrings(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    // Surrogates stand for code points above all others, though their units do not.
    const surrogateX = x >= 0xd800 && x <= 0xdfff;
    const surrogateY = y >= 0xd800 && y <= 0xdfff;
    if (surrogateX !== surrogateY) return surrogateX ? 1 : -1;
    return x < y ? -1 : 1;
  }
  return a.length < b.length ? -1 : 1;
}
