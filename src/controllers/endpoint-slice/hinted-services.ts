import type { Node } from '../../api/types/core-v1.ts';
import type { Informer } from '../../client/contract.ts';
import type { AddressType } from './endpoint.ts';
import { changesRatios, isOverloaded, type ZoneCounts, type ZoneRatios, zoneRatios } from './topology.ts';

type Counts = ReadonlyMap<AddressType, ZoneCounts>;

/** The services that want endpoints in proportion to the CPUs of zones, with what they got, and how the CPUs are spread. */
export class HintedServices {
  readonly #nodes: Informer<Node>;
  readonly #counts = new Map<string, Counts>();
  /** Undefined when a node has changed since. */
  #ratios: { readonly now: ZoneRatios } | undefined;

  /** `changed` is called when the CPUs may be spread otherwise and some service wants to know. */
  constructor(nodes: Informer<Node>, changed: () => void) {
    this.#nodes = nodes;
    const stale = (): void => {
      this.#ratios = undefined;
      if (this.#counts.size > 0) changed();
    };
    nodes.addHandler({
      onAdd: stale,
      onUpdate: (node, old) => {
        if (changesRatios(node, old)) stale();
      },
      onDelete: stale,
    });
  }

  get ratios(): ZoneRatios {
    this.#ratios ??= { now: zoneRatios(this.#nodes.list()) };
    return this.#ratios.now;
  }

  /** Whether the service has hints. */
  has(key: string): boolean {
    return (this.#counts.get(key)?.size ?? 0) > 0;
  }

  /** A service that wants hints got these, of each type of addresses; none where they could not be given. */
  got(key: string, counts: Counts): void {
    this.#counts.set(key, counts);
  }

  forget(key: string): void {
    this.#counts.delete(key);
  }

  /** The keys of services that have too few endpoints for some zone now, or could get hints that they do not have. */
  toReview(): readonly string[] {
    const { ratios } = this;
    const keys: string[] = [];
    for (const [key, counts] of this.#counts) {
      const overloaded = counts.values().some((count) => isOverloaded(count, ratios));
      if (overloaded || (counts.size === 0 && ratios !== undefined)) keys.push(key);
    }
    return keys;
  }
}
