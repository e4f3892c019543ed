import type { Container, ContainerRestartRule, Pod } from '../../api/types/core-v1.ts';
import { containerHash } from '../containers/labels.ts';
import { isRunning, latest, type ObservedContainer, type ObservedPod } from '../observed/observed.ts';
import { type AnyContainer, isHostNetwork, isRestartableInit } from './pod-spec.ts';
import type { RestartTrigger } from './restart-all.ts';

/** What the probes last said about a container. */
export interface ProbeVerdicts {
  verdict(kind: 'startup' | 'liveness' | 'readiness', containerId: string): 'success' | 'failure' | 'unknown' | undefined;
}

/** Why a running container is killed while its pod goes on. */
export interface ContainerKill {
  readonly id: string;
  readonly name: string;
  /** Text of the Killing event. */
  readonly message: string;
  readonly cause: 'changed' | 'startup' | 'liveness' | 'unknown';
}

/** What to do for a pod now; in this order. Indexes are into the lists of the spec. */
export interface PodActions {
  /** Kill every container and stop the sandbox first. */
  readonly killPod: boolean;
  readonly createSandbox: boolean;
  /** The sandbox there is, when none is created. */
  readonly sandboxId: string | undefined;
  readonly attempt: number;
  readonly kill: readonly ContainerKill[];
  readonly startEphemeral: readonly number[];
  readonly startInit: readonly number[];
  readonly start: readonly number[];
  /** All containers are to end and to start over, for this one has ended so; nothing else is to be done then. */
  readonly restartAll?: RestartTrigger;
}

/** Whether the pod needs a sandbox it does not have, and the attempt number of that (runtimeutil.PodSandboxChanged). */
export function sandboxNeeded(
  pod: Pod,
  observed: ObservedPod,
): { readonly needed: boolean; readonly attempt: number; readonly sandboxId: string | undefined } {
  const newest = observed.sandboxes[0];
  if (newest === undefined) return { needed: true, attempt: 0, sandboxId: undefined };
  const ready = observed.sandboxes.filter((s) => s.ready).length;
  const again = { needed: true, attempt: newest.attempt + 1, sandboxId: newest.id };
  if (ready > 1 || !newest.ready) return again;
  if (newest.hostNetwork !== undefined && newest.hostNetwork !== isHostNetwork(pod)) return { ...again, sandboxId: undefined };
  if (!isHostNetwork(pod) && newest.ips.length === 0) return again;
  return { needed: false, attempt: newest.attempt, sandboxId: newest.id };
}

/** Whether a container that ended so is started again: its own rules (KEP-5307), its own policy, the pod's. */
export function restartsAfter(pod: Pod, container: AnyContainer, exitCode: number): boolean {
  if (ruleFor(container, exitCode) !== undefined) return true;
  const policy = container.restartPolicy ?? pod.spec?.restartPolicy ?? 'Always';
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

/** The container's own rule about an end with this code: the first that fits. */
function ruleFor(container: AnyContainer, exitCode: number): ContainerRestartRule | undefined {
  return container.restartPolicyRules?.find(({ exitCodes }) => {
    if (exitCodes === undefined) return false;
    const among = (exitCodes.values ?? []).includes(exitCode);
    return exitCodes.operator === 'NotIn' ? !among : among;
  });
}

/** The container by whose end all of the pod is to start over, if there is one. */
function restartTrigger(pod: Pod, observed: ObservedPod): RestartTrigger | undefined {
  for (const container of [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])]) {
    if (container.restartPolicyRules === undefined) continue;
    const newest = latest(observed, container.name);
    if (newest?.state !== 'exited' || ruleFor(container, newest.exitCode)?.action !== 'RestartAllContainers') continue;
    const { id, name, exitCode, finishedAt } = newest;
    return { id, name, exitCode, finishedAt };
  }
  return undefined;
}

