import { formatTime, parseTime } from '../../api/meta/time.ts';
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '../../api/types/apps-v1.ts';
import { findCondition, withoutCondition } from '../conditions.ts';
import { boundsOf } from './rollout-size.ts';

/** What no deadline and no limit are written as. */
const MAX_INT32 = 2_147_483_647;

type Conditions = readonly DeploymentCondition[];

export function hasProgressDeadline(deployment: Deployment): boolean {
  const seconds = deployment.spec?.progressDeadlineSeconds;
  return seconds !== undefined && seconds !== MAX_INT32;
}

export function hasHistoryLimit(deployment: Deployment): boolean {
  const limit = deployment.spec?.revisionHistoryLimit;
  return limit !== undefined && limit !== MAX_INT32;
}

export function condition(type: string, status: string, reason: string, message: string, now: number): DeploymentCondition {
  const time = formatTime(now);
  return { type, status, lastUpdateTime: time, lastTransitionTime: time, reason, message };
}

/** Sets a condition unless one of the same status and reason stands. */
export function setCondition(conditions: Conditions, next: DeploymentCondition): Conditions {
  const current = findCondition(conditions, next.type);
  if (current !== undefined && current.status === next.status && current.reason === next.reason) return conditions;
  const kept =
    current?.status === next.status && current.lastTransitionTime !== undefined
      ? { ...next, lastTransitionTime: current.lastTransitionTime }
      : next;
  return [...withoutCondition(conditions, next.type), kept];
}

/** Replicas, and whether enough of them are available. `conditions` are those standing before. */
export function countedStatus(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  conditions: Conditions,
  now: number,
): DeploymentStatus {
  const { replicas, maxUnavailable } = boundsOf(deployment);
  const sum = (of: (set: ReplicaSet) => number | undefined): number => all.reduce((total, set) => total + (of(set) ?? 0), 0);
  const available = sum((set) => set.status?.availableReplicas);
  const wanted = sum((set) => set.spec?.replicas ?? 1);
  const enough = available >= replicas - maxUnavailable;
  const availability = enough
    ? condition('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.', now)
    : condition('Available', 'False', 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.', now);
  const terminatingKnown = all.every((set) => set.status?.terminatingReplicas !== undefined);
  const collisionCount = deployment.status?.collisionCount;
  return {
    observedGeneration: deployment.metadata?.generation ?? 0,
    replicas: sum((set) => set.status?.replicas),
    updatedReplicas: newSet?.status?.replicas ?? 0,
    readyReplicas: sum((set) => set.status?.readyReplicas),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, wanted - available),
    ...(terminatingKnown ? { terminatingReplicas: sum((set) => set.status?.terminatingReplicas) } : {}),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    conditions: setCondition(conditions, availability),
  };
}

/** Every replica is new, available, and no old one is left. */
export function isComplete(deployment: Deployment, status: DeploymentStatus | undefined): boolean {
  const replicas = deployment.spec?.replicas ?? 1;
  return (
    (status?.updatedReplicas ?? 0) === replicas &&
    (status?.replicas ?? 0) === replicas &&
    (status?.availableReplicas ?? 0) === replicas &&
    (status?.observedGeneration ?? 0) >= (deployment.metadata?.generation ?? 0)
  );
}

/** Whether anything got better since the status that stands. */
function isProgressing(before: DeploymentStatus | undefined, after: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus | undefined): number => (status?.replicas ?? 0) - (status?.updatedReplicas ?? 0);
  return (
    (after.updatedReplicas ?? 0) > (before?.updatedReplicas ?? 0) ||
    old(after) < old(before) ||
    (after.readyReplicas ?? 0) > (before?.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before?.availableReplicas ?? 0)
  );
}

function isTimedOut(deployment: Deployment, progressing: DeploymentCondition | undefined, now: number): boolean {
  if (progressing === undefined || progressing.reason === 'NewReplicaSetAvailable') return false;
  if (progressing.reason === 'ProgressDeadlineExceeded') return true;
  const since = parseTime(progressing.lastUpdateTime) ?? now;
  return since + deployment.spec!.progressDeadlineSeconds! * 1000 < now;
}

