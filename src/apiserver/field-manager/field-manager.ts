import {
  type ApplyResult,
  applyConfiguration,
  ConflictError,
  checkTyped,
  equalValues,
  type FieldSet,
  has,
  isEmpty,
  isMap,
  type OwnershipContext,
  reconcileWithSchema,
  type Shape,
  shapeOf,
  TypedValueError,
  updateOwners,
} from '../../api/apply/index.ts';
import { apiVersionOf, type KubernetesObject } from '../../api/meta/object.ts';
import { badRequest, customError, isStatusError } from '../../api/meta/status.ts';
import type { Resource } from '../../api/resource.ts';
import type { ManagedFieldsEntry } from '../../api/types/meta-v1.ts';
import type { ApiAccess, FieldChange, FieldManager } from '../contract.ts';
import { decodeValue } from '../rest/decode-body.ts';
import { timestamp } from '../rest/scope.ts';
import { capUpdates } from './cap.ts';
import { conflictStatus } from './conflict.ts';
import {
  isReset,
  type Managed,
  type ManagedEntry,
  ManagedFieldsError,
  nobody,
  readManaged,
  type Writer,
  writeManaged,
  writerKey,
} from './entries.ts';
import { CLIENT_SIDE_MANAGER, lastAppliedFields, withLastApplied } from './last-applied.ts';
import { resetFields } from './reset-fields.ts';
import { SharedSets } from './shared-sets.ts';
import { withoutStripped } from './stripped-fields.ts';
import { convert, plainObject, type ResourceObject, typedObject, type VersionLookup } from './versions.ts';

type ApplyChange = FieldChange & { readonly force: boolean };

/** Whom the fields belong to that were there before anybody applied. */
const BEFORE_FIRST_APPLY = 'before-first-apply';
/** What a manager without a name is called. */
const UNKNOWN_MANAGER = 'unknown';

/** The field manager of an API server, which learns at start what versions are served. */
export interface ServerFieldManager extends FieldManager {
  /** Until it is called, only the version of the request is known: entries of other versions are dropped. */
  initialize(access: ApiAccess): void;
}

/** Upstream's managedfields.FieldManager: the whole chain of it, for every type. */
export function fieldManager(): ServerFieldManager {
  return new Manager();
}

