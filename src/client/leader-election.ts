import { isNotFound } from '../api/meta/status.ts';
import { formatMicroTime } from '../api/meta/time.ts';
import type { Lease } from '../api/types/coordination-v1.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { Random } from '../util/random.ts';
import type { Client } from './contract.ts';
import { leases } from './resource-refs.ts';

/** client-go's usual durations, in milliseconds. */
export const LEASE_DURATION_MS = 15_000;
export const RENEW_DEADLINE_MS = 10_000;
export const RETRY_PERIOD_MS = 2_000;
const JITTER = 1.2;

export interface LeaderElectionOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly namespace: string;
  /** The Lease's name: `kube-controller-manager`. */
  readonly name: string;
  /** Who this process is: unique among the candidates. */
  readonly identity: string;
  readonly leaseDurationMs?: number;
  readonly renewDeadlineMs?: number;
  readonly retryPeriodMs?: number;
  /** Called when this process leads; the signal aborts when it no longer may, or when the election ends. */
  readonly onStartedLeading: (signal: AbortSignal) => void;
  readonly onStoppedLeading?: () => void;
  /** Called with each leader observed, this process among them. */
  readonly onNewLeader?: (identity: string) => void;
}

/**
 * Takes part in an election over a Lease until the signal aborts; then gives the lease back, so that another leads at once.
 * Leads again if the lease is lost and won anew. Like client-go it measures others' leases on its own monotonic clock: clocks need not agree.
 */
export async function runLeaderElection(options: LeaderElectionOptions, signal: AbortSignal): Promise<void> {
  const elector = new Elector(options);
  while (!signal.aborted) {
    await elector.acquire(signal);
    if (signal.aborted) return;
    const leading = new AbortController();
    options.logger.info({ lease: options.name }, 'became leader');
    options.onStartedLeading(leading.signal);
    await elector.keep(signal);
    leading.abort(new Error(`no longer leader of ${options.name}`));
    options.onStoppedLeading?.();
    if (signal.aborted) await elector.release();
    else options.logger.warn({ lease: options.name }, 'lost leadership');
  }
}

class Elector {
  readonly #o: LeaderElectionOptions;
  readonly #leaseMs: number;
  readonly #deadlineMs: number;
  readonly #retryMs: number;
  #observed: Lease | undefined;
  #observedAt = 0;
  #reported = '';

  constructor(options: LeaderElectionOptions) {
    this.#o = options;
    this.#leaseMs = options.leaseDurationMs ?? LEASE_DURATION_MS;
    this.#deadlineMs = options.renewDeadlineMs ?? RENEW_DEADLINE_MS;
    this.#retryMs = options.retryPeriodMs ?? RETRY_PERIOD_MS;
  }

  /** Resolves when this process holds the lease, or the signal aborts. */
  async acquire(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (await this.#try(signal)) return;
      await this.#pause(this.#retryMs * (1 + JITTER * this.#o.random.float()), signal);
    }
  }

  /** Renews until it could not for the renew deadline, or the signal aborts. */
  async keep(signal: AbortSignal): Promise<void> {
    let renewedAt = this.#o.clock.monotonic();
    while (!signal.aborted) {
      await this.#pause(this.#retryMs, signal);
      if (signal.aborted) return;
      const left = this.#deadlineMs - (this.#o.clock.monotonic() - renewedAt);
      if (left <= 0) return;
      const started = this.#o.clock.monotonic();
      if (await this.#tryWithin(left, signal)) renewedAt = started;
      else if (this.#o.clock.monotonic() - renewedAt >= this.#deadlineMs) return;
    }
  }

  async release(): Promise<void> {
    if (this.#observed?.spec?.holderIdentity !== this.#o.identity) return;
    const now = formatMicroTime(this.#o.clock.now());
    try {
      await this.#o.client.resource(leases).update({
        ...this.#observed,
        spec: {
          holderIdentity: '',
          leaseDurationSeconds: 1,
          acquireTime: now,
          renewTime: now,
          leaseTransitions: this.#observed.spec.leaseTransitions ?? 0,
        },
      });
    } catch (err) {
      this.#o.logger.debug({ err, lease: this.#o.name }, 'lease was not released');
    }
  }

  async #tryWithin(ms: number, signal: AbortSignal): Promise<boolean> {
    const limit = new AbortController();
    const timer = this.#o.clock.setTimer(ms, () => limit.abort(new Error('lease was not renewed in time')));
    try {
      return await this.#try(AbortSignal.any([signal, limit.signal]));
    } finally {
      timer.cancel();
    }
  }

  /** One attempt to take or renew. */
  async #try(signal: AbortSignal): Promise<boolean> {
    try {
      return await this.#takeOrRenew(signal);
    } catch (err) {
      if (!signal.aborted) this.#o.logger.debug({ err, lease: this.#o.name }, 'lease was not taken');
      return false;
    }
  }

  async #takeOrRenew(signal: AbortSignal): Promise<boolean> {
    const { client, clock, namespace, name, identity } = this.#o;
    const resource = client.resource(leases);
    const time = formatMicroTime(clock.now());
    const leaseDurationSeconds = Math.round(this.#leaseMs / 1000);
    let current: Lease;
    try {
      // A holder whose knowledge is fresh renews without reading; a conflict sends it to read again.
      current = this.#holds() ? this.#observed! : await resource.get(name, namespace, { signal });
    } catch (err) {
      if (!isNotFound(err)) throw err;
      const spec = { holderIdentity: identity, leaseDurationSeconds, acquireTime: time, renewTime: time, leaseTransitions: 0 };
      this.#observe(await resource.create({ metadata: { name, namespace }, spec }, { signal }));
      return true;
    }
    if (current.metadata?.resourceVersion !== this.#observed?.metadata?.resourceVersion) this.#observe(current);
    const holder = current.spec?.holderIdentity ?? '';
    const mine = holder === identity;
    const theirsMs = (current.spec?.leaseDurationSeconds ?? leaseDurationSeconds) * 1000;
    if (!mine && holder !== '' && clock.monotonic() - this.#observedAt < theirsMs) return false;
    const transitions = current.spec?.leaseTransitions ?? 0;
    try {
      const updated = await resource.update(
        {
          ...current,
          spec: {
            ...current.spec,
            holderIdentity: identity,
            leaseDurationSeconds,
            acquireTime: mine ? (current.spec?.acquireTime ?? time) : time,
            renewTime: time,
            leaseTransitions: mine ? transitions : transitions + 1,
          },
        },
        { signal },
      );
      this.#observe(updated);
      return true;
    } catch (err) {
      if (mine) this.#observed = undefined;
      throw err;
    }
  }

  #holds(): boolean {
    return this.#observed?.spec?.holderIdentity === this.#o.identity;
  }

  #observe(lease: Lease): void {
    this.#observed = lease;
    this.#observedAt = this.#o.clock.monotonic();
    const holder = lease.spec?.holderIdentity ?? '';
    if (holder === this.#reported) return;
    this.#reported = holder;
    this.#o.onNewLeader?.(holder);
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#o.clock.sleep(ms, signal);
    } catch {
      // Aborted: the caller looks at the signal.
    }
  }
}
