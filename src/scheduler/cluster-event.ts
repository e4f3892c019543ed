import type { NodeInfo } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';

/** What happened to an object; several may be combined. */
export const actions = {
  add: 1,
  delete: 2,
  updateNodeAllocatable: 4,
  updateNodeLabel: 8,
  updateNodeTaint: 16,
  updateNodeCondition: 32,
  updateNodeAnnotation: 64,
  updatePodLabel: 128,
  updatePodScaleDown: 256,
  updatePodToleration: 512,
  updatePodSchedulingGatesEliminated: 1024,
  updatePodGeneratedResourceClaim: 4096,
  updateNodeDeclaredFeature: 8192,
  /** Any other update. */
  update: 2048,
} as const;

/** Kinds of objects whose changes may make a pod schedulable. `AssignedPod`: one on a node. `TargetPod`: the pod in question itself. */
export type EventResource =
  | 'Node'
  | 'AssignedPod'
  | 'TargetPod'
  | 'PersistentVolume'
  | 'PersistentVolumeClaim'
  | 'StorageClass'
  | 'CSINode'
  | 'CSIDriver'
  | 'CSIStorageCapacity'
  | 'ResourceClaim'
  | 'ResourceSlice'
  | 'DeviceClass';

/** A change in the cluster that pods may have waited for. */
export interface ClusterEvent {
  readonly resource: EventResource;
  readonly action: number;
  /** Upstream's name for it, for metrics: `NodeAdd`, `AssignedPodDelete`. */
  readonly label: string;
  /** A `PodInfo` for pods, otherwise the API object; undefined where it was not or is no more. */
  readonly old?: unknown;
  readonly now?: unknown;
  /** The node that the pod is on, or was, as it is after the event. */
  readonly node?: NodeInfo | undefined;
}

/**
 * A queueing hint (KEP-4247): a change after which a pod that this plugin rejected may fit. `check` looks closer; without one every such change
 * counts.
 */
export interface Hint {
  readonly resource: EventResource;
  readonly actions: number;
  check?(pod: PodInfo, old: unknown, now: unknown, node: NodeInfo | undefined): boolean;
}

/** Whether the event may have made room for a pod, by the hints of a plugin that rejected it. */
export function mayHelp(hints: readonly Hint[], pod: PodInfo, event: ClusterEvent): boolean {
  for (const hint of hints) {
    if (hint.resource !== event.resource || (hint.actions & event.action) === 0) continue;
    if (hint.check === undefined || hint.check(pod, event.old, event.now, event.node)) return true;
  }
  return false;
}
