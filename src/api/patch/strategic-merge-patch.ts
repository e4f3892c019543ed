import { goText } from '../meta/go-text.ts';
import { badRequest, type StatusError, unprocessablePatch } from '../meta/status.ts';
import type { Schema } from '../schema/schema.ts';
import { copyObject, getKey, isObject, type Json, type JsonObject, setKey } from './json-value.ts';
import { notAMap } from './merge-patch.ts';
import { itemPlace, kindOf, memberPlace, type Place, plainError, typeText } from './patch-places.ts';

/**
 * Strategic merge patch: a merge patch that knows from the schema which lists are merged item by item, with directives in the patch itself.
 * Source: "Strategic Merge Patch" in the API conventions (contributors/devel/sig-api-machinery/strategic-merge-patch.md). What upstream
 * does with patches that make little sense is what clients see, so it is the same here, to the texts of its errors.
 */

const DIRECTIVE = '$patch';
const RETAIN_KEYS = '$retainKeys';
const DELETE_FROM_LIST = '$deleteFromPrimitiveList';
const SET_ORDER = '$setElementOrder';

type JsonList = readonly Json[];

/**
 * Applies `patch` to `target`, neither of which is changed. `schema` is that of the object.
 * Throws BadRequest for directives that are malformed, and 422 or 500 as upstream does for those that cannot be followed.
 */
export function applyStrategicMergePatch(target: Json, patch: Json, schema: Schema): Json {
  if (patch !== null && !isObject(patch)) throw badRequest(notAMap(patch));
  return mergeMaps(isObject(target) ? target : {}, patch ?? {}, schema);
}

function mergeMaps(original: JsonObject, patch: JsonObject, schema: Schema): JsonObject {
  if (Object.hasOwn(patch, DIRECTIVE)) return replaceMap(patch);
  const result = copyObject(original);
  if (Object.hasOwn(patch, RETAIN_KEYS)) retainKeys(result, patch);
  const done = new Set<string>([RETAIN_KEYS]);
  for (const key of Object.keys(patch)) {
    if (key.startsWith(SET_ORDER)) done.add(key).add(mergeInOrder(result, patch, key, schema));
  }
  for (const key of Object.keys(patch)) {
    if (done.has(key)) continue;
    const deletes = key.startsWith(DELETE_FROM_LIST);
    mergeMember(result, deletes ? listName(key, 'invalid patch format of primitive list') : key, patch[key]!, deletes, schema);
  }
  return result;
}

/** A map that says what is to be done with it: nothing in it is looked at. */
function replaceMap(patch: JsonObject): JsonObject {
  const directive = patch[DIRECTIVE]!;
  if (directive === 'replace') {
    const { [DIRECTIVE]: _directive, ...rest } = patch;
    return rest;
  }
  if (directive === 'delete') return {};
  throw unknownDirective(directive, patch);
}

function unknownDirective(directive: Json, map: JsonObject): StatusError {
  let text = goText(directive);
  // What Go's %s makes of values that are no text.
  if (directive === null) text = '%!s(<nil>)';
  else if (typeof directive === 'number' || typeof directive === 'boolean') text = `%!s(${typeText(directive)}=${directive})`;
  return plainError(`unknown patch type: ${text} in map: ${goText(map)}`);
}

/** `$retainKeys`: drops every key that is not listed. The patch may only hold listed keys. */
function retainKeys(result: Record<string, Json>, patch: JsonObject): void {
  const listed = patch[RETAIN_KEYS]!;
  if (!Array.isArray(listed)) throw badRetainKeys();
  const keep = new Set<Json>(listed as JsonList);
  for (const [key, value] of Object.entries(patch)) {
    if (key === RETAIN_KEYS || value === null || key.startsWith(SET_ORDER) || key.startsWith(DELETE_FROM_LIST)) continue;
    if (!keep.has(key)) throw badRetainKeys();
  }
  for (const key of Object.keys(result)) if (!keep.has(key)) delete result[key];
}

const badRetainKeys = (): StatusError => badRequest('invalid patch format of retainKeys');

/** `finalizers`, of `$setElementOrder/finalizers`. */
function listName(key: string, message: string): string {
  const slash = key.indexOf('/');
  if (slash < 0 || (key.slice(0, slash) !== SET_ORDER && key.slice(0, slash) !== DELETE_FROM_LIST)) throw badRequest(message);
  return key.slice(slash + 1);
}

function mergeMember(result: Record<string, Json>, key: string, patch: Json, deletes: boolean, schema: Schema): void {
  if (patch === null) {
    delete result[key];
    return;
  }
  const original = getKey(result, key);
  if (isObject(patch) && original !== undefined && isObject(original)) {
    const place = memberPlace(schema, key);
    setKey(result, key, place.strategy === 'replace' ? patch : mergeMaps(original, patch, place.schema));
  } else if (Array.isArray(patch) && Array.isArray(original)) {
    setKey(result, key, mergeLists(original, patch, itemPlace(schema, key), deletes));
  } else if (!deletes) {
    const value = withoutDirectives(withoutNulls(patch));
    if (value === undefined) delete result[key];
    else setKey(result, key, value);
  }
}

