import { isMap } from './json-value.ts';
import {
  canonicalElement,
  compareElements,
  type FieldPath,
  type PathElement,
  PathElementError,
  showPath,
} from './path-element.ts';

/**
 * A set of field paths, held in the very form the API writes it (`fieldsV1`): a tree whose keys are path elements in their canonical
 * order. A node without members is a field that is in the set; a node with members is in it when one of them is `.`.
 * So nothing is parsed when a stored object is updated, nothing encoded when it did not change, and equal parts are shared.
 *
 * Sets are immutable. Every operation gives one of its arguments back when that is the result, so that `===` tells what did not change.
 */
export interface FieldSet {
  readonly [element: PathElement]: FieldSet;
}

type Draft = Record<PathElement, FieldSet>;

const SELF = '.';

/** The set without fields; as a node: a field that is in the set and has none below. */
export const emptySet: FieldSet = Object.freeze({});
/** What a leaf looks like. */
export const leaf = emptySet;

/** Thrown for a fieldsV1 that is none. */
export class FieldSetError extends Error {
  override readonly name = 'FieldSetError';
}

/** Sets that were found canonical. */
const canonicalSets = new WeakSet<FieldSet>();

/**
 * The canonical set of a fieldsV1 as it stands in an object; the same value when it is canonical. Elements of unknown types are dropped.
 * Throws `FieldSetError` when it cannot be read.
 */
export function readFieldSet(value: unknown): FieldSet {
  if (isMap(value) && canonicalSets.has(value as FieldSet)) return value as FieldSet;
  try {
    const set = withoutSelf(readNode(value));
    canonicalSets.add(set);
    return set;
  } catch (err) {
    if (err instanceof PathElementError) throw new FieldSetError(err.message, { cause: err });
    throw err;
  }
}

function readNode(value: unknown): FieldSet {
  if (value === null || value === undefined) return leaf;
  if (!isMap(value)) throw new FieldSetError(`expected a map of fields, got ${JSON.stringify(value)}`);
  const out: Draft = {};
  let same = true;
  let previous: PathElement | undefined;
  for (const key in value) {
    if (key === SELF) {
      // Upstream writes it first, and reads it anywhere.
      same &&= previous === undefined && isMap(value[key]) && isEmpty(value[key] as FieldSet);
      out[SELF] = leaf;
      continue;
    }
    const element = canonicalElement(key);
    same &&= element === key;
    if (element === undefined) continue;
    const child = readNode(value[key]);
    same &&= child === value[key] && (previous === undefined || compareElements(previous, element) < 0);
    const known = out[element];
    out[element] = known === undefined ? child : unionNodes(known, child);
    previous = element;
  }
  // `.` alone says no more than a leaf.
  if (previous === undefined) return isEmpty(value as FieldSet) ? (value as FieldSet) : leaf;
  return same ? (value as FieldSet) : sorted(out);
}

/** Whether there is no field in the set. */
export function isEmpty(set: FieldSet): boolean {
  for (const _element in set) return false;
  return true;
}

/** Whether the field of this node is itself in the set. */
export function isMember(node: FieldSet): boolean {
  for (const element in node) return element === SELF || node[SELF] !== undefined;
  return true;
}

/** Whether fields below this node's are in the set. */
export function hasChildren(node: FieldSet): boolean {
  for (const element in node) if (element !== SELF) return true;
  return false;
}

/** The node as the set of what is below it. */
export function withoutSelf(node: FieldSet): FieldSet {
  if (node[SELF] === undefined) return node;
  const { [SELF]: _self, ...children } = node;
  return children;
}

/** The node with its own field in the set. */
export function withSelf(node: FieldSet | undefined): FieldSet {
  if (node === undefined || isMember(node)) return node ?? leaf;
  return { [SELF]: leaf, ...node };
}

/** The paths below an element: upstream's WithPrefix. */
export function below(set: FieldSet, element: PathElement): FieldSet {
  const node = set[element];
  return node === undefined ? emptySet : withoutSelf(node);
}

