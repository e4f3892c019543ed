import type { Clock } from '../util/clock.ts';
import type { Random } from '../util/random.ts';

/** How much longer than asked a key may live, as a share of its TTL, so that keys can share a lease; and the bound of it in seconds. */
const REUSE_SHARE = 0.05;
const MAX_REUSE_SECONDS = 60;
/** Keys on one lease: etcd deletes them in one commit when it ends. Upstream's bound. */
const MAX_KEYS_PER_LEASE = 1_000;
/** Below 2^53, so that the number passes through JavaScript whole. */
const ID_BOUND = 2 ** 47;

interface Lease {
  readonly id: Promise<number>;
  readonly until: number;
  keys: number;
}

export interface EtcdLeasesOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Makes a lease of `ttl` seconds with that id. */
  grant(ttl: number, id: number): Promise<unknown>;
}

/** Leases for keys with a TTL. A lease is shared by keys of the same TTL that come shortly after one another: one lease each would drown etcd. */
export class EtcdLeases {
  readonly #options: EtcdLeasesOptions;
  readonly #open = new Map<number, Lease>();

  constructor(options: EtcdLeasesOptions) {
    this.#options = options;
  }

  /** The lease for a key that is to live `ttl` seconds. */
  take(ttl: number): Promise<number> {
    const now = this.#options.clock.monotonic();
    const held = this.#open.get(ttl);
    if (held !== undefined && now < held.until && held.keys < MAX_KEYS_PER_LEASE) {
      held.keys++;
      return held.id;
    }
    const reuse = Math.min(MAX_REUSE_SECONDS, Math.floor(ttl * REUSE_SHARE));
    const id = 1 + this.#options.random.int(ID_BOUND);
    const lease: Lease = {
      id: this.#options.grant(Math.ceil(ttl) + reuse, id).then(() => id),
      until: now + reuse * 1000,
      keys: 1,
    };
    this.#open.set(ttl, lease);
    lease.id.catch(() => {
      if (this.#open.get(ttl) === lease) this.#open.delete(ttl);
    });
    return lease.id;
  }
}
