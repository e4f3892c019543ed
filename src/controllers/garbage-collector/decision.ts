import type { KubernetesObject, OwnerReference } from '../../api/meta/object.ts';

export const ORPHAN = 'orphan';
export const FOREGROUND = 'foregroundDeletion';

const isGoing = (object: KubernetesObject): boolean => object.metadata?.deletionTimestamp !== undefined;
const holds = (object: KubernetesObject, finalizer: string): boolean => object.metadata?.finalizers?.includes(finalizer) === true;

/** Being deleted in the foreground: it waits for dependents that block it. */
export const isDeletingDependents = (object: KubernetesObject): boolean => isGoing(object) && holds(object, FOREGROUND);

/** Being deleted, its dependents to be left standing on their own. */
export const isOrphaning = (object: KubernetesObject): boolean => isGoing(object) && holds(object, ORPHAN);

export const blocks = (reference: OwnerReference): boolean => reference.blockOwnerDeletion === true;

/** What became of an owner: it stands, it is gone (or never was), or it waits for its dependents to go. */
export type OwnerState = 'solid' | 'dangling' | 'waiting';

export interface ItemObservation {
  readonly object: KubernetesObject;
  readonly owners: readonly { readonly reference: OwnerReference; readonly state: OwnerState }[];
  readonly dependents: readonly KubernetesObject[];
}

/** What to do about an object whose owners have been looked up. */
export type ItemDecision =
  | { readonly action: 'none' }
  /** Take away the references that hold nothing any more. */
  | { readonly action: 'keep'; readonly ownerReferences: readonly OwnerReference[] }
  | {
      readonly action: 'delete';
      readonly propagationPolicy: 'Foreground' | 'Background' | 'Orphan';
      /** References to be written first, so that a circle of owners does not wait for itself. */
      readonly unblocked?: readonly OwnerReference[];
    };

/** Decides on an object that is not being deleted. Pure. */
export function decideItem({ object, owners, dependents }: ItemObservation): ItemDecision {
  if (owners.length === 0) return { action: 'none' };
  const solid = owners.filter(({ state }) => state === 'solid').map(({ reference }) => reference);
  if (solid.length > 0) {
    return solid.length === owners.length ? { action: 'none' } : { action: 'keep', ownerReferences: solid };
  }
  if (dependents.length > 0 && owners.some(({ state }) => state === 'waiting')) {
    if (!dependents.some(isDeletingDependents)) return { action: 'delete', propagationPolicy: 'Foreground' };
    // Owner and dependent both wait: perhaps for each other. Nothing of this object may block its owners any longer.
    const unblocked = owners.map(({ reference }) =>
      blocks(reference) ? { ...reference, blockOwnerDeletion: false } : reference,
    );
    return { action: 'delete', propagationPolicy: 'Foreground', unblocked };
  }
  // A finalizer put there by hand tells how the user wants it.
  if (holds(object, ORPHAN)) return { action: 'delete', propagationPolicy: 'Orphan' };
  return { action: 'delete', propagationPolicy: holds(object, FOREGROUND) ? 'Foreground' : 'Background' };
}

/** The references without those to the owner; the same list when there is none. */
export function withoutOwner(object: KubernetesObject, uid: string): readonly OwnerReference[] {
  const references = object.metadata?.ownerReferences ?? [];
  return references.some((reference) => reference.uid === uid)
    ? references.filter((reference) => reference.uid !== uid)
    : references;
}
