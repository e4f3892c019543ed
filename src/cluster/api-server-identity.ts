import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { isAlreadyExists, isConflict, isNotFound } from '../api/meta/status.ts';
import { formatMicroTime } from '../api/meta/time.ts';
import type { Client } from '../client/contract.ts';
import { leases } from '../client/resource-refs.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { Random } from '../util/random.ts';

const NAMESPACE = 'kube-system';
const IDENTITY_LABEL = 'apiserver.kubernetes.io/identity';
const COMPONENT = 'kube-apiserver';
/** Upstream's: an API server that has not been heard of for so long is none any more. Seconds. */
const LEASE_SECONDS = 3_600;
const RENEW_MS = 10_000;
/** How often the leases of API servers that are no more are removed. Milliseconds. */
const COLLECT_MS = 3_600_000;
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

export interface ApiServerIdentityOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** The name of this machine; the system's unless said. */
  readonly host?: string;
}

/**
 * Tells who serves the API (KEP-1965): a Lease in kube-system for each API server, named after its machine, renewed while it lives. Leases that
 * nobody renews are removed when their time is over.
 */
export class ApiServerIdentity {
  readonly #o: ApiServerIdentityOptions;
  readonly #host: string;
  readonly #name: string;
  readonly #holder: string;

  constructor(options: ApiServerIdentityOptions) {
    this.#o = options;
    this.#host = options.host ?? hostname();
    this.#name = identityOf(this.#host);
    this.#holder = `${this.#name}_${options.random.uuid()}`;
  }

  /** Begins, and goes on until the signal aborts. */
  run(signal: AbortSignal): void {
    void this.#every(RENEW_MS, () => this.#renew(signal), 'the lease of this API server could not be renewed', signal);
    void this.#every(COLLECT_MS, () => this.#collect(signal), 'leases of API servers could not be looked through', signal);
  }

  /** A fault is told once: it is tried again as long as it takes. */
  async #every(periodMs: number, work: () => Promise<void>, fault: string, signal: AbortSignal): Promise<void> {
    let failing = false;
    while (!signal.aborted) {
      try {
        await work();
        failing = false;
      } catch (err) {
        if (!failing && !signal.aborted) this.#o.logger.warn({ err }, fault);
        failing = true;
      }
      await this.#o.clock.sleep(periodMs, signal).catch(() => undefined);
    }
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const api = this.#o.client.resource(leases);
    const renewTime = formatMicroTime(this.#o.clock.now());
    const spec = { holderIdentity: this.#holder, leaseDurationSeconds: LEASE_SECONDS, renewTime };
    const labels = { [IDENTITY_LABEL]: COMPONENT, 'kubernetes.io/hostname': this.#host };
    try {
      const lease = await api.get(this.#name, NAMESPACE, { signal });
      const metadata = { ...lease.metadata, labels: { ...lease.metadata?.labels, ...labels } };
      await api.update({ ...lease, metadata, spec: { ...lease.spec, ...spec } }, { signal });
    } catch (err) {
      // Another API server of this machine has renewed it.
      if (isConflict(err)) return;
      if (!isNotFound(err)) throw err;
      const metadata = { name: this.#name, namespace: NAMESPACE, labels };
      await api
        .create({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec }, { signal })
        .catch((reason: unknown) => {
          if (!isAlreadyExists(reason)) throw reason;
        });
    }
  }

  async #collect(signal: AbortSignal): Promise<void> {
    const api = this.#o.client.resource(leases);
    const { items } = await api.list(NAMESPACE, { labelSelector: `${IDENTITY_LABEL}=${COMPONENT}`, signal });
    const now = this.#o.clock.now();
    for (const { metadata, spec } of items) {
      const until = Date.parse(spec?.renewTime ?? '') + (spec?.leaseDurationSeconds ?? 0) * 1_000;
      // One without a time is nobody's that lives.
      if (until >= now) continue;
      const { name = '', uid, resourceVersion } = metadata ?? {};
      const preconditions = {
        ...(uid === undefined ? {} : { uid }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      };
      await api.delete(name, NAMESPACE, { preconditions, signal }).catch((reason: unknown) => {
        if (!isNotFound(reason) && !isConflict(reason)) throw reason;
      });
    }
  }
}

/** As upstream names an API server: the first half of its machine's name's SHA-256, in base32. */
export function identityOf(host: string): string {
  const bytes = createHash('sha256').update(host).digest().subarray(0, 16);
  let out = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      out += BASE32[(value >>> (bits - 5)) & 31];
      bits -= 5;
    }
    value &= (1 << bits) - 1;
  }
  if (bits > 0) out += BASE32[(value << (5 - bits)) & 31];
  return `apiserver-${out}`;
}
