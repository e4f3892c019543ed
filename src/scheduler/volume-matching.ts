import { quantityValue } from '../api/meta/quantity.ts';
import type { Node, PersistentVolume, PersistentVolumeClaim, TopologySelectorTerm } from '../api/types/core-v1.ts';
import { compileSelector } from './pod-info.ts';

/** The annotations by which scheduler and volume controller speak to each other. */
export const volumeAnnotations = {
  bindCompleted: 'pv.kubernetes.io/bind-completed',
  boundByController: 'pv.kubernetes.io/bound-by-controller',
  selectedNode: 'volume.kubernetes.io/selected-node',
  legacyClass: 'volume.beta.kubernetes.io/storage-class',
} as const;

/** The storage class a claim asks for; '' for none. */
export const claimClass = (claim: PersistentVolumeClaim): string =>
  claim.metadata?.annotations?.[volumeAnnotations.legacyClass] ?? claim.spec?.storageClassName ?? '';

/** The storage class a volume is of; '' for none. */
export const volumeClass = (volume: PersistentVolume): string =>
  volume.metadata?.annotations?.[volumeAnnotations.legacyClass] ?? volume.spec?.storageClassName ?? '';

/** Bound for both sides: the volume controller is done with it. */
export const fullyBound = (claim: PersistentVolumeClaim): boolean =>
  (claim.spec?.volumeName ?? '') !== '' && claim.metadata?.annotations?.[volumeAnnotations.bindCompleted] !== undefined;

/** Whether a volume is bound, or set aside by somebody, for this claim. */
export function boundTo(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const ref = volume.spec?.claimRef;
  if (ref === undefined || ref.name !== claim.metadata?.name || ref.namespace !== claim.metadata?.namespace) return false;
  return (ref.uid ?? '') === '' || ref.uid === claim.metadata?.uid;
}

const requestedBytes = (claim: PersistentVolumeClaim): number => quantityValue(claim.spec?.resources?.requests?.['storage']);

/** Claims by what they ask for, least first: so that each finds the smallest volume that will do. */
export const bySize = (a: PersistentVolumeClaim, b: PersistentVolumeClaim): number => requestedBytes(a) - requestedBytes(b);

/**
 * The volume for a claim on a node (component-helpers volume.FindMatchingVolume): one that is set aside for it, or the smallest available that
 * satisfies it. `taken`: volumes that other claims of the pod have got. `reaches`: whether a volume can be used on the node.
 */
export function findVolume(
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
  taken: ReadonlySet<string>,
  reaches: (volume: PersistentVolume) => boolean,
): PersistentVolume | undefined {
  const wanted = requestedBytes(claim);
  const className = claimClass(claim);
  const selector = claim.spec?.selector === undefined ? undefined : compileSelector(claim.spec.selector);
  let smallest: PersistentVolume | undefined;
  let smallestBytes = 0;
  for (const volume of volumes) {
    if (taken.has(volume.metadata?.name ?? '')) continue;
    const own = boundTo(volume, claim);
    if (volume.spec?.claimRef !== undefined && !own) continue;
    const bytes = quantityValue(volume.spec?.capacity?.['storage']);
    if (bytes < wanted) continue;
    if ((claim.spec?.volumeMode ?? 'Filesystem') !== (volume.spec?.volumeMode ?? 'Filesystem')) continue;
    if ((claim.spec?.volumeAttributesClassName ?? '') !== (volume.spec?.volumeAttributesClassName ?? '')) continue;
    if (volume.metadata?.deletionTimestamp !== undefined) continue;
    if (own) return reaches(volume) ? volume : undefined;
    if (volume.status?.phase !== 'Available' || volumeClass(volume) !== className) continue;
    if (selector !== undefined && !selector.matches(volume.metadata?.labels)) continue;
    if (smallest !== undefined && bytes >= smallestBytes) continue;
    const modes = volume.spec?.accessModes ?? [];
    if (!(claim.spec?.accessModes ?? []).every((mode) => modes.includes(mode)) || !reaches(volume)) continue;
    smallest = volume;
    smallestBytes = bytes;
  }
  return smallest;
}

/** Whether a node is in one of the topologies that a storage class provisions for; none stands for everywhere. */
export function topologyAllows(terms: readonly TopologySelectorTerm[] | undefined, node: Node): boolean {
  if (terms === undefined || terms.length === 0) return true;
  const labels = node.metadata?.labels ?? {};
  return terms.some((term) => {
    const expressions = term.matchLabelExpressions ?? [];
    return expressions.length > 0 && expressions.every((e) => labels[e.key] !== undefined && e.values.includes(labels[e.key]!));
  });
}