/** Whether this container is to be started (again), going by its newest incarnation. */
export function shouldStart(pod: Pod, container: AnyContainer, status: ObservedContainer | undefined): boolean {
  if (pod.metadata?.deletionTimestamp !== undefined) return false;
  if (status === undefined) return true;
  if (status.state === 'running') return false;
  if (status.state === 'unknown' || status.state === 'created') return true;
  return restartsAfter(pod, container, status.exitCode);
}

/**
 * The next step for a pod that is to run (kuberuntime computePodActions): a pure function of the spec, of what the runtime has, and of the
 * probes. Crash back-off is not its concern: what it says to start may still have to wait.
 */
export function nextActions(pod: Pod, observed: ObservedPod, probes: ProbeVerdicts): PodActions {
  const spec = pod.spec;
  const containers = spec?.containers ?? [];
  const inits = spec?.initContainers ?? [];
  const sandbox = sandboxNeeded(pod, observed);
  const base: PodActions = {
    killPod: sandbox.needed,
    createSandbox: sandbox.needed,
    sandboxId: sandbox.sandboxId,
    attempt: sandbox.attempt,
    kill: [],
    startEphemeral: [],
    startInit: [],
    start: [],
  };
  const restartAll = restartTrigger(pod, observed);
  if (restartAll !== undefined) return { ...base, killPod: false, createSandbox: false, restartAll };
  if (sandbox.needed) return inNewSandbox(pod, observed, base, containers, inits);

  const startEphemeral = (spec?.ephemeralContainers ?? []).flatMap((c, i) => (latest(observed, c.name) === undefined ? [i] : []));
  const init = initActions(pod, inSandbox(observed, sandbox.sandboxId), probes, inits, containers);
  if (init.failed) return { ...base, killPod: true };
  if (!init.initialized) return { ...base, kill: init.kill, startInit: init.start, startEphemeral };

  const kill: ContainerKill[] = [...init.kill];
  const start: number[] = [];
  let kept = 0;
  containers.forEach((container, i) => {
    const status = latest(observed, container.name);
    if (status === undefined || !isRunning(status)) {
      if (!shouldStart(pod, container, status)) return;
      if (status?.state === 'unknown') {
        kill.push({ id: status.id, name: container.name, message: unknownMessage(container), cause: 'unknown' });
      }
      start.push(i);
      return;
    }
    const verdict = killVerdict(pod, container, status, probes);
    if (verdict === undefined) {
      kept++;
      return;
    }
    kill.push(verdict.kill);
    if (verdict.restart) start.push(i);
  });
  if (kept === 0 && start.length === 0) return { ...base, killPod: true };
  return { ...base, kill, startInit: init.start, startEphemeral, start };
}

const unknownMessage = (c: Container): string =>
  `Container ${JSON.stringify(c.name)} is in "unknown" state, try killing it before restart`;

function inNewSandbox(
  pod: Pod,
  observed: ObservedPod,
  base: PodActions,
  containers: readonly Container[],
  inits: readonly Container[],
): PodActions {
  const never =
    pod.spec?.restartPolicy === 'Never' &&
    ![...containers, ...inits].some((c) => c.restartPolicy !== undefined || c.restartPolicyRules);
  // A pod that may not run again, and did run, keeps its dead sandbox.
  if (never && base.attempt !== 0 && observed.containers.length > 0) return { ...base, createSandbox: false };
  const start = containers.flatMap((c, i) => {
    const status = latest(observed, c.name);
    return status?.state === 'exited' && !restartsAfter(pod, c, status.exitCode) ? [] : [i];
  });
  if (start.length === 0) return { ...base, createSandbox: false };
  return inits.length > 0 ? { ...base, startInit: [0] } : { ...base, start };
}

function inSandbox(observed: ObservedPod, sandboxId: string | undefined): ObservedPod {
  return { ...observed, containers: observed.containers.filter((c) => c.sandboxId === sandboxId) };
}