/** `$setElementOrder/name`: merges the list as usual, then orders what the order lists. Gives the name of the list. */
function mergeInOrder(result: Record<string, Json>, patch: JsonObject, directive: string, schema: Schema): string {
  const order = listValue(patch[directive]!);
  const name = listName(directive, 'invalid patch format of setElementOrder list');
  const [original, given] = [getKey(result, name), getKey(patch, name)];
  const originals = original === undefined ? [] : listValue(original);
  const items = given === undefined ? [] : listValue(given);
  const place = itemPlace(schema, name);
  const { mergeKey } = place;
  checkOrder(items, order, mergeKey);
  if (original === undefined && given === undefined) return name;
  let merged = originals;
  if (original === undefined) merged = withoutDirectives(items) as JsonList;
  else if (given !== undefined) merged = mergeLists(originals, items, place, false);
  const [listed, others] = partition(merged, order, mergeKey);
  const ofMaps = typesOf(originals, items) === 'map';
  const serverOrder = ofMaps && mergeKey !== '' ? orderOfServer(originals, items, mergeKey) : originals;
  setKey(result, name, arrange(listed, others, order, serverOrder, mergeKey, ofMaps));
  return name;
}

/**
 * The order the server had. Upstream's new items take the places of deleted ones there, as long as there are such places, and so come
 * behind items that only the server has.
 */
function orderOfServer(original: JsonList, patch: JsonList, mergeKey: string): JsonList {
  const keyIn = (item: Json): Json | undefined => (isObject(item) ? getKey(item, mergeKey) : undefined);
  const doomed = new Set(patch.filter(isDeletion).map(keyIn));
  const kept = original.filter((item) => !doomed.has(keyIn(item)));
  if (kept.length === original.length) return original;
  const known = new Set(kept.map(keyIn));
  const fresh = patch.filter((item) => !Object.hasOwn(item as JsonObject, DIRECTIVE) && !known.has(keyIn(item)));
  return [...kept, ...fresh.slice(0, original.length - kept.length)];
}

function listValue(value: Json): JsonList {
  if (!Array.isArray(value)) throw badType('[]interface {}', value);
  return value as JsonList;
}

const badType = (expected: string, value: Json): StatusError =>
  plainError(`expected a ${expected}, but received a ${typeText(value)}`);
const noMergeKey = (map: JsonObject, key: string): StatusError =>
  plainError(`map: ${goText(map)} does not contain declared merge key: ${key}`);

/** The items of the patch must stand in the order list, in the same relative order. */
function checkOrder(patch: JsonList, order: JsonList, mergeKey: string): void {
  if (patch.length === 0 || order.length === 0) return;
  const items = mergeKey === '' ? patch : patch.filter((item) => !isDeletion(item));
  let [at, i] = [0, 0];
  for (; at < items.length && i < order.length; ) {
    if (isObject(items[at]!) && Object.hasOwn(items[at] as JsonObject, DIRECTIVE)) at++;
    else if (sameItem(items[at]!, order[i++]!, mergeKey)) at++;
  }
  if (at < items.length && i >= order.length) {
    throw plainError(`The order in patch list:\n${goText(patch)}\n doesn't match ${SET_ORDER} list:\n${goText(order)}\n`);
  }
}

function isDeletion(item: Json): boolean {
  if (!isObject(item)) throw badType('map[string]interface {}', item);
  return getKey(item, DIRECTIVE) === 'delete';
}

function sameItem(a: Json, b: Json, mergeKey: string): boolean {
  return mergeKey === '' ? a === b : keyOf(a, mergeKey) === keyOf(b, mergeKey);
}

/** The value of the merge key of an item. Throws where there is none. */
function keyOf(item: Json, mergeKey: string): Json {
  if (!isObject(item)) throw badType('map[string]interface {}', item);
  const value = getKey(item, mergeKey);
  if (value === undefined) throw noMergeKey(item, mergeKey);
  return value;
}

/** Of what all items of two lists are. Throws when they differ, when there is none, and for lists of lists. */
function typesOf(a: JsonList, b: JsonList): 'map' | 'other' {
  let type: string | undefined;
  for (const item of [...a, ...b]) {
    const own = typeText(item);
    if (type === undefined && own === '[]interface {}') throw unprocessablePatch();
    type ??= own;
    if (own !== type) throw plainError(`list element types are not identical: ${goText([a, b])}`);
  }
  if (type === undefined) throw plainError('no elements in any of the given slices');
  return type === 'map[string]interface {}' ? 'map' : 'other';
}

function mergeLists(original: JsonList, patch: JsonList, place: Place, deletes: boolean): JsonList {
  if (place.strategy !== 'merge' && !deletes) return patch;
  if (original.length === 0 && patch.length === 0) return original;
  const { mergeKey } = place;
  if (typesOf(original, patch) === 'map') return mergeItems(original, patch, place);
  if (deletes) {
    const gone = new Set(patch);
    return original.filter((item) => !gone.has(item));
  }
  const [listed, others] = partition([...new Set([...original, ...patch])], patch, mergeKey);
  return arrange(listed, others, patch, original, mergeKey, false);
}

