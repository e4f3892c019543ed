import { milliValue, quantityValue } from '../api/meta/quantity.ts';
import type { Node, ResourceList, Taint } from '../api/types/core-v1.ts';
import type { HostPort, PodInfo } from './pod-info.ts';
import type { Resources } from './pod-requests.ts';

/** Which parts of a node differ between two states of it, as far as scheduling is concerned. */
export interface NodeDifference {
  readonly allocatable: boolean;
  readonly labels: boolean;
  readonly taints: boolean;
  readonly conditions: boolean;
  readonly annotations: boolean;
  readonly images: boolean;
  readonly features: boolean;
}

const noLabels: Readonly<Record<string, string>> = {};
const noTaints: readonly Taint[] = [];
const unschedulableTaint: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

/**
 * A node with the pods on it and the sums of what they ask for. Changed in place by the cache alone; read by plugins.
 * Every change gives it a `generation` that no node ever had: what was worked out about the node holds as long as the number stays.
 */
export class NodeInfo {
  readonly name: string;
  /** A small number for arrays about nodes; used again by another node once this one is gone. */
  readonly slot: number;
  node: Node;
  generation = 0;
  labels: Readonly<Record<string, string>> = noLabels;
  /** Taints that keep pods away, and those that merely discourage. */
  hardTaints: readonly Taint[] = noTaints;
  softTaints: readonly Taint[] = noTaints;
  unschedulable = false;
  allocatable: Resources & { readonly pods: number };
  /** Image name to size in bytes. */
  images: ReadonlyMap<string, number>;
  readonly pods = new Map<string, PodInfo>();
  milliCpu = 0;
  memory = 0;
  ephemeralStorage = 0;
  nonZeroMilliCpu = 0;
  nonZeroMemory = 0;
  readonly scalars = new Map<string, number>();
  /** `TCP/80` to addresses, and how many pods hold each. */
  readonly #ports = new Map<string, Map<string, number>>();

  constructor(node: Node, slot: number, like?: NodeInfo) {
    this.name = node.metadata?.name ?? '';
    this.slot = slot;
    this.node = node;
    this.allocatable = like?.allocatable ?? allocatableOf(node);
    this.images = like?.images ?? imagesOf(node);
    this.#readSpec();
  }

  /** The node without its pods, to try on what single-node plugins say. */
  emptied(): NodeInfo {
    return new NodeInfo(this.node, this.slot, this);
  }

  update(node: Node, difference: NodeDifference): void {
    this.node = node;
    if (difference.allocatable) this.allocatable = allocatableOf(node);
    if (difference.images) this.images = imagesOf(node);
    this.#readSpec();
  }

  /** The taint that a cordon stands for. */
  static readonly cordon: Taint = unschedulableTaint;

  add(pod: PodInfo): void {
    if (this.pods.has(pod.uid)) this.remove(pod.uid);
    this.pods.set(pod.uid, pod);
    this.#count(pod, 1);
  }

  remove(uid: string): void {
    const pod = this.pods.get(uid);
    if (pod === undefined) return;
    this.pods.delete(uid);
    this.#count(pod, -1);
  }

  /** Whether a pod on this node holds a port that conflicts. The address 0.0.0.0 is every address. */
  portTaken(port: HostPort): boolean {
    if (this.#ports.size === 0) return false;
    const addresses = this.#ports.get(`${port.protocol}/${port.port}`);
    if (addresses === undefined) return false;
    return port.ip === '0.0.0.0' || addresses.has(port.ip) || addresses.has('0.0.0.0');
  }

  #readSpec(): void {
    const { metadata, spec } = this.node;
    this.labels = metadata?.labels ?? noLabels;
    this.unschedulable = spec?.unschedulable === true;
    const taints = spec?.taints ?? noTaints;
    this.hardTaints = taints.length === 0 ? noTaints : taints.filter((t) => t.effect !== 'PreferNoSchedule');
    this.softTaints = taints.length === 0 ? noTaints : taints.filter((t) => t.effect === 'PreferNoSchedule');
  }

  #count(pod: PodInfo, sign: 1 | -1): void {
    const { requests } = pod;
    this.milliCpu += sign * requests.milliCpu;
    this.memory += sign * requests.memory;
    this.ephemeralStorage += sign * requests.ephemeralStorage;
    this.nonZeroMilliCpu += sign * requests.nonZeroMilliCpu;
    this.nonZeroMemory += sign * requests.nonZeroMemory;
    for (const [name, amount] of requests.scalars) tally(this.scalars, name, sign * amount);
    for (const p of pod.hostPorts) {
      const key = `${p.protocol}/${p.port}`;
      const addresses = this.#ports.get(key) ?? new Map<string, number>();
      tally(addresses, p.ip, sign);
      if (addresses.size === 0) this.#ports.delete(key);
      else this.#ports.set(key, addresses);
    }
  }
}

/** Adds to a count that is not kept at zero. */
export function tally<K>(counts: Map<K, number>, key: K, by: number): void {
  const next = (counts.get(key) ?? 0) + by;
  if (next === 0) counts.delete(key);
  else counts.set(key, next);
}

/** What changed about a node; undefined when nothing did that scheduling looks at. */
export function nodeDifference(old: Node, node: Node): NodeDifference | undefined {
  const difference: NodeDifference = {
    allocatable: !sameMap(old.status?.allocatable, node.status?.allocatable),
    labels: !sameMap(old.metadata?.labels, node.metadata?.labels),
    taints:
      (old.spec?.unschedulable ?? false) !== (node.spec?.unschedulable ?? false) ||
      !sameJson(old.spec?.taints, node.spec?.taints),
    conditions: !sameJson(statuses(old), statuses(node)),
    annotations: !sameMap(old.metadata?.annotations, node.metadata?.annotations),
    images: !sameJson(old.status?.images, node.status?.images),
    features: !sameJson(old.status?.declaredFeatures, node.status?.declaredFeatures),
  };
  return Object.values(difference).some(Boolean) ? difference : undefined;
}

/** Conditions without the heartbeat. */
const statuses = (node: Node): readonly string[] => (node.status?.conditions ?? []).map((c) => `${c.type}=${c.status}`);

const sameJson = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b);

function sameMap(a: ResourceList | undefined, b: ResourceList | undefined): boolean {
  if (a === b) return true;
  const [left, right] = [a ?? noLabels, b ?? noLabels];
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((k) => left[k] === right[k]);
}

/** What a node has to give, as its status tells. */
export function allocatableOf(node: Node): NodeInfo['allocatable'] {
  const list = node.status?.allocatable ?? {};
  const scalars = new Map<string, number>();
  for (const [name, amount] of Object.entries(list)) {
    if (name !== 'cpu' && name !== 'memory' && name !== 'ephemeral-storage' && name !== 'pods')
      scalars.set(name, quantityValue(amount));
  }
  return {
    milliCpu: milliValue(list['cpu']),
    memory: quantityValue(list['memory']),
    ephemeralStorage: quantityValue(list['ephemeral-storage']),
    pods: quantityValue(list['pods']),
    scalars,
  };
}

function imagesOf(node: Node): ReadonlyMap<string, number> {
  return new Map(
    (node.status?.images ?? []).flatMap((image) =>
      (image.names ?? []).map((name): [string, number] => [name, image.sizeBytes ?? 0]),
    ),
  );
}
