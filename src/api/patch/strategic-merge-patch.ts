import { badRequest } from '../meta/status.ts';
import type { Schema } from '../schema/schema.ts';
import { copyObject, getKey, isObject, type Json, type JsonObject, setKey } from './json-value.ts';

/**
 * Strategic merge patch: a merge patch that knows from the schema which lists are merged item by item, with directives in the patch itself.
 * Source: "Strategic Merge Patch" in the API conventions (contributors/devel/sig-api-machinery/strategic-merge-patch.md).
 */

const DIRECTIVE = '$patch';
const RETAIN_KEYS = '$retainKeys';
const DELETE_FROM_LIST = '$deleteFromPrimitiveList/';
const SET_ORDER = '$setElementOrder/';

/** What the schema tells of a field or element that is merged. */
interface Place {
  readonly schema: Schema | undefined;
  readonly replace: boolean;
  readonly mergeList: boolean;
  readonly mergeKey: string;
}

/**
 * Applies `patch` to `target`, neither of which is changed. `schema` is that of the object.
 * Throws BadRequest for directives that make no sense.
 */
export function applyStrategicMergePatch(target: Json, patch: Json, schema: Schema): Json {
  if (!isObject(patch)) throw badRequest('error decoding patch: a strategic merge patch must be an object');
  return mergeMaps(isObject(target) ? target : {}, patch, schema);
}

function placeOf(schema: Schema | undefined, key: string): Place {
  if (schema?.kind === 'map') return { schema: schema.values, replace: false, mergeList: false, mergeKey: '' };
  const field = schema?.kind === 'object' ? schema.fields.get(key) : undefined;
  const strategies = field?.patchStrategy?.split(',') ?? [];
  return {
    schema: field?.schema,
    replace: strategies.includes('replace'),
    mergeList: strategies.includes('merge'),
    mergeKey: field?.patchMergeKey ?? '',
  };
}

function mergeMaps(original: JsonObject, patch: JsonObject, schema: Schema | undefined): JsonObject {
  const directive = getKey(patch, DIRECTIVE);
  if (directive !== undefined) {
    if (directive === 'replace') return withoutDirectives(omit(patch, DIRECTIVE)) as JsonObject;
    if (directive === 'delete') return {};
    throw badRequest(`unknown patch type: ${JSON.stringify(directive)} in map: ${JSON.stringify(patch)}`);
  }
  const result = copyObject(original);
  retainKeys(result, patch);
  const ordered = new Set<string>();
  for (const key of Object.keys(patch)) {
    if (!key.startsWith(SET_ORDER)) continue;
    const name = key.slice(SET_ORDER.length);
    ordered.add(name);
    const merged = mergeInOrder(getKey(result, name), getKey(patch, name), patch[key]!, placeOf(schema, name), name);
    if (merged !== undefined) setKey(result, name, merged);
  }
  for (const key of Object.keys(patch)) {
    if (key === RETAIN_KEYS || key.startsWith(SET_ORDER) || ordered.has(key)) continue;
    const value = patch[key]!;
    if (key.startsWith(DELETE_FROM_LIST)) deleteFromList(result, key.slice(DELETE_FROM_LIST.length), value);
    else if (value === null) delete result[key];
    else setKey(result, key, mergeValues(getKey(result, key), value, placeOf(schema, key), key));
  }
  return result;
}

function mergeValues(original: Json | undefined, patch: Json, place: Place, key: string): Json {
  if (isObject(patch)) {
    if (original === undefined || !isObject(original)) return withoutDirectives(patch);
    return place.replace ? patch : mergeMaps(original, patch, place.schema);
  }
  if (Array.isArray(patch)) {
    if (!Array.isArray(original)) return withoutDirectives(patch);
    return place.mergeList ? mergeLists(original, patch, place, key) : patch;
  }
  return patch;
}

/** `$retainKeys`: drops every key that is not listed. The patch may only hold listed keys. */
function retainKeys(result: Record<string, Json>, patch: JsonObject): void {
  const listed = getKey(patch, RETAIN_KEYS);
  if (listed === undefined) return;
  if (!Array.isArray(listed)) throw badRequest('invalid patch format of retainKeys: $retainKeys must be a list of strings');
  const keep = new Set(listed);
  for (const key of Object.keys(patch)) {
    if (key === RETAIN_KEYS || key.startsWith(SET_ORDER) || key.startsWith(DELETE_FROM_LIST)) continue;
    if (!keep.has(key)) throw badRequest('patch contains fields not in its $retainKeys list');
  }
  for (const key of Object.keys(result)) if (!keep.has(key)) delete result[key];
}

function deleteFromList(result: Record<string, Json>, name: string, doomed: Json): void {
  const list = getKey(result, name);
  if (!Array.isArray(list)) return;
  if (!Array.isArray(doomed)) throw badRequest(`invalid patch format: ${DELETE_FROM_LIST}${name} must be a list`);
  const gone = new Set(doomed);
  setKey(
    result,
    name,
    list.filter((item: Json) => !gone.has(item)),
  );
}

