import { badRequest, requestEntityTooLarge, unprocessablePatch } from '../meta/status.ts';
import { copyObject, getKey, isObject, type Json, setKey } from './json-value.ts';

/** Operations a patch may have; upstream's limit. */
export const MAX_JSON_PATCH_OPERATIONS = 10_000;
/** What copy operations may add in all, in bytes of JSON; upstream's request limit. */
const MAX_COPY_BYTES = 3 * 1024 * 1024;

type Operation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: readonly string[]; readonly value: Json }
  | { readonly op: 'remove'; readonly path: readonly string[] }
  | { readonly op: 'move' | 'copy'; readonly path: readonly string[]; readonly from: readonly string[] };

/**
 * Applies a JSON patch (RFC 6902) with the extension that negative array indices count from the end, as upstream's library has it.
 * `document` is not changed. Throws BadRequest for a malformed patch, Invalid (422) for one that does not apply.
 */
export function applyJsonPatch(document: Json, patch: unknown): Json {
  const operations = parseOperations(patch);
  let copied = 0;
  return operations.reduce((doc, operation) => {
    switch (operation.op) {
      case 'add':
        return add(doc, operation.path, operation.value);
      case 'replace':
        lookup(doc, operation.path);
        return change(doc, operation.path, (parent, key) => put(parent, key, operation.value));
      case 'remove':
        return remove(doc, operation.path);
      case 'move': {
        if (isPrefix(operation.from, operation.path)) throw unprocessablePatch();
        return add(remove(doc, operation.from), operation.path, lookup(doc, operation.from));
      }
      case 'copy': {
        const value = lookup(doc, operation.from);
        copied += JSON.stringify(value).length;
        if (copied > MAX_COPY_BYTES) throw unprocessablePatch();
        return add(doc, operation.path, value);
      }
      case 'test': {
        const found = tryLookup(doc, operation.path);
        // A missing member equals null, as upstream's library has it.
        if (!equal(found ?? null, operation.value)) throw unprocessablePatch();
        return doc;
      }
      default:
        return operation satisfies never;
    }
  }, document);
}

function parseOperations(patch: unknown): readonly Operation[] {
  if (!Array.isArray(patch))
    throw badRequest('error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch');
  if (patch.length > MAX_JSON_PATCH_OPERATIONS) {
    throw requestEntityTooLarge(
      `The allowed maximum operations in a JSON patch is ${MAX_JSON_PATCH_OPERATIONS}, got ${patch.length}`,
    );
  }
  return patch.map(parseOperation);
}

function parseOperation(raw: unknown): Operation {
  if (!isObject(raw as Json)) throw badRequest('error decoding patch: every operation must be an object');
  const { op, path, from, value } = raw as { op?: unknown; path?: unknown; from?: unknown; value?: Json };
  switch (op) {
    case 'add':
    case 'replace':
    case 'test':
      return { op, path: parsePointer(path), value: value ?? null };
    case 'remove':
      return { op, path: parsePointer(path) };
    case 'move':
    case 'copy':
      return { op, path: parsePointer(path), from: parsePointer(from) };
    default:
      throw unprocessablePatch();
  }
}

function parsePointer(pointer: unknown): readonly string[] {
  if (typeof pointer !== 'string' || (pointer !== '' && !pointer.startsWith('/'))) throw unprocessablePatch();
  if (pointer === '') return [];
  return pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

const isPrefix = (shorter: readonly string[], longer: readonly string[]): boolean =>
  shorter.length < longer.length && shorter.every((part, i) => part === longer[i]);

/** The array index a pointer part names; `length` is allowed where something may be added behind the last. */
function arrayIndex(part: string, length: number, adding: boolean): number {
  if (part === '-' && adding) return length;
  if (!/^-?(0|[1-9]\d*)$/.test(part)) throw unprocessablePatch();
  const raw = Number(part);
  const bound = adding ? length + 1 : length;
  const index = raw < 0 ? raw + bound : raw;
  if (index < 0 || index >= bound) throw unprocessablePatch();
  return index;
}

function tryLookup(document: Json, path: readonly string[]): Json | undefined {
  let at: Json | undefined = document;
  for (const part of path) {
    if (Array.isArray(at)) at = at[arrayIndex(part, at.length, false)];
    else if (at !== undefined && isObject(at)) at = getKey(at, part);
    else return undefined;
  }
  return at;
}

function lookup(document: Json, path: readonly string[]): Json {
  const found = tryLookup(document, path);
  if (found === undefined) throw unprocessablePatch();
  return found;
}

/** Copies the way to `path` and lets `edit` make the new parent. */
function change(document: Json, path: readonly string[], edit: (parent: Json, key: string) => Json): Json {
  const [key, ...rest] = path;
  if (key === undefined) return edit(document, '');
  if (rest.length === 0) return edit(document, key);
  return put(document, key, change(lookup(document, [key]), rest, edit));
}

/** A copy of `parent` with what is at `key` replaced. */
function put(parent: Json, key: string, value: Json): Json {
  if (Array.isArray(parent)) return parent.with(arrayIndex(key, parent.length, false), value);
  if (!isObject(parent)) throw unprocessablePatch();
  const copy = copyObject(parent);
  setKey(copy, key, value);
  return copy;
}

function add(document: Json, path: readonly string[], value: Json): Json {
  if (path.length === 0) return value;
  return change(document, path, (parent, key) => {
    if (Array.isArray(parent)) return parent.toSpliced(arrayIndex(key, parent.length, true), 0, value);
    return put(parent, key, value);
  });
}

function remove(document: Json, path: readonly string[]): Json {
  lookup(document, path);
  if (path.length === 0) return null;
  return change(document, path, (parent, key) => {
    if (Array.isArray(parent)) return parent.toSpliced(arrayIndex(key, parent.length, false), 1);
    if (!isObject(parent)) throw unprocessablePatch();
    const copy = copyObject(parent);
    delete copy[key];
    return copy;
  });
}

function equal(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((v, i) => equal(v, b[i]!));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && equal(a[key]!, b[key]!));
}
