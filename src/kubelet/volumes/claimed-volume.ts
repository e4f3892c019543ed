import type { PersistentVolume, PersistentVolumeClaim, Pod, Volume } from '../../api/types/core-v1.ts';

/** Where claims and what they are bound to come from. */
export interface ClaimSources {
  claim(name: string): Promise<PersistentVolumeClaim | undefined>;
  persistentVolume(name: string): Promise<PersistentVolume | undefined>;
}

/** A claim gives the pod no volume, or not one that can be used in this way. The message is the volume manager's. */
export class ClaimError extends Error {
  override readonly name = 'ClaimError';
}

/** The claim that a volume of the pod names, or that was made for it; undefined for volumes of other kinds. */
export function claimNameOf(pod: Pod, volume: Volume): string | undefined {
  return volume.ephemeral === undefined ? volume.persistentVolumeClaim?.claimName : `${pod.metadata?.name}-${volume.name}`;
}

/** The persistent volume that is bound to the claim of a pod's volume. Rejects with ClaimError (populator's createVolumeSpec). */
export async function claimedVolume(
  pod: Pod,
  volume: Volume,
  claimName: string,
  sources: ClaimSources,
): Promise<PersistentVolume> {
  const failed = (why: string): ClaimError =>
    new ClaimError(`error processing PVC ${pod.metadata?.namespace}/${claimName}: ${why}`);
  const claim = await sources.claim(claimName);
  if (claim === undefined)
    throw failed(`failed to fetch PVC from API server: persistentvolumeclaims ${JSON.stringify(claimName)} not found`);
  // Pods that use a claim that is going must not be started.
  if (claim.metadata?.deletionTimestamp !== undefined) throw failed('PVC is being deleted');
  if (claim.status?.phase !== 'Bound') throw failed('PVC is not bound');
  const name = claim.spec?.volumeName ?? '';
  if (name === '') throw failed('PVC has empty pvc.Spec.VolumeName');
  if (
    volume.ephemeral !== undefined &&
    !claim.metadata?.ownerReferences?.some((o) => o.controller && o.uid === pod.metadata?.uid)
  )
    throw failed('not the ephemeral PVC for the pod');
  const found = await sources.persistentVolume(name);
  if (found === undefined)
    throw failed(`failed to fetch PV ${name} from API server: persistentvolumes ${JSON.stringify(name)} not found`);
  const { claimRef, volumeMode = 'Filesystem' } = found.spec ?? {};
  if (claimRef === undefined)
    throw failed(`found PV object ${name} but it has a nil pv.Spec.ClaimRef indicating it is not yet bound to the claim`);
  const uid = claim.metadata?.uid ?? '';
  if (claimRef.uid !== uid)
    throw failed(`found PV object ${name} but its pv.Spec.ClaimRef.UID ${claimRef.uid ?? ''} does not point to claim.UID ${uid}`);
  const wrong = volumeMode === 'Block' ? 'volumeMounts' : 'volumeDevices';
  if (isUsedIn(pod, volume.name, wrong))
    throw new ClaimError(`volume ${volume.name} has volumeMode ${volumeMode}, but is specified in ${wrong}`);
  return found;
}

function isUsedIn(pod: Pod, volume: string, list: 'volumeMounts' | 'volumeDevices'): boolean {
  const { initContainers = [], containers = [], ephemeralContainers = [] } = pod.spec ?? {};
  return [...initContainers, ...containers, ...ephemeralContainers].some((c) => c[list]?.some(({ name }) => name === volume));
}
