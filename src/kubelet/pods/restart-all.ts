import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isRunning, type ObservedContainer, type ObservedPod } from '../observed/observed.ts';
import { isRuntimeNotFound } from '../observed/runtime-errors.ts';
import type { PodServices } from './pod-services.ts';

/** The container whose end makes all of its pod start over, by a rule of its own (KEP-5532). */
export interface RestartTrigger {
  readonly id: string;
  readonly name: string;
  readonly exitCode: number;
  /** Milliseconds since the epoch. */
  readonly finishedAt: number;
}

/** Ends everything that runs in the pod, at once and without a word: this is no farewell. */
export async function endAll(services: Pick<PodServices, 'runtime'>, observed: ObservedPod, signal: AbortSignal): Promise<void> {
  await Promise.all(
    observed.containers.filter(isRunning).map(async ({ id }) => {
      try {
        await services.runtime.stopContainer(id, 0, signal);
      } catch (err) {
        if (!isRuntimeNotFound(err)) throw err;
      }
    }),
  );
}

/**
 * Makes the runtime forget init and regular containers, so that none of them seems to have run; sandbox, volumes and ephemeral containers stay.
 * What set this off goes last: a kubelet that dies meanwhile finds it and begins again. The newest log of each stays, to count restarts by.
 */
export async function removeAll(
  services: Pick<PodServices, 'runtime'>,
  observed: ObservedPod,
  names: ReadonlySet<string>,
  trigger: RestartTrigger,
): Promise<void> {
  const going = observed.containers.filter((c) => names.has(c.name) && c.id !== trigger.id);
  const last = observed.containers.filter((c) => c.id === trigger.id);
  for (const container of [...going, ...last]) {
    await services.runtime.removeContainer(container.id);
    await removeEarlierLogs(container);
  }
}

async function removeEarlierLogs({ logPath, restartCount }: ObservedContainer): Promise<void> {
  if (logPath === '' || restartCount === 0) return;
  await rm(join(dirname(logPath), `${restartCount - 1}.log`), { force: true });
}
