import { DurationError, durationMs } from '../api/meta/duration.ts';
import { formatTime } from '../api/meta/time.ts';
import type { Container, ContainerStatus, Pod, PodCondition, PodStatus } from '../api/types/core-v1.ts';

/** How long a simulated pod's containers run before they end by themselves: a duration as Go writes it (`90s`). Without it they run on. */
export const RUN_FOR = 'simulation.k8ts.dev/run-for';
/** The exit code they then end with; 0 unless said. */
export const EXIT_CODE = 'simulation.k8ts.dev/exit-code';

/** What a simulated node does next for one of its pods. Times are milliseconds since the epoch. */
export type PodStep =
  | { readonly do: 'nothing'; readonly lookAgainAt?: number }
  | { readonly do: 'write-status'; readonly status: PodStatus; readonly lookAgainAt?: number }
  | { readonly do: 'remove' };

/** The addresses a pod on this node has. */
export interface PodAddresses {
  readonly podIp: string;
  readonly hostIp: string;
}

/** Decides purely: from the pod as it stands to the next step. */
export function nextStep(pod: Pod, addresses: PodAddresses, now: number): PodStep {
  if (pod.metadata?.deletionTimestamp !== undefined) return { do: 'remove' };
  const phase = pod.status?.phase;
  if (phase === 'Succeeded' || phase === 'Failed') return { do: 'nothing' };
  const startedAt = pod.status?.startTime === undefined ? now : Date.parse(pod.status.startTime);
  const endsAt = endOf(pod, startedAt);
  if (endsAt !== undefined && endsAt.at <= now) {
    return { do: 'write-status', status: endedStatus(pod, addresses, startedAt, endsAt.at, endsAt.code, endsAt.reason) };
  }
  const again = endsAt === undefined ? {} : { lookAgainAt: endsAt.at };
  const status = runningStatus(pod, addresses, startedAt, now);
  return isSettled(pod, status) ? { do: 'nothing', ...again } : { do: 'write-status', status, ...again };
}

function endOf(
  pod: Pod,
  startedAt: number,
): { readonly at: number; readonly code: number; readonly reason?: string } | undefined {
  const deadline = pod.spec?.activeDeadlineSeconds;
  const runFor = runTime(pod);
  const code = Number(pod.metadata?.annotations?.[EXIT_CODE] ?? 0);
  const restarts = pod.spec?.restartPolicy === 'Always' || (pod.spec?.restartPolicy === 'OnFailure' && code !== 0);
  const byItself = runFor === undefined || restarts ? undefined : { at: startedAt + runFor, code };
  const byDeadline =
    deadline === undefined ? undefined : { at: startedAt + deadline * 1000, code: 137, reason: 'DeadlineExceeded' };
  if (byItself === undefined || byDeadline === undefined) return byItself ?? byDeadline;
  return byItself.at <= byDeadline.at ? byItself : byDeadline;
}

/** Milliseconds; undefined without a duration that can be read. */
function runTime(pod: Pod): number | undefined {
  try {
    return durationMs(pod.metadata?.annotations?.[RUN_FOR] ?? '');
  } catch (err) {
    if (err instanceof DurationError) return undefined;
    throw err;
  }
}

/** Whether the pod has been told all of `status` already, but for conditions that are others' to set. */
function isSettled(pod: Pod, status: PodStatus): boolean {
  const has = pod.status;
  if (has === undefined || has.phase !== status.phase || has.podIP !== status.podIP) return false;
  const ready = (s: PodStatus | undefined): string | undefined => s?.conditions?.find((c) => c.type === 'Ready')?.status;
  return ready(has) === ready(status) && has.observedGeneration === status.observedGeneration;
}

function runningStatus(pod: Pod, addresses: PodAddresses, startedAt: number, now: number): PodStatus {
  const gates = (pod.spec?.readinessGates ?? []).filter(
    (g) => pod.status?.conditions?.find((c) => c.type === g.conditionType)?.status !== 'True',
  );
  const ready: Partial<PodCondition> =
    gates.length === 0
      ? { status: 'True' }
      : {
          status: 'False',
          reason: 'ReadinessGatesNotReady',
          message: gates.map((g) => `the status of pod readiness gate "${g.conditionType}" is not "True", but False`).join(', '),
        };
  const started = formatTime(startedAt);
  return {
    ...pod.status,
    ...base(pod, addresses, startedAt),
    phase: 'Running',
    conditions: conditions(pod, now, { ContainersReady: { status: 'True' }, Ready: ready }),
    ...initStatuses(pod, started),
    containerStatuses: (pod.spec?.containers ?? []).map((c) => ({
      ...identity(pod, c),
      ready: true,
      started: true,
      state: { running: { startedAt: started } },
    })),
  };
}

