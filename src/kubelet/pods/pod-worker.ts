import { chmod, mkdir, rm } from 'node:fs/promises';
import { deepEqual } from '../../api/groups/define.ts';
import type { Pod, PodStatus } from '../../api/types/core-v1.ts';
import type { PodSandboxConfig } from '../../runtime/contract.ts';
import { backoffDelay } from '../../util/backoff.ts';
import type { Timer } from '../../util/clock.ts';
import { podLogDirectory, sandboxConfig } from '../containers/container-config.ts';
import { type BackoffEntry, CRASH_BACKOFF_INITIAL, goDuration, nextTry } from '../containers/crash-backoff.ts';
import { removeDead } from '../containers/dead-containers.ts';
import { podDns } from '../containers/dns.ts';
import { nodeHostname, podHostname } from '../containers/hosts.ts';
import { startContainer } from '../containers/start-container.ts';
import { isRunning, latest, type ObservedPod } from '../observed/observed.ts';
import { errorText, rpcText, StartError } from '../observed/runtime-errors.ts';
import { PodProber } from '../probes/prober.ts';
import { Resizer } from '../resources/resizer.ts';
import { recursiveReadOnly } from '../volumes/container-mounts.ts';
import { tearDownPod } from '../volumes/pod-volumes.ts';
import { nextActions, type PodActions } from './actions.ts';
import { graceForKill, killContainer, killPod } from './kill-pod.ts';
import { concernsKubelet } from './pod-changes.ts';
import { PodMounts } from './pod-mounts.ts';
import type { PodServices } from './pod-services.ts';
import {
  type AnyContainer,
  gracePeriodOf,
  isHostNetwork,
  isTerminalPhase,
  podFormat,
  podName,
  podNamespace,
  podUid,
} from './pod-spec.ts';
import { ipsInOrder, podStatus, type StartFailure } from './pod-status.ts';
import { endAll, type RestartTrigger, removeAll } from './restart-all.ts';
import { userNamespaceObstacle } from './user-namespaces.ts';

/** How a failed sync is tried again. Milliseconds. */
const RETRY = { initial: 500, max: 60_000 } as const;
/** When a container that could not be made is tried again (workerBackOffPeriod). Milliseconds. */
const START_RETRY_MS = 10_000;
/** How long ErrImagePull is shown before it turns into ImagePullBackOff. Milliseconds. */
const PULL_FAILED_MS = 2_000;

/** Why a pod ends though it could go on. */
export interface Verdict {
  readonly reason: string;
  readonly message: string;
  /** Seconds; the pod's own unless said. */
  readonly grace?: number;
  /** The node pushes the pod out: the pod is told so by its condition DisruptionTarget. */
  readonly disrupts?: boolean;
}

/** Probes as metrics name them. */
const probeTypes = { liveness: 'Liveness', readiness: 'Readiness', startup: 'Startup' } as const;

type Stage = 'running' | 'terminating' | 'terminated' | 'released';

/**
 * Looks after one pod from when it is first seen until nothing of it is left. Level-triggered: whatever happens only says "look again"; one
 * look at a time compares what should be with what is, and does what is missing. Dying at any point loses nothing that the next look does not find.
 */
export class PodWorker {
  readonly uid: string;
  readonly #services: PodServices;
  readonly #prober: PodProber;
  readonly #resizer: Resizer;
  /** As in the API. */
  #wanted: Pod;
  /** With the resources it was granted. */
  #pod: Pod;
  #stage: Stage = 'running';
  /** The pod is no longer in the API. */
  #gone: boolean;
  #verdict: Verdict | undefined;
  #grace = Number.POSITIVE_INFINITY;
  #dirty = false;
  #busy = false;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;
  /** Aborts the look under way, when the pod is to end and when its grace shrinks. */
  #current = new AbortController();
  #timer: Timer | undefined;
  #wakeAt = Number.POSITIVE_INFINITY;
  #failuresInRow = 0;
  /** Monotonic time. */
  readonly #firstSeen: number;
  #ran = false;
  /** After a failure: no look before this. Milliseconds since the epoch. */
  #holdUntil = 0;
  readonly #mounts: PodMounts;
  readonly #failures = new Map<string, StartFailure>();
  readonly #crash = new Map<string, BackoffEntry>();
  readonly #retryAt = new Map<string, number>();
  /** All containers are being cleared away, to start over. */
  #restarting: RestartTrigger | undefined;
  #restartBackoff: BackoffEntry | undefined;
  #sandboxConfig: { readonly attempt: number; readonly config: PodSandboxConfig } | undefined;

