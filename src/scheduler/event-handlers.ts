import type { KubernetesObject } from '../api/meta/object.ts';
import type { Node, Pod } from '../api/types/core-v1.ts';
import type { Informer, InformerFactory, ResourceRef } from '../client/contract.ts';
import {
  csiDrivers,
  csiNodes,
  csiStorageCapacities,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  storageClasses,
} from '../client/resource-refs.ts';
import type { ClusterCache } from './cache.ts';
import { actions, type ClusterEvent, type EventResource } from './cluster-event.ts';
import type { NodeDifference } from './node-info.ts';
import { nominate } from './nomination.ts';
import { PodInfo, updatedInfo } from './pod-info.ts';
import type { SchedulingQueue } from './queue.ts';

export interface EventTargets {
  readonly cache: ClusterCache;
  readonly queue: SchedulingQueue;
  readonly schedulerName: string;
}

/** A pod is one of these to the scheduler; what has ended is nothing to it. */
type Standing = 'assigned' | 'ours' | 'none';

/** Carries what informers tell into the cache and the queue. Returns the informers that must have synced before anything is decided. */
export function watchCluster(informers: InformerFactory, targets: EventTargets): readonly Informer<KubernetesObject>[] {
  const podInformer = informers.informer(pods);
  podInformer.addHandler({
    onAdd: (pod) => podChanged(targets, undefined, pod),
    onUpdate: (pod, old) => podChanged(targets, old, pod),
    onDelete: (pod) => podChanged(targets, pod, undefined),
  });
  const nodeInformer = informers.informer(nodes);
  nodeInformer.addHandler({
    onAdd: (node) => nodeChanged(targets, undefined, node),
    onUpdate: (node, old) => nodeChanged(targets, old, node),
    onDelete: (node) => nodeChanged(targets, node, undefined),
  });
  const namespaceInformer = informers.informer(namespaces);
  namespaceInformer.addHandler({
    onAdd: (ns) => targets.cache.setNamespace(ns.metadata?.name ?? '', ns.metadata?.labels ?? {}),
    onUpdate: (ns) => targets.cache.setNamespace(ns.metadata?.name ?? '', ns.metadata?.labels ?? {}),
    onDelete: (ns) => targets.cache.setNamespace(ns.metadata?.name ?? '', undefined),
  });
  const simple = <T extends KubernetesObject>(ref: ResourceRef<T>, resource: EventResource): Informer<T> => {
    const informer = informers.informer(ref);
    const tell = (action: number, verb: string, old: T | undefined, now: T | undefined): void =>
      targets.queue.happened({ resource, action, label: `${resource}${verb}`, old, now });
    informer.addHandler({
      onAdd: (object) => tell(actions.add, 'Add', undefined, object),
      onUpdate: (object, old) => tell(actions.update, 'Update', old, object),
      onDelete: (object) => tell(actions.delete, 'Delete', object, undefined),
    });
    return informer;
  };
  return [
    podInformer,
    nodeInformer,
    namespaceInformer,
    simple(persistentVolumes, 'PersistentVolume'),
    simple(persistentVolumeClaims, 'PersistentVolumeClaim'),
    simple(storageClasses, 'StorageClass'),
    simple(csiNodes, 'CSINode'),
    simple(csiDrivers, 'CSIDriver'),
    simple(csiStorageCapacities, 'CSIStorageCapacity'),
  ];
}

function standing(pod: Pod | undefined, schedulerName: string): Standing {
  const phase = pod?.status?.phase;
  if (pod === undefined || phase === 'Succeeded' || phase === 'Failed') return 'none';
  if ((pod.spec?.nodeName ?? '') !== '') return 'assigned';
  return (pod.spec?.schedulerName || 'default-scheduler') === schedulerName ? 'ours' : 'none';
}

function podChanged(targets: EventTargets, old: Pod | undefined, pod: Pod | undefined): void {
  const before = standing(old, targets.schedulerName);
  const now = standing(pod, targets.schedulerName);
  const uid = (pod ?? old)?.metadata?.uid ?? '';
  if (now === 'assigned') assigned(targets, uid, pod!);
  else if (before === 'assigned') unassigned(targets, uid, old!);
  if (now === 'ours') waiting(targets, uid, old, pod!);
  else if (before === 'ours') noLongerWaiting(targets, uid, now);
}

