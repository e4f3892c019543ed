import { equalSets, type FieldSet } from '../../api/apply/index.ts';
import { markRepeated } from '../../api/repeated-parts.ts';
import type { Resource } from '../../api/resource.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import type { FieldChange } from '../contract.ts';

/** How many families of objects are remembered, and how many writers. */
const MAX_KEYS = 512;
/** How many sets of one writer of one type are. */
const MAX_SETS = 8;

/**
 * Sets that were made lately. Objects of one kind are mostly written in the same way by the same writers: they share their sets, which
 * otherwise take more memory than the objects. Bounded; what is forgotten is only no longer shared.
 */
export class SharedSets {
  readonly #created = new Map<string, FieldSet>();
  readonly #written = new Map<string, readonly FieldSet[]>();

  /**
   * What the last create of a family wrote: objects with one generateName, or of one type in a namespace. The next one is recognized by
   * looking (see `CompareOptions.guide`). Undefined for an update, and for the first of a family.
   */
  guide(change: FieldChange): FieldSet | undefined {
    if (change.live !== undefined) return undefined;
    const key = familyOf(change);
    const set = this.#created.get(key);
    if (set !== undefined) touch(this.#created, key, set);
    return set;
  }

  /** What a create wrote, or the set of its family when that has the same fields; what an update wrote, as it is. */
  created(change: FieldChange, written: FieldSet): FieldSet {
    if (change.live !== undefined) return written;
    const key = familyOf(change);
    const known = this.#created.get(key);
    if (known !== undefined && equalSets(known, written)) return again(known);
    touch(this.#created, key, written);
    return written;
  }

  /** A set that a writer has come to own by an update, or one with the same fields that it owns of another object. */
  owned(resource: Resource, writer: string, set: FieldSet): FieldSet {
    const key = `${resource.group}/${resource.version}/${resource.plural} ${writer}`;
    const known = this.#written.get(key) ?? [];
    for (const candidate of known) if (equalSets(candidate, set)) return again(candidate);
    touch(this.#written, key, [set, ...known.slice(0, MAX_SETS - 1)]);
    return set;
  }
}

/** A set that another object has as well. */
function again(set: FieldSet): FieldSet {
  markRepeated(deepFreeze(set));
  return set;
}

function familyOf({ resource, object }: FieldChange): string {
  const { namespace = '', generateName = '' } = object.metadata ?? {};
  return `${resource.group}/${resource.version}/${resource.plural}/${namespace}/${generateName}`;
}

/** Sets a value, and makes its key the last to be forgotten. */
function touch<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > MAX_KEYS) map.delete(map.keys().next().value!);
}
