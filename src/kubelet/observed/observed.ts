import type {
  Labels,
  PodSandbox,
  Container as RuntimeContainer,
  ContainerStatus as RuntimeContainerStatus,
} from '../../runtime/contract.ts';
import { keys } from '../containers/labels.ts';

/** A container as the runtime has it. Times in milliseconds since the epoch, 0 for none. */
export interface ObservedContainer {
  readonly id: string;
  readonly name: string;
  readonly sandboxId: string;
  readonly state: 'created' | 'running' | 'exited' | 'unknown';
  readonly image: string;
  readonly imageRef: string;
  readonly hash: string;
  readonly restartCount: number;
  readonly createdAt: number;
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  /** Absolute path of its log. */
  readonly logPath: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  /** Whom it runs as; undefined where the runtime does not tell. */
  readonly user?: { readonly uid: number; readonly gid: number; readonly supplementalGroups?: readonly number[] };
}

export interface ObservedSandbox {
  readonly id: string;
  readonly ready: boolean;
  readonly attempt: number;
  readonly createdAt: number;
  /** Empty on the host network. */
  readonly ips: readonly string[];
  /** Undefined when the runtime does not tell. */
  readonly hostNetwork: boolean | undefined;
  readonly labels: Labels;
}

/** A pod as the runtime has it. Both lists newest first. */
export interface ObservedPod {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly sandboxes: readonly ObservedSandbox[];
  readonly containers: readonly ObservedContainer[];
}

export const emptyObserved = (uid: string): ObservedPod => ({ uid, name: '', namespace: '', sandboxes: [], containers: [] });

/** The newest container of that name. */
export function latest(observed: ObservedPod, name: string): ObservedContainer | undefined {
  return observed.containers.find((c) => c.name === name);
}

/** The sandbox that containers run in now, if there is one ready. */
export function activeSandbox(observed: ObservedPod): ObservedSandbox | undefined {
  const newest = observed.sandboxes[0];
  return newest?.ready === true ? newest : undefined;
}

export const isRunning = (c: ObservedContainer): boolean => c.state === 'running';

const MS = 1_000_000n;
const states = { CREATED: 'created', RUNNING: 'running', EXITED: 'exited', UNKNOWN: 'unknown' } as const;

/** A container of a list joined with its status. */
export function observeContainer(
  listed: RuntimeContainer,
  status: RuntimeContainerStatus,
  message: string = status.message,
): ObservedContainer {
  return {
    id: listed.id,
    name: listed.labels[keys.containerName] ?? listed.metadata.name,
    sandboxId: listed.podSandboxId,
    state: states[status.state],
    image: status.image,
    imageRef: status.imageRef,
    hash: listed.annotations[keys.hash] ?? '',
    restartCount: Number(listed.annotations[keys.restartCount] ?? 0),
    createdAt: Number(status.createdAt / MS),
    startedAt: Number(status.startedAt / MS),
    finishedAt: Number(status.finishedAt / MS),
    exitCode: status.exitCode,
    reason: status.reason,
    message,
    logPath: status.logPath,
    labels: listed.labels,
    annotations: listed.annotations,
    ...(status.user === undefined ? {} : { user: status.user }),
  };
}

/** A sandbox of a list joined with what its status tells of the network. */
export function observeSandbox(listed: PodSandbox, ips: readonly string[], hostNetwork: boolean | undefined): ObservedSandbox {
  return {
    id: listed.id,
    ready: listed.state === 'READY',
    attempt: listed.metadata.attempt,
    createdAt: Number(listed.createdAt / MS),
    ips,
    hostNetwork,
    labels: listed.labels,
  };
}
