import { isDeepStrictEqual } from 'node:util';
import type { Node, Pod } from '../api/types/core-v1.ts';
import { AffinityTermRegistry } from './affinity-terms.ts';
import { type NodeDifference, NodeInfo, nodeDifference, tally } from './node-info.ts';
import { type CounterSpec, type Eligibility, NodeGroup, PodCounter } from './pod-counter.ts';
import { type PodInfo, updatedInfo } from './pod-info.ts';
import { MatcherIndex } from './pod-matcher.ts';
import { Topology } from './topology.ts';

/** Counters kept at once; the one longest unused makes room. A counter takes some 50 bytes for each pod it counts. */
const MAX_COUNTERS = 8192;

/** Different sets of nodes that take part in counts. */
const MAX_GROUPS = 512;

/** A pod on a node. */
interface Placed {
  readonly info: PodInfo;
  readonly node: string;
}

const noLabels: Readonly<Record<string, string>> = {};

/**
 * What the scheduler knows of the cluster: nodes with the pods on them, the pods it has decided about and not yet seen bound included
 * (assumed), and sums that are kept up with every change. One thread reads and writes it: plugins see a consistent state as long as they do
 * not await.
 */
export class ClusterCache {
  readonly #nodes = new Map<string, NodeInfo>();
  /** In the order of zones in turn, so that the sample of a large cluster spreads. Made anew when nodes come or go. */
  #ordered: readonly NodeInfo[] | undefined;
  #slots = 0;
  readonly #freeSlots: number[] = [];
  #generation = 0;
  /** Pod uid to where it is, assumed pods included. */
  readonly #placed = new Map<string, Placed>();
  /** The same by namespace, to begin a count with. */
  readonly #byNamespace = new Map<string, Map<string, Placed>>();
  readonly #assumed = new Map<string, { readonly info: PodInfo; readonly node: string; boundAt: number | undefined }>();
  /** Pods on nodes that have not been seen yet, or are gone. */
  readonly #waiting = new Map<string, Map<string, PodInfo>>();
  readonly #namespaces = new Map<string, Readonly<Record<string, string>>>();
  readonly #topologies = new Map<string, Topology>();
  readonly #groups = new Map<string, NodeGroup>();
  readonly #counters = new Map<string, PodCounter>();
  readonly #counterIndex = new MatcherIndex<PodCounter>();
  readonly #nominated = new Map<string, Map<string, PodInfo>>();
  readonly #nominations = new Map<string, string>();
  /** Nominated pods that keep others away from where they will be. */
  #nominatedAnti = 0;
  /** Claims of pods on nodes, `namespace/name`, and how many use each. */
  readonly #claimUses = new Map<string, number>();
  /** Placed pods of each priority. */
  readonly #priorities = new Map<number, number>();
  /** Image name to the number of nodes that have it. */
  readonly #imageNodes = new Map<string, number>();
  readonly terms = new AffinityTermRegistry(
    (key) => this.topology(key),
    (name) => this.namespaceLabels(name),
  );

  get nodes(): readonly NodeInfo[] {
    this.#ordered ??= inZoneOrder([...this.#nodes.values()]);
    return this.#ordered;
  }

  node(name: string): NodeInfo | undefined {
    return this.#nodes.get(name);
  }

  /** Upper bound of node slots. */
  get slots(): number {
    return this.#slots;
  }

  get podCount(): number {
    return this.#placed.size;
  }

  get assumedCount(): number {
    return this.#assumed.size;
  }

  isAssumed(uid: string): boolean {
    return this.#assumed.has(uid);
  }

  /** Where a pod is, or is assumed to be. */
  nodeOf(uid: string): string | undefined {
    return this.#placed.get(uid)?.node;
  }

  /** Nodes that have an image. */
  nodesWithImage(name: string): number {
    return this.#imageNodes.get(name) ?? 0;
  }

