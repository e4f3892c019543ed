import { equalSets, type FieldSet } from '../../api/apply/field-set.ts';
import type { FieldChange } from '../contract.ts';

/** How many families of objects are remembered. */
const MAX_GUIDES = 512;

/**
 * What the last create of each family of objects wrote: those with one generateName, or of one type in a namespace. The next of the
 * family mostly writes the same fields: it is recognized by looking, and shares the set.
 */
export class Guides {
  readonly #sets = new Map<string, FieldSet>();

  /** The set to look for; undefined for an update, and for the first of a family. */
  find(change: FieldChange): FieldSet | undefined {
    if (change.live !== undefined) return undefined;
    const key = familyOf(change);
    const set = this.#sets.get(key);
    if (set === undefined) return undefined;
    // The one used last goes last.
    this.#sets.delete(key);
    this.#sets.set(key, set);
    return set;
  }

  /** The set to own: that of the family when it has the same fields. */
  settle(change: FieldChange, written: FieldSet): FieldSet {
    if (change.live !== undefined) return written;
    const key = familyOf(change);
    const known = this.#sets.get(key);
    if (known !== undefined && equalSets(known, written)) return known;
    this.#sets.set(key, written);
    if (this.#sets.size > MAX_GUIDES) this.#sets.delete(this.#sets.keys().next().value!);
    return written;
  }
}

function familyOf({ resource, object }: FieldChange): string {
  const { namespace = '', generateName = '' } = object.metadata ?? {};
  return `${resource.group}/${resource.version}/${resource.plural}/${namespace}/${generateName}`;
}
