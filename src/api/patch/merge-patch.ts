import { copyObject, getKey, isObject, type Json, type JsonObject, setKey } from './json-value.ts';

/** Applies a JSON merge patch (RFC 7386). `target` is not changed. */
export function applyMergePatch(target: Json, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const base: JsonObject = isObject(target) ? target : {};
  const result = copyObject(base);
  for (const key of Object.keys(patch)) {
    const value = patch[key]!;
    if (value === null) delete result[key];
    else setKey(result, key, applyMergePatch(getKey(base, key) ?? null, value));
  }
  return result;
}
