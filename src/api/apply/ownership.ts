import { configuredFields } from './all-fields.ts';
import { type Comparison, compare } from './compare.ts';
import {
  difference,
  eachPath,
  emptySet,
  equalSets,
  type FieldSet,
  intersection,
  isEmpty,
  matching,
  type PathPattern,
  recursiveDifference,
  union,
} from './field-set.ts';
import { equalValues } from './json-value.ts';
import { mergeConfiguration } from './merge.ts';
import { withNamedFields } from './named-fields.ts';
import type { FieldPath } from './path-element.ts';
import { removeFields } from './remove.ts';
import type { Shape } from './shape.ts';

/** The fields somebody owns, in the version of the API they are told in. */
export interface OwnedFields {
  readonly set: FieldSet;
  readonly apiVersion: string;
  /** Owned by server-side apply: what is no longer applied goes. */
  readonly applied: boolean;
}

/** Who owns what. The keys are the caller's, one per owner. */
export type Owners = ReadonlyMap<string, OwnedFields>;

/** An object as one version of the API shows it. */
export interface VersionedObject {
  readonly apiVersion: string;
  readonly shape: Shape;
  readonly value: unknown;
  /** See `CompareOptions.typed`. */
  readonly typed: boolean;
}

/** The fields that a write through one endpoint does not change, whatever it says: nobody comes to own them there. */
export type FieldFilter = { readonly exclude: FieldSet } | { readonly include: readonly PathPattern[] };

export interface OwnershipContext {
  /** The object as another version shows it; undefined when that version is no longer served. */
  convert(object: VersionedObject, apiVersion: string): VersionedObject | undefined;
  /** What the endpoint does not change, told in this version. */
  filter(apiVersion: string): FieldFilter | undefined;
  /** A set that is likely to be what is added; see `CompareOptions.guide`. */
  readonly guide?: FieldSet | undefined;
}

/** A field that somebody else owns and the applier wants otherwise. */
export interface Conflict {
  readonly owner: string;
  readonly path: FieldPath;
}

/** Thrown by `applyConfiguration` when owners disagree. In the order of the owners' keys. */
export class ConflictError extends Error {
  override readonly name = 'ConflictError';
  readonly conflicts: readonly Conflict[];
  constructor(conflicts: readonly Conflict[]) {
    super(`${conflicts.length} conflicts`);
    this.conflicts = conflicts;
  }
}

/** The set without what the filter keeps away. */
export function filtered(set: FieldSet, filter: FieldFilter | undefined): FieldSet {
  if (filter === undefined || isEmpty(set)) return set;
  return 'exclude' in filter ? recursiveDifference(set, filter.exclude) : matching(set, filter.include);
}

interface Changes {
  /** Added or modified. */
  readonly written: FieldSet;
  readonly removed: FieldSet;
}

function changesBetween(
  before: VersionedObject,
  after: VersionedObject,
  filter: FieldFilter | undefined,
  guide?: FieldSet,
): Changes {
  const c: Comparison = compare(before.shape, before.value, after.value, { typed: before.typed, guide });
  return { written: filtered(union(c.modified, c.added), filter), removed: filtered(c.removed, filter) };
}

/** The changes of one write, told in every version that an owner speaks. */
class VersionedChanges {
  readonly #before: VersionedObject;
  readonly #after: VersionedObject;
  readonly #context: OwnershipContext;
  readonly #known = new Map<string, Changes | undefined>();

  constructor(before: VersionedObject, after: VersionedObject, context: OwnershipContext) {
    this.#before = before;
    this.#after = after;
    this.#context = context;
  }

