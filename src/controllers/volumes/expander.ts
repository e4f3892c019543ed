import { objectKey } from '../../api/meta/object.ts';
import { compareQuantities } from '../../api/meta/quantity.ts';
import type { PersistentVolumeClaim } from '../../api/types/core-v1.ts';
import type { Controller } from '../../client/controller.ts';
import { startReconciler } from '../../client/controller-runner.ts';
import { persistentVolumeClaims, persistentVolumes } from '../../client/resource-refs.ts';

const WORKERS = 10;
const ZERO = '0';

const requested = (claim: PersistentVolumeClaim): string => claim.spec?.resources?.requests?.['storage'] ?? ZERO;
const granted = (claim: PersistentVolumeClaim): string => claim.status?.capacity?.['storage'] ?? ZERO;

/** Whether a claim asks for more than its volume has. */
export const wantsMore = (claim: PersistentVolumeClaim): boolean =>
  claim.status?.phase === 'Bound' && compareQuantities(requested(claim), granted(claim)) > 0;

/**
 * Tells who asks for a larger volume that its driver has to see to it: no kind of volume is enlarged by the cluster itself any more, since
 * all that could be have become CSI drivers.
 */
export function volumeExpander(): Controller {
  return {
    name: 'persistentvolume-expander-controller',
    start(context, signal) {
      const claims = context.informers.informer(persistentVolumeClaims);
      const volumes = context.informers.informer(persistentVolumes);
      const recorder = context.recorder('volume_expand');
      const reconcile = async (key: string): Promise<void> => {
        const claim = claims.get(key);
        if (claim === undefined || !wantsMore(claim)) return;
        const bound = volumes.get(claim.spec?.volumeName ?? '')?.spec?.claimRef;
        if (bound?.uid !== claim.metadata?.uid) throw new Error(`persistent volume is not bound to PVC being updated : ${key}`);
        recorder.event(claim, 'Normal', 'ExternalExpanding', 'waiting for an external controller to expand this PVC');
      };
      const queue = startReconciler(
        context,
        { name: 'volume_expand', workers: WORKERS, informers: [claims, volumes] as never, reconcile },
        signal,
      );
      const enqueue = (claim: PersistentVolumeClaim): void => {
        if (wantsMore(claim)) queue.add(objectKey(claim));
      };
      claims.addHandler({
        onAdd: enqueue,
        onUpdate: (claim, old) => {
          const grew = compareQuantities(requested(claim), requested(old)) > 0;
          if (grew || compareQuantities(granted(claim), granted(old)) > 0) enqueue(claim);
        },
      });
    },
  };
}
