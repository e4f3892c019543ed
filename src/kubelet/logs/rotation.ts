import type { ContainerRuntime } from '../../runtime/contract.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import type { RuntimeCache } from '../observed/runtime-cache.ts';
import { rotateLog } from './rotate-log.ts';

/** How often logs are looked at (containerLogMonitorInterval). Milliseconds. */
const CHECK_MS = 10_000;

/** Rotates the logs of running containers, as they grow, until the signal. */
export async function rotateLogs(
  runtime: ContainerRuntime,
  cache: RuntimeCache,
  clock: Clock,
  logger: Logger,
  signal: AbortSignal,
  limits: { readonly size: number; readonly files: number },
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(CHECK_MS, signal).catch(() => undefined);
    for (const uid of signal.aborted ? [] : cache.uids()) {
      for (const c of cache.get(uid).containers) {
        if (c.state !== 'running' || c.logPath === '') continue;
        await rotateLog(runtime, c.id, c.logPath, clock.now(), limits).catch((err: unknown) => {
          logger.warn({ err, container: c.id }, 'failed to rotate log for container');
        });
      }
    }
  }
}
