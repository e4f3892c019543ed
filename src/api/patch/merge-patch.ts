import { badRequest } from '../meta/status.ts';
import { copyObject, getKey, isObject, type Json, type JsonObject, setKey } from './json-value.ts';

/**
 * Applies a JSON merge patch (RFC 7386) to an object. `target` is not changed. Beyond the RFC, members that are null go from objects
 * within new lists too, as upstream's library has it. Throws BadRequest for a patch that is no object.
 */
export function applyMergePatch(target: Json, patch: Json): Json {
  if (patch === null) throw badRequest('Invalid JSON Patch');
  if (!isObject(patch)) throw badRequest(`error decoding patch: ${notAMap(patch)}`);
  return merge(target, patch);
}

function merge(target: Json, patch: Json): Json {
  if (!isObject(patch)) return isObject(target) ? patch : withoutNulls(patch);
  if (!isObject(target)) return withoutNulls(patch);
  const base: JsonObject = target;
  const result = copyObject(base);
  for (const key of Object.keys(patch)) {
    const value = patch[key]!;
    if (value === null) delete result[key];
    else setKey(result, key, merge(getKey(base, key) ?? null, value));
  }
  return result;
}

/** The value without the members of objects that are null; null items of lists stay. */
function withoutNulls(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  const result: Record<string, Json> = {};
  for (const key of Object.keys(value)) if (value[key] !== null) setKey(result, key, withoutNulls(value[key]!));
  return result;
}

/** Go's words for a patch that is no object. */
export const notAMap = (patch: Json): string => `${cannotUnmarshal(patch)} map[string]interface {}`;

/** `json: cannot unmarshal array into Go value of type`, of a value. */
export function cannotUnmarshal(value: unknown): string {
  const type = Array.isArray(value)
    ? 'array'
    : typeof value === 'boolean'
      ? 'bool'
      : typeof value === 'bigint'
        ? 'number'
        : typeof value;
  return `json: cannot unmarshal ${type} into Go value of type`;
}