function endedStatus(
  pod: Pod,
  addresses: PodAddresses,
  startedAt: number,
  endedAt: number,
  exitCode: number,
  reason: string | undefined,
): PodStatus {
  const succeeded = exitCode === 0;
  const why = succeeded ? 'PodCompleted' : reason === undefined ? 'PodFailed' : 'ContainersNotReady';
  const notReady: Partial<PodCondition> = { status: 'False', reason: why };
  return {
    ...pod.status,
    ...base(pod, addresses, startedAt),
    phase: succeeded ? 'Succeeded' : 'Failed',
    ...(reason === undefined ? {} : { reason, message: 'Pod was active on the node longer than the specified deadline' }),
    conditions: conditions(pod, endedAt, { ContainersReady: notReady, Ready: notReady }),
    ...initStatuses(pod, formatTime(startedAt)),
    containerStatuses: (pod.spec?.containers ?? []).map((c) => ({
      ...identity(pod, c),
      ready: false,
      started: false,
      state: {
        terminated: {
          exitCode,
          reason: succeeded ? 'Completed' : 'Error',
          startedAt: formatTime(startedAt),
          finishedAt: formatTime(endedAt),
          containerID: containerId(pod, c),
        },
      },
    })),
  };
}

function base(pod: Pod, { podIp, hostIp }: PodAddresses, startedAt: number): PodStatus {
  const ip = pod.spec?.hostNetwork === true ? hostIp : podIp;
  return {
    ...(pod.metadata?.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    hostIP: hostIp,
    hostIPs: [{ ip: hostIp }],
    podIP: ip,
    podIPs: [{ ip }],
    startTime: formatTime(startedAt),
  };
}

/** The kubelet's conditions; those of others (the scheduler's, readiness gates') stay as they are. */
function conditions(
  pod: Pod,
  now: number,
  vary: Readonly<Record<'ContainersReady' | 'Ready', Partial<PodCondition>>>,
): readonly PodCondition[] {
  const own: Readonly<Record<string, Partial<PodCondition>>> = {
    PodReadyToStartContainers: { status: 'True' },
    Initialized: { status: 'True' },
    Ready: vary.Ready,
    ContainersReady: vary.ContainersReady,
  };
  const before = pod.status?.conditions ?? [];
  const time = formatTime(now);
  return [
    ...Object.entries(own).map(([type, wanted]): PodCondition => {
      const was = before.find((c) => c.type === type);
      const lastTransitionTime = was !== undefined && was.status === wanted.status ? was.lastTransitionTime : time;
      return {
        type,
        status: 'True',
        ...wanted,
        ...(pod.metadata?.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
        ...(lastTransitionTime === undefined ? {} : { lastTransitionTime }),
      };
    }),
    ...before.filter((c) => own[c.type] === undefined),
  ];
}

function initStatuses(pod: Pod, started: string): Pick<PodStatus, 'initContainerStatuses'> {
  const init = pod.spec?.initContainers ?? [];
  if (init.length === 0) return {};
  return {
    initContainerStatuses: init.map((c) => {
      if (c.restartPolicy === 'Always') {
        return { ...identity(pod, c), ready: true, started: true, state: { running: { startedAt: started } } };
      }
      const terminated = {
        exitCode: 0,
        reason: 'Completed',
        startedAt: started,
        finishedAt: started,
        containerID: containerId(pod, c),
      };
      return { ...identity(pod, c), ready: true, started: false, state: { terminated } };
    }),
  };
}

function identity(
  pod: Pod,
  container: Container,
): Pick<ContainerStatus, 'name' | 'image' | 'imageID' | 'containerID' | 'restartCount' | 'lastState'> {
  const image = container.image ?? '';
  return {
    name: container.name,
    image,
    imageID: image,
    containerID: containerId(pod, container),
    restartCount: 0,
    lastState: {},
  };
}

const containerId = (pod: Pod, container: Container): string => `simulated://${pod.metadata?.uid ?? ''}-${container.name}`;
