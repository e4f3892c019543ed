import { badRequest, requestEntityTooLarge, unprocessablePatch } from '../meta/status.ts';
import { copyObject, getKey, isObject, type Json, setKey } from './json-value.ts';
import { cannotUnmarshal } from './merge-patch.ts';

/** Operations a patch may have; upstream's limit. */
export const MAX_JSON_PATCH_OPERATIONS = 10_000;
/** What copy operations may add in all, in bytes of JSON; upstream's request limit. */
const MAX_COPY_BYTES = 3 * 1024 * 1024;

type Operation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: Path; readonly value: Json }
  | { readonly op: 'remove'; readonly path: Path }
  | { readonly op: 'move' | 'copy'; readonly path: Path; readonly from: Path };

/** The parts of a pointer. Undefined for the whole document, which most operations cannot be done with. */
type Path = readonly string[] | undefined;

/**
 * Applies a JSON patch as upstream's library does: RFC 6902 with negative array indices, which count from the end, but without the whole
 * document as a place (other than to `replace` and `test` it), and with `replace` of members that are not there. `document` is not changed.
 * Throws BadRequest for a malformed patch, Invalid (422) for one that does not apply.
 */
export function applyJsonPatch(document: Json, patch: unknown): Json {
  const operations = parseOperations(patch);
  let copied = 0;
  return operations.reduce((doc, operation) => {
    const { path } = operation;
    switch (operation.op) {
      case 'add':
        return add(doc, path, operation.value);
      case 'replace':
        return replace(doc, path, operation.value);
      case 'remove':
        return remove(doc, path);
      case 'move':
        return add(remove(doc, operation.from), path, lookup(doc, operation.from));
      case 'copy': {
        const value = lookup(doc, operation.from);
        copied += JSON.stringify(value).length;
        if (copied > MAX_COPY_BYTES) throw unprocessablePatch();
        return add(doc, path, value);
      }
      case 'test': {
        // A missing member equals null.
        if (!equal(path === undefined ? doc : lookup(doc, path), operation.value)) throw unprocessablePatch();
        return doc;
      }
      default:
        return operation satisfies never;
    }
  }, document);
}

const malformed = (value: unknown, type: string): Error => badRequest(`error decoding patch: ${cannotUnmarshal(value)} ${type}`);

function parseOperations(patch: unknown): readonly Operation[] {
  if (patch === null) return [];
  if (!Array.isArray(patch)) throw malformed(patch, '[]handlers.jsonPatchOp');
  if (patch.length > MAX_JSON_PATCH_OPERATIONS) {
    throw requestEntityTooLarge(
      `The allowed maximum operations in a JSON patch is ${MAX_JSON_PATCH_OPERATIONS}, got ${patch.length}`,
    );
  }
  for (const raw of patch) checkOperation(raw);
  return patch.map(parseOperation);
}

/** Whether an operation can be decoded: its texts are texts. */
function checkOperation(raw: unknown): void {
  if (raw === null) return;
  if (!isObject(raw)) throw malformed(raw, 'handlers.jsonPatchOp');
  for (const name of ['op', 'path', 'from']) {
    const text = raw[name] ?? '';
    if (typeof text === 'string') continue;
    const words = cannotUnmarshal(text).replace('value of type', `struct field jsonPatchOp.${name} of type string`);
    throw badRequest(`error decoding patch: ${words}`);
  }
}

function parseOperation(raw: unknown): Operation {
  const { op, path, from, value } = (raw ?? {}) as { op?: unknown; path?: unknown; from?: unknown; value?: Json };
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

/** What stands before the first slash does not count. */
function parsePointer(pointer: unknown): Path {
  if (typeof pointer !== 'string') throw unprocessablePatch();
  const [, ...parts] = pointer.split('/');
  if (pointer === '') return undefined;
  if (parts.length === 0) throw unprocessablePatch();
  return parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The array index a pointer part names, as Go reads numbers; `length` is allowed where something may be added behind the last. */
function arrayIndex(part: string, length: number, adding: boolean): number {
  if (part === '-' && adding) return length;
  if (!/^[+-]?\d+$/.test(part)) throw unprocessablePatch();
  const raw = Number(part);
  const bound = adding ? length + 1 : length;
  const index = raw < 0 ? raw + bound : raw;
  if (index < 0 || index >= bound) throw unprocessablePatch();
  return index;
}

/** A member of an object or list; null for one that an object does not have. */
function memberOf(parent: Json, part: string): Json {
  if (Array.isArray(parent)) return parent[arrayIndex(part, parent.length, false)] as Json;
  if (!isObject(parent)) throw unprocessablePatch();
  return getKey(parent, part) ?? null;
}

function lookup(document: Json, path: Path): Json {
  if (path === undefined) throw unprocessablePatch();
  let at = document;
  for (const part of path) at = memberOf(at, part);
  return at;
}

/** Copies the way to `path` and lets `edit` make the new parent. */
function change(document: Json, path: Path, edit: (parent: Json, key: string) => Json): Json {
  if (path === undefined) throw unprocessablePatch();
  const [key, ...rest] = path as readonly [string, ...string[]];
  if (rest.length === 0) return edit(document, key);
  return put(document, key, change(memberOf(document, key), rest, edit));
}

/** A copy of `parent` with what is at `key` replaced. */
function put(parent: Json, key: string, value: Json): Json {
  if (Array.isArray(parent)) return parent.with(arrayIndex(key, parent.length, false), value);
  if (!isObject(parent)) throw unprocessablePatch();
  const copy = copyObject(parent);
  setKey(copy, key, value);
  return copy;
}

function replace(document: Json, path: Path, value: Json): Json {
  if (path !== undefined) return change(document, path, (parent, key) => put(parent, key, value));
  // Upstream leaves a document alone that would be no object or list.
  return isObject(value) || Array.isArray(value) ? value : document;
}

function add(document: Json, path: Path, value: Json): Json {
  return change(document, path, (parent, key) => {
    if (Array.isArray(parent)) return parent.toSpliced(arrayIndex(key, parent.length, true), 0, value);
    return put(parent, key, value);
  });
}

function remove(document: Json, path: Path): Json {
  return change(document, path, (parent, key) => {
    if (Array.isArray(parent)) return parent.toSpliced(arrayIndex(key, parent.length, false), 1);
    if (!isObject(parent) || !Object.hasOwn(parent, key)) throw unprocessablePatch();
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
