import type { OwnerReference } from '../../api/meta/object.ts';
import type { StatefulSet } from '../../api/types/apps-v1.ts';
import type { PersistentVolumeClaim, Pod } from '../../api/types/core-v1.ts';
import { controllerOf, controllerRef } from '../workload/controller-ref.ts';
import { inRange, ordinalOf, setRef } from './identity.ts';

/**
 * The owners that a claim is to have under the set's retention policy (KEP-1847): the set when claims go with it, the pod when it is being scaled
 * away and claims go with that, nobody when they are kept. Undefined when they are right, or somebody else controls the claim. Pure.
 */
export function planClaimOwners(set: StatefulSet, pod: Pod, claim: PersistentVolumeClaim): readonly OwnerReference[] | undefined {
  const references = claim.metadata?.ownerReferences ?? [];
  const isSet = (ref: OwnerReference): boolean => ref.uid === set.metadata?.uid;
  const isPod = (ref: OwnerReference): boolean => ref.uid === pod.metadata?.uid;
  const controller = controllerOf(claim);
  if (controller !== undefined && !isSet(controller) && !isPod(controller)) return undefined;
  const { whenDeleted = 'Retain', whenScaled = 'Retain' } = set.spec?.persistentVolumeClaimRetentionPolicy ?? {};
  const ordinal = ordinalOf(set, pod);
  const condemned = ordinal !== undefined && !inRange(set, ordinal);
  let wanted: OwnerReference | undefined;
  if (whenScaled === 'Delete' && condemned) {
    // A pod that was never seen by the server has no uid to refer to.
    if (pod.metadata?.uid === undefined) return undefined;
    wanted = controllerRef(pod, 'v1', 'Pod');
  } else if (whenDeleted === 'Delete') wanted = setRef(set);
  const others = references.filter((ref) => !isSet(ref) && !isPod(ref));
  const standing = references.filter((ref) => isSet(ref) || isPod(ref));
  const right =
    wanted === undefined
      ? standing.length === 0
      : standing.length === 1 && standing[0]!.uid === wanted.uid && standing[0]!.controller === true;
  if (right) return undefined;
  return wanted === undefined ? others : [...others, wanted];
}

/** A claim that is to go with an earlier pod of the name: a new pod must wait until it is gone. */
export function isStaleClaim(pod: Pod, claim: PersistentVolumeClaim): boolean {
  return (claim.metadata?.ownerReferences ?? []).some(
    (ref) => ref.kind === 'Pod' && ref.name === pod.metadata?.name && ref.uid !== pod.metadata?.uid,
  );
}
