import { qosClass } from '../../api/groups/core/pod-qos.ts';
import { formatTime } from '../../api/meta/time.ts';
import type {
  Container,
  ContainerState,
  ContainerStatus,
  Pod,
  PodCondition,
  PodPhase,
  PodStatus,
  ResourceRequirements,
} from '../../api/types/core-v1.ts';
import type { ObservedContainer, ObservedPod } from '../observed/observed.ts';
import { hasStarted, type ProbeVerdicts, restartsAfter, sandboxNeeded, shouldStart } from './actions.ts';
import {
  anyRegularStarted,
  containersReady,
  ownConditions,
  podInitialized,
  podReady,
  RESTARTING_CONDITION,
  restartingCondition,
  withTransitions,
} from './pod-conditions.ts';
import { type AnyContainer, isHostNetwork, isRestartableInit, isTerminalPhase } from './pod-spec.ts';
import type { RestartTrigger } from './restart-all.ts';

/** Why a container could not be started, for its waiting state. */
export interface StartFailure {
  readonly reason: string;
  readonly message: string;
}

/** What a status is made from beside the spec and the runtime. */
export interface StatusContext {
  /** The last status made, or the API's. */
  readonly previous: PodStatus;
  readonly probes: ProbeVerdicts;
  /** By container name. */
  readonly failures: ReadonlyMap<string, StartFailure>;
  readonly hostIPs: readonly string[];
  /** Prefix of container ids: `containerd`. */
  readonly runtimeName: string;
  /** The runtime has recursive read-only mounts. */
  readonly recursiveReadOnly?: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Resources that a container runs with, by its id; those of the spec where it is not known. */
  readonly inForce?: (containerId: string) => ResourceRequirements | undefined;
  /** What the pod as a whole was granted, and has. */
  readonly wholePod?: { readonly granted: ResourceRequirements; readonly inForce: ResourceRequirements };
  /** Conditions that tell of a resize which is not over. */
  readonly resizing?: readonly Pick<PodCondition, 'type' | 'status' | 'reason' | 'message'>[];
  /** Set while all containers are cleared away to start over. */
  readonly restarting?: RestartTrigger;
  /** Nothing of the pod runs any more, nor will. */
  readonly terminal: boolean;
  /** Ends the pod: past its deadline, rejected, evicted. */
  readonly verdict?: { readonly reason: string; readonly message: string; readonly disrupts?: boolean };
}

/** The condition of pods that are pushed out; others write it too. */
const DISRUPTED = 'DisruptionTarget';
const unknownStatus = { reason: 'ContainerStatusUnknown', exitCode: 137 } as const;

