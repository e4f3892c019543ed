import type { LabelSelector } from '../../api/meta/object.ts';
import { formatTime } from '../../api/meta/time.ts';
import type { ReplicaSetCondition, ReplicaSetStatus } from '../../api/types/apps-v1.ts';
import type { Pod, PodTemplateSpec } from '../../api/types/core-v1.ts';
import { findCondition, withoutCondition } from '../conditions.ts';
import { mapMatches } from '../label-selector.ts';
import { inDeletionOrder } from './pod-ranking.ts';
import { isAvailable, isReady } from './pod-state.ts';

/** Most pods created or deleted in one pass. */
export const BURST_REPLICAS = 500;

/** What ReplicaSets and ReplicationControllers have in common. */
export interface Replicated {
  readonly replicas: number;
  readonly minReadySeconds: number;
  readonly selector: LabelSelector | undefined;
  readonly template: PodTemplateSpec | undefined;
}

export type ReplicaPlan =
  | { readonly action: 'none' }
  | { readonly action: 'create'; readonly count: number }
  | { readonly action: 'delete'; readonly pods: readonly Pod[] };

/**
 * What brings the active pods to the wanted number. `related` are the pods of all sets under the same owner: of two pods, the one that shares
 * its node with more of them goes first.
 */
export function planReplicas(spec: Replicated, active: readonly Pod[], related: () => readonly Pod[], now: number): ReplicaPlan {
  const difference = active.length - spec.replicas;
  if (difference === 0) return { action: 'none' };
  if (difference < 0) return { action: 'create', count: Math.min(-difference, BURST_REPLICAS) };
  const count = Math.min(difference, BURST_REPLICAS);
  if (count >= active.length) return { action: 'delete', pods: active.slice(0, count) };
  const onNode = new Map<string, number>();
  for (const pod of related()) {
    const node = pod.spec?.nodeName ?? '';
    onNode.set(node, (onNode.get(node) ?? 0) + 1);
  }
  const ordered = inDeletionOrder(active, (pod) => onNode.get(pod.spec?.nodeName ?? '') ?? 0, now);
  return { action: 'delete', pods: ordered.slice(0, count) };
}

export interface ReplicaObservation {
  readonly spec: Replicated;
  readonly generation: number;
  readonly status: ReplicaSetStatus | undefined;
  readonly active: readonly Pod[];
  /** Pods on their way out; undefined for types whose status does not tell. */
  readonly terminating: number | undefined;
  /** Why the last pass could not create or delete. */
  readonly failure: string | undefined;
}

/** The status that the pods call for; the same object when nothing changed. */
export function replicaStatus(observed: ReplicaObservation, now: number): ReplicaSetStatus {
  const { spec, status, active, failure } = observed;
  const templateLabels = spec.template?.metadata?.labels;
  let fullyLabeledReplicas = 0;
  let readyReplicas = 0;
  let availableReplicas = 0;
  for (const pod of active) {
    if (mapMatches(templateLabels, pod.metadata?.labels)) fullyLabeledReplicas++;
    if (!isReady(pod)) continue;
    readyReplicas++;
    if (isAvailable(pod, spec.minReadySeconds, now)) availableReplicas++;
  }
  const conditions = failureConditions(status?.conditions, active.length - spec.replicas, failure, now);
  const unchanged =
    status !== undefined &&
    status.replicas === active.length &&
    (status.fullyLabeledReplicas ?? 0) === fullyLabeledReplicas &&
    (status.readyReplicas ?? 0) === readyReplicas &&
    (status.availableReplicas ?? 0) === availableReplicas &&
    (observed.terminating === undefined || status.terminatingReplicas === observed.terminating) &&
    (status.observedGeneration ?? 0) === observed.generation &&
    conditions === status.conditions;
  if (unchanged) return status;
  return {
    replicas: active.length,
    fullyLabeledReplicas,
    readyReplicas,
    availableReplicas,
    ...(observed.terminating === undefined ? {} : { terminatingReplicas: observed.terminating }),
    observedGeneration: observed.generation,
    ...(conditions === undefined || conditions.length === 0 ? {} : { conditions }),
  };
}

/** ReplicaFailure stands while a pass fails, as first reported, and goes with the first that succeeds. */
function failureConditions(
  conditions: readonly ReplicaSetCondition[] | undefined,
  difference: number,
  failure: string | undefined,
  now: number,
): readonly ReplicaSetCondition[] | undefined {
  const current = findCondition(conditions, 'ReplicaFailure');
  if (failure === undefined) return current === undefined ? conditions : withoutCondition(conditions, 'ReplicaFailure');
  if (current !== undefined) return conditions;
  const reason = difference < 0 ? 'FailedCreate' : difference > 0 ? 'FailedDelete' : '';
  const condition = { type: 'ReplicaFailure', status: 'True', lastTransitionTime: formatTime(now), reason, message: failure };
  return [...(conditions ?? []), condition];
}