  /** Undefined when the version is not served any more. */
  in(apiVersion: string): Changes | undefined {
    if (this.#known.has(apiVersion)) return this.#known.get(apiVersion);
    const changes = this.#compute(apiVersion);
    this.#known.set(apiVersion, changes);
    return changes;
  }

  #compute(apiVersion: string): Changes | undefined {
    const before = this.#context.convert(this.#before, apiVersion);
    const after = this.#context.convert(this.#after, apiVersion);
    return before === undefined || after === undefined
      ? undefined
      : changesBetween(before, after, this.#context.filter(apiVersion), this.#context.guide);
  }
}

export interface UpdateResult {
  readonly owners: Owners;
  /** What the writer wrote: it owns these fields now. Empty when it wrote nothing. */
  readonly written: FieldSet;
}

/**
 * Who owns what after `writer` has changed an object by anything but apply: what it wrote is its own and nobody else's; what is gone
 * is nobody's. `keep` takes fields away that are never owned. Owners left with nothing are dropped.
 */
export function updateOwners(
  before: VersionedObject,
  after: VersionedObject,
  owners: Owners,
  writer: string,
  context: OwnershipContext,
  keep: (set: FieldSet) => FieldSet,
): UpdateResult {
  const changes = new VersionedChanges(before, after, context);
  const mine = changes.in(after.apiVersion)!;
  const written = keep(mine.written);
  const out = new Map<string, OwnedFields>();
  for (const [owner, owned] of owners) {
    const theirs = changes.in(owned.apiVersion);
    if (theirs === undefined) continue;
    const left = difference(owned.set, theirs.removed);
    // What the writer owned of it before, it still owns; so its set stays the same when it writes the same fields again.
    const set = owner === writer ? union(left, written) : difference(left, theirs.written);
    if (set === owned.set) out.set(owner, owned);
    else if (!isEmpty(set)) out.set(owner, { ...owned, set });
  }
  if (!out.has(writer) && !isEmpty(written)) out.set(writer, { set: written, apiVersion: after.apiVersion, applied: false });
  return { owners: out, written };
}

export interface ApplyResult {
  readonly owners: Owners;
  /** The object that results; undefined when it is what was there before. */
  readonly value: unknown;
}

/**
 * Applies a configuration: merges it, removes what the applier applied before and now leaves out and nobody else owns, and gives the
 * applier what it names. Fields of others that it changes are conflicts, unless it forces them to be its own.
 * Throws `ConflictError`, and `TypedValueError` for a configuration that cannot be merged.
 */
export function applyConfiguration(
  live: VersionedObject,
  configuration: unknown,
  owners: Owners,
  applier: string,
  force: boolean,
  context: OwnershipContext,
): ApplyResult {
  const { apiVersion, shape } = live;
  const merged = { ...live, value: mergeConfiguration(shape, live.value, configuration) };
  const last = owners.get(applier);
  const set = filtered(configuredFields(shape, configuration), context.filter(apiVersion));
  const claimed = new Map(owners);
  claimed.set(applier, { set: last !== undefined && equalSets(set, last.set) ? last.set : set, apiVersion, applied: true });
  const next = prune(merged, claimed, last, context);
  const settled = settle(live, next, claimed, applier, force, context);
  return { owners: settled, value: equalValues(live.value, next.value) ? undefined : next.value };
}

/** Takes from the other owners what was written and what is gone. */
function settle(
  before: VersionedObject,
  after: VersionedObject,
  owners: Owners,
  applier: string,
  force: boolean,
  context: OwnershipContext,
): Owners {
  const changes = new VersionedChanges(before, after, context);
  const conflicts = new Map<string, FieldSet>();
  const out = new Map<string, OwnedFields>();
  for (const [owner, owned] of owners) {
    if (owner === applier) {
      if (!isEmpty(owned.set)) out.set(owner, owned);
      continue;
    }
    const theirs = changes.in(owned.apiVersion);
    if (theirs === undefined) continue;
    const disputed = intersection(owned.set, theirs.written);
    if (!isEmpty(disputed)) conflicts.set(owner, disputed);
    const set = difference(difference(owned.set, disputed), theirs.removed);
    if (!isEmpty(set)) out.set(owner, set === owned.set ? owned : { ...owned, set });
  }
  if (!force && conflicts.size > 0) throw new ConflictError(listConflicts(conflicts));
  return out;
}

function listConflicts(conflicts: ReadonlyMap<string, FieldSet>): readonly Conflict[] {
  const out: Conflict[] = [];
  for (const owner of [...conflicts.keys()].sort()) eachPath(conflicts.get(owner)!, (path) => out.push({ owner, path }));
  return out;
}

/** Removes what the applier applied last and does not now, unless somebody owns it, or it never was the applier's. */
function prune(
  merged: VersionedObject,
  owners: Owners,
  last: OwnedFields | undefined,
  context: OwnershipContext,
): VersionedObject {
  if (last === undefined || isEmpty(last.set)) return merged;
  const then = context.convert(merged, last.apiVersion);
  if (then === undefined) return merged;
  const lastSet = withNamedFields(last.set, then.shape);
  const bare = { ...then, value: removeFields(then.shape, then.value, lastSet) };
  const restored = restoreOwned(then, bare, owners, last.apiVersion, context);
  const kept = context.convert(restored, last.apiVersion);
  if (kept === undefined) return merged;
  const gone = difference(namedFieldsOf(then), namedFieldsOf(kept));
  const pruned = { ...then, value: removeFields(then.shape, then.value, intersection(gone, lastSet)) };
  return context.convert(pruned, merged.apiVersion) ?? merged;
}

/** Brings back what somebody owns, version by version; the last applied version first, as conversion may need what it has. */
function restoreOwned(
  merged: VersionedObject,
  pruned: VersionedObject,
  owners: Owners,
  first: string,
  context: OwnershipContext,
): VersionedObject {
  const byVersion = new Map<string, FieldSet>();
  for (const { apiVersion, set } of owners.values()) byVersion.set(apiVersion, union(byVersion.get(apiVersion) ?? emptySet, set));
  const others = [...byVersion.keys()].filter((version) => version !== first);
  let all = merged;
  let left = pruned;
  for (const apiVersion of byVersion.has(first) ? [first, ...others] : others) {
    const owned = byVersion.get(apiVersion)!;
    const whole = context.convert(all, apiVersion);
    const rest = whole === undefined ? undefined : context.convert(left, apiVersion);
    if (whole === undefined || rest === undefined) continue;
    const keep = union(namedFieldsOf(rest), withNamedFields(owned, whole.shape));
    all = whole;
    left = { ...whole, value: removeFields(whole.shape, whole.value, difference(namedFieldsOf(whole), keep)) };
  }
  return left;
}

const namedFieldsOf = (object: VersionedObject): FieldSet =>
  withNamedFields(configuredFields(object.shape, object.value), object.shape);