/** Whether the path is in the set. */
export function has(set: FieldSet, path: FieldPath): boolean {
  let node: FieldSet | undefined = set;
  for (const element of path) {
    node = node[element];
    if (node === undefined) return false;
  }
  return path.length > 0 && isMember(node);
}

/** The set of these paths. */
export function setOf(...paths: readonly FieldPath[]): FieldSet {
  let set = emptySet;
  for (const path of paths) {
    let node = leaf;
    if (path.length === 0) continue;
    for (let i = path.length - 1; i >= 0; i--) node = { [path[i]!]: node };
    set = union(set, node);
  }
  return set;
}

/** The members of a draft in canonical order; the draft itself when they are. `.` stays first. */
export function sorted(draft: FieldSet): FieldSet {
  let previous: string | undefined;
  let inOrder = true;
  for (const element in draft) {
    if (previous !== undefined && (element === SELF || (previous !== SELF && compareElements(previous, element) > 0))) {
      inOrder = false;
      break;
    }
    previous = element;
  }
  if (inOrder) return draft;
  const out: Draft = {};
  if (draft[SELF] !== undefined) out[SELF] = leaf;
  const elements = Object.keys(draft).filter((e) => e !== SELF);
  for (const element of elements.sort(compareElements)) out[element] = draft[element]!;
  return out;
}

/** All fields that are in either set. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmpty(b)) return a;
  if (isEmpty(a)) return b;
  return mergeNodes(a, b, false);
}

function unionNodes(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b) return a;
  const self = isMember(a) || isMember(b);
  if (!hasChildren(b)) return withSelf(a);
  if (!hasChildren(a)) return self ? withSelf(b) : b;
  return mergeNodes(a, b, self);
}

/** The union of two nodes that both have children. */
function mergeNodes(a: FieldSet, b: FieldSet, self: boolean): FieldSet {
  let out: Draft | undefined;
  let appended = false;
  for (const element in b) {
    if (element === SELF) continue;
    const mine = a[element];
    const merged = mine === undefined ? b[element]! : unionNodes(mine, b[element]!);
    if (merged === mine) continue;
    out ??= { ...a };
    if (mine === undefined) appended = true;
    out[element] = merged;
  }
  if (out === undefined) return self ? withSelf(a) : a;
  const ordered = appended ? sorted(out) : out;
  return self ? withSelf(ordered) : ordered;
}

/** The fields of `a` that are not in `b`. A field in `b` takes nothing from those below it. */
export const difference = (a: FieldSet, b: FieldSet): FieldSet => subtract(a, b, differenceOfNodes);

function differenceOfNodes(a: FieldSet, b: FieldSet): FieldSet | undefined {
  const self = isMember(a) && !isMember(b);
  if (!hasChildren(a)) return self ? a : undefined;
  const rest = subtract(a, b, differenceOfNodes);
  return trimmed(a, rest, self);
}

/** The fields of `a` that neither are in `b` nor stand below one that is. */
export const recursiveDifference = (a: FieldSet, b: FieldSet): FieldSet => subtract(a, b, recursiveDifferenceOfNodes);

function recursiveDifferenceOfNodes(a: FieldSet, b: FieldSet): FieldSet | undefined {
  if (isMember(b)) return undefined;
  if (!hasChildren(a)) return a;
  return trimmed(a, subtract(a, b, recursiveDifferenceOfNodes), isMember(a));
}

/** A node whose children have become those of `rest`, and which is in the set itself or not; undefined when nothing is left of it. */
function trimmed(node: FieldSet, rest: FieldSet, self: boolean): FieldSet | undefined {
  if (!hasChildren(rest)) return self ? leaf : undefined;
  if (self === (node[SELF] !== undefined)) return rest;
  return self ? withSelf(rest) : withoutSelf(rest);
}