/** The status of a pod (kubelet.generateAPIPodStatus): a pure function of spec, runtime and context. */
export function podStatus(pod: Pod, observed: ObservedPod, context: StatusContext): PodStatus {
  const { previous } = context;
  const spec = pod.spec;
  const hasInit = (spec?.initContainers?.length ?? 0) > 0;
  const containerStatuses = statusesOf(
    pod,
    spec?.containers ?? [],
    previous.containerStatuses,
    'regular',
    hasInit,
    observed,
    context,
  );
  const initStatuses = statusesOf(
    pod,
    spec?.initContainers ?? [],
    previous.initContainerStatuses,
    'init',
    hasInit,
    observed,
    context,
  );
  const ephemeralStatuses = statusesOf(
    pod,
    spec?.ephemeralContainers ?? [],
    previous.ephemeralContainerStatuses,
    'ephemeral',
    hasInit,
    observed,
    context,
  );
  const both = [...initStatuses, ...containerStatuses];

  const restarting = restartCondition(context);
  const startsOver = context.restarting !== undefined || (restarting !== undefined && previous.phase === 'Pending');
  let phase = podPhase(pod, both, context.terminal, startsOver);
  let reason: string | undefined;
  let message: string | undefined;
  // A pod never leaves a terminal phase, not even for the other: one that was ended as Failed may have ended well all the same.
  const known = [previous.phase, pod.status?.phase].find(isTerminalPhase);
  if (known !== undefined) phase = known;
  if (phase === previous.phase) {
    reason = previous.reason ?? pod.status?.reason;
    message = previous.message ?? pod.status?.message;
  }
  if (context.verdict !== undefined && !isTerminalPhase(pod.status?.phase)) {
    phase = 'Failed';
    reason = context.verdict.reason;
    message = context.verdict.message;
  }
  if (isTerminalPhase(pod.status?.phase)) phase = pod.status!.phase!;

  const generation = pod.metadata?.generation;
  const now = formatTime(context.now);
  const disrupts = context.verdict?.disrupts === true;
  const others = (pod.status?.conditions ?? []).filter((c) => !ownConditions.has(c.type) && !(disrupts && c.type === DISRUPTED));
  const ready = containersReady(pod, both, phase);
  const sandboxReady = !sandboxNeeded(pod, observed).needed;
  const conditions = withTransitions(
    [
      { type: 'PodReadyToStartContainers', status: sandboxReady ? 'True' : 'False' },
      podInitialized(pod, both, phase),
      podReady(ready, pod, others),
      ready,
      { type: 'PodScheduled', status: 'True' },
      ...(context.resizing ?? []),
      ...(restarting === undefined ? [] : [restarting]),
      ...(disrupts
        ? [{ type: DISRUPTED, status: 'True' as const, reason: 'TerminationByKubelet', message: context.verdict!.message }]
        : []),
    ],
    [...(previous.conditions ?? []), ...(pod.status?.conditions ?? [])],
    now,
    generation,
  );

  const seenIPs = ipsInOrder(observed.sandboxes[0]?.ips ?? [], context.hostIPs).map((ip) => ({ ip }));
  // A stopped sandbox has none any more; what a pod that has ended had is still told.
  const podIPs = isHostNetwork(pod)
    ? (previous.podIPs ?? context.hostIPs.map((ip) => ({ ip })))
    : seenIPs.length > 0
      ? seenIPs
      : (previous.podIPs ?? []);
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    phase,
    conditions: [...others, ...conditions],
    ...(message === undefined || message === '' ? {} : { message }),
    ...(reason === undefined || reason === '' ? {} : { reason }),
    ...(context.hostIPs[0] === undefined ? {} : { hostIP: context.hostIPs[0], hostIPs: context.hostIPs.map((ip) => ({ ip })) }),
    ...(podIPs[0] === undefined ? {} : { podIP: podIPs[0].ip, podIPs }),
    startTime: previous.startTime ?? pod.status?.startTime ?? now,
    ...(initStatuses.length === 0 ? {} : { initContainerStatuses: initStatuses }),
    ...(containerStatuses.length === 0 ? {} : { containerStatuses }),
    ...(ephemeralStatuses.length === 0 ? {} : { ephemeralContainerStatuses: ephemeralStatuses }),
    qosClass: qosClass(pod),
    ...wholePodResources(context.wholePod),
  };
}

/** What the pod has as a whole, where it asks for something (KEP-5419). */
function wholePodResources(wholePod: StatusContext['wholePod']): Pick<PodStatus, 'allocatedResources' | 'resources'> {
  if (wholePod === undefined) return {};
  const { requests: allocatedResources } = wholePod.granted;
  const { limits, requests } = wholePod.inForce;
  return {
    ...(allocatedResources === undefined ? {} : { allocatedResources }),
    resources: { ...(limits === undefined ? {} : { limits }), ...(requests === undefined ? {} : { requests }) },
  };
}

/** Whether the pod starts over, or did once. */
function restartCondition({
  restarting,
  previous,
}: StatusContext): Pick<PodCondition, 'type' | 'status' | 'reason' | 'message'> | undefined {
  if (restarting !== undefined) return restartingCondition(restarting);
  const before = previous.conditions?.find((c) => c.type === RESTARTING_CONDITION);
  return before === undefined ? undefined : { ...before, status: 'False' };
}

const isV6 = (ip: string): boolean => ip.includes(':');

/** At most one address of each family, that of the node's own family first. */
export function ipsInOrder(ips: readonly string[], hostIPs: readonly string[]): readonly string[] {
  const firstV6 = hostIPs[0] !== undefined && isV6(hostIPs[0]);
  const primary = ips.find((ip) => isV6(ip) === firstV6);
  const secondary = ips.find((ip) => isV6(ip) !== firstV6);
  return [primary, secondary].filter((ip) => ip !== undefined);
}

