import type { Pod } from '../../api/types/core-v1.ts';
import { runHook } from '../containers/hooks.ts';
import { isRunning, type ObservedContainer, type ObservedPod } from '../observed/observed.ts';
import { errorText, isRuntimeNotFound } from '../observed/runtime-errors.ts';
import type { ContainerKill } from './actions.ts';
import type { PodServices } from './pod-services.ts';
import { findContainer, gracePeriodOf, isRestartableInit, MINIMUM_GRACE_SECONDS } from './pod-spec.ts';

/** Grace of a container that is to be restarted: its probe's own, or the pod's. Seconds. */
export function graceForKill(pod: Pod, kill: Pick<ContainerKill, 'name' | 'cause'>): number {
  const container = findContainer(pod, kill.name)?.container;
  const probe =
    kill.cause === 'liveness' ? container?.livenessProbe : kill.cause === 'startup' ? container?.startupProbe : undefined;
  return probe?.terminationGracePeriodSeconds ?? gracePeriodOf(pod);
}

/**
 * Stops one container: its preStop hook first, within the grace, then SIGTERM and, when the rest of the grace is over, SIGKILL.
 * `message` is that of the Killing event. Rejects with the signal when the kill is called off.
 */
export async function killContainer(
  services: PodServices,
  pod: Pod,
  container: Pick<ObservedContainer, 'id' | 'name'>,
  message: string,
  grace: number,
  podIP: string,
  signal: AbortSignal,
): Promise<void> {
  const { runtime, clock } = services;
  services.record(pod, 'Normal', 'Killing', message, container.name);
  const spec = findContainer(pod, container.name)?.container;
  const preStop = spec?.lifecycle?.preStop;
  let left = grace;
  if (preStop !== undefined && spec !== undefined && grace > 0) {
    const startedAt = clock.monotonic();
    const over = new AbortController();
    const timer = clock.setTimer(grace * 1000, () => over.abort(new Error('grace period is over')));
    try {
      await runHook(preStop, spec, container.id, podIP, runtime, clock, AbortSignal.any([over.signal, signal]));
    } catch (err) {
      if (signal.aborted) throw err;
      if (!over.signal.aborted) {
        services.record(pod, 'Warning', 'FailedPreStopHook', 'PreStopHook failed', container.name);
        services.logger.warn({ err, container: container.name, id: container.id }, 'preStop hook failed');
      }
    } finally {
      timer.cancel();
    }
    left -= Math.trunc((clock.monotonic() - startedAt) / 1000);
  }
  // A little time even for those whose hook has used it up, or whose grace is tiny, unless they were given none.
  const seconds = grace <= 1 ? grace : Math.max(left, MINIMUM_GRACE_SECONDS);
  try {
    await runtime.stopContainer(container.id, seconds, signal);
  } catch (err) {
    if (!isRuntimeNotFound(err)) throw err;
  }
}

/** Stops everything of a pod: regular and ephemeral containers together, then the sidecars, last first (KEP-753), then the sandboxes. */
export async function killPod(
  services: PodServices,
  pod: Pod,
  observed: ObservedPod,
  grace: number,
  signal: AbortSignal,
): Promise<void> {
  const startedAt = services.clock.monotonic();
  const podIP = observed.sandboxes[0]?.ips[0] ?? '';
  const running = observed.containers.filter((c) => isRunning(c) || c.state === 'unknown');
  const order = (pod.spec?.initContainers ?? []).filter(isRestartableInit).map((c) => c.name);
  const isSidecar = (c: ObservedContainer): boolean => order.includes(c.name);
  const stop = async (c: ObservedContainer): Promise<void> => {
    // What the others took is taken from the sidecars' grace.
    const left = Math.max(
      grace - Math.trunc((services.clock.monotonic() - startedAt) / 1000),
      Math.min(grace, MINIMUM_GRACE_SECONDS),
    );
    await killContainer(services, pod, c, `Stopping container ${c.name}`, left, podIP, signal);
  };
  const errors: unknown[] = [];
  const settle = async (containers: readonly ObservedContainer[]): Promise<void> => {
    for (const result of await Promise.allSettled(containers.map(stop))) {
      if (result.status === 'rejected') errors.push(result.reason);
    }
  };
  await settle(running.filter((c) => !isSidecar(c)));
  for (const name of order.toReversed()) await settle(running.filter((c) => c.name === name && isSidecar(c)));
  signal.throwIfAborted();
  if (errors.length > 0) {
    const message = `error killing pod: ${errors.map(errorText).join(', ')}`;
    services.record(pod, 'Warning', 'FailedKillPod', message);
    throw new Error(message);
  }
  for (const sandbox of observed.sandboxes) {
    if (sandbox.ready) await services.runtime.stopPodSandbox(sandbox.id, signal);
  }
}