class Manager implements ServerFieldManager {
  #access: ApiAccess | undefined;
  /** Sets that are known to fit a shape: a set is looked at once. */
  readonly #reconciledFor = new WeakMap<FieldSet, Shape>();
  readonly #shared = new SharedSets();
  /** The second that was written last, and its text. */
  #second = Number.NaN;
  #secondText = '';
  readonly #lookup: VersionLookup = (resource, apiVersion) => {
    for (const candidate of this.#access?.resources() ?? []) {
      if (candidate.storage.prefix === resource.storage.prefix && apiVersionOf(candidate) === apiVersion) return candidate;
    }
    return apiVersionOf(resource) === apiVersion ? resource : undefined;
  };

  initialize(access: ApiAccess): void {
    this.#access = access;
  }

  update(change: FieldChange): KubernetesObject {
    const { live, object } = change;
    const liveEntries = live?.metadata?.managedFields;
    const managed = entriesForUpdate(change);
    // Tracking begins when an object is created or first applied, not in between.
    if (managed.size === 0 && live !== undefined) return withEntries(object, undefined);
    try {
      const next = capUpdates(this.#updated(change, live === undefined ? undefined : bare(live), bare(object), managed));
      return withEntries(object, writeManaged(next, liveEntries));
    } catch (err) {
      if (!(err instanceof TypedValueError) && !isStatusError(err)) throw err;
      // Such an object is refused by validation, if it is wrong at all; what cannot be tracked must not stand in its way.
      this.#access?.logger.warn({ err, kind: object.kind, name: object.metadata?.name }, 'managedFields dropped');
      return withEntries(object, undefined);
    }
  }

  apply(change: ApplyChange): KubernetesObject {
    const { resource, live, object } = change;
    checkApplied(resource, object);
    const before = live ?? this.#nothing(resource);
    const managed = this.#managedForApply(change, before);
    const target = plainObject(resource, bare(before));
    const result = this.#merge(change, target, managed);
    const time = this.#time(change.now);
    const key = writerKey(writerOf(change, 'Apply'));
    const owners = new Map<string, ManagedEntry>();
    for (const [owner, owned] of result.owners) {
      const known = managed.get(owner);
      if (owner === key) this.#putApplied(owners, change, owned.set, known, result.value === undefined ? known?.time : time);
      else if (known !== undefined)
        owners.set(owner, owned.set === known.set ? known : { ...known, set: owned.set, source: undefined });
    }
    const merged = result.value === undefined ? before : this.#decoded(resource, result.value);
    const annotated = change.manager === CLIENT_SIDE_MANAGER ? withLastApplied(merged, object) : merged;
    return withEntries(annotated, writeManaged(owners, live?.metadata?.managedFields));
  }

  /** What a typed object of nothing is: the fields Go always has. */
  #nothing(resource: Resource): KubernetesObject {
    return { apiVersion: apiVersionOf(resource), kind: resource.kind };
  }

  #decoded(resource: Resource, value: unknown): KubernetesObject {
    const failure = (cause: string): Error => {
      const what = `failed to convert new object (${nameText(value as KubernetesObject)}) to proper version`;
      const kind = `${apiVersionOf(resource)}, Kind=${resource.kind}`;
      return customError(500, '', `${what}: unable to convert unstructured object to ${kind}: ${cause}`);
    };
    return resource.defaults(decodeValue<KubernetesObject>(resource, value, { merged: true, failure }).object);
  }

  /** The entries after an update of `before` to `after`. */
  #updated(change: FieldChange, before: KubernetesObject | undefined, after: KubernetesObject, managed: Managed): Managed {
    const { resource, now } = change;
    const writer = writerOf(change, 'Update');
    const key = writerKey(writer);
    const from = typedObject(resource, before ?? this.#nothing(resource));
    const to = typedObject(resource, after);
    if (isCustom(resource)) for (const each of [from, to]) checkTyped(each.shape, each.value, { allowDuplicates: true });
    const reconciled = this.#reconciled(managed, from);
    const own = (set: FieldSet): FieldSet => this.#shared.created(change, withoutStripped(set));
    const context = { ...this.#context(change), guide: this.#shared.guide(change) };
    const { owners, written } = updateOwners(from, to, reconciled, key, context, own);
    // Through `scale` the time of an entry is not told (upstream loses it on the way through the Scale).
    const time = isEmpty(written) || change.subresource === 'scale' ? undefined : this.#time(now);
    const out = new Map<string, ManagedEntry>();
    for (const [owner, owned] of owners) {
      const known = managed.get(owner);
      const wrote = owner === key && !isEmpty(written);
      const changed = known?.set !== owned.set;
      if (known !== undefined && !changed && (!wrote || known.time === time)) {
        out.set(owner, known);
        continue;
      }
      const set = changed && before !== undefined ? this.#shared.owned(resource, owner, owned.set) : owned.set;
      const base = known ?? { ...writer, applied: false };
      out.set(owner, { ...base, set, time: wrote ? time : known?.time, source: undefined });
    }
    return out;
  }

  #time(now: number): string {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#secondText = timestamp(now);
    }
    return this.#secondText;
  }

  #context(change: FieldChange): OwnershipContext {
    const filter = resetFields(change.resource, change.subresource);
    return {
      convert: (object, apiVersion) => convert(object, apiVersion, this.#lookup),
      filter: () => filter,
    };
  }

  /** The entries under the schema as it is now; without those of versions that are gone. */
  #reconciled(managed: Managed, live: ResourceObject): Managed {
    let out: Map<string, ManagedEntry> | undefined;
    for (const [key, entry] of managed) {
      const target = entry.apiVersion === live.apiVersion ? live.resource : this.#lookup(live.resource, entry.apiVersion);
      if (target === undefined) {
        (out ??= new Map(managed)).delete(key);
        continue;
      }
      const shape = shapeOf(target.schema);
      if (this.#reconciledFor.get(entry.set) === shape) continue;
      const set = reconcileWithSchema(entry.set, shape);
      this.#reconciledFor.set(set, shape);
      if (set !== entry.set) (out ??= new Map(managed)).set(key, { ...entry, set, source: undefined });
    }
    return out ?? managed;
  }

  /** The entries of the live object; those who wrote it before anybody applied become one. Throws when they cannot be read. */
  #managedForApply(change: ApplyChange, before: KubernetesObject): Managed {
    let managed: Managed;
    try {
      managed = readManaged(before.metadata?.managedFields);
    } catch (err) {
      if (err instanceof ManagedFieldsError) throw customError(500, '', `failed to decode managed fields: ${err.message}`);
      throw err;
    }
    if (managed.size > 0 || change.live === undefined) return managed;
    try {
      return this.#updated({ ...change, manager: BEFORE_FIRST_APPLY }, undefined, bare(before), nobody);
    } catch (err) {
      // A list of the live object has items without their keys.
      const what = `failed to create manager for existing fields: failed to convert new object (${nameText(before)}) to smd typed`;
      throw typedFailure(withPaths(err, shapeOf(change.resource.schema), bare(before)), what);
    }
  }

  #merge(change: ApplyChange, live: ResourceObject, managed: Managed): ApplyResult {
    const { object } = change;
    try {
      checkTyped(live.shape, object, { allowDuplicates: false });
    } catch (err) {
      throw typedFailure(err, `failed to create typed patch object (${nameText(object)})`);
    }
    const reconciled = this.#reconciled(managed, live);
    const key = writerKey(writerOf(change, 'Apply'));
    const context = this.#context(change);
    const attempt = (force: boolean): ApplyResult => applyConfiguration(live, object, reconciled, key, force, context);
    try {
      return attempt(change.force);
    } catch (err) {
      if (!(err instanceof ConflictError)) throw typedFailure(err, 'failed to merge config');
      const allowed = change.manager === CLIENT_SIDE_MANAGER ? lastAppliedFields(live) : undefined;
      if (allowed === undefined) throw conflictStatus(err.conflicts, managed);
      const remaining = err.conflicts.filter((conflict) => !has(allowed, conflict.path));
      if (remaining.length > 0) throw conflictStatus(remaining, managed);
      return attempt(true);
    }
  }

  #putApplied(
    out: Map<string, ManagedEntry>,
    change: ApplyChange,
    owned: FieldSet,
    known: ManagedEntry | undefined,
    time: string | undefined,
  ): void {
    const applied = withoutStripped(owned);
    if (isEmpty(applied)) return;
    const writer = writerOf(change, 'Apply');
    const key = writerKey(writer);
    const set = this.#shared.owned(change.resource, key, applied);
    const same =
      known !== undefined && equalValues(known.set, set) && known.apiVersion === writer.apiVersion && known.time === time;
    out.set(key, same ? known : { ...writer, applied: true, set, time, source: undefined });
  }
}

