import { podLimits, podRequests } from '../../api/groups/core/pod-resources.ts';
import { quantityValue } from '../../api/meta/quantity.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { keys } from '../containers/labels.ts';
import { podUid } from '../pods/pod-spec.ts';
import type { StatsSnapshot } from '../stats/summary.ts';
import type { Resource, ThresholdMet } from './thresholds.ts';

/** What one pod uses. Bytes and counts. */
export interface PodUse {
  readonly memory: number;
  /** Writable layers, logs and local volumes. */
  readonly disk: number;
  readonly inodes: number;
  readonly processes: number;
  readonly containers: ReadonlyMap<string, { readonly memory: number; readonly disk: number }>;
  /** Bytes, by volume name. */
  readonly volumes: ReadonlyMap<string, number>;
}

/** What each pod uses, by uid. */
export function podUses(snapshot: StatsSnapshot): ReadonlyMap<string, PodUse> {
  const uses = new Map<string, PodUse>();
  for (const pod of snapshot.pods) {
    const containers = new Map<string, { memory: number; disk: number }>();
    let memory = 0;
    let disk = 0;
    let inodes = 0;
    for (const c of snapshot.containers) {
      if (c.labels[keys.podUid] !== pod.uid) continue;
      const log = snapshot.logs.get(c.id);
      const own = { memory: c.memoryWorkingSetBytes ?? 0, disk: (c.writableLayerUsedBytes ?? 0) + (log?.bytes ?? 0) };
      containers.set(c.name, own);
      memory += own.memory;
      disk += own.disk;
      inodes += (c.writableLayerInodesUsed ?? 0) + (log?.inodes ?? 0);
    }
    if (containers.size === 0) continue;
    const volumes = new Map<string, number>();
    for (const [name, use] of snapshot.volumes.get(pod.uid) ?? []) {
      volumes.set(name, use.bytes);
      disk += use.bytes;
      inodes += use.inodes;
    }
    const sandbox = snapshot.sandboxes.find((s) => s.metadata.uid === pod.uid);
    const processes = sandbox?.processCount ?? containers.size;
    uses.set(pod.uid, { memory: sandbox?.memoryWorkingSetBytes ?? memory, disk, inodes, processes, containers, volumes });
  }
  return uses;
}

/**
 * Pods in the order in which they are to go (eviction/helpers.go rank*): those nobody knows the use of, those that use more than they asked
 * for, the less important, and among equals the one that exceeds its request most.
 */
export function ranked(pods: readonly Pod[], uses: ReadonlyMap<string, PodUse>, resource: Resource): readonly Pod[] {
  const use = (pod: Pod): PodUse | undefined => uses.get(podUid(pod));
  const request = (pod: Pod): number => (resource === 'inodes' ? 0 : quantityValue(podRequests(pod)[resource]));
  const amount = (u: PodUse): number =>
    resource === 'memory' ? u.memory : resource === 'inodes' ? u.inodes : resource === 'pids' ? u.processes : u.disk;
  const excess = new Map<Pod, number>();
  for (const pod of pods) {
    const u = use(pod);
    if (u !== undefined) excess.set(pod, amount(u) - (resource === 'pids' ? 0 : request(pod)));
  }
  const priority = (pod: Pod): number => pod.spec?.priority ?? 0;
  return [...pods].sort((a, b) => {
    const x = excess.get(a);
    const y = excess.get(b);
    if (x === undefined || y === undefined) return Number(x !== undefined) - Number(y !== undefined);
    const exceeding = resource === 'pids' ? 0 : Number(y > 0) - Number(x > 0);
    return exceeding || priority(a) - priority(b) || y - x;
  });
}

const suffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'];

/** A number of bytes as Go's BinarySI quantities print it: the largest unit that divides it. */
export function binaryText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value !== 0 && value % 1024 === 0 && unit < suffixes.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value}${suffixes[unit]}`;
}

/** What is told of a pod that goes because the node is short of something (eviction evictionMessage). */
export function evictionMessage(pod: Pod, use: PodUse | undefined, met: ThresholdMet): string {
  const { resource } = met;
  let text = `The node was low on resource: ${resource}. `;
  text += `Threshold quantity: ${binaryText(met.threshold)}, available: ${binaryText(met.available)}. `;
  if (resource !== 'memory' && resource !== 'ephemeral-storage') return text;
  for (const container of pod.spec?.containers ?? []) {
    const own = use?.containers.get(container.name);
    if (own === undefined) continue;
    const used = resource === 'memory' ? own.memory : own.disk;
    const request = container.resources?.requests?.[resource];
    if (used > quantityValue(request)) {
      text += `Container ${container.name} was using ${binaryText(used)}, request is ${request ?? '0'}, has larger consumption of ${resource}. `;
    }
  }
  return text;
}

/** Why a pod that exceeds its own limits of local storage has to go (eviction localStorageEviction); undefined when it does not. */
export function localStorageExcess(pod: Pod, use: PodUse): string | undefined {
  for (const volume of pod.spec?.volumes ?? []) {
    const limit = volume.emptyDir?.sizeLimit;
    const used = use.volumes.get(volume.name);
    if (limit === undefined || used === undefined || quantityValue(limit) <= 0) continue;
    if (used > quantityValue(limit)) {
      return `Usage of EmptyDir volume ${JSON.stringify(volume.name)} exceeds the limit ${JSON.stringify(limit)}. `;
    }
  }
  const containers = pod.spec?.containers ?? [];
  const limits = containers.map((c) => c.resources?.limits?.['ephemeral-storage']);
  const total = quantityValue(podLimits(pod)['ephemeral-storage']);
  // A container without a limit of its own leaves the pod without one.
  if (total > 0 && limits.every((l) => l !== undefined) && use.disk > total) {
    return `Pod ephemeral local storage usage exceeds the total limit of containers ${binaryText(total)}. `;
  }
  for (const [i, container] of containers.entries()) {
    const limit = limits[i];
    const used = use.containers.get(container.name)?.disk ?? 0;
    if (limit !== undefined && quantityValue(limit) > 0 && used > quantityValue(limit)) {
      return `Container ${container.name} exceeded its local ephemeral storage limit ${JSON.stringify(limit)}. `;
    }
  }
  return undefined;
}

/** Whether a pod has limits of local storage that somebody must watch. */
export function limitsLocalStorage(pod: Pod): boolean {
  return (
    pod.spec?.volumes?.some((v) => v.emptyDir?.sizeLimit !== undefined) === true ||
    pod.spec?.containers.some((c) => c.resources?.limits?.['ephemeral-storage'] !== undefined) === true
  );
}
