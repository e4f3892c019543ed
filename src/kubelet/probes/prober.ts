import type { Pod, Probe } from '../../api/types/core-v1.ts';
import type { Clock, Timer } from '../../util/clock.ts';
import { isRunning, latest, type ObservedContainer, type ObservedPod } from '../observed/observed.ts';
import type { ProbeVerdicts } from '../pods/actions.ts';
import { type AnyContainer, isRestartableInit } from '../pods/pod-spec.ts';
import { afterProbe, initialProbeState, nextProbeIn, type ProbeKind, type ProbeState } from './probe-state.ts';
import type { ProbeOutcome, ProbeTarget } from './run-probe.ts';

const kinds: readonly ProbeKind[] = ['startup', 'liveness', 'readiness'];
const titles: Readonly<Record<ProbeKind, string>> = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' };
/** Tries of one probe that could not be made at all (prober.maxProbeRetries). */
const MAX_TRIES = 3;

export interface ProberOptions {
  readonly clock: Clock;
  run(probe: Probe, target: ProbeTarget, signal: AbortSignal): Promise<ProbeOutcome>;
  /** A Warning event on a container of the pod. */
  event(containerName: string, reason: string, message: string): void;
  /** A verdict changed. */
  changed(): void;
  /** Counts an outcome: prober_probe_total. */
  counted?(kind: ProbeKind, containerName: string, result: string): void;
}

interface Worker {
  readonly kind: ProbeKind;
  readonly probe: Probe;
  readonly container: AnyContainer;
  readonly containerId: string;
  readonly startedAt: number;
  readonly stop: AbortController;
  state: ProbeState;
  lastProbeAt: number | undefined;
  timer: Timer | undefined;
  busy: boolean;
}

/** The probes of one pod: one worker for each probe of each running container. Verdicts are by container id, so that a restart begins anew. */
export class PodProber implements ProbeVerdicts {
  readonly #options: ProberOptions;
  readonly #workers = new Map<string, Worker>();
  #podIP = '';
  #stopped = false;

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  verdict(kind: ProbeKind, containerId: string): 'success' | 'failure' | 'unknown' | undefined {
    return this.#workers.get(`${kind}/${containerId}`)?.state.verdict;
  }

  /** Begins probing what runs now, and ends probing what does not. `terminating`: liveness and startup no longer matter. */
  update(pod: Pod, observed: ObservedPod, podIP: string, terminating: boolean): void {
    if (this.#stopped) return;
    this.#podIP = podIP;
    const wanted = new Set<string>();
    const containers = [...(pod.spec?.initContainers ?? []).filter(isRestartableInit), ...(pod.spec?.containers ?? [])];
    for (const container of containers) {
      const status = latest(observed, container.name);
      if (status === undefined) continue;
      for (const kind of kinds) {
        const probe = container[`${kind}Probe`];
        if (probe === undefined) continue;
        const key = `${kind}/${status.id}`;
        wanted.add(key);
        const worker = this.#workers.get(key);
        if (isRunning(status)) {
          if (worker === undefined && !(terminating && kind !== 'readiness')) this.#add(key, kind, probe, container, status, pod);
          else if (worker !== undefined && terminating && kind !== 'readiness') this.#pause(worker);
        } else if (worker !== undefined) this.#pause(worker);
      }
    }
    for (const [key, worker] of this.#workers) {
      if (wanted.has(key)) continue;
      this.#pause(worker);
      this.#workers.delete(key);
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const worker of this.#workers.values()) this.#pause(worker);
  }

  #add(key: string, kind: ProbeKind, probe: Probe, container: AnyContainer, status: ObservedContainer, pod: Pod): void {
    const worker: Worker = {
      kind,
      probe,
      container,
      containerId: status.id,
      startedAt: status.startedAt,
      stop: new AbortController(),
      state: knownState(kind, pod, status.id),
      lastProbeAt: undefined,
      timer: undefined,
      busy: false,
    };
    this.#workers.set(key, worker);
    this.#arm(worker);
  }

  #pause(worker: Worker): void {
    worker.timer?.cancel();
    worker.timer = undefined;
    worker.stop.abort();
  }

  #arm(worker: Worker): void {
    if (worker.stop.signal.aborted || worker.state.onHold || worker.busy) return;
    // Before the startup probe has succeeded the others keep still; its success wakes them.
    if (worker.kind !== 'startup' && worker.container.startupProbe !== undefined) {
      if (this.verdict('startup', worker.containerId) !== 'success') return;
    }
    worker.timer?.cancel();
    const { clock } = this.#options;
    worker.timer = clock.setTimer(nextProbeIn(worker.probe, worker.startedAt, worker.lastProbeAt, clock.now()), () => {
      worker.timer = undefined;
      void this.#probe(worker);
    });
  }

  async #probe(worker: Worker): Promise<void> {
    const options = this.#options;
    worker.busy = true;
    worker.lastProbeAt = options.clock.now();
    const target: ProbeTarget = { container: worker.container, containerId: worker.containerId, podIP: this.#podIP };
    let outcome: ProbeOutcome = { result: 'error', output: '' };
    for (let tries = 0; tries < MAX_TRIES && outcome.result === 'error'; tries++) {
      outcome = await options.run(worker.probe, target, worker.stop.signal);
      if (worker.stop.signal.aborted) return;
    }
    worker.busy = false;
    const title = titles[worker.kind];
    const name = worker.container.name;
    options.counted?.(
      worker.kind,
      name,
      outcome.result === 'success' ? 'successful' : outcome.result === 'failure' ? 'failed' : 'unknown',
    );
    if (outcome.result === 'error') {
      options.event(name, 'Unhealthy', `${title} probe errored and resulted in unknown state: ${outcome.output}`);
    } else {
      if (outcome.result === 'failure') options.event(name, 'Unhealthy', `${title} probe failed: ${outcome.output}`);
      if (outcome.result === 'warning') options.event(name, 'ProbeWarning', `${title} probe warning: ${outcome.output}`);
      const before = worker.state.verdict;
      worker.state = afterProbe(worker.state, worker.kind, worker.probe, outcome.result === 'failure' ? 'failure' : 'success');
      if (worker.state.verdict !== before) {
        if (worker.kind === 'startup' && worker.state.verdict === 'success') {
          for (const other of this.#workers.values()) if (other.containerId === worker.containerId) this.#arm(other);
        }
        options.changed();
      }
    }
    this.#arm(worker);
  }
}

/**
 * Where a probe begins. A container that an earlier kubelet ran and called ready stays so until a probe says otherwise: a restart of the
 * kubelet must not take the node's pods out of their Services.
 */
function knownState(kind: ProbeKind, pod: Pod, containerId: string): ProbeState {
  const fresh = initialProbeState(kind);
  const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
  const told = statuses.find((s) => s.containerID?.endsWith(`://${containerId}`));
  if (kind === 'readiness' && told?.ready === true) return { ...fresh, verdict: 'success' };
  if (kind === 'startup' && told?.started === true) return { ...fresh, verdict: 'success', onHold: true };
  return fresh;
}
