import { quantityValue } from '../../api/meta/quantity.ts';
import type { Node, PersistentVolume, PersistentVolumeClaim } from '../../api/types/core-v1.ts';
import type { CSIStorageCapacity, StorageClass } from '../../api/types/storage-v1.ts';
import { actions, type EventResource, type Hint } from '../cluster-event.ts';
import { type ClusterView, isRejection, type Plugin, type Rejection, rejectForGood, type VolumeDecision } from '../framework.ts';
import type { NodeInfo } from '../node-info.ts';
import { compileSelector, type PodInfo } from '../pod-info.ts';
import { bySize, claimClass, findVolume, fullyBound, topologyAllows, volumeAnnotations } from '../volume-matching.ts';

const NAME = 'VolumeBinding';
const NO_PROVISIONER = 'kubernetes.io/no-provisioner';

const elsewhere = rejectForGood(NAME, "node(s) didn't match PersistentVolume's node affinity");
const nothingToBind = rejectForGood(NAME, "node(s) didn't find available persistent volumes to bind");
const noSpace = rejectForGood(NAME, 'node(s) did not have enough free storage');
const volumeGone = rejectForGood(NAME, 'node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)');
const unboundImmediate = rejectForGood(NAME, 'pod has unbound immediate PersistentVolumeClaims');

const whenChanged = (resource: EventResource): Hint => ({ resource, actions: actions.add | actions.update });

/** VolumeBinding: the pod's volumes can be used on the node; claims that wait for their first consumer get theirs there. */
export const volumeBinding: Plugin = {
  name: NAME,
  weight: 0,
  local: false,
  hints: [
    whenChanged('StorageClass'),
    whenChanged('PersistentVolumeClaim'),
    whenChanged('PersistentVolume'),
    { resource: 'Node', actions: actions.add | actions.updateNodeLabel | actions.updateNodeTaint },
    whenChanged('CSINode'),
    whenChanged('CSIDriver'),
    whenChanged('CSIStorageCapacity'),
  ],
  plan(pod, view) {
    if (pod.claims.length === 0) return undefined;
    const claims = sortClaims(pod, view);
    if (isRejection(claims)) return claims;
    return {
      filter: (node) => {
        const decision = decide(claims, node, view);
        return 'reasons' in decision ? decision : undefined;
      },
      prepare(node) {
        const decision = decide(claims, node, view);
        if ('reasons' in decision) throw new Error(`volumes of ${pod.key} do not fit node ${node.name} after all`);
        if (decision.bindings.length + decision.provisions.length === 0) return undefined;
        const { carriedOut, revert } = view.volumes.assume(decision, node.name);
        return { revert, carryOut: (signal) => view.volumes.bind(pod, carriedOut, node.name, signal) };
      },
    };
  },
};

/** A pod's claims: those with a volume, and those that get one where the pod goes. */
interface PodClaims {
  readonly bound: readonly PersistentVolumeClaim[];
  readonly waiting: readonly PersistentVolumeClaim[];
}

function sortClaims(pod: PodInfo, view: ClusterView): PodClaims | Rejection {
  const bound: PersistentVolumeClaim[] = [];
  const waiting: PersistentVolumeClaim[] = [];
  let immediate = false;
  for (const volume of pod.pod.spec?.volumes ?? []) {
    const own = volume.ephemeral === undefined ? undefined : `${pod.name}-${volume.name}`;
    const name = volume.persistentVolumeClaim?.claimName ?? own;
    if (name === undefined) continue;
    const claim = view.volumes.claim(pod.namespace, name);
    const fault = claimFault(pod, name, claim, own !== undefined);
    if (fault !== undefined) return rejectForGood(NAME, fault);
    if (fullyBound(claim!)) bound.push(claim!);
    else if (waitsForConsumer(claim!, view)) waiting.push(claim!);
    else immediate = true;
  }
  return immediate ? unboundImmediate : { bound, waiting };
}

