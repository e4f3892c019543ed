import { milliValue, quantityValue } from '../api/meta/quantity.ts';
import type { Node } from '../api/types/core-v1.ts';
import type { HostPort, PodInfo, Resources } from './pod-info.ts';

/** A node with the pods on it and the sums of what they ask for. Changed in place by the cache; read by plugins. */
export class NodeInfo {
  readonly name: string;
  node: Node;
  allocatable: Resources & { readonly pods: number };
  readonly pods = new Map<string, PodInfo>();
  /** Pods with any affinity or anti-affinity: the others need not be looked at for it. */
  readonly podsWithAffinity = new Map<string, PodInfo>();
  milliCpu = 0;
  memory = 0;
  ephemeralStorage = 0;
  nonZeroMilliCpu = 0;
  nonZeroMemory = 0;
  readonly scalars = new Map<string, number>();
  readonly #ports = new Map<string, number>();
  /** Image name to size in bytes. */
  images: ReadonlyMap<string, number>;

  constructor(node: Node) {
    this.name = node.metadata?.name ?? '';
    this.node = node;
    this.allocatable = allocatableOf(node);
    this.images = imagesOf(node);
  }

  update(node: Node): void {
    if (node.status?.allocatable !== this.node.status?.allocatable) this.allocatable = allocatableOf(node);
    if (node.status?.images !== this.node.status?.images) this.images = imagesOf(node);
    this.node = node;
  }

  add(pod: PodInfo): void {
    if (this.pods.has(pod.uid)) this.remove(pod.uid);
    this.pods.set(pod.uid, pod);
    if (hasAffinity(pod)) this.podsWithAffinity.set(pod.uid, pod);
    this.#count(pod, 1);
  }

  remove(uid: string): void {
    const pod = this.pods.get(uid);
    if (pod === undefined) return;
    this.pods.delete(uid);
    this.podsWithAffinity.delete(uid);
    this.#count(pod, -1);
  }

  /** Whether a pod on this node holds a port that conflicts. The address 0.0.0.0 is every address. */
  portTaken(port: HostPort): boolean {
    if (this.#ports.size === 0) return false;
    for (const key of this.#ports.keys()) {
      const [protocol, number, ip] = key.split('/') as [string, string, string];
      if (protocol !== port.protocol || Number(number) !== port.port) continue;
      if (ip === port.ip || ip === '0.0.0.0' || port.ip === '0.0.0.0') return true;
    }
    return false;
  }

  #count(pod: PodInfo, sign: 1 | -1): void {
    this.milliCpu += sign * pod.requests.milliCpu;
    this.memory += sign * pod.requests.memory;
    this.ephemeralStorage += sign * pod.requests.ephemeralStorage;
    this.nonZeroMilliCpu += sign * pod.nonZero.milliCpu;
    this.nonZeroMemory += sign * pod.nonZero.memory;
    for (const [name, amount] of pod.requests.scalars) this.scalars.set(name, (this.scalars.get(name) ?? 0) + sign * amount);
    for (const p of pod.hostPorts) {
      const key = `${p.protocol}/${p.port}/${p.ip}`;
      const count = (this.#ports.get(key) ?? 0) + sign;
      if (count === 0) this.#ports.delete(key);
      else this.#ports.set(key, count);
    }
  }

  /** A copy to try things on. */
  clone(): NodeInfo {
    const copy = new NodeInfo(this.node);
    for (const pod of this.pods.values()) copy.add(pod);
    return copy;
  }
}

function hasAffinity(pod: PodInfo): boolean {
  return (
    pod.requiredAffinity.length +
      pod.requiredAntiAffinity.length +
      pod.preferredAffinity.length +
      pod.preferredAntiAffinity.length >
    0
  );
}

function allocatableOf(node: Node): NodeInfo['allocatable'] {
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
