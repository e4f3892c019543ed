import type { Client } from '../client/contract.ts';
import type { Store } from '../store/contract.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { ClusterConfig } from './config.ts';
import { keepService, publishAuthentication, publishEndpoints, publishService } from './kubernetes-service.ts';
import type { ClusterPki } from './pki.ts';

/** Where the API servers that share a store keep their addresses, upstream's key. */
const LEASES = '/registry/masterleases/';
/** An API server that has not been heard of for so long is no endpoint any more. Seconds. */
const LEASE_SECONDS = 15;
/** How often the Service `kubernetes` is put right, and the lease renewed. Milliseconds. */
const INTERVAL_MS = 10_000;

export interface ApiServerPublicationOptions {
  readonly client: Client;
  readonly store: Store;
  readonly config: ClusterConfig;
  readonly pki: ClusterPki;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Keeps `default/kubernetes` as it must be for as long as this API server runs: made again when somebody deleted it, its endpoints the API
 * servers that live. Those that share an etcd know of each other by keys that end with whoever wrote them (upstream's lease reconciler).
 */
export class ApiServerPublication {
  readonly #o: ApiServerPublicationOptions;
  readonly #stopping = new AbortController();
  #rounds: Promise<void> = Promise.resolve();

  constructor(options: ApiServerPublicationOptions) {
    this.#o = options;
  }

  /** Resolves when this API server is found under the Service. */
  async start(): Promise<void> {
    const { client, config, pki } = this.#o;
    // All at once, so that they share a commit.
    await Promise.all([
      publishAuthentication(client, pki),
      publishService(client, config),
      this.#renew().then((addresses) => publishEndpoints(client, config, addresses)),
    ]);
    this.#rounds = this.#keep(this.#stopping.signal);
  }

  /** Leaves the Service to the others, if there are any. */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort(new Error('the API server ends'));
    await this.#rounds;
    const { client, store, config, logger } = this.#o;
    if (config.etcd === undefined) return;
    try {
      await store.commit([{ type: 'delete', key: LEASES + config.nodeIp }]);
      const others = await this.#living();
      if (others.length > 0) await publishEndpoints(client, config, others);
    } catch (err) {
      logger.warn({ err }, 'the address of this API server stays among the endpoints until the others remove it');
    }
  }

  async #keep(signal: AbortSignal): Promise<void> {
    const { client, config, clock, logger } = this.#o;
    let failing = false;
    for (;;) {
      try {
        await clock.sleep(INTERVAL_MS, signal);
      } catch {
        return;
      }
      try {
        await keepService(client, config);
        await publishEndpoints(client, config, await this.#renew());
        failing = false;
      } catch (err) {
        // Told once: it is tried again as long as it takes.
        if (!failing && !signal.aborted) logger.warn({ err }, 'the Service of the API server could not be kept');
        failing = true;
      }
    }
  }

  /** The addresses of all API servers, this one among them. */
  async #renew(): Promise<readonly string[]> {
    const { store, config } = this.#o;
    // A store in the data directory is this process's alone.
    if (config.etcd === undefined) return [config.nodeIp];
    const endpoints = { apiVersion: 'v1', kind: 'Endpoints', subsets: [{ addresses: [{ ip: config.nodeIp }] }] };
    const value = Buffer.from(JSON.stringify(endpoints));
    await store.commit([{ type: 'put', key: LEASES + config.nodeIp, value, ttlSeconds: LEASE_SECONDS }]);
    return this.#living();
  }

  async #living(): Promise<readonly string[]> {
    const { entries } = await this.#o.store.list(LEASES);
    return entries.map(({ key }) => key.slice(LEASES.length)).sort();
  }
}