function mergeItems(original: JsonList, patch: JsonList, place: Place): JsonList {
  const { mergeKey } = place;
  if (mergeKey === '') throw plainError(`cannot merge lists without merge key for ${kindOf(place.schema)}`);
  let base = original as readonly JsonObject[];
  let replaces = false;
  let items: JsonObject[] = [];
  for (const item of patch as readonly JsonObject[]) {
    if (!Object.hasOwn(item, DIRECTIVE)) {
      items.push(item);
      continue;
    }
    const directive = item[DIRECTIVE]!;
    if (directive === 'delete') {
      const doomed = keyOf(item, mergeKey);
      base = base.filter((o) => getKey(o, mergeKey) !== doomed);
    } else if (directive === 'replace') replaces = true;
    else if (directive === 'merge') throw plainError('merging lists cannot yet be specified in the patch');
    else throw unknownDirective(directive, item);
  }
  if (replaces) [base, items] = [items, []];
  const merged = [...base];
  for (const item of items) {
    const key = keyOf(item, mergeKey);
    const at = merged.findIndex((o) => getKey(o, mergeKey) === key);
    // What is new is taken as it is, with its directives and nulls.
    if (at < 0) merged.push(item);
    else merged[at] = mergeMaps(merged[at]!, item, place.schema);
  }
  const [listed, others] = partition(merged, items, mergeKey);
  return arrange(listed, others, items, base, mergeKey, true);
}

/** The items that a list names, and the others. */
function partition(items: JsonList, by: JsonList, mergeKey: string): readonly [JsonList, JsonList] {
  const named: Json[] = [];
  const others: Json[] = [];
  const values = mergeKey === '' ? new Set(by) : undefined;
  for (const item of items) {
    const found = values === undefined ? isNamed(keyOf(item, mergeKey), by, mergeKey) : values.has(item);
    (found ? named : others).push(item);
  }
  return [named, others];
}

function isNamed(key: Json, by: JsonList, mergeKey: string): boolean {
  for (let i = 0; i < by.length; i++) {
    const item = by[i]!;
    if (!isObject(item)) throw plainError(`value for key ${i} is not a map`);
    if (getKey(item, mergeKey) === key) return true;
  }
  return false;
}

/**
 * Orders a merged list: items that the patch names follow the patch's order, the others the server's; between the two, an item of the
 * server's alone comes first only where the server had it before the other.
 */
function arrange(
  listed: JsonList,
  others: JsonList,
  patchOrder: JsonList,
  serverOrder: JsonList,
  mergeKey: string,
  ofMaps: boolean,
): JsonList {
  // Every item has to tell its key, also where nothing is left to order.
  if (ofMaps) for (const list of [listed, patchOrder, others, serverOrder]) for (const item of list) keyOf(item, mergeKey);
  const places = (order: JsonList): ((item: Json) => number) => {
    const first = new Map<Json, number>();
    order.forEach((item, i) => {
      const key = ofMaps ? getKey(item as JsonObject, mergeKey)! : item;
      if (!first.has(key)) first.set(key, i);
    });
    return (item) => first.get(ofMaps ? getKey(item as JsonObject, mergeKey)! : item) ?? -1;
  };
  const [inPatch, inServer] = [places(patchOrder), places(serverOrder)];
  const left = [...others].sort((a, b) => inServer(a) - inServer(b));
  const right = [...listed].sort((a, b) => inPatch(a) - inPatch(b));
  const result: Json[] = [];
  let [i, j] = [0, 0];
  while (i < left.length && j < right.length) {
    const [l, r] = [inServer(left[i]!), inServer(right[j]!)];
    result.push(l >= 0 && r >= 0 && l < r ? left[i++]! : right[j++]!);
  }
  return [...result, ...left.slice(i), ...right.slice(j)];
}

/** A value without the members that are null. */
function withoutNulls(value: Json): Json {
  if (Array.isArray(value)) return (value as JsonList).map(withoutNulls);
  if (!isObject(value)) return value;
  const result: Record<string, Json> = {};
  for (const key of Object.keys(value)) if (value[key] !== null) setKey(result, key, withoutNulls(value[key]!));
  return result;
}

/** A value of the patch that has nothing to merge with: without the maps that say what is to be done with them. */
function withoutDirectives(value: Json): Json | undefined {
  if (Array.isArray(value)) return (value as JsonList).map(withoutDirectives).filter((item) => item !== undefined);
  if (!isObject(value)) return value;
  if (Object.hasOwn(value, DIRECTIVE)) return undefined;
  const result: Record<string, Json> = {};
  for (const key of Object.keys(value)) {
    const member = withoutDirectives(value[key]!);
    if (member !== undefined) setKey(result, key, member);
  }
  return result;
}