/** The counted status with what it says about the rollout: complete, moving on, stuck; and failures of the sets. */
export function rolloutStatus(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  before: Conditions,
  now: number,
): DeploymentStatus {
  const counted = countedStatus(deployment, all, newSet, before, now);
  let conditions = counted.conditions!;
  if (!hasProgressDeadline(deployment)) conditions = withoutCondition(conditions, 'Progressing');
  else conditions = progressConditions(deployment, counted, newSet, findCondition(before, 'Progressing'), now);
  return { ...counted, conditions: withFailures(conditions, all, newSet) };
}

function progressConditions(
  deployment: Deployment,
  status: DeploymentStatus,
  newSet: ReplicaSet | undefined,
  current: DeploymentCondition | undefined,
  now: number,
): Conditions {
  const conditions = status.conditions!;
  const alone = status.replicas === status.updatedReplicas && current?.reason === 'NewReplicaSetAvailable';
  if (alone) return conditions;
  const subject =
    newSet === undefined
      ? `Deployment ${JSON.stringify(deployment.metadata?.name)}`
      : `ReplicaSet ${JSON.stringify(newSet.metadata?.name)}`;
  if (isComplete(deployment, status)) {
    return setCondition(
      conditions,
      condition('Progressing', 'True', 'NewReplicaSetAvailable', `${subject} has successfully progressed.`, now),
    );
  }
  if (isProgressing(deployment.status, status)) {
    // The time of the update moves with every progress, the transition only with the status.
    const next = condition('Progressing', 'True', 'ReplicaSetUpdated', `${subject} is progressing.`, now);
    const transition = current?.status === 'True' ? current.lastTransitionTime : undefined;
    return [
      ...withoutCondition(conditions, 'Progressing'),
      transition === undefined ? next : { ...next, lastTransitionTime: transition },
    ];
  }
  if (isTimedOut(deployment, findCondition(conditions, 'Progressing'), now)) {
    return setCondition(
      conditions,
      condition('Progressing', 'False', 'ProgressDeadlineExceeded', `${subject} has timed out progressing.`, now),
    );
  }
  return conditions;
}

/** One ReplicaFailure of the sets, the new one's first, shows on the Deployment. */
function withFailures(conditions: Conditions, all: readonly ReplicaSet[], newSet: ReplicaSet | undefined): Conditions {
  const failureOf = (set: ReplicaSet | undefined) => findCondition(set?.status?.conditions, 'ReplicaFailure');
  const failure = failureOf(newSet) ?? all.map(failureOf).find((found) => found !== undefined);
  if (failure === undefined) {
    return findCondition(conditions, 'ReplicaFailure') === undefined
      ? conditions
      : withoutCondition(conditions, 'ReplicaFailure');
  }
  const { lastTransitionTime, status, reason, message } = failure;
  const time = lastTransitionTime === undefined ? {} : { lastTransitionTime, lastUpdateTime: lastTransitionTime };
  return setCondition(conditions, { type: 'ReplicaFailure', status, reason: reason ?? '', message: message ?? '', ...time });
}

/** Milliseconds until a rollout that makes no progress runs into its deadline; undefined when there is nothing to wait for. */
export function progressCheckIn(deployment: Deployment, status: DeploymentStatus, now: number): number | undefined {
  const current = findCondition(status.conditions, 'Progressing');
  if (!hasProgressDeadline(deployment) || current === undefined || deployment.spec?.paused === true) return undefined;
  if (isComplete(deployment, status) || current.reason === 'ProgressDeadlineExceeded') return undefined;
  // A finished rollout does not time out, whatever becomes of its pods.
  if (current.reason === 'NewReplicaSetAvailable') return undefined;
  const since = parseTime(current.lastUpdateTime) ?? now;
  return Math.max(0, since + deployment.spec!.progressDeadlineSeconds! * 1000 - now) + 1000;
}