function statusesOf(
  pod: Pod,
  containers: readonly AnyContainer[],
  previous: readonly ContainerStatus[] | undefined,
  kind: 'init' | 'regular' | 'ephemeral',
  hasInit: boolean,
  observed: ObservedPod,
  context: StatusContext,
): readonly ContainerStatus[] {
  return containers.map((c) => {
    const before = previous?.find((s) => s.name === c.name);
    const own = observed.containers.filter((o) => o.name === c.name);
    let status = own.length === 0 ? unseen(pod, c, before, hasInit, context) : seen(c, own, context);
    const failure = context.failures.get(c.name);
    const newest = own[0];
    const done = kind === 'init' && newest?.state === 'exited' && newest.exitCode === 0 && !isRestartableInit(c);
    if (!done && failure !== undefined && shouldStart(pod, c, newest)) {
      const { state } = status;
      status = {
        ...status,
        ...(state?.terminated === undefined ? {} : { lastState: { terminated: state.terminated } }),
        state: { waiting: { reason: failure.reason, ...(failure.message === '' ? {} : { message: failure.message }) } },
      };
    }
    if (context.restarting !== undefined && kind !== 'ephemeral') status = startingOver(status, hasInit);
    return withReadiness(c, kind, status, newest, context.probes);
  });
}

/** The container has ended, and will start as if it never had. */
function startingOver(status: ContainerStatus, hasInit: boolean): ContainerStatus {
  const { state, lastState } = status;
  if (state?.running !== undefined) return status;
  return {
    ...status,
    state: { waiting: { reason: hasInit ? 'PodInitializing' : 'ContainerCreating', ...state?.waiting } },
    lastState: state?.terminated === undefined ? (lastState ?? {}) : { terminated: state.terminated },
  };
}

/** The runtime knows nothing of the container: it has not been made yet, or its traces are gone. */
function unseen(
  pod: Pod,
  c: AnyContainer,
  before: ContainerStatus | undefined,
  hasInit: boolean,
  context: StatusContext,
): ContainerStatus {
  if (before?.state?.terminated !== undefined) return before;
  const base: ContainerStatus = {
    name: c.name,
    image: c.image ?? '',
    imageID: '',
    ready: false,
    restartCount: before?.restartCount ?? 0,
    state: { waiting: { reason: hasInit ? 'PodInitializing' : 'ContainerCreating' } },
    lastState: before?.lastState ?? {},
    ...volumeMountStatuses(c, context),
  };
  if (before?.state?.running === undefined || base.lastState?.terminated !== undefined) return base;
  // It did run, and is gone: say so, or the pod would look as if it had never started.
  return {
    ...base,
    restartCount: base.restartCount + (pod.metadata?.deletionTimestamp === undefined ? 1 : 0),
    lastState: {
      terminated: {
        ...unknownStatus,
        message: 'The container could not be located when the pod was deleted.  The container used to be Running',
      },
    },
  };
}

function seen(c: AnyContainer, own: readonly ObservedContainer[], context: StatusContext): ContainerStatus {
  const newest = own[0]!;
  const older = own[1];
  const state = stateOf(newest, context.runtimeName);
  const granted = c.resources;
  const resources = context.inForce?.(newest.id) ?? granted;
  return {
    name: c.name,
    state,
    lastState: older === undefined ? {} : stateOf(older, context.runtimeName),
    ready: false,
    restartCount: newest.restartCount,
    image: newest.image,
    imageID: newest.imageRef,
    containerID: `${context.runtimeName}://${newest.id}`,
    ...(state.running === undefined
      ? {}
      : {
          ...(granted?.requests === undefined ? {} : { allocatedResources: granted.requests }),
          resources: {
            ...(resources?.limits === undefined ? {} : { limits: resources.limits }),
            ...(resources?.requests === undefined ? {} : { requests: resources.requests }),
          },
        }),
    ...(newest.user === undefined ? {} : { user: { linux: newest.user } }),
    ...volumeMountStatuses(c, context),
    ...(c.lifecycle?.stopSignal === undefined ? {} : { stopSignal: c.lifecycle.stopSignal }),
  };
}

function stateOf(o: ObservedContainer, runtimeName: string): ContainerState {
  switch (o.state) {
    case 'running':
      return { running: { startedAt: formatTime(o.startedAt) } };
    case 'exited':
      return {
        terminated: {
          exitCode: o.exitCode,
          ...(o.reason === '' ? {} : { reason: o.reason }),
          ...(o.message === '' ? {} : { message: o.message }),
          ...(o.startedAt <= 0 ? {} : { startedAt: formatTime(o.startedAt) }),
          ...(o.finishedAt <= 0 ? {} : { finishedAt: formatTime(o.finishedAt) }),
          containerID: `${runtimeName}://${o.id}`,
        },
      };
    case 'created':
    case 'unknown':
      return { waiting: {} };
  }
}

