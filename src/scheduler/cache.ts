import type { Node, Pod } from '../api/types/core-v1.ts';
import { NodeInfo } from './node-info.ts';
import { type PodInfo, podInfo } from './pod-info.ts';

/**
 * What the scheduler knows of the cluster: nodes with the pods on them, the pods it has decided about and not yet seen bound included
 * (assumed). One thread reads and writes it: plugins see a consistent state as long as they do not await.
 */
export class ClusterCache {
  readonly #nodes = new Map<string, NodeInfo>();
  /** In the order of zones in turn, so that the sample of a large cluster spreads. Made anew when nodes come or go. */
  #ordered: readonly NodeInfo[] | undefined;
  /** Pod uid to the node it is on, assumed pods included. */
  readonly #placed = new Map<string, string>();
  readonly #assumed = new Set<string>();
  /** Pods on nodes that have not been seen yet. */
  readonly #waiting = new Map<string, Map<string, PodInfo>>();

  get nodes(): readonly NodeInfo[] {
    this.#ordered ??= inZoneOrder([...this.#nodes.values()]);
    return this.#ordered;
  }

  node(name: string): NodeInfo | undefined {
    return this.#nodes.get(name);
  }

  isAssumed(uid: string): boolean {
    return this.#assumed.has(uid);
  }

  setNode(node: Node): void {
    const name = node.metadata?.name ?? '';
    const known = this.#nodes.get(name);
    if (known !== undefined) {
      if (zoneOf(known.node) !== zoneOf(node)) this.#ordered = undefined;
      known.update(node);
      return;
    }
    const info = new NodeInfo(node);
    for (const pod of this.#waiting.get(name)?.values() ?? []) info.add(pod);
    this.#waiting.delete(name);
    this.#nodes.set(name, info);
    this.#ordered = undefined;
  }

  /** Its pods may outlive it for a moment: they wait for it to come back or to be deleted. */
  removeNode(name: string): void {
    const info = this.#nodes.get(name);
    if (info === undefined) return;
    this.#nodes.delete(name);
    if (info.pods.size > 0) this.#waiting.set(name, new Map(info.pods));
    this.#ordered = undefined;
  }

  /** A pod that is bound, as the API has it now. */
  setPod(pod: Pod): void {
    const uid = pod.metadata?.uid ?? '';
    const node = pod.spec?.nodeName ?? '';
    const before = this.#placed.get(uid);
    if (before !== undefined && before !== node) this.removePod(uid);
    this.#assumed.delete(uid);
    this.#place(podInfo(pod), node);
  }

  removePod(uid: string): void {
    const node = this.#placed.get(uid);
    if (node === undefined) return;
    this.#placed.delete(uid);
    this.#assumed.delete(uid);
    this.#nodes.get(node)?.remove(uid);
    const waiting = this.#waiting.get(node);
    waiting?.delete(uid);
    if (waiting?.size === 0) this.#waiting.delete(node);
  }

  /** Counts a pod on a node before it is bound there. */
  assume(pod: PodInfo, node: string): void {
    this.#assumed.add(pod.uid);
    this.#place(pod, node);
  }

  /** The binding failed. */
  forget(uid: string): void {
    if (this.#assumed.has(uid)) this.removePod(uid);
  }

  #place(pod: PodInfo, node: string): void {
    this.#placed.set(pod.uid, node);
    const info = this.#nodes.get(node);
    if (info !== undefined) {
      info.add(pod);
      return;
    }
    const waiting = this.#waiting.get(node) ?? new Map<string, PodInfo>();
    waiting.set(pod.uid, pod);
    this.#waiting.set(node, waiting);
  }
}

function zoneOf(node: Node): string {
  const labels = node.metadata?.labels ?? {};
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