/** Goes over the children of `a` that `b` has too. Keeps a `.` of `a` as it is. */
function subtract(a: FieldSet, b: FieldSet, each: (a: FieldSet, b: FieldSet) => FieldSet | undefined): FieldSet {
  let changed: Map<PathElement, FieldSet | undefined> | undefined;
  for (const element in b) {
    if (element === SELF) continue;
    const mine = a[element];
    if (mine === undefined) continue;
    const rest = each(mine, b[element]!);
    if (rest !== mine) (changed ??= new Map()).set(element, rest);
  }
  if (changed === undefined) return a;
  const out: Draft = {};
  for (const element in a) {
    const rest = changed.has(element) ? changed.get(element) : a[element];
    if (rest !== undefined) out[element] = rest;
  }
  return out;
}

/** The fields that are in both sets. */
export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b) return a;
  let same = true;
  const out: Draft = {};
  for (const element in a) {
    const other = b[element];
    const shared = element === SELF || other === undefined ? undefined : intersectionOfNodes(a[element]!, other);
    if (shared !== a[element]) same = false;
    if (shared !== undefined) out[element] = shared;
  }
  return same ? a : isEmpty(out) ? emptySet : out;
}

function intersectionOfNodes(a: FieldSet, b: FieldSet): FieldSet | undefined {
  if (a === b) return a;
  const self = isMember(a) && isMember(b);
  const shared = intersection(a, b);
  if (isEmpty(shared)) return self ? leaf : undefined;
  return self ? { [SELF]: leaf, ...shared } : shared;
}

/** Whether two sets have the same fields. */
export function equalSets(a: FieldSet, b: FieldSet): boolean {
  if (a === b) return true;
  let count = 0;
  for (const element in a) {
    const other = b[element];
    if (other === undefined || !equalSets(a[element]!, other)) return false;
    count++;
  }
  for (const _element in b) count--;
  return count === 0;
}

/** Only those fields of the set that have none below them in it. */
export function leaves(set: FieldSet): FieldSet {
  const out: Draft = {};
  for (const element in set) {
    if (element === SELF) continue;
    const node = set[element]!;
    out[element] = hasChildren(node) ? leaves(node) : leaf;
  }
  return out;
}

/** Calls `visit` for each field in the set: those of a node before those below it. The path is the caller's to keep. */
export function eachPath(set: FieldSet, visit: (path: FieldPath) => void, prefix: FieldPath = []): void {
  for (const element in set) if (element !== SELF && isMember(set[element]!)) visit([...prefix, element]);
  for (const element in set) {
    if (element !== SELF && hasChildren(set[element]!)) eachPath(set[element]!, visit, [...prefix, element]);
  }
}

export function pathsOf(set: FieldSet): readonly FieldPath[] {
  const paths: FieldPath[] = [];
  eachPath(set, (path) => paths.push(path));
  return paths;
}

/** One path a line, for messages of tests and logs. */
export const showSet = (set: FieldSet): string => pathsOf(set).map(showPath).join('\n');

/** A path in which `*` stands for any element: everything below it matches too. */
export type PathPattern = readonly PathElement[];

/** The fields that match one of the patterns, or stand below one that does. */
export function matching(set: FieldSet, patterns: readonly PathPattern[]): FieldSet {
  const out: Draft = {};
  for (const element in set) {
    if (element === SELF) continue;
    const rest = patterns.filter((p) => p[0] === '*' || p[0] === element).map((p) => p.slice(1));
    if (rest.length === 0) continue;
    const node = set[element]!;
    if (rest.some((p) => p.length === 0)) {
      out[element] = node;
      continue;
    }
    const inside = matching(withoutSelf(node), rest);
    // A field on the way to a pattern matches as well, as upstream has it.
    if (isMember(node)) out[element] = isEmpty(inside) ? leaf : withSelf(inside);
    else if (!isEmpty(inside)) out[element] = inside;
  }
  return out;
}
