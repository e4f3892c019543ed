import type { Pod } from '../../api/types/core-v1.ts';
import { backoffDelay } from '../../util/backoff.ts';
import { setUpVolumes, usedVolumes, type VolumePaths } from '../volumes/pod-volumes.ts';
import type { PodServices } from './pod-services.ts';
import { podUid } from './pod-spec.ts';

/** How a volume that could not be set up is tried again (nestedpendingoperations). Milliseconds. */
const RETRY = { initial: 500, max: 122_000 } as const;

/** The volumes of one pod: set up once, and brought up to date when something they show has changed. */
export class PodMounts {
  readonly #services: PodServices;
  #stale = true;
  #paths: VolumePaths = new Map();
  #failures = 0;
  /** Milliseconds since the epoch. */
  #retryAt = 0;

  constructor(services: PodServices) {
    this.#services = services;
  }

  /** Where each volume is that has been set up. */
  get paths(): VolumePaths {
    return this.#paths;
  }

  /** Something that a volume shows has changed: there is reason to try again at once. */
  changed(): void {
    this.#stale = true;
    this.#retryAt = 0;
  }

  /** Sets up what is missing or old. `complete`: every volume is there. `retryIn`: milliseconds until another try is due. */
  async bringUpToDate(pod: Pod, podIPs: readonly string[]): Promise<{ readonly complete: boolean; readonly retryIn?: number }> {
    const services = this.#services;
    const now = services.clock.now();
    const renewAt = services.tokenRenewAt(podUid(pod));
    // A container that came later may use what none used before.
    const all = usedVolumes(pod).every((volume) => this.#paths.has(volume.name));
    if (all && !this.#stale && (renewAt === undefined || renewAt > now)) return { complete: true };
    if (now < this.#retryAt) {
      return { complete: all, retryIn: this.#retryAt - now };
    }
    this.#stale = false;
    try {
      await services.prepare(pod);
    } catch (err) {
      this.#stale = true;
      throw err;
    }
    const { paths, failures } = await setUpVolumes(pod, services.volumes(pod, podIPs), this.#paths);
    // What a volume shows stays as it was when it cannot be brought up to date.
    this.#paths = new Map([...this.#paths, ...paths]);
    if (failures.length === 0) {
      this.#failures = 0;
      this.#retryAt = 0;
      return { complete: true };
    }
    for (const failure of failures) services.record(pod, 'Warning', 'FailedMount', failure.message);
    this.#failures++;
    this.#stale = true;
    const retryIn = backoffDelay(RETRY, this.#failures);
    this.#retryAt = now + retryIn;
    return { complete: failures.every((f) => f.volumes.every((volume) => this.#paths.has(volume))), retryIn };
  }
}
