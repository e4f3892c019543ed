import { type NodeInfo, tally } from './node-info.ts';
import type { AffinityTerm, PodInfo } from './pod-info.ts';
import { termMatches } from './pod-info.ts';
import { MatcherIndex, type PodMatcher } from './pod-matcher.ts';
import { NO_DOMAIN, type Topology } from './topology.ts';

/** What a term of a pod that is already somewhere means to a pod that is to be placed. */
export type TermKind = 'required' | 'requiredAnti' | 'preferred' | 'preferredAnti';

const kinds: readonly TermKind[] = ['required', 'requiredAnti', 'preferred', 'preferredAnti'];

/** All pods that carry one and the same affinity term, counted by the domain they are in. */
export class TermGroup {
  readonly kind: TermKind;
  readonly term: AffinityTerm;
  readonly matcher: PodMatcher;
  readonly topology: Topology;
  readonly #inDomain = new Map<number, number>();
  carriers = 0;

  constructor(kind: TermKind, term: AffinityTerm, matcher: PodMatcher, topology: Topology) {
    this.kind = kind;
    this.term = term;
    this.matcher = matcher;
    this.topology = topology;
  }

  /** Carriers in the domain that the node in a slot belongs to; 0 when it has none. */
  around(slot: number): number {
    return this.#inDomain.get(this.topology.domain(slot)) ?? 0;
  }

  count(slot: number, by: 1 | -1): void {
    this.carriers += by;
    const domain = this.topology.domain(slot);
    if (domain !== NO_DOMAIN) tally(this.#inDomain, domain, by);
  }
}

/** The affinity terms of all placed pods, by what they say. A pod to be placed is held against each different term once, not against each pod. */
export class AffinityTermRegistry {
  readonly #groups = new Map<string, TermGroup>();
  readonly #index = new MatcherIndex<TermGroup>();
  readonly #topology: (key: string) => Topology;
  readonly #namespaceLabels: (name: string) => Readonly<Record<string, string>>;
  /** Changes whenever a group appears or disappears. */
  version = 0;

  constructor(topology: (key: string) => Topology, namespaceLabels: (name: string) => Readonly<Record<string, string>>) {
    this.#topology = topology;
    this.#namespaceLabels = namespaceLabels;
  }

  /** The groups whose terms are about a pod. */
  matching(pod: PodInfo): readonly TermGroup[] {
    const found: TermGroup[] = [];
    this.#index.forMatching(pod, (group) => found.push(group));
    return found;
  }

  /** A pod with affinity came to (1) or left (-1) a node. */
  count(pod: PodInfo, node: NodeInfo, by: 1 | -1): void {
    if (pod.affinity === undefined) return;
    for (const kind of kinds) for (const term of pod.affinity[kind]) this.#count(kind, term, node.slot, by);
  }

  #count(kind: TermKind, term: AffinityTerm, slot: number, by: 1 | -1): void {
    const key = `${kind} ${term.weight} ${term.key}`;
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = new TermGroup(kind, term, this.#matcher(term), this.#topology(term.topologyKey));
      this.#groups.set(key, group);
      this.#index.add(group);
      this.version++;
    }
    group.count(slot, by);
    if (group.carriers === 0) {
      this.#groups.delete(key);
      this.#index.delete(group);
      this.version++;
    }
  }

  #matcher(term: AffinityTerm): PodMatcher {
    return {
      namespaces: term.namespaceSelector === undefined ? term.namespaces : undefined,
      selector: term.selector,
      matches: (pod) => termMatches(term, pod, this.#namespaceLabels),
    };
  }
}
