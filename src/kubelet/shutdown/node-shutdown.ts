import type { Pod } from '../../api/types/core-v1.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import { gracePeriodOf } from '../pods/pod-spec.ts';
import { type ShutdownGracePeriod, shutdownGroups } from './shutdown-groups.ts';

/** How often it is looked whether pods have ended. Milliseconds. */
const LOOK_MS = 200;

/** Who knows that the machine is about to shut down, and can be asked to wait with it. */
export interface ShutdownSource {
  /** Has the machine wait up to so many seconds for the release, when it shuts down. Rejects where that cannot be had. */
  delay(seconds: number): Promise<{ release(): void }>;
  /** True when the machine begins to shut down, false when it no longer does; until the signal. */
  changes(signal: AbortSignal): AsyncIterable<boolean>;
}

export interface NodeShutdownOptions {
  readonly periods: readonly ShutdownGracePeriod[];
  readonly source: ShutdownSource;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Pods that run. */
  activePods(): readonly Pod[];
  /** Ends a pod as Failed, within so many seconds. */
  end(pod: Pod, reason: string, message: string, grace: number): void;
  /** Whether nothing of the pod runs any more. */
  hasEnded(pod: Pod): boolean;
  /** Whether the node shuts down has changed. */
  changed(): void;
}

/** Ends pods in the order of their priorities when the machine shuts down, and has it wait for them (KEP-2000, KEP-2712). */
export class NodeShutdown {
  readonly #options: NodeShutdownOptions;
  #underWay = false;

  constructor(options: NodeShutdownOptions) {
    this.#options = options;
  }

  /** Why the node takes no pods and is not ready; undefined while it stays. */
  get reason(): string | undefined {
    return this.#underWay ? 'node is shutting down' : undefined;
  }

  /** Waits for the machine to shut down, until the signal. A machine that tells nobody of it is told of once. */
  async run(signal: AbortSignal): Promise<void> {
    const { periods, source, logger } = this.#options;
    const total = periods.reduce((sum, p) => sum + p.seconds, 0);
    if (total === 0) return;
    let lock: { release(): void } | undefined;
    try {
      lock = await source.delay(total);
      for await (const begins of source.changes(signal)) {
        this.#underWay = begins;
        this.#options.changed();
        if (begins) {
          await this.#endPods(signal);
          lock?.release();
          lock = undefined;
        } else lock ??= await source.delay(total);
      }
    } catch (err) {
      if (!signal.aborted) logger.error({ err }, 'failed to start node shutdown manager');
    } finally {
      lock?.release();
    }
  }

  async #endPods(signal: AbortSignal): Promise<void> {
    const { activePods, periods, end, hasEnded, clock, logger } = this.#options;
    for (const { seconds, pods } of shutdownGroups(activePods(), periods)) {
      for (const pod of pods) {
        const grace = Math.min(gracePeriodOf(pod), seconds);
        end(pod, 'Terminated', 'Pod was terminated in response to imminent node shutdown.', grace);
      }
      const over = clock.monotonic() + seconds * 1000;
      while (!pods.every(hasEnded) && clock.monotonic() < over && !signal.aborted) {
        await clock.sleep(LOOK_MS, signal).catch(() => undefined);
      }
      if (!pods.every(hasEnded)) logger.warn({ seconds }, 'shutdown manager pod killing time out');
    }
  }
}
