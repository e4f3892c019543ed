import type { NodeInfo } from './node-info.ts';
import type { PodMatcher } from './pod-matcher.ts';
import { NO_DOMAIN, type Topology } from './topology.ts';
import { grown } from './typed-array.ts';

/** What a counter counts. */
export interface CounterSpec {
  /** The same for counters that count the same. */
  readonly key: string;
  readonly matcher: PodMatcher;
  readonly topologyKey: string;
  /** Which nodes take part, by what is said in their labels and taints alone. */
  eligible(node: NodeInfo): boolean;
  /** The matcher asks for labels of namespaces. */
  readonly usesNamespaceLabels: boolean;
}

/**
 * How many matching pods there are in each domain of a topology, over the nodes that take part. Kept up as pods and nodes come and go: upstream
 * counts anew for every pod that is scheduled.
 */
export class PodCounter {
  readonly spec: CounterSpec;
  readonly matcher: PodMatcher;
  readonly topology: Topology;
  /** Matching pods on nodes that take part and have the label. */
  total = 0;
  #onNode: Int32Array<ArrayBuffer> = new Int32Array(0);
  #takesPart: Int32Array<ArrayBuffer> = new Int32Array(0);
  #inDomain: Int32Array<ArrayBuffer> = new Int32Array(0);
  #nodesInDomain: Int32Array<ArrayBuffer> = new Int32Array(0);
  #domains = 0;
  #minimum = 0;
  #minimumKnown = false;

  constructor(spec: CounterSpec, topology: Topology) {
    this.spec = spec;
    this.matcher = spec.matcher;
    this.topology = topology;
  }

  /** Matching pods on the node in a slot, whether it takes part or not. */
  onNode(slot: number): number {
    return this.#onNode[slot] ?? 0;
  }

  /** Matching pods in the domain that the node in a slot belongs to; 0 when it has none. */
  around(slot: number): number {
    const domain = this.topology.domain(slot);
    return domain === NO_DOMAIN ? 0 : (this.#inDomain[domain] ?? 0);
  }

  /** Domains with at least one node that takes part. */
  get domains(): number {
    return this.#domains;
  }

  /** The least number of matching pods in any domain; 0 without domains. */
  get minimum(): number {
    if (!this.#minimumKnown) {
      let least = Number.MAX_SAFE_INTEGER;
      for (let d = 0; d < this.#nodesInDomain.length; d++) {
        if (this.#nodesInDomain[d]! > 0 && this.#inDomain[d]! < least) least = this.#inDomain[d]!;
      }
      this.#minimum = least === Number.MAX_SAFE_INTEGER ? 0 : least;
      this.#minimumKnown = true;
    }
    return this.#minimum;
  }

  /** A matching pod came to (1) or left (-1) a node. */
  count(slot: number, by: 1 | -1): void {
    this.#onNode[slot]! += by;
    if (this.#takesPart[slot] === 1) this.#add(slot, by);
  }

  /** A node is there, with the pods on it. */
  addNode(node: NodeInfo): void {
    const { slot } = node;
    this.#onNode = grown(this.#onNode, slot + 1);
    this.#takesPart = grown(this.#takesPart, slot + 1);
    let matching = 0;
    for (const pod of node.pods.values()) if (this.matcher.matches(pod)) matching++;
    this.#onNode[slot] = matching;
    const domain = this.topology.domain(slot);
    if (domain === NO_DOMAIN || !this.spec.eligible(node)) return;
    this.#takesPart[slot] = 1;
    this.#inDomain = grown(this.#inDomain, domain + 1);
    this.#nodesInDomain = grown(this.#nodesInDomain, domain + 1);
    if (++this.#nodesInDomain[domain]! === 1) this.#domains++;
    this.#add(slot, matching);
    this.#minimumKnown = false;
  }

  /** A node goes, or is about to be judged anew. */
  removeNode(slot: number): void {
    if (this.#takesPart[slot] === 1) {
      this.#add(slot, -this.#onNode[slot]!);
      this.#takesPart[slot] = 0;
      if (--this.#nodesInDomain[this.topology.domain(slot)]! === 0) this.#domains--;
      this.#minimumKnown = false;
    }
    if (slot < this.#onNode.length) this.#onNode[slot] = 0;
  }

  #add(slot: number, by: number): void {
    if (by === 0) return;
    const domain = this.topology.domain(slot);
    const before = this.#inDomain[domain]!;
    this.#inDomain[domain] = before + by;
    this.total += by;
    if (!this.#minimumKnown) return;
    if (before + by < this.#minimum) this.#minimum = before + by;
    else if (before === this.#minimum && by > 0) this.#minimumKnown = false;
  }
}
