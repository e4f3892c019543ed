import type { Node } from '../../api/types/core-v1.ts';

export type ZoneState = 'initial' | 'normal' | 'partial' | 'full';

/** Upstream's flags of the same names. */
export interface EvictionRates {
  /** Nodes a second to be tainted NoExecute in a zone. */
  readonly evictionRate: number;
  /** The same in a zone that is partly disrupted. */
  readonly secondaryRate: number;
  /** Below this many nodes nothing is evicted in a partly disrupted zone. */
  readonly largeClusterSize: number;
  /** The part of a zone's nodes that may be unhealthy before it counts as disrupted. */
  readonly unhealthyThreshold: number;
}

export const defaultRates: EvictionRates = {
  evictionRate: 0.1,
  secondaryRate: 0.01,
  largeClusterSize: 50,
  unhealthyThreshold: 0.55,
};

/** So many must be unhealthy before a zone is partly disrupted at all. */
const MIN_UNHEALTHY = 3;

/** The failure zone of a node; '' when it tells none. */
export function zoneOf(node: Node): string {
  const labels = node.metadata?.labels ?? {};
  const zone = labels['topology.kubernetes.io/zone'] ?? labels['failure-domain.beta.kubernetes.io/zone'] ?? '';
  const region = labels['topology.kubernetes.io/region'] ?? labels['failure-domain.beta.kubernetes.io/region'] ?? '';
  return zone === '' && region === '' ? '' : `${region}:\u0000:${zone}`;
}

/** How a zone fares, by the Ready status of its nodes. */
export function zoneState(ready: readonly (string | undefined)[], rates: EvictionRates): ZoneState {
  const healthy = ready.filter((status) => status === 'True').length;
  const unhealthy = ready.length - healthy;
  if (healthy === 0 && unhealthy > 0) return 'full';
  if (unhealthy >= MIN_UNHEALTHY && unhealthy / ready.length >= rates.unhealthyThreshold) return 'partial';
  return 'normal';
}

/** Nodes a second that may be tainted in a zone of so many nodes. */
export function rateOf(state: ZoneState, size: number, rates: EvictionRates): number {
  if (state !== 'partial') return rates.evictionRate;
  return size > rates.largeClusterSize ? rates.secondaryRate : 0;
}

/**
 * Nodes of one zone that wait to be tainted, let out no faster than the rate allows: one token at most is saved up.
 * Times are monotonic, milliseconds.
 */
export class EvictionQueue {
  readonly #waiting = new Set<string>();
  #rate: number;
  #tokens = 1;
  #at: number;

  constructor(rate: number, now: number) {
    this.#rate = rate;
    this.#at = now;
  }

  setRate(rate: number, now: number): void {
    if (rate === this.#rate) return;
    this.#refill(now);
    this.#rate = rate;
  }

  add(node: string): void {
    this.#waiting.add(node);
  }

  remove(node: string): void {
    this.#waiting.delete(node);
  }

  /** The next node that may be tainted now. */
  take(now: number): string | undefined {
    if (this.#rate <= 0) return undefined;
    this.#refill(now);
    if (this.#tokens < 1) return undefined;
    for (const node of this.#waiting) {
      this.#waiting.delete(node);
      this.#tokens -= 1;
      return node;
    }
    return undefined;
  }

  /** Gives a token back that was not needed. */
  giveBack(): void {
    this.#tokens = 1;
  }

  /** Milliseconds until `take` may give something; undefined when nothing waits or nothing may go. */
  nextIn(now: number): number | undefined {
    if (this.#waiting.size === 0 || this.#rate <= 0) return undefined;
    this.#refill(now);
    return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) * 1000) / this.#rate);
  }

  #refill(now: number): void {
    // A hair more than what is due: a timer that fires on time must find its token.
    this.#tokens = Math.min(1, this.#tokens + ((now - this.#at) * this.#rate) / 1000 + 1e-9);
    this.#at = now;
  }
}