/** `$setElementOrder/name`: merges as usual, then orders what the order lists; items only the server has keep their places relative to them. */
function mergeInOrder(
  original: Json | undefined,
  patch: Json | undefined,
  order: Json,
  place: Place,
  name: string,
): Json | undefined {
  if (!Array.isArray(order)) throw badRequest(`invalid patch format: ${SET_ORDER}${name} must be a list`);
  const had = Array.isArray(original) ? (original as readonly Json[]) : [];
  if (patch === null) return undefined;
  if (original === undefined && patch === undefined) return undefined;
  if (Array.isArray(patch)) checkOrder(patch, order, place.mergeKey, name);
  const merged = patch === undefined ? had : (mergeValues(original, patch, place, name) as readonly Json[]);
  return arrange(merged, order, had, place.mergeKey);
}

/** The items of the patch must stand in the order list, in the same relative order. */
function checkOrder(patch: readonly Json[], order: readonly Json[], mergeKey: string, name: string): void {
  let from = 0;
  for (const item of patch) {
    if (isObject(item) && getKey(item, DIRECTIVE) === 'delete') continue;
    const at = order.findIndex((o, i) => i >= from && sameItem(o, item, mergeKey));
    if (at < 0)
      throw badRequest(
        `The order in patch list:\n${JSON.stringify(patch)}\n doesn't match ${SET_ORDER}${name} list:\n${JSON.stringify(order)}\n`,
      );
    from = at + 1;
  }
}

function mergeLists(original: readonly Json[], patch: readonly Json[], place: Place, key: string): readonly Json[] {
  const ofMaps = [...original, ...patch].some(isObject);
  if (!ofMaps) return arrange([...new Set([...original, ...patch])], patch, original, '');
  const { mergeKey } = place;
  if (mergeKey === '') throw badRequest(`cannot merge lists without merge key for ${key}`);
  let base: readonly Json[] = original;
  let replaced = false;
  const items: JsonObject[] = [];
  for (const item of patch) {
    if (!isObject(item)) throw badRequest(`list of ${key} mixes maps and other values`);
    const directive = getKey(item, DIRECTIVE);
    if (directive === undefined) items.push(item);
    else if (directive === 'replace') replaced = true;
    else if (directive === 'delete') {
      if (getKey(item, mergeKey) === undefined)
        throw badRequest(
          `delete patch type with no merge key defined: map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`,
        );
      base = base.filter((o) => !sameItem(o, item, mergeKey));
    } else if (directive === 'merge') throw badRequest('merging lists cannot yet be specified in the patch');
    else throw badRequest(`unknown patch type: ${JSON.stringify(directive)} in map: ${JSON.stringify(item)}`);
  }
  if (replaced) return items.map((item) => withoutDirectives(item));
  const itemSchema = place.schema?.kind === 'list' ? place.schema.items : undefined;
  const merged = [...base];
  for (const item of items) {
    if (getKey(item, mergeKey) === undefined)
      throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`);
    const at = merged.findIndex((o) => sameItem(o, item, mergeKey));
    if (at < 0) merged.push(withoutDirectives(item));
    else merged[at] = mergeMaps(merged[at] as JsonObject, item, itemSchema);
  }
  return arrange(merged, items, original, mergeKey);
}

function sameItem(a: Json, b: Json, mergeKey: string): boolean {
  if (isObject(a) && isObject(b))
    return mergeKey !== '' && getKey(a, mergeKey) !== undefined && getKey(a, mergeKey) === getKey(b, mergeKey);
  return a === b;
}

/**
 * Orders a merged list: items that the patch names follow the patch's order, the others the server's; between the two, an item of the
 * server's alone comes first only where the server had it before the other.
 */
function arrange(
  merged: readonly Json[],
  patchOrder: readonly Json[],
  serverOrder: readonly Json[],
  mergeKey: string,
): readonly Json[] {
  const indexIn = (list: readonly Json[], item: Json): number => list.findIndex((o) => sameItem(o, item, mergeKey));
  const byOrder = (order: readonly Json[]) => (a: Json, b: Json) => indexIn(order, a) - indexIn(order, b);
  const patched = merged.filter((item) => indexIn(patchOrder, item) >= 0).sort(byOrder(patchOrder));
  const others = merged.filter((item) => indexIn(patchOrder, item) < 0).sort(byOrder(serverOrder));
  const result: Json[] = [];
  let i = 0;
  let j = 0;
  while (i < others.length && j < patched.length) {
    const left = indexIn(serverOrder, others[i]!);
    const right = indexIn(serverOrder, patched[j]!);
    result.push(left >= 0 && right >= 0 && left < right ? others[i++]! : patched[j++]!);
  }
  return [...result, ...others.slice(i), ...patched.slice(j)];
}

/** A value of the patch that has nothing to merge with: taken as it is, without directives and nulls. */
function withoutDirectives(value: Json): Json {
  if (Array.isArray(value)) {
    return value
      .filter((item: Json) => !isObject(item) || getKey(item, DIRECTIVE) === undefined)
      .map((item: Json) => withoutDirectives(item));
  }
  if (!isObject(value)) return value;
  if (getKey(value, DIRECTIVE) === 'delete') return {};
  const result: Record<string, Json> = {};
  for (const key of Object.keys(value)) {
    if (key === DIRECTIVE || key === RETAIN_KEYS || key.startsWith(SET_ORDER) || key.startsWith(DELETE_FROM_LIST)) continue;
    const item = value[key]!;
    if (item !== null) setKey(result, key, withoutDirectives(item));
  }
  return result;
}

function omit(object: JsonObject, key: string): JsonObject {
  const copy = copyObject(object);
  delete copy[key];
  return copy;
}
