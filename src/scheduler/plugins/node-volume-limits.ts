import { actions } from '../cluster-event.ts';
import { type ClusterView, type Plugin, type PodPlan, reject } from '../framework.ts';
import { claimClass } from '../volume-matching.ts';

const NAME = 'NodeVolumeLimits';

const tooMany = reject(NAME, 'node(s) exceed max volume count');

/** NodeVolumeLimits: no more volumes of a CSI driver than it can attach to the node. */
export const nodeVolumeLimits: Plugin = {
  name: NAME,
  weight: 0,
  local: false,
  hints: [
    { resource: 'CSINode', actions: actions.add | actions.update },
    { resource: 'AssignedPod', actions: actions.delete },
    { resource: 'PersistentVolumeClaim', actions: actions.add | actions.update },
  ],
  plan(pod, view): PodPlan | undefined {
    if (pod.claims.length === 0) return undefined;
    const wanted = new Map<string, string>();
    for (const name of pod.claims) collect(view, pod.namespace, name, wanted);
    if (wanted.size === 0) return undefined;
    return {
      filter(node) {
        const limits = new Map<string, number>();
        for (const driver of view.volumes.csiNode(node.name)?.spec?.drivers ?? []) {
          if (driver.allocatable?.count !== undefined) limits.set(driver.name, driver.allocatable.count);
        }
        if (limits.size === 0) return undefined;
        const attached = new Map<string, string>();
        for (const other of node.pods.values()) for (const name of other.claims) collect(view, other.namespace, name, attached);
        for (const [driver, limit] of limits) {
          const fresh = count(wanted, driver, attached);
          if (fresh > 0 && count(attached, driver) + fresh > limit) return tooMany;
        }
        return undefined;
      },
    };
  },
};

/** Files the CSI volume behind a claim, by a name unique in the cluster, with its driver. A claim without volume will get one of its own. */
function collect(view: ClusterView, namespace: string, name: string, into: Map<string, string>): void {
  const claim = view.volumes.claim(namespace, name);
  if (claim === undefined) return;
  const volume = view.volumes.volume(claim.spec?.volumeName ?? '');
  if (volume === undefined) {
    const driver = view.volumes.storageClass(claimClass(claim))?.provisioner ?? '';
    if (driver !== '') into.set(`${driver}^${namespace}/${name}`, driver);
    return;
  }
  const source = volume.spec?.csi;
  if (source !== undefined) into.set(`${source.driver}/${source.volumeHandle}`, source.driver);
}

function count(volumes: ReadonlyMap<string, string>, driver: string, except?: ReadonlyMap<string, string>): number {
  let sum = 0;
  for (const [volume, of] of volumes) if (of === driver && except?.has(volume) !== true) sum++;
  return sum;
}