  /** `pod` as in the API; or as the runtime remembers it, with `gone`, for one the API has forgotten. */
  constructor(services: PodServices, pod: Pod, gone = false) {
    this.uid = podUid(pod);
    this.#services = services;
    this.#firstSeen = services.clock.monotonic();
    this.#mounts = new PodMounts(services);
    this.#resizer = new Resizer(services, pod);
    this.#wanted = pod;
    this.#pod = this.#resizer.granted(pod);
    this.#gone = gone;
    this.#prober = new PodProber({
      clock: services.clock,
      run: (probe, target, signal) => services.probe(probe, target, signal),
      event: (container, reason, message) => services.record(this.#pod, 'Warning', reason, message, container),
      changed: () => this.poke(),
      counted: (kind, container, result) =>
        services.metrics.probes.inc({
          container,
          namespace: podNamespace(this.#pod),
          pod: podName(this.#pod),
          pod_uid: this.uid,
          probe_type: probeTypes[kind],
          result,
        }),
    });
    if (this.#ends()) this.#shrinkGrace();
  }

  get pod(): Pod {
    return this.#pod;
  }
  get stage(): Stage {
    return this.#stage;
  }

  /** The pod as it now is in the API. */
  update(pod: Pod): void {
    const ended = this.#ends();
    const before = this.#pod;
    this.#wanted = pod;
    this.#pod = this.#resizer.granted(pod);
    // The downward API shows these in files.
    const shown = !deepEqual(
      [before.metadata?.labels, before.metadata?.annotations],
      [pod.metadata?.labels, pod.metadata?.annotations],
    );
    if (shown) this.#mounts.changed();
    if (this.#ends() && (this.#shrinkGrace() || !ended)) this.#abort();
    // The echo of a status written here changes nothing.
    if (!shown && this.#ends() === ended && !concernsKubelet(before, pod)) return;
    this.#holdUntil = 0;
    this.poke();
  }

  /** The pod is no longer in the API; `last` is how it was last seen there. */
  removed(last: Pod): void {
    this.#wanted = last;
    this.#pod = this.#resizer.granted(last);
    this.#gone = true;
    this.#holdUntil = 0;
    this.#shrinkGrace();
    if (this.#stage !== 'terminated') this.#abort();
    this.poke();
  }

  /** Ends the pod as Failed: rejected, past its deadline, evicted. */
  end(verdict: Verdict): void {
    if (this.#verdict !== undefined) return;
    this.#verdict = verdict;
    this.#holdUntil = 0;
    if (verdict.grace !== undefined) this.#grace = Math.min(this.#grace, Math.max(verdict.grace, 1));
    this.#shrinkGrace();
    this.#abort();
    this.poke();
  }

  /** Something a volume shows has changed. */
  refreshVolumes(): void {
    this.#mounts.changed();
    // It may be just what a container was waiting for.
    for (const [name, failure] of this.#failures) if (failure.reason === 'CreateContainerConfigError') this.#retryAt.delete(name);
    this.poke();
  }

  /** Something has changed: look again. */
  poke(): void {
    this.#dirty = true;
    if (!this.#busy && !this.#stopped && this.#stage !== 'released') this.#looking = this.#run();
  }

  /** The kubelet ends: the pod's containers go on without it. Resolves when nothing is being done for the pod any more. */
  stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#prober.stop();
    this.#abort();
    return this.#looking;
  }

  #ends(): boolean {
    return (
      this.#gone ||
      this.#pod.metadata?.deletionTimestamp !== undefined ||
      this.#verdict !== undefined ||
      isTerminalPhase(this.#pod.status?.phase) ||
      this.#stage !== 'running'
    );
  }

  /** Grace only ever shrinks, to a second at the least. Says whether it did while being used. */
  #shrinkGrace(): boolean {
    const grace = Math.max(gracePeriodOf(this.#pod), 1);
    if (grace >= this.#grace) return false;
    this.#grace = grace;
    return true;
  }

  #abort(): void {
    this.#current.abort(new Error('the pod is to end'));
  }

  async #run(): Promise<void> {
    this.#busy = true;
    while (this.#dirty && !this.#stopped && (this.#stage as Stage) !== 'released') {
      this.#timer?.cancel();
      this.#timer = undefined;
      // What failed is not tried again at once, whatever is going on around it.
      if (this.#services.clock.now() < this.#holdUntil) {
        this.#wakeAt = this.#holdUntil;
        break;
      }
      this.#dirty = false;
      this.#wakeAt = Number.POSITIVE_INFINITY;
      this.#current = new AbortController();
      const { signal } = this.#current;
      try {
        await this.#look(signal);
        this.#failuresInRow = 0;
      } catch (err) {
        if (signal.aborted) {
          this.#dirty = true;
          continue;
        }
        this.#failuresInRow++;
        this.#services.logger.warn({ err, pod: podFormat(this.#pod) }, 'error syncing pod, skipping');
        const wait = backoffDelay(RETRY, this.#failuresInRow);
        this.#holdUntil = this.#services.clock.now() + wait;
        this.#wakeIn(wait);
      }
    }
    this.#busy = false;
    if (!this.#stopped && Number.isFinite(this.#wakeAt)) {
      const ms = Math.max(0, this.#wakeAt - this.#services.clock.now());
      this.#timer = this.#services.clock.setTimer(ms, () => this.poke());
    }
  }

  #wakeIn(ms: number): void {
    this.#wakeAt = Math.min(this.#wakeAt, this.#services.clock.now() + ms);
  }

  async #look(signal: AbortSignal): Promise<void> {
    if (this.#stage === 'terminated') return this.#afterEnd();
    if (this.#ends()) return this.#terminate(signal);
    return this.#sync(signal);
  }

  get #observed(): ObservedPod {
    return this.#services.cache.get(this.uid);
  }

  #podIPs(): readonly string[] {
    const ips = isHostNetwork(this.#pod) ? this.#services.hostIPs : (this.#observed.sandboxes[0]?.ips ?? []);
    return ipsInOrder(ips, this.#services.hostIPs);
  }

  /** Makes the status from what is known now, and has it written. */
  #report(terminal = false): PodStatus {
    const services = this.#services;
    const observed = this.#observed;
    this.#prober.update(this.#pod, observed, this.#podIPs()[0] ?? '', this.#ends());
    const status = podStatus(this.#pod, observed, {
      previous: services.status.get(this.uid) ?? this.#pod.status ?? {},
      probes: this.#prober,
      failures: this.#failures,
      hostIPs: services.hostIPs,
      runtimeName: services.runtimeName,
      recursiveReadOnly: recursiveReadOnly(services.abilities().runtimeHandlers),
      now: services.clock.now(),
      inForce: (id) => this.#resizer.inForce(id),
      resizing: this.#resizer.conditions(this.#wanted, observed),
      ...(this.#resizer.wholePod === undefined ? {} : { wholePod: this.#resizer.wholePod }),
      terminal,
      ...(this.#restarting === undefined ? {} : { restarting: this.#restarting }),
      ...(this.#verdict === undefined ? {} : { verdict: this.#verdict }),
    });
    if (!this.#gone) services.status.set(this.#pod, status);
    if (!this.#ran && status.phase === 'Running') {
      this.#ran = true;
      // One that ran before this kubelet did was not started by it.
      if (this.#pod.status?.phase !== 'Running')
        services.metrics.podStart.observe((services.clock.monotonic() - this.#firstSeen) / 1000);
    }
    return status;
  }

  async #sync(signal: AbortSignal): Promise<void> {
    const { clock } = this.#services;
    const status = this.#report();
    const deadline = this.#pod.spec?.activeDeadlineSeconds;
    if (deadline !== undefined && status.startTime !== undefined) {
      const left = Date.parse(status.startTime) + deadline * 1000 - clock.now();
      if (left <= 0) {
        this.#services.record(
          this.#pod,
          'Normal',
          'DeadlineExceeded',
          'Pod was active on the node longer than the specified deadline',
        );
        this.end({
          reason: 'DeadlineExceeded',
          message: 'Pod was active on the node longer than the specified deadline',
        });
        signal.throwIfAborted();
      }
      this.#wakeIn(left);
    }
    if (isTerminalPhase(status.phase)) {
      this.#stage = 'terminating';
      this.#shrinkGrace();
      return this.#terminate(signal);
    }
    const mounted = await this.#mounts.bringUpToDate(this.#pod, this.#podIPs());
    if (mounted.retryIn !== undefined) this.#wakeIn(mounted.retryIn);
    if (!mounted.complete) return;
    signal.throwIfAborted();
    await this.#resize(signal);
    const actions = nextActions(this.#pod, this.#observed, this.#prober);
    await this.#perform(actions, signal);
    await removeDead(this.#services, this.#observed);
    const renewAt = this.#services.tokenRenewAt(this.uid);
    if (renewAt !== undefined) {
      if (renewAt <= clock.now()) this.#mounts.changed();
      this.#wakeIn(Math.max(renewAt - clock.now(), 1000));
    }
  }

  async #resize(signal: AbortSignal): Promise<void> {
    if (this.#resizer.settled(this.#wanted, this.#observed)) return;
    const outcome = await this.#resizer.resize(this.#wanted, this.#observed, this.#podIPs()[0] ?? '', signal);
    this.#pod = this.#resizer.granted(this.#wanted);
    if (outcome === 'again') this.#wakeIn(START_RETRY_MS);
    if (outcome === 'restarted') await this.#services.cache.refresh(this.uid, signal);
    this.#report();
  }

  async #perform(actions: PodActions, signal: AbortSignal): Promise<void> {
    const services = this.#services;
    const spec = this.#pod.spec;
    if (actions.restartAll !== undefined) return this.#startOver(actions.restartAll, signal);
    if (actions.killPod) {
      if (actions.createSandbox && actions.attempt > 0) {
        services.record(this.#pod, 'Normal', 'SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.');
      }
      await killPod(services, this.#pod, this.#observed, gracePeriodOf(this.#pod), signal);
      await services.cache.refresh(this.uid, signal);
      this.#report();
    } else {
      for (const kill of actions.kill) {
        const podIP = this.#podIPs()[0] ?? '';
        await killContainer(services, this.#pod, kill, kill.message, graceForKill(this.#pod, kill), podIP, signal);
      }
      if (actions.kill.length > 0) {
        await services.cache.refresh(this.uid, signal);
        this.#report();
      }
    }
    const starts = actions.startEphemeral.length + actions.startInit.length + actions.start.length;
    if (!actions.createSandbox && starts === 0) {
      if (actions.killPod) this.#wakeIn(START_RETRY_MS);
      return;
    }
    let { sandboxId } = actions;
    const config = await this.#configOf(actions.attempt);
    if (actions.createSandbox) sandboxId = await this.#createSandbox(config, signal);
    if (sandboxId === undefined) return;
    for (const i of actions.startEphemeral) await this.#start(spec?.ephemeralContainers?.[i], sandboxId, config, signal);
    let started = false;
    for (const i of actions.startInit) {
      if (await this.#start(spec?.initContainers?.[i], sandboxId, config, signal)) started = true;
    }
    for (const i of actions.start) await this.#start(spec?.containers[i], sandboxId, config, signal);
    // A restarted or first container may be what another was waiting for. One held back is not: looking again at once would never end.
    if (started) this.poke();
  }

  /** Ends and forgets all containers, so that the pod starts as it first did, in the sandbox it has (KEP-5532). */
  async #startOver(trigger: RestartTrigger, signal: AbortSignal): Promise<void> {
    const services = this.#services;
    this.#restarting = trigger;
    this.#report();
    await endAll(services, this.#observed, signal);
    await services.cache.refresh(this.uid, signal);
    const { wait, entry } = this.#nextTry(this.#restartBackoff, trigger.finishedAt);
    if (wait > 0) {
      this.#failures.set(trigger.name, this.#heldBack(trigger.name, entry));
      this.#report();
      this.#wakeIn(wait);
      return;
    }
    this.#restartBackoff = entry;
    const names = new Set([...(this.#pod.spec?.initContainers ?? []), ...(this.#pod.spec?.containers ?? [])].map((c) => c.name));
    await removeAll(services, this.#observed, names, trigger);
    await services.cache.refresh(this.uid, signal);
    this.#failures.clear();
    this.#retryAt.clear();
    this.#report();
    this.#restarting = undefined;
    this.#report();
    this.poke();
  }

  #nextTry(entry: BackoffEntry | undefined, failedAt: number): ReturnType<typeof nextTry> {
    const { clock, maxRestartPeriod: max } = this.#services;
    return nextTry(entry, failedAt, clock.now(), Math.min(CRASH_BACKOFF_INITIAL, max), max);
  }

  /** A container that crashed waits, and is said to. */
  #heldBack(name: string, entry: BackoffEntry): StartFailure {
    const pod = podFormat(this.#pod);
    this.#services.record(this.#pod, 'Warning', 'BackOff', `Back-off restarting failed container ${name} in pod ${pod}`, name);
    return {
      reason: 'CrashLoopBackOff',
      message: `back-off ${goDuration(entry.delay)} restarting failed container=${name} pod=${pod}`,
    };
  }

  async #configOf(attempt: number): Promise<PodSandboxConfig> {
    if (this.#sandboxConfig?.attempt === attempt) return this.#sandboxConfig.config;
    const services = this.#services;
    const { hostname, domain } = podHostname(this.#pod, services.clusterDomain);
    const { config: dns, warnings } = podDns(this.#pod, services.dns);
    for (const { reason, message } of warnings) services.record(this.#pod, 'Warning', reason, message);
    const userNamespace = await services.userNamespaces.of(this.#pod);
    const config = sandboxConfig(this.#pod, {
      attempt,
      hostname: nodeHostname(this.#pod, hostname, domain),
      dns,
      logDir: podLogDirectory(services.podLogDir, this.#pod),
      cgroupParent: await services.cgroups.ensure(this.#pod),
      seccompRoot: `${services.rootDir}/seccomp`,
      ...(userNamespace === undefined ? {} : { userNamespace }),
    });
    this.#sandboxConfig = { attempt, config };
    return config;
  }

  async #createSandbox(config: PodSandboxConfig, signal: AbortSignal): Promise<string> {
    const services = this.#services;
    if ((this.#pod.spec?.resourceClaims ?? []).length > 0) {
      // Without its devices the pod would run as something else.
      const message = 'Failed to prepare dynamic resources: no DRA driver is registered on this node';
      services.record(this.#pod, 'Warning', 'FailedPrepareDynamicResources', message);
      throw new Error(message);
    }
    await mkdir(config.logDirectory, { recursive: true, mode: 0o750 });
    await chmod(config.logDirectory, 0o755);
    try {
      const handler = await services.runtimeHandler(this.#pod);
      const obstacle = userNamespaceObstacle(this.#pod, services.abilities().runtimeHandlers, handler);
      if (obstacle !== undefined) throw new Error(obstacle);
      const id = await services.runtime.runPodSandbox(config, handler, signal);
      services.metrics.startedPods.inc();
      // What could not start in the old one is not held back by that.
      this.#retryAt.clear();
      await services.cache.refresh(this.uid, signal);
      this.#report();
      return id;
    } catch (err) {
      if (signal.aborted) throw err;
      const message = `Failed to create pod sandbox: ${rpcText(err)}`;
      services.record(this.#pod, 'Warning', 'FailedCreatePodSandBox', message);
      throw new Error(message, { cause: err });
    }
  }

  /** Starts a container, unless it is held back or fails to start; says whether it was started. */
  async #start(
    container: AnyContainer | undefined,
    sandboxId: string,
    config: PodSandboxConfig,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (container === undefined) return false;
    const services = this.#services;
    const { name } = container;
    const now = services.clock.now();
    const observed = this.#observed;
    const notBefore = this.#retryAt.get(name) ?? 0;
    if (now < notBefore) {
      this.#wakeIn(notBefore - now);
      return false;
    }
    let started = false;
    const before = latest(observed, name);
    if (before?.state === 'exited') {
      const { wait, entry } = this.#nextTry(this.#crash.get(name), before.finishedAt);
      this.#crash.set(name, entry);
      if (wait > 0) {
        this.#failures.set(name, this.#heldBack(name, entry));
        this.#wakeIn(wait);
        this.#retryAt.set(name, now + wait);
        this.#report();
        return false;
      }
    }
    try {
      await services.prepare(this.#pod);
      this.#tellMissingPullSecrets();
      const id = await startContainer(services, this.#pod, container, {
        sandboxId,
        sandboxConfig: config,
        podIPs: this.#podIPs(),
        volumes: this.#mounts.paths,
        observed,
        logDir: config.logDirectory,
        signal,
        pulling: () => void this.#report(),
      });
      this.#resizer.started(id, container.resources);
      this.#failures.delete(name);
      this.#retryAt.delete(name);
      started = true;
    } catch (err) {
      if (signal.aborted) throw err;
      const failure =
        err instanceof StartError
          ? { reason: err.reason, message: err.message }
          : { reason: 'CreateContainerError', message: errorText(err) };
      this.#failures.set(name, failure);
      const wait =
        failure.reason === 'ErrImagePull'
          ? PULL_FAILED_MS
          : // Also an image whose pulls back off is looked for meanwhile: it may have been loaded by hand.
            Math.min((err instanceof StartError ? err.retryIn : undefined) ?? START_RETRY_MS, START_RETRY_MS);
      this.#retryAt.set(name, services.clock.now() + wait);
      this.#wakeIn(wait);
      services.logger.info(
        { pod: podFormat(this.#pod), container: name, reason: failure.reason, message: failure.message },
        'container could not be started',
      );
    }
    await services.cache.refresh(this.uid, signal);
    this.#report();
    return started;
  }

  #tellMissingPullSecrets(): void {
    const services = this.#services;
    const wanted = (this.#pod.spec?.imagePullSecrets ?? []).map((ref) => ref.name ?? '').filter((name) => name !== '');
    if (wanted.length === 0) return;
    const found = new Set(services.pullSecrets(this.#pod).map((s) => s.metadata?.name));
    const missing = wanted.filter((name) => !found.has(name));
    if (missing.length === 0) return;
    services.record(
      this.#pod,
      'Warning',
      'FailedToRetrieveImagePullSecret',
      `Unable to retrieve some image pull secrets (${missing.join(', ')}); attempting to pull the image may not succeed.`,
    );
  }

  async #terminate(signal: AbortSignal): Promise<void> {
    const services = this.#services;
    this.#stage = 'terminating';
    this.#shrinkGrace();
    this.#report();
    // The cache may lag behind a container being started when the end came.
    const observed = await services.cache.refresh(this.uid);
    await killPod(services, this.#pod, observed, this.#grace, signal);
    const after = await services.cache.refresh(this.uid);
    const alive = after.containers.filter(isRunning);
    if (alive.length > 0)
      throw new Error(`detected running containers after a successful KillPod: ${alive.map((c) => c.name).join(', ')}`);
    this.#failures.clear();
    this.#stage = 'terminated';
    this.#report(true);
    this.#prober.stop();
    await this.#afterEnd();
  }

  /** Everything has ended. Frees what the pod held; then waits for the API to let it go, and removes its traces. */
  async #afterEnd(): Promise<void> {
    const services = this.#services;
    await tearDownPod(services.rootDir, this.uid, services.mounter);
    await services.localVolumes.release();
    await services.cgroups.remove(this.uid);
    if (!this.#gone) {
      await services.status.flushed(this.uid);
      if (this.#pod.metadata?.deletionTimestamp === undefined) return;
      await services.remove(this.#pod);
    }
    const observed = this.#observed;
    for (const sandbox of observed.sandboxes) {
      await services.runtime.stopPodSandbox(sandbox.id);
      await services.runtime.removePodSandbox(sandbox.id);
    }
    for (const container of observed.containers) await services.runtime.removeContainer(container.id);
    await rm(podLogDirectory(services.podLogDir, this.#pod), { recursive: true, force: true });
    await services.cache.refresh(this.uid);
    if (this.#gone) {
      this.#stage = 'released';
      services.released(this.uid);
    }
  }
}
