import type { Volume } from '../../api/types/core-v1.ts';
import { actions } from '../cluster-event.ts';
import { type Plugin, type PodPlan, reject } from '../framework.ts';

const NAME = 'VolumeRestrictions';

const diskConflict = reject(NAME, 'node(s) had no available disk');
const inUse = reject(NAME, 'node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode');

/** VolumeRestrictions: disks that one pod at a time can write to, and claims that one pod at a time can use. */
export const volumeRestrictions: Plugin = {
  name: NAME,
  weight: 0,
  local: false,
  hints: [
    { resource: 'AssignedPod', actions: actions.delete },
    { resource: 'Node', actions: actions.add },
    { resource: 'PersistentVolumeClaim', actions: actions.add | actions.update },
  ],
  plan(pod, view): PodPlan | undefined {
    const exclusive = pod.claims.filter(
      (name) => view.volumes.claim(pod.namespace, name)?.spec?.accessModes?.includes('ReadWriteOncePod') === true,
    );
    const disks = (pod.pod.spec?.volumes ?? []).filter(isDisk);
    if (exclusive.length === 0 && disks.length === 0) return undefined;
    return {
      filter(node) {
        for (const disk of disks) {
          for (const other of node.pods.values()) {
            if (other.pod.spec?.volumes?.some((v) => conflict(disk, v)) === true) return diskConflict;
          }
        }
        return exclusive.some((name) => view.cache.claimUses(pod.namespace, name) > 0) ? inUse : undefined;
      },
    };
  },
};

const isDisk = (v: Volume): boolean =>
  v.gcePersistentDisk !== undefined || v.awsElasticBlockStore !== undefined || v.rbd !== undefined || v.iscsi !== undefined;

/** Whether two volumes are the same disk, and not both read only. EBS volumes cannot be shared at all. */
function conflict(a: Volume, b: Volume): boolean {
  const writing = (x: { readonly readOnly?: boolean }, y: { readonly readOnly?: boolean }): boolean =>
    !(x.readOnly === true && y.readOnly === true);
  if (a.gcePersistentDisk !== undefined && b.gcePersistentDisk !== undefined) {
    if (a.gcePersistentDisk.pdName === b.gcePersistentDisk.pdName && writing(a.gcePersistentDisk, b.gcePersistentDisk))
      return true;
  }
  if (a.awsElasticBlockStore !== undefined && a.awsElasticBlockStore.volumeID === b.awsElasticBlockStore?.volumeID) return true;
  if (a.iscsi !== undefined && b.iscsi !== undefined && a.iscsi.iqn === b.iscsi.iqn && writing(a.iscsi, b.iscsi)) return true;
  if (a.rbd === undefined || b.rbd === undefined) return false;
  const { monitors, pool = 'rbd', image } = a.rbd;
  const other = b.rbd;
  return (
    monitors.some((m) => other.monitors.includes(m)) &&
    pool === (other.pool ?? 'rbd') &&
    image === other.image &&
    writing(a.rbd, other)
  );
}