function claimFault(
  pod: PodInfo,
  name: string,
  claim: PersistentVolumeClaim | undefined,
  ephemeral: boolean,
): string | undefined {
  if (claim === undefined) {
    return ephemeral
      ? `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"`
      : `persistentvolumeclaim "${name}" not found`;
  }
  if (claim.status?.phase === 'Lost') {
    return `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claim.spec?.volumeName ?? ''}"`;
  }
  if (claim.metadata?.deletionTimestamp !== undefined) return `persistentvolumeclaim "${name}" is being deleted`;
  const owned = claim.metadata?.ownerReferences?.some((o) => o.controller === true && o.uid === pod.uid) === true;
  if (ephemeral && !owned) return `PVC ${pod.namespace}/${name} was not created for pod ${pod.key} (pod is not owner)`;
  return undefined;
}

function waitsForConsumer(claim: PersistentVolumeClaim, view: ClusterView): boolean {
  // A claim that names its volume is the volume controller's to bind, whatever its class says.
  if ((claim.spec?.volumeName ?? '') !== '') return false;
  return view.volumes.storageClass(claimClass(claim))?.volumeBindingMode === 'WaitForFirstConsumer';
}

/** Which volumes the claims would get on a node, or why they cannot. */
function decide({ bound, waiting }: PodClaims, info: NodeInfo, view: ClusterView): VolumeDecision | Rejection {
  for (const claim of bound) {
    const volume = view.volumes.volume(claim.spec?.volumeName ?? '');
    if (volume === undefined) return volumeGone;
    if (!view.volumes.reaches(volume, info)) return elsewhere;
  }
  const bindings: { claim: PersistentVolumeClaim; volume: PersistentVolume }[] = [];
  const provisions: PersistentVolumeClaim[] = [];
  const toMatch: PersistentVolumeClaim[] = [];
  for (const claim of waiting) {
    const selected = claim.metadata?.annotations?.[volumeAnnotations.selectedNode];
    if (selected === undefined) toMatch.push(claim);
    else if (selected === info.name) provisions.push(claim);
    else return nothingToBind;
  }
  const taken = new Set<string>();
  const reaches = (volume: PersistentVolume): boolean => view.volumes.reaches(volume, info);
  for (const claim of toMatch.sort(bySize)) {
    const volume = findVolume(claim, view.volumes.volumesOfClass(claimClass(claim)), taken, reaches);
    if (volume === undefined) provisions.push(claim);
    else {
      taken.add(volume.metadata?.name ?? '');
      bindings.push({ claim, volume });
    }
  }
  for (const claim of provisions) {
    const rejection = cannotProvision(claim, info.node, view);
    if (rejection !== undefined) return rejection;
  }
  return { bindings, provisions };
}

function cannotProvision(claim: PersistentVolumeClaim, node: Node, view: ClusterView): Rejection | undefined {
  const storageClass = view.volumes.storageClass(claimClass(claim));
  const provisioner = storageClass?.provisioner ?? '';
  if (storageClass === undefined || provisioner === '' || provisioner === NO_PROVISIONER) return nothingToBind;
  if (!topologyAllows(storageClass.allowedTopologies, node)) return nothingToBind;
  return enoughCapacity(claim, storageClass, node, view) ? undefined : noSpace;
}

/** Storage capacity tracking (KEP-1472), for drivers that take part in it. */
function enoughCapacity(claim: PersistentVolumeClaim, storageClass: StorageClass, node: Node, view: ClusterView): boolean {
  const text = claim.spec?.resources?.requests?.['storage'];
  if (text === undefined || view.volumes.csiDriver(storageClass.provisioner)?.spec?.storageCapacity !== true) return true;
  const bytes = quantityValue(text);
  return view.volumes
    .capacities()
    .some(
      (c) =>
        c.storageClassName === storageClass.metadata?.name &&
        c.capacity !== undefined &&
        quantityValue(c.capacity) >= bytes &&
        (c.maximumVolumeSize === undefined || quantityValue(c.maximumVolumeSize) >= bytes) &&
        accessible(c, node),
    );
}

const accessible = (capacity: CSIStorageCapacity, node: Node): boolean =>
  capacity.nodeTopology !== undefined && compileSelector(capacity.nodeTopology).matches(node.metadata?.labels);
