import { type NodeInfo, tally } from './node-info.ts';
import type { PodMatcher } from './pod-matcher.ts';
import { NO_DOMAIN, type Topology } from './topology.ts';
import { grown } from './typed-array.ts';

/** Which nodes take part in a count, by what is said in their labels and taints alone. */
export interface Eligibility {
  /** The same for what lets the same nodes take part. */
  readonly key: string;
  matches(node: NodeInfo): boolean;
}

/** Every node takes part. */
export const allNodes: Eligibility = { key: '', matches: () => true };

/** What a counter counts. */
export interface CounterSpec {
  /** The same for counters that count the same. */
  readonly key: string;
  readonly matcher: PodMatcher;
  readonly topologyKey: string;
  readonly eligibility: Eligibility;
  /** The matcher asks for labels of namespaces. */
  readonly usesNamespaceLabels: boolean;
}

/** The nodes that take part in some counts, by domain. Workloads by the thousand share a few of these. */
export class NodeGroup {
  readonly topology: Topology;
  readonly eligibility: Eligibility;
  /** Domain by node slot; NO_DOMAIN for nodes that do not take part. */
  #domains: Int32Array<ArrayBuffer> = new Int32Array(0);
  readonly #sizes = new Map<number, number>();

  constructor(topology: Topology, eligibility: Eligibility) {
    this.topology = topology;
    this.eligibility = eligibility;
  }

  /** Domains with at least one node that takes part. */
  get domains(): number {
    return this.#sizes.size;
  }

  domain(slot: number): number {
    return this.#domains[slot] ?? NO_DOMAIN;
  }

  add(node: NodeInfo): void {
    const domain = this.topology.domain(node.slot);
    if (domain === NO_DOMAIN || !this.eligibility.matches(node)) return;
    this.#domains = grown(this.#domains, node.slot + 1, NO_DOMAIN);
    this.#domains[node.slot] = domain;
    tally(this.#sizes, domain, 1);
  }

  remove(slot: number): void {
    const domain = this.domain(slot);
    if (domain === NO_DOMAIN) return;
    this.#domains[slot] = NO_DOMAIN;
    tally(this.#sizes, domain, -1);
  }
}

/**
 * How many matching pods there are in each domain of a topology, over the nodes that take part. Kept up as pods come and go: upstream counts anew for
 * every pod that is scheduled. Before a node's labels or taints change, its pods are taken out, and counted again after.
 */
export class PodCounter {
  readonly spec: CounterSpec;
  readonly matcher: PodMatcher;
  readonly topology: Topology;
  readonly #group: NodeGroup;
  /** Matching pods on nodes that take part and have the label. */
  total = 0;
  readonly #onNode = new Map<number, number>();
  readonly #inDomain = new Map<number, number>();
  #least = 0;
  #leastKnown = false;

  constructor(spec: CounterSpec, group: NodeGroup) {
    this.spec = spec;
    this.matcher = spec.matcher;
    this.topology = group.topology;
    this.#group = group;
  }

  /** Matching pods on the node in a slot, whether it takes part or not. */
  onNode(slot: number): number {
    return this.#onNode.get(slot) ?? 0;
  }

  /** Matching pods in the domain that the node in a slot belongs to; 0 when it has none. */
  around(slot: number): number {
    return this.#inDomain.size === 0 ? 0 : (this.#inDomain.get(this.topology.domain(slot)) ?? 0);
  }

  /** Domains with at least one node that takes part. */
  get domains(): number {
    return this.#group.domains;
  }

  /** The least number of matching pods in any domain; 0 without domains. */
  get minimum(): number {
    if (this.#inDomain.size < this.#group.domains) return 0;
    if (!this.#leastKnown) {
      let least = Number.MAX_SAFE_INTEGER;
      for (const count of this.#inDomain.values()) if (count < least) least = count;
      this.#least = this.#inDomain.size === 0 ? 0 : least;
      this.#leastKnown = true;
    }
    return this.#least;
  }

  /** A matching pod came to (1) or left (-1) a node. */
  count(slot: number, by: 1 | -1): void {
    tally(this.#onNode, slot, by);
    const domain = this.#group.domain(slot);
    if (domain === NO_DOMAIN) return;
    this.total += by;
    tally(this.#inDomain, domain, by);
    this.#leastKnown = false;
  }
}