interface InitActions {
  readonly initialized: boolean;
  readonly failed: boolean;
  readonly start: readonly number[];
  readonly kill: readonly ContainerKill[];
}

/** Init containers in order: each regular one must end well, each sidecar must have started, before the next is touched. */
function initActions(
  pod: Pod,
  observed: ObservedPod,
  probes: ProbeVerdicts,
  inits: readonly Container[],
  containers: readonly Container[],
): InitActions {
  const start: number[] = [];
  const kill: ContainerKill[] = [];
  const initialized = containers.some((c) => {
    const status = latest(observed, c.name);
    return status !== undefined && status.state !== 'created';
  });
  // Records of early init containers may have been collected; a later one having run proves that they ended well.
  const furthest = inits.reduce((far, c, i) => (latest(observed, c.name) === undefined ? far : i), -1);
  for (const [i, container] of inits.entries()) {
    const status = latest(observed, container.name);
    if (isRestartableInit(container)) {
      if (status === undefined || !isRunning(status)) {
        if (status?.state === 'unknown') {
          kill.push({ id: status.id, name: container.name, message: unknownMessage(container), cause: 'unknown' });
        }
        start.push(i);
        if (!initialized) return { initialized: false, failed: false, start, kill };
        continue;
      }
      const verdict = killVerdict(pod, container, status, probes);
      if (verdict !== undefined) {
        kill.push(verdict.kill);
        start.push(i);
        if (!initialized) return { initialized: false, failed: false, start, kill };
        continue;
      }
      if (!initialized && !hasStarted(container, status, probes)) return { initialized: false, failed: false, start, kill };
      continue;
    }
    if (initialized || (status === undefined && i < furthest)) continue;
    if (status === undefined || status.state === 'created') {
      return { initialized: false, failed: false, start: [...start, i], kill };
    }
    if (status.state === 'running') return { initialized: false, failed: false, start, kill };
    if (status.state === 'unknown') {
      kill.push({ id: status.id, name: container.name, message: unknownMessage(container), cause: 'unknown' });
      return { initialized: false, failed: false, start: [...start, i], kill };
    }
    if (status.exitCode === 0) continue;
    const again =
      container.restartPolicy !== undefined || container.restartPolicyRules !== undefined
        ? restartsAfter(pod, container, status.exitCode)
        : pod.spec?.restartPolicy !== 'Never';
    if (!again) return { initialized: false, failed: true, start: [], kill };
    return { initialized: false, failed: false, start: [...start, i], kill };
  }
  return { initialized: true, failed: false, start, kill };
}

/** A container has started when it runs and its startup probe, if it has one, has succeeded. */
export function hasStarted(container: AnyContainer, status: ObservedContainer, probes: ProbeVerdicts): boolean {
  return isRunning(status) && (container.startupProbe === undefined || probes.verdict('startup', status.id) === 'success');
}

function killVerdict(
  pod: Pod,
  container: Container,
  status: ObservedContainer,
  probes: ProbeVerdicts,
): { readonly kill: ContainerKill; readonly restart: boolean } | undefined {
  const { id } = status;
  const name = container.name;
  // A killed container's exit code is not 0 as a rule: what may restart after a failure may restart now.
  const mayRestart = restartsAfter(pod, container, 137);
  const verdict = (cause: ContainerKill['cause'], text: string, restart: boolean) => ({
    kill: { id, name, cause, message: restart ? `${text}, will be restarted` : text },
    restart,
  });
  if (status.hash !== '' && status.hash !== containerHash(container)) {
    return verdict('changed', `Container ${name} definition changed`, true);
  }
  if (probes.verdict('liveness', id) === 'failure')
    return verdict('liveness', `Container ${name} failed liveness probe`, mayRestart);
  if (probes.verdict('startup', id) === 'failure')
    return verdict('startup', `Container ${name} failed startup probe`, mayRestart);
  return undefined;
}
