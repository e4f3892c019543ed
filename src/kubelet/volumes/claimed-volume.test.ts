import { expect, it } from 'vitest';
import type { PersistentVolume, PersistentVolumeClaim, Pod, Volume } from '../../api/types/core-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { claimedVolume, claimNameOf } from './claimed-volume.ts';

const pod: Pod = deepFreeze({
  metadata: { name: 'p', namespace: 'ns', uid: 'u' },
  spec: {
    containers: [
      {
        name: 'c',
        image: 'i',
        volumeMounts: [{ name: 'files', mountPath: '/f' }],
        volumeDevices: [{ name: 'raw', devicePath: '/r' }],
      },
    ],
  },
});
const files: Volume = { name: 'files', persistentVolumeClaim: { claimName: 'data' } };
const raw: Volume = { name: 'raw', persistentVolumeClaim: { claimName: 'data' } };
const scratch: Volume = { name: 'files', ephemeral: { volumeClaimTemplate: { spec: {} } } };
const bound: PersistentVolumeClaim = deepFreeze({
  metadata: { name: 'data', uid: 'c' },
  spec: { volumeName: 'pv' },
  status: { phase: 'Bound' },
});
const pv: PersistentVolume = deepFreeze({ metadata: { name: 'pv' }, spec: { claimRef: { uid: 'c' } } });
const ask = (volume: Volume, claim?: PersistentVolumeClaim, found?: PersistentVolume): Promise<PersistentVolume> =>
  claimedVolume(pod, volume, claimNameOf(pod, volume)!, { claim: async () => claim, persistentVolume: async () => found });

it('finds the volume of a claim', async () => {
  expect(await ask(files, bound, pv)).toBe(pv);
  const block: PersistentVolume = { ...pv, spec: { ...pv.spec, volumeMode: 'Block' } };
  expect(await ask(raw, bound, block)).toBe(block);
  const owned = {
    ...bound,
    metadata: { uid: 'c', ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u', controller: true }] },
  };
  expect(await ask(scratch, owned, pv)).toBe(pv);
});

it.each<[string, Volume, PersistentVolumeClaim | undefined, PersistentVolume | undefined]>([
  [
    'error processing PVC ns/data: failed to fetch PVC from API server: persistentvolumeclaims "data" not found',
    files,
    undefined,
    pv,
  ],
  [
    'error processing PVC ns/data: PVC is being deleted',
    files,
    { ...bound, metadata: { uid: 'c', deletionTimestamp: '2026-01-01T00:00:00Z' } },
    pv,
  ],
  ['error processing PVC ns/data: PVC is not bound', files, { ...bound, status: { phase: 'Pending' } }, pv],
  ['error processing PVC ns/data: PVC has empty pvc.Spec.VolumeName', files, { ...bound, spec: {} }, pv],
  ['error processing PVC ns/p-files: not the ephemeral PVC for the pod', scratch, bound, pv],
  [
    'error processing PVC ns/data: failed to fetch PV pv from API server: persistentvolumes "pv" not found',
    files,
    bound,
    undefined,
  ],
  [
    'error processing PVC ns/data: found PV object pv but it has a nil pv.Spec.ClaimRef indicating it is not yet bound to the claim',
    files,
    bound,
    { ...pv, spec: {} },
  ],
  [
    'error processing PVC ns/data: found PV object pv but its pv.Spec.ClaimRef.UID x does not point to claim.UID c',
    files,
    bound,
    { ...pv, spec: { claimRef: { uid: 'x' } } },
  ],
  ['volume raw has volumeMode Filesystem, but is specified in volumeDevices', raw, bound, pv],
  [
    'volume files has volumeMode Block, but is specified in volumeMounts',
    files,
    bound,
    { ...pv, spec: { ...pv.spec, volumeMode: 'Block' } },
  ],
])('says %s', async (message, volume, claim, found) => {
  await expect(ask(volume, claim, found)).rejects.toThrow(message);
});
