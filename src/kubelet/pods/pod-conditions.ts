import type { ContainerStatus, Pod, PodCondition, PodPhase } from '../../api/types/core-v1.ts';
import { isRestartableInit } from './pod-spec.ts';

export const RESTARTING_CONDITION = 'AllContainersRestarting';

/** Conditions that are the kubelet's to write; all others are kept as they are. */
export const ownConditions: ReadonlySet<string> = new Set([
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodScheduled',
  'PodResizePending',
  'PodResizeInProgress',
  RESTARTING_CONDITION,
]);

/** Those of them that are taken away when they are over. */
export const passingConditions: ReadonlySet<string> = new Set(['PodResizePending', 'PodResizeInProgress']);

/** A condition before its times and generation are set. */
type Verdict = Pick<PodCondition, 'type' | 'status' | 'reason' | 'message'>;

/** What the pod's conditions say while its containers are being cleared away. */
export const restartingCondition = ({ name, exitCode }: { readonly name: string; readonly exitCode: number }) =>
  ({
    type: RESTARTING_CONDITION,
    status: 'True',
    reason: 'ContainerExited',
    message: `Container ${name} exited with code ${exitCode}, triggering pod restart`,
  }) satisfies Partial<PodCondition>;

const list = (names: readonly string[]): string => `[${names.join(' ')}]`;

/** ContainersReady: every container and sidecar is ready. `statuses` are those of init and regular containers. */
export function containersReady(pod: Pod, statuses: readonly ContainerStatus[], phase: PodPhase): Verdict {
  const unknown: string[] = [];
  const unready: string[] = [];
  const byName = new Map(statuses.map((s) => [s.name, s]));
  for (const c of [...(pod.spec?.initContainers ?? []).filter(isRestartableInit), ...(pod.spec?.containers ?? [])]) {
    const status = byName.get(c.name);
    if (status === undefined) unknown.push(c.name);
    else if (!status.ready) unready.push(c.name);
  }
  if (phase === 'Succeeded' && unknown.length === 0) return { type: 'ContainersReady', status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { type: 'ContainersReady', status: 'False', reason: 'PodFailed' };
  const messages = [
    ...(unknown.length > 0 ? [`containers with unknown status: ${list(unknown)}`] : []),
    ...(unready.length > 0 ? [`containers with unready status: ${list(unready)}`] : []),
  ];
  return messages.length === 0
    ? { type: 'ContainersReady', status: 'True' }
    : { type: 'ContainersReady', status: 'False', reason: 'ContainersNotReady', message: messages.join(', ') };
}

/** Ready: the containers are, and every readiness gate is true. `conditions` are the pod's others. */
export function podReady(ready: Verdict, pod: Pod, conditions: readonly PodCondition[]): Verdict {
  if (ready.status !== 'True') return { ...ready, type: 'Ready' };
  const messages: string[] = [];
  for (const gate of pod.spec?.readinessGates ?? []) {
    const condition = conditions.find((c) => c.type === gate.conditionType);
    if (condition === undefined) {
      messages.push(`corresponding condition of pod readiness gate ${JSON.stringify(gate.conditionType)} does not exist.`);
    } else if (condition.status !== 'True') {
      messages.push(
        `the status of pod readiness gate ${JSON.stringify(gate.conditionType)} is not "True", but ${condition.status}`,
      );
    }
  }
  return messages.length === 0
    ? { type: 'Ready', status: 'True' }
    : { type: 'Ready', status: 'False', reason: 'ReadinessGatesNotReady', message: messages.join(', ') };
}

/** Initialized: every init container has ended well, every sidecar has started. */
export function podInitialized(pod: Pod, statuses: readonly ContainerStatus[], phase: PodPhase): Verdict {
  const unknown: string[] = [];
  const incomplete: string[] = [];
  const byName = new Map(statuses.map((s) => [s.name, s]));
  for (const c of pod.spec?.initContainers ?? []) {
    const status = byName.get(c.name);
    if (status === undefined) unknown.push(c.name);
    else if (isRestartableInit(c) ? status.started !== true : !status.ready) incomplete.push(c.name);
  }
  if (phase === 'Succeeded' && unknown.length === 0) return { type: 'Initialized', status: 'True', reason: 'PodCompleted' };
  if (anyRegularStarted(pod, statuses)) return { type: 'Initialized', status: 'True' };
  const messages = [
    ...(unknown.length > 0 ? [`containers with unknown status: ${list(unknown)}`] : []),
    ...(incomplete.length > 0 ? [`containers with incomplete status: ${list(incomplete)}`] : []),
  ];
  return messages.length === 0
    ? { type: 'Initialized', status: 'True' }
    : { type: 'Initialized', status: 'False', reason: 'ContainersNotInitialized', message: messages.join(', ') };
}

/** Some regular container runs or has run: initialisation is behind the pod, even while sidecars restart. */
export function anyRegularStarted(pod: Pod, statuses: readonly ContainerStatus[]): boolean {
  const byName = new Map(statuses.map((s) => [s.name, s]));
  return (pod.spec?.containers ?? []).some((c) => {
    const status = byName.get(c.name);
    return (
      status?.state?.running !== undefined ||
      status?.state?.terminated !== undefined ||
      (status?.state?.waiting !== undefined && status.lastState?.terminated !== undefined)
    );
  });
}

/** Gives conditions their transition times: kept while the status stays. `now` is an RFC 3339 time. */
export function withTransitions(
  next: readonly Verdict[],
  previous: readonly PodCondition[],
  now: string,
  generation: number | undefined,
): readonly PodCondition[] {
  return next.map((c) => {
    const before = previous.find((p) => p.type === c.type);
    const same = before !== undefined && before.status === c.status && before.lastTransitionTime !== undefined;
    return {
      type: c.type,
      status: c.status,
      ...(c.reason === undefined ? {} : { reason: c.reason }),
      ...(c.message === undefined ? {} : { message: c.message }),
      lastTransitionTime: same ? before.lastTransitionTime! : now,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    };
  });
}