const isCustom = (resource: Resource): boolean => resource.schema.kind !== 'object' || resource.schema.name === undefined;

function writerOf(change: FieldChange, operation: Writer['operation']): Writer {
  const { manager, subresource, resource } = change;
  return { manager: manager === '' ? UNKNOWN_MANAGER : manager, operation, apiVersion: apiVersionOf(resource), subresource };
}

/** The entries an update starts from: those the client sent, or the live ones where it sent none or none that can be read. */
function entriesForUpdate(change: FieldChange): Managed {
  const { live, object, subresource } = change;
  const stored = live?.metadata?.managedFields;
  const sent = object.metadata?.managedFields;
  // Through a subresource nobody sets entries by hand.
  if (subresource === '' && sent !== stored) {
    if (isReset(sent)) return nobody;
    if (!equalValues(sent, stored)) {
      const managed = readOrNobody(sent);
      if (managed.size > 0) return managed;
    }
  }
  return readOrNobody(stored);
}

function readOrNobody(entries: readonly ManagedFieldsEntry[] | undefined): Managed {
  try {
    return readManaged(entries);
  } catch (err) {
    if (err instanceof ManagedFieldsError) return nobody;
    throw err;
  }
}

/** The object without its entries, for comparing. */
function bare<T extends KubernetesObject>(object: T): T {
  if (object.metadata?.managedFields === undefined) return object;
  const { managedFields: _managedFields, ...metadata } = object.metadata;
  return { ...object, metadata };
}

function withEntries(object: KubernetesObject, entries: readonly ManagedFieldsEntry[] | undefined): KubernetesObject {
  if (object.metadata?.managedFields === entries) return object;
  if (entries === undefined) return bare(object);
  return { ...object, metadata: { ...object.metadata, managedFields: entries } };
}

function checkApplied(resource: Resource, object: KubernetesObject): void {
  if (!isMap(object) || object.apiVersion !== apiVersionOf(resource) || object.kind !== resource.kind) {
    throw badRequest(`invalid object type: ${kindText(object)}`);
  }
  const entries: unknown = (object as KubernetesObject).metadata?.managedFields;
  if (entries !== undefined && entries !== null) throw badRequest('metadata.managedFields must be nil');
}

/** Go's text of a GroupVersionKind. */
function kindText(object: KubernetesObject): string {
  const { apiVersion, kind }: { readonly apiVersion?: unknown; readonly kind?: unknown } = isMap(object) ? object : {};
  const version = typeof apiVersion === 'string' ? apiVersion : '';
  return `${version.includes('/') ? version : `/${version}`}, Kind=${typeof kind === 'string' ? kind : ''}`;
}

/** The 500 that upstream gives for a configuration that is not of its type. */
function typedFailure(err: unknown, what: string): unknown {
  return err instanceof TypedValueError ? customError(500, '', `${what}: ${err.message}`) : err;
}

/** All that is wrong with a value, and where, instead of the first fault that was met on the way. */
function withPaths(err: unknown, shape: Shape, value: KubernetesObject): unknown {
  if (!(err instanceof TypedValueError)) return err;
  try {
    checkTyped(shape, value, { allowDuplicates: true });
    return err;
  } catch (all) {
    return all;
  }
}

function nameText(object: KubernetesObject): string {
  const { namespace = '', name = '' } = object.metadata ?? {};
  return `${namespace}/${name}; ${kindText(object)}`;
}
