import type { Pod } from '../../api/types/core-v1.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import type { Machine } from '../node/machine.ts';
import { errorText } from '../observed/runtime-errors.ts';
import { isCritical, podFormat, podUid } from '../pods/pod-spec.ts';
import type { StatsSnapshot } from '../stats/summary.ts';
import { evictionMessage, limitsLocalStorage, localStorageExcess, podUses, ranked } from './ranking.ts';
import type { PressureLimits } from './thresholds.ts';
import { type Pressure, type PressureTracker, type ThresholdMet, thresholdsMet } from './thresholds.ts';

/** How often the machine is looked at (evictionMonitoringPeriod). Milliseconds. */
const MONITORING_MS = 10_000;
/** How old the sizes of limited volumes may get. Milliseconds. */
const VOLUME_AGE_MS = 30_000;
const REASON = 'Evicted';
const signals: Readonly<Record<ThresholdMet['resource'], string>> = {
  memory: 'memory.available',
  'ephemeral-storage': 'nodefs.available',
  inodes: 'nodefs.inodesFree',
  pids: 'pid.available',
};

export interface EvictionOptions {
  readonly rootDir: string;
  readonly limits: PressureLimits;
  readonly tracker: PressureTracker;
  readonly machine: Machine;
  readonly clock: Clock;
  readonly logger: Logger;
  stats(maxDiskAge?: number): Promise<StatsSnapshot>;
  /** Pods that run. */
  activePods(): readonly Pod[];
  /** Ends a pod as Failed, at once. `signal`: what for, as metrics name it. */
  evict(pod: Pod, reason: string, message: string, signal: string): void;
  /** Frees disk space that no pod needs. */
  reclaimDisk(): Promise<void>;
  /** A Warning event on a pod, or on the node when there is none. */
  record(pod: Pod | undefined, reason: string, message: string): void;
  /** What the node is short of has changed. */
  changed(pressure: Pressure): void;
}

/** Ends pods when the node runs out of memory, disk or processes, and those that use more local storage than they may. */
export class Eviction {
  readonly #options: EvictionOptions;

  constructor(options: EvictionOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    while (!signal.aborted) {
      try {
        await this.look();
      } catch (err) {
        if (!signal.aborted) logger.warn({ err: errorText(err) }, 'eviction manager: failed to get summary stats');
      }
      await clock.sleep(MONITORING_MS, signal).catch(() => undefined);
    }
  }

  /** Looks once, and ends at most one pod for what the node is short of. Rejects when the runtime does not tell what pods use. */
  async look(): Promise<void> {
    const o = this.#options;
    const use = await o.machine.use(o.rootDir);
    const before = o.tracker.current;
    const pressure = o.tracker.observe(use, o.clock.now());
    if (before.memory !== pressure.memory || before.disk !== pressure.disk || before.pids !== pressure.pids) o.changed(pressure);
    const pods = o.activePods();
    if (pods.some(limitsLocalStorage) && (await this.#evictLimited(pods))) return;
    const met = thresholdsMet(use, o.limits)[0];
    if (met === undefined) return;
    o.logger.warn({ resource: met.resource, available: met.available }, 'eviction manager: attempting to reclaim');
    o.record(undefined, 'EvictionThresholdMet', `Attempting to reclaim ${met.resource}`);
    if (met.resource === 'ephemeral-storage' || met.resource === 'inodes') {
      await o.reclaimDisk();
      const after = thresholdsMet(await o.machine.use(o.rootDir), o.limits);
      if (!after.some((t) => t.resource === met.resource)) return;
    }
    await this.#evictOne(pods, met);
  }

  async #evictLimited(pods: readonly Pod[]): Promise<boolean> {
    const uses = podUses(await this.#options.stats(VOLUME_AGE_MS));
    let any = false;
    for (const pod of pods) {
      const use = uses.get(podUid(pod));
      const message = use === undefined ? undefined : localStorageExcess(pod, use);
      if (message !== undefined && this.#evict(pod, message, 'localstorage.limit')) any = true;
    }
    return any;
  }

  async #evictOne(pods: readonly Pod[], met: ThresholdMet): Promise<void> {
    const { logger } = this.#options;
    if (pods.length === 0) {
      logger.error({ resource: met.resource }, 'eviction thresholds have been met, but no pods are active to evict');
      return;
    }
    const uses = podUses(await this.#options.stats());
    for (const pod of ranked(pods, uses, met.resource)) {
      if (this.#evict(pod, evictionMessage(pod, uses.get(podUid(pod)), met), signals[met.resource])) return;
    }
    logger.info({ resource: met.resource }, 'unable to evict any pods from the node');
  }

  #evict(pod: Pod, message: string, signal: string): boolean {
    const { logger, evict, record } = this.#options;
    if (isCritical(pod)) {
      logger.error({ pod: podFormat(pod) }, 'eviction manager: cannot evict a critical pod');
      return false;
    }
    record(pod, REASON, message);
    evict(pod, REASON, message, signal);
    return true;
  }
}
