import type { PersistentVolume, PersistentVolumeClaim } from '../../api/types/core-v1.ts';
import { BOUND_BY_CONTROLLER, PROVISIONED_BY, type VolumeNotice } from './claim-plan.ts';

export type VolumePhase = 'Available' | 'Bound' | 'Released' | 'Failed';

export type VolumePlan =
  | { readonly action: 'phase'; readonly phase: VolumePhase; readonly message?: string; readonly notice?: VolumeNotice }
  /** Its claim waits for it. */
  | { readonly action: 'wake-claim'; readonly phase: VolumePhase }
  /** Its claim was bound to another: it is free again. */
  | { readonly action: 'unbind'; readonly volume: PersistentVolume }
  | { readonly action: 'none' };

/** Decides on one volume. `claim` is the one it refers to, undefined when that is gone for certain. Pure. */
export function planVolume(volume: PersistentVolume, claim: PersistentVolumeClaim | undefined): VolumePlan {
  const ref = volume.spec?.claimRef;
  if (ref === undefined) return { action: 'phase', phase: 'Available' };
  // Promised by the user to a claim that may not exist yet.
  if (ref.uid === undefined || ref.uid === '') return { action: 'wake-claim', phase: 'Available' };
  if (claim === undefined || claim.metadata?.uid !== ref.uid) return planRelease(volume);
  const name = claim.spec?.volumeName ?? '';
  if (name === '') return { action: 'wake-claim', phase: volume.status?.phase === 'Bound' ? 'Bound' : 'Available' };
  if (name === volume.metadata?.name) return { action: 'phase', phase: 'Bound' };
  return { action: 'unbind', volume: unbound(volume) };
}

function planRelease(volume: PersistentVolume): VolumePlan {
  const { phase } = volume.status ?? {};
  if (phase !== 'Released' && phase !== 'Failed') return { action: 'phase', phase: 'Released' };
  if (phase === 'Failed') return { action: 'none' };
  const fail = (reason: string, message: string): VolumePlan => ({
    action: 'phase',
    phase: 'Failed',
    message,
    notice: { type: 'Warning', reason, message },
  });
  switch (volume.spec?.persistentVolumeReclaimPolicy) {
    case 'Recycle':
      return fail('VolumeFailedRecycle', 'No recycler plugin found for the volume!');
    case 'Delete': {
      // Who made it deletes it.
      const maker = volume.metadata?.annotations?.[PROVISIONED_BY];
      if (maker !== undefined && !maker.startsWith('kubernetes.io/')) return { action: 'none' };
      const message = `error getting deleter volume plugin for volume ${JSON.stringify(volume.metadata?.name)}: no deletable volume plugin matched`;
      return fail('VolumeFailedDelete', message);
    }
    default:
      return { action: 'none' };
  }
}

/** The volume without the claim that we gave it to; a promise of the user's stays. */
function unbound(volume: PersistentVolume): PersistentVolume {
  const { [BOUND_BY_CONTROLLER]: ours, ...annotations } = volume.metadata?.annotations ?? {};
  const { claimRef, ...spec } = volume.spec!;
  const metadata = { ...volume.metadata, annotations };
  if (ours !== undefined) return { ...volume, metadata, spec };
  const { uid: _, resourceVersion: __, ...promise } = claimRef!;
  return { ...volume, metadata, spec: { ...spec, claimRef: promise } };
}