  /** The lowest priority of any pod on a node: who has no higher one can preempt nobody. */
  get lowestPriority(): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const priority of this.#priorities.keys()) if (priority < lowest) lowest = priority;
    return lowest;
  }

  /** Placed pods that use a claim. */
  claimUses(namespace: string, name: string): number {
    return this.#claimUses.get(`${namespace}/${name}`) ?? 0;
  }

  namespaceLabels(name: string): Readonly<Record<string, string>> {
    return this.#namespaces.get(name) ?? noLabels;
  }

  /** Labels of a namespace as they are now; undefined when it is gone. */
  setNamespace(name: string, labels: Readonly<Record<string, string>> | undefined): void {
    if (JSON.stringify(this.#namespaces.get(name)) === JSON.stringify(labels)) return;
    if (labels === undefined) this.#namespaces.delete(name);
    else this.#namespaces.set(name, labels);
    for (const counter of this.#counters.values()) if (counter.spec.usesNamespaceLabels) this.#dropCounter(counter);
  }

  /** What changed about the node; undefined when nothing did that matters. A node not known before is wholly different. */
  setNode(node: Node): NodeDifference | 'added' | undefined {
    const name = node.metadata?.name ?? '';
    const known = this.#nodes.get(name);
    if (known === undefined) {
      this.#addNode(name, node);
      return 'added';
    }
    const difference = nodeDifference(known.node, node);
    if (difference === undefined) {
      known.node = node;
      return undefined;
    }
    if (zoneOf(known.node) !== zoneOf(node)) this.#ordered = undefined;
    if (difference.images) this.#countImages(known, -1);
    const moved = difference.labels || difference.taints;
    if (moved) this.#detach(known);
    known.update(node, difference);
    if (moved) this.#attach(known);
    if (difference.images) this.#countImages(known, 1);
    known.generation = ++this.#generation;
    return difference;
  }

  /** Its pods may outlive it for a moment: they wait for it to come back or to be deleted. */
  removeNode(name: string): void {
    const info = this.#nodes.get(name);
    if (info === undefined) return;
    this.#detach(info);
    this.#countImages(info, -1);
    this.#nodes.delete(name);
    this.#freeSlots.push(info.slot);
    if (info.pods.size > 0) this.#waiting.set(name, new Map(info.pods));
    this.#ordered = undefined;
  }

  /** A pod that is bound, as the API has it now. Its place is the API's, whatever was assumed. */
  setPod(pod: Pod): void {
    const uid = pod.metadata?.uid ?? '';
    const node = pod.spec?.nodeName ?? '';
    const before = this.#placed.get(uid);
    this.#assumed.delete(uid);
    const info = updatedInfo(before?.info, pod);
    if (before !== undefined && before.node === node && unchanged(before.info, info)) {
      // Most updates of a running pod are about its status: nothing that was worked out about the node becomes wrong.
      this.#file(info, node);
      const target = this.#nodes.get(node)?.pods ?? this.#waiting.get(node);
      target?.set(uid, info);
      return;
    }
    if (before !== undefined) this.removePod(uid);
    this.place(info, node);
  }

  /** The last known state of a placed pod. */
  pod(uid: string): PodInfo | undefined {
    return this.#placed.get(uid)?.info;
  }

  removePod(uid: string): void {
    this.#assumed.delete(uid);
    this.lift(uid);
  }

  /** Takes a pod off its node; for `attempt`. What is assumed stays so. */
  lift(uid: string): void {
    const at = this.#placed.get(uid);
    if (at === undefined) return;
    this.#unfile(at.info);
    const node = this.#nodes.get(at.node);
    if (node !== undefined) {
      node.remove(uid);
      node.generation = ++this.#generation;
      this.#count(at.info, node, -1);
      return;
    }
    const waiting = this.#waiting.get(at.node);
    waiting?.delete(uid);
    if (waiting?.size === 0) this.#waiting.delete(at.node);
  }

  /** Counts a pod on a node before it is bound there. */
  assume(info: PodInfo, node: string): void {
    this.#assumed.set(info.uid, { info, node, boundAt: undefined });
    this.place(info, node);
  }

  /** The binding was accepted at `now` (milliseconds); the informer will tell of it. */
  bound(uid: string, now: number): void {
    const assumed = this.#assumed.get(uid);
    if (assumed !== undefined) assumed.boundAt = now;
  }

  /** Assumed pods that were bound before `time` and have still not been seen. */
  overdue(time: number): readonly PodInfo[] {
    const late: PodInfo[] = [];
    for (const { info, boundAt } of this.#assumed.values()) if (boundAt !== undefined && boundAt < time) late.push(info);
    return late;
  }

  /** The binding failed. */
  forget(uid: string): void {
    if (this.#assumed.has(uid)) this.removePod(uid);
  }

  place(info: PodInfo, node: string): void {
    this.#file(info, node);
    const target = this.#nodes.get(node);
    if (target !== undefined) {
      target.add(info);
      target.generation = ++this.#generation;
      this.#count(info, target, 1);
      return;
    }
    const waiting = this.#waiting.get(node) ?? new Map<string, PodInfo>();
    waiting.set(info.uid, info);
    this.#waiting.set(node, waiting);
  }

  /** Lets `attempt` place and lift pods of a node to see what follows, and puts everything back. */
  attempt<T>(node: NodeInfo, attempt: () => T): T {
    const { generation } = node;
    const before = new Map(node.pods);
    try {
      return attempt();
    } finally {
      for (const uid of [...node.pods.keys()]) if (!before.has(uid)) this.lift(uid);
      for (const [uid, info] of before) if (!node.pods.has(uid)) this.place(info, node.name);
      // The node is as it was, so what is known of that generation is true again; numbers given in between are never given again.
      node.generation = generation;
    }
  }

  /** Says that a pod without a node is to get this one when there is room; '' takes it back. */
  nominate(info: PodInfo, node: string): void {
    this.unnominate(info.uid);
    if (node === '') return;
    this.#nominations.set(info.uid, node);
    const pods = this.#nominated.get(node) ?? new Map<string, PodInfo>();
    pods.set(info.uid, info);
    this.#nominated.set(node, pods);
    if (keepsAway(info)) this.#nominatedAnti++;
  }

  unnominate(uid: string): void {
    const node = this.#nominations.get(uid);
    if (node === undefined) return;
    this.#nominations.delete(uid);
    const pods = this.#nominated.get(node)!;
    if (keepsAway(pods.get(uid)!)) this.#nominatedAnti--;
    pods.delete(uid);
    if (pods.size === 0) this.#nominated.delete(node);
  }

  nominatedNode(uid: string): string | undefined {
    return this.#nominations.get(uid);
  }

  /** Whether a nominated pod has a demand to be apart from others. */
  get nominatedKeepAway(): boolean {
    return this.#nominatedAnti > 0;
  }

  /** Pods that are to get this node; undefined for most nodes. */
  nominatedTo(node: string): ReadonlyMap<string, PodInfo> | undefined {
    return this.#nominated.size === 0 ? undefined : this.#nominated.get(node);
  }

  /** The nodes by one of their labels. */
  topology(key: string): Topology {
    let topology = this.#topologies.get(key);
    if (topology === undefined) {
      topology = new Topology(key);
      for (const node of this.#nodes.values()) topology.add(node);
      this.#topologies.set(key, topology);
    }
    return topology;
  }

  /** The counter of this specification, brought about when it is first asked for. */
  counter(spec: CounterSpec): PodCounter {
    let counter = this.#counters.get(spec.key);
    if (counter !== undefined) {
      this.#counters.delete(spec.key);
      this.#counters.set(spec.key, counter);
      return counter;
    }
    if (this.#counters.size >= MAX_COUNTERS) this.#dropCounter(this.#counters.values().next().value!);
    counter = new PodCounter(spec, this.#group(spec.topologyKey, spec.eligibility));
    const { namespaces } = spec.matcher;
    const places = namespaces === undefined ? [this.#placed] : [...namespaces].map((name) => this.#byNamespace.get(name));
    for (const placed of places) {
      for (const { info, node } of placed?.values() ?? []) {
        const at = this.#nodes.get(node);
        if (at !== undefined && spec.matcher.matches(info)) counter.count(at.slot, 1);
      }
    }
    this.#counters.set(spec.key, counter);
    this.#counterIndex.add(counter);
    return counter;
  }

  #group(topologyKey: string, eligibility: Eligibility): NodeGroup {
    const key = `${topologyKey} ${eligibility.key}`;
    let group = this.#groups.get(key);
    if (group === undefined) {
      if (this.#groups.size >= MAX_GROUPS) this.#dropUnused();
      group = new NodeGroup(this.topology(topologyKey), eligibility);
      for (const node of this.#nodes.values()) group.add(node);
      this.#groups.set(key, group);
    }
    return group;
  }

  /** Gives up all counters, and the groups with them: so many different ones are not in use at once. */
  #dropUnused(): void {
    for (const counter of this.#counters.values()) this.#counterIndex.delete(counter);
    this.#counters.clear();
    this.#groups.clear();
  }

  #dropCounter(counter: PodCounter): void {
    this.#counters.delete(counter.spec.key);
    this.#counterIndex.delete(counter);
  }

  #addNode(name: string, node: Node): void {
    const info = new NodeInfo(node, this.#freeSlots.pop() ?? this.#slots++);
    for (const pod of this.#waiting.get(name)?.values() ?? []) info.add(pod);
    this.#waiting.delete(name);
    this.#nodes.set(name, info);
    this.#ordered = undefined;
    this.#attach(info);
    this.#countImages(info, 1);
    info.generation = ++this.#generation;
  }

  /** Takes a node and its pods out of everything that goes by its labels and taints. */
  #detach(node: NodeInfo): void {
    for (const pod of node.pods.values()) this.#count(pod, node, -1);
    for (const group of this.#groups.values()) group.remove(node.slot);
    for (const topology of this.#topologies.values()) topology.remove(node.slot);
  }

  #attach(node: NodeInfo): void {
    for (const topology of this.#topologies.values()) topology.add(node);
    for (const group of this.#groups.values()) group.add(node);
    for (const pod of node.pods.values()) this.#count(pod, node, 1);
  }

  /** A pod came to (1) or left (-1) a node that is known. */
  #count(info: PodInfo, node: NodeInfo, by: 1 | -1): void {
    this.terms.count(info, node, by);
    tally(this.#priorities, info.priority, by);
    for (const claim of info.claims) tally(this.#claimUses, `${info.namespace}/${claim}`, by);
    this.#counterIndex.forMatching(info, (counter) => counter.count(node.slot, by));
  }

  #file(info: PodInfo, node: string): void {
    const placed = { info, node };
    this.#placed.set(info.uid, placed);
    const inNamespace = this.#byNamespace.get(info.namespace);
    if (inNamespace === undefined) this.#byNamespace.set(info.namespace, new Map([[info.uid, placed]]));
    else inNamespace.set(info.uid, placed);
  }

  #unfile({ uid, namespace }: PodInfo): void {
    this.#placed.delete(uid);
    const inNamespace = this.#byNamespace.get(namespace);
    inNamespace?.delete(uid);
    if (inNamespace?.size === 0) this.#byNamespace.delete(namespace);
  }

  #countImages(node: NodeInfo, by: 1 | -1): void {
    for (const name of node.images.keys()) tally(this.#imageNodes, name, by);
  }
}

const keepsAway = (info: PodInfo): boolean => (info.affinity?.requiredAnti.length ?? 0) > 0;

/** Whether two states of a placed pod count alike. */
function unchanged(a: PodInfo, b: PodInfo): boolean {
  return (
    a.terminating === b.terminating &&
    a.priority === b.priority &&
    alike(a.labels, b.labels) &&
    alike(a.requests, b.requests) &&
    alike(a.affinity, b.affinity) &&
    alike(a.hostPorts, b.hostPorts) &&
    alike(a.claims, b.claims)
  );
}

/** Deep equality of what pod infos are made of: records, lists, maps, sets and selectors. */
function alike(a: unknown, b: unknown): boolean {
  return a === b || isDeepStrictEqual(a, b);
}

function zoneOf(node: Node): string {
  const labels = node.metadata?.labels ?? noLabels;
  const region = labels['topology.kubernetes.io/region'] ?? labels['failure-domain.beta.kubernetes.io/region'] ?? '';
  const zone = labels['topology.kubernetes.io/zone'] ?? labels['failure-domain.beta.kubernetes.io/zone'] ?? '';
  return `${region}:${zone}`;
}

function inZoneOrder(nodes: readonly NodeInfo[]): readonly NodeInfo[] {
  const zones = new Map<string, NodeInfo[]>();
  for (const info of nodes) {
    const zone = zoneOf(info.node);
    const list = zones.get(zone);
    if (list === undefined) zones.set(zone, [info]);
    else list.push(info);
  }
  if (zones.size <= 1) return nodes;
  const lists = [...zones.values()];
  const ordered: NodeInfo[] = [];
  for (let i = 0; ordered.length < nodes.length; i++) for (const list of lists) if (i < list.length) ordered.push(list[i]!);
  return ordered;
}