function volumeMountStatuses(c: AnyContainer, context: StatusContext): Pick<ContainerStatus, 'volumeMounts'> {
  const recursive = (mode: string | undefined): boolean =>
    mode === 'Enabled' || (mode === 'IfPossible' && context.recursiveReadOnly === true);
  if (c.volumeMounts === undefined || c.volumeMounts.length === 0) return {};
  return {
    volumeMounts: c.volumeMounts.map((m) => ({
      name: m.name,
      mountPath: m.mountPath,
      ...(m.readOnly === true
        ? { readOnly: true, recursiveReadOnly: recursive(m.recursiveReadOnly) ? 'Enabled' : 'Disabled' }
        : {}),
    })),
  };
}

/** prober.UpdatePodStatus: what the probes make of a container's state. */
function withReadiness(
  c: AnyContainer,
  kind: 'init' | 'regular' | 'ephemeral',
  status: ContainerStatus,
  newest: ObservedContainer | undefined,
  probes: ProbeVerdicts,
): ContainerStatus {
  if (kind === 'ephemeral') return status;
  const running = status.state?.running !== undefined && newest !== undefined;
  const started = running && hasStarted(c, newest, probes);
  if (kind === 'init' && !isRestartableInit(c as Container)) {
    return { ...status, started, ready: status.state?.terminated?.exitCode === 0 };
  }
  const ready = started && (c.readinessProbe === undefined || probes.verdict('readiness', newest.id) === 'success');
  return { ...status, started, ready };
}

/**
 * The phase from the containers' states (kubelet.getPhase). `startsOver`: how containers that wait ended before says nothing (KEP-5532).
 */
export function podPhase(pod: Pod, statuses: readonly ContainerStatus[], terminal: boolean, startsOver = false): PodPhase {
  const byName = new Map(statuses.map((s) => [s.name, s]));
  let failsForGood = pod.spec?.restartPolicy === 'Never';
  let pendingInit = 0;
  let failedInit = 0;
  let unknown = 0;
  let running = 0;
  let waiting = 0;
  let stopped = 0;
  let succeeded = 0;
  /** Ended, and to be started again. */
  let restarting = 0;
  const waitsAnew = (s: ContainerStatus | undefined): boolean =>
    s?.state?.waiting !== undefined && (startsOver || s.lastState?.terminated === undefined);
  for (const c of pod.spec?.initContainers ?? []) {
    const status = byName.get(c.name);
    const { state, lastState } = status ?? {};
    if (isRestartableInit(c)) {
      if (status === undefined) unknown++;
      else if (state?.running !== undefined) {
        if (status.started !== true) pendingInit++;
        running++;
      } else if (waitsAnew(status)) {
        pendingInit++;
        waiting++;
      }
    } else if (waitsAnew(status)) pendingInit++;
    else {
      const ended = state?.terminated ?? (state?.waiting === undefined ? undefined : lastState?.terminated);
      if (ended === undefined) pendingInit++;
      else if (ended.exitCode !== 0) {
        if (hasOwnRestarts(c) && restartsAfter(pod, c, ended.exitCode)) pendingInit++;
        else {
          failedInit++;
          if (hasOwnRestarts(c)) failsForGood = true;
        }
      }
    }
  }
  for (const c of pod.spec?.containers ?? []) {
    const status = byName.get(c.name);
    const { state, lastState } = status ?? {};
    if (state?.running !== undefined) running++;
    else if (waitsAnew(status)) waiting++;
    else {
      const ended = state?.terminated ?? (state?.waiting === undefined ? undefined : lastState?.terminated);
      if (ended === undefined) {
        unknown++;
        continue;
      }
      stopped++;
      if (state?.terminated?.exitCode === 0) succeeded++;
      if (restartsAfter(pod, c, ended.exitCode)) restarting++;
    }
  }
  if (failedInit > 0 && failsForGood) return 'Failed';
  if ((pendingInit > 0 && !anyRegularStarted(pod, statuses)) || waiting > 0) return 'Pending';
  if (running > 0 && unknown === 0) return 'Running';
  if (running === 0 && stopped > 0 && unknown === 0) {
    if (terminal) return stopped === succeeded ? 'Succeeded' : 'Failed';
    if (restarting > 0) return 'Running';
    return stopped === succeeded ? 'Succeeded' : 'Failed';
  }
  return 'Pending';
}

/** Whether a container has a say of its own in being restarted (KEP-5307). */
const hasOwnRestarts = (c: Container): boolean => c.restartPolicy !== undefined || c.restartPolicyRules !== undefined;