function assigned({ cache, queue }: EventTargets, uid: string, pod: Pod): void {
  const before = cache.pod(uid);
  const known = before !== undefined && !cache.isAssumed(uid);
  cache.setPod(pod);
  const now = cache.pod(uid)!;
  if (!known) {
    queue.happened({ resource: 'AssignedPod', action: actions.add, label: 'AssignedPodAdd', now });
    return;
  }
  const action = podActions(before, now);
  const node = cache.node(pod.spec?.nodeName ?? '');
  if (action !== 0) queue.happened({ resource: 'AssignedPod', action, label: 'AssignedPodUpdate', old: before, now, node });
}

function unassigned({ cache, queue }: EventTargets, uid: string, pod: Pod): void {
  const old = cache.pod(uid) ?? new PodInfo(pod);
  cache.removePod(uid);
  const node = cache.node(pod.spec?.nodeName ?? '');
  queue.happened({ resource: 'AssignedPod', action: actions.delete, label: 'AssignedPodDelete', old, node });
}

function waiting({ cache, queue }: EventTargets, uid: string, old: Pod | undefined, pod: Pod): void {
  // What was assumed stands until the binding is answered: a status that arrives meanwhile says nothing new.
  if (cache.isAssumed(uid)) return;
  const known = queue.get(uid)?.info;
  const info = updatedInfo(known, pod);
  queue.put(info);
  // Whatever is written is what counts; a nomination just made, not yet seen here, must not be lost by an older state.
  const nominated = pod.status?.nominatedNodeName ?? '';
  if (nominated !== '' || (old?.status?.nominatedNodeName ?? '') !== '') nominate(cache, queue, info, nominated);
  if (known === undefined) return;
  const action = podActions(known, info);
  if (action !== 0) queue.targetChanged(uid, { resource: 'TargetPod', action, label: 'PodUpdate', old: known, now: info });
}

function noLongerWaiting({ cache, queue }: EventTargets, uid: string, now: Standing): void {
  const info = queue.get(uid)?.info;
  queue.delete(uid);
  if (now === 'assigned' || info === undefined) cache.unnominate(uid);
  else nominate(cache, queue, info, '');
}

function nodeChanged({ cache, queue }: EventTargets, old: Node | undefined, node: Node | undefined): void {
  if (node === undefined) {
    cache.removeNode(old?.metadata?.name ?? '');
    queue.happened({ resource: 'Node', action: actions.delete, label: 'NodeDelete', old });
    return;
  }
  const before = cache.node(node.metadata?.name ?? '')?.node;
  const difference = cache.setNode(node);
  if (difference === 'added') queue.happened({ resource: 'Node', action: actions.add, label: 'NodeAdd', now: node });
  else if (difference !== undefined) {
    const action = nodeActions(difference);
    if (action !== 0)
      queue.happened({ resource: 'Node', action, label: 'NodeUpdate', old: before, now: node } satisfies ClusterEvent);
  }
}

const nodeActions = (d: NodeDifference): number =>
  (d.allocatable ? actions.updateNodeAllocatable : 0) |
  (d.labels ? actions.updateNodeLabel : 0) |
  (d.taints ? actions.updateNodeTaint : 0) |
  (d.conditions ? actions.updateNodeCondition : 0) |
  (d.features ? actions.updateNodeDeclaredFeature : 0) |
  (d.annotations ? actions.updateNodeAnnotation : 0);

function podActions(old: PodInfo, now: PodInfo): number {
  let action = 0;
  if (!sameLabels(old, now)) action |= actions.updatePodLabel;
  const [a, b] = [old.requests, now.requests];
  const less =
    b.milliCpu < a.milliCpu ||
    b.memory < a.memory ||
    b.ephemeralStorage < a.ephemeralStorage ||
    [...a.scalars].some(([name, amount]) => (b.scalars.get(name) ?? 0) < amount);
  if (less) action |= actions.updatePodScaleDown;
  if (JSON.stringify(old.tolerations) !== JSON.stringify(now.tolerations)) action |= actions.updatePodToleration;
  const gates = (info: PodInfo): number => (info.pod.spec?.schedulingGates ?? []).length;
  if (gates(old) > 0 && gates(now) === 0) action |= actions.updatePodSchedulingGatesEliminated;
  if (JSON.stringify(old.pod.status?.resourceClaimStatuses) !== JSON.stringify(now.pod.status?.resourceClaimStatuses)) {
    action |= actions.updatePodGeneratedResourceClaim;
  }
  return action;
}

function sameLabels({ labels: a }: PodInfo, { labels: b }: PodInfo): boolean {
  if (a === b) return true;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((k) => a[k] === b[k]);
}
