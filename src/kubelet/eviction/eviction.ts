import type { Pod } from '../../api/types/core-v1.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import type { MachineUse } from '../node/machine.ts';
import { errorText } from '../observed/runtime-errors.ts';
import { gracePeriodOf, isCritical, podFormat, podUid } from '../pods/pod-spec.ts';
import type { StatsSnapshot } from '../stats/summary.ts';
import { evictionMessage, limitsLocalStorage, localStorageExcess, podUses, ranked } from './ranking.ts';
import { type EvictionPolicy, type Pressure, type PressureTracker, type ThresholdMet, thresholdsMet } from './thresholds.ts';

/** How often the machine is looked at (evictionMonitoringPeriod). Milliseconds. */
const MONITORING_MS = 10_000;
/** How old the sizes of limited volumes may get. Milliseconds. */
const VOLUME_AGE_MS = 30_000;
/** Grace of what cannot wait (immediateEvictionGracePeriodSeconds). Seconds. */
const IMMEDIATELY = 1;
const REASON = 'Evicted';

export interface EvictionOptions {
  readonly policy: EvictionPolicy;
  readonly tracker: PressureTracker;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How the machine is used now. */
  use(): Promise<MachineUse>;
  stats(maxDiskAge?: number): Promise<StatsSnapshot>;
  /** Pods that run. */
  activePods(): readonly Pod[];
  /** Ends a pod as Failed, within `grace` seconds. `signal`: what for, as metrics name it. */
  evict(pod: Pod, reason: string, message: string, grace: number, signal: string): void;
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

  /** Looks at the machine alone. */
  async observe(): Promise<readonly ThresholdMet[]> {
    const { tracker, use, clock, changed } = this.#options;
    const before = tracker.current;
    const met = tracker.observe(await use(), clock.now());
    const { memory, disk, pids } = tracker.current;
    if (before.memory !== memory || before.disk !== disk || before.pids !== pids) changed(tracker.current);
    return met;
  }

  /** Looks once, and ends at most one pod for what the node is short of. Rejects when the runtime does not tell what pods use. */
  async look(): Promise<void> {
    const o = this.#options;
    const met = (await this.observe())[0];
    const pods = o.activePods();
    if (pods.some(limitsLocalStorage) && (await this.#evictLimited(pods))) return;
    if (met === undefined) return;
    o.logger.warn({ signal: met.signal, available: met.available }, 'eviction manager: attempting to reclaim');
    o.record(undefined, 'EvictionThresholdMet', `Attempting to reclaim ${met.resource}`);
    if (await this.#reclaimed(met)) return;
    await this.#evictOne(pods, met);
  }

  /** Frees what no pod needs, and says whether that was enough for all thresholds. */
  async #reclaimed(met: ThresholdMet): Promise<boolean> {
    const { use, reclaimDisk, policy } = this.#options;
    if (met.resource !== 'ephemeral-storage' && met.resource !== 'inodes') return false;
    const { imageFs } = await use();
    // With a disk of their own, images are nothing that the node's would win by.
    if (imageFs !== undefined && met.signal.startsWith('nodefs')) return false;
    await reclaimDisk();
    return thresholdsMet(await use(), policy.thresholds, true).size === 0;
  }

  async #evictLimited(pods: readonly Pod[]): Promise<boolean> {
    const uses = podUses(await this.#options.stats(VOLUME_AGE_MS));
    let any = false;
    for (const pod of pods) {
      const use = uses.get(podUid(pod));
      const message = use === undefined ? undefined : localStorageExcess(pod, use);
      if (message !== undefined && this.#evict(pod, message, IMMEDIATELY, 'localstorage.limit')) any = true;
    }
    return any;
  }

  async #evictOne(pods: readonly Pod[], met: ThresholdMet): Promise<void> {
    const { logger, policy } = this.#options;
    if (pods.length === 0) {
      logger.error({ signal: met.signal }, 'eviction thresholds have been met, but no pods are active to evict');
      return;
    }
    const uses = podUses(await this.#options.stats());
    for (const pod of ranked(pods, uses, met.resource)) {
      const grace = met.hard ? IMMEDIATELY : Math.min(policy.maxPodGracePeriod, gracePeriodOf(pod));
      if (this.#evict(pod, evictionMessage(pod, uses.get(podUid(pod)), met), grace, met.signal)) return;
    }
    logger.info({ signal: met.signal }, 'unable to evict any pods from the node');
  }

  #evict(pod: Pod, message: string, grace: number, signal: string): boolean {
    const { logger, evict, record } = this.#options;
    if (isCritical(pod)) {
      logger.error({ pod: podFormat(pod) }, 'eviction manager: cannot evict a critical pod');
      return false;
    }
    record(pod, REASON, message);
    evict(pod, REASON, message, grace, signal);
    return true;
  }
}
