import { formatTime } from '../../api/meta/time.ts';
import type { ContainerStats, PodSandboxStats } from '../../runtime/contract.ts';
import type { NodeUsage } from '../../runtime/stats.ts';
import { keys } from '../containers/labels.ts';
import type { MachineFacts, MachineUse } from '../node/machine.ts';
import type { ObservedContainer, ObservedPod } from '../observed/observed.ts';
import type { DiskUse } from '../volumes/disk-use.ts';

/** One sample of CPU and memory. */
interface Usage {
  readonly cpuNanoSeconds: bigint;
  readonly at: bigint;
}

/** What /stats/summary and the metrics are made from. */
export interface StatsSnapshot {
  readonly nodeName: string;
  readonly facts: MachineFacts;
  readonly use: MachineUse;
  readonly containers: readonly ContainerStats[];
  /** Empty where the runtime has none. */
  readonly sandboxes: readonly PodSandboxStats[];
  readonly pods: readonly ObservedPod[];
  /** What volumes take, by pod uid and volume name. */
  readonly volumes: ReadonlyMap<string, ReadonlyMap<string, DiskUse>>;
  /** What logs take, by container id. */
  readonly logs: ReadonlyMap<string, DiskUse>;
  /** The node as a whole; undefined when it is not known. */
  readonly node: NodeUsage | undefined;
  /** When the machine started. Milliseconds since the epoch. */
  readonly bootedAt: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Rates need two samples: remembers the last of each counter. */
export class RateKeeper {
  readonly #last = new Map<string, { readonly usage: Usage; readonly rate: number | undefined }>();

  /** Nanocores since the last sample; undefined at the first. */
  rate(key: string, usage: Usage): number | undefined {
    const before = this.#last.get(key);
    // Asked twice about one sample: the same answer.
    if (before !== undefined && usage.at <= before.usage.at) return before.rate;
    const fresh =
      before === undefined || usage.cpuNanoSeconds < before.usage.cpuNanoSeconds
        ? undefined
        : Number(((usage.cpuNanoSeconds - before.usage.cpuNanoSeconds) * 1_000_000_000n) / (usage.at - before.usage.at));
    this.#last.set(key, { usage, rate: fresh });
    return fresh;
  }

  /** Forgets all counters but these. */
  keep(known: ReadonlySet<string>): void {
    for (const key of this.#last.keys()) if (!known.has(key)) this.#last.delete(key);
  }
}

/** The answer of /stats/summary (stats/v1alpha1.Summary). */
export function summary(snapshot: StatsSnapshot, rates: RateKeeper): object {
  const time = formatTime(snapshot.now);
  const used = new Set<string>();
  const cpu = (key: string, total: bigint | undefined, at: bigint): object => {
    if (total === undefined) return { time };
    used.add(key);
    const rate = rates.rate(key, { cpuNanoSeconds: total, at });
    return { time, ...(rate === undefined ? {} : { usageNanoCores: rate }), usageCoreNanoSeconds: Number(total) };
  };
  const byPod = new Map<string, ContainerStats[]>();
  for (const c of snapshot.containers) {
    const uid = c.labels[keys.podUid];
    if (uid === undefined) continue;
    const list = byPod.get(uid);
    if (list === undefined) byPod.set(uid, [c]);
    else list.push(c);
  }
  const pods = snapshot.pods.filter((p) => byPod.has(p.uid)).map((p) => podStats(snapshot, p, byPod.get(p.uid)!, time, cpu));
  const answer = { node: nodeStats(snapshot, time, cpu), pods };
  rates.keep(used);
  return answer;
}

type Cpu = (key: string, total: bigint | undefined, at: bigint) => object;

function fileSystem({ use }: StatsSnapshot, time: string) {
  return {
    time,
    availableBytes: use.diskAvailable,
    capacityBytes: use.diskCapacity,
    usedBytes: use.diskCapacity - use.diskAvailable,
    inodesFree: use.inodesFree,
    inodes: use.inodes,
    inodesUsed: use.inodes - use.inodesFree,
  };
}

function nodeStats(snapshot: StatsSnapshot, time: string, cpu: Cpu): object {
  const { facts, use, node } = snapshot;
  const fs = fileSystem(snapshot, time);
  const workingSet = node?.memoryWorkingSetBytes ?? Math.max(0, facts.memory - use.memoryAvailable);
  return {
    nodeName: snapshot.nodeName,
    startTime: formatTime(snapshot.bootedAt),
    ...(node === undefined ? {} : { cpu: cpu('node', node.cpuUsageCoreNanoSeconds, node.timestamp) }),
    memory: {
      time,
      availableBytes: Math.max(0, facts.memory - workingSet),
      usageBytes: node?.memoryUsageBytes ?? workingSet,
      workingSetBytes: workingSet,
      ...(node === undefined ? {} : { rssBytes: node.memoryRssBytes }),
    },
    ...(node === undefined ? {} : { network: networkStats(node.interfaces, time) }),
    fs,
    runtime: { imageFs: fs, containerFs: fs },
    rlimit: { time, maxpid: use.maxPids, curproc: use.pids },
    ...(node === undefined
      ? {}
      : { swap: { time, swapAvailableBytes: node.swapAvailableBytes, swapUsageBytes: node.swapUsageBytes } }),
  };
}

function networkStats(interfaces: PodSandboxStats['interfaces'], time: string): object {
  const all = interfaces.map((i) => ({
    name: i.name,
    rxBytes: Number(i.rxBytes),
    rxErrors: Number(i.rxErrors),
    txBytes: Number(i.txBytes),
    txErrors: Number(i.txErrors),
  }));
  return { time, ...all[0], interfaces: all };
}

function podStats(
  snapshot: StatsSnapshot,
  pod: ObservedPod,
  containers: readonly ContainerStats[],
  time: string,
  cpu: Cpu,
): object {
  const fs = fileSystem(snapshot, time);
  const sandbox = snapshot.sandboxes.find((s) => s.metadata.uid === pod.uid && s.id === pod.sandboxes[0]?.id);
  const started = pod.sandboxes[0]?.createdAt ?? snapshot.now;
  const sum = (read: (c: ContainerStats) => number | undefined): number => containers.reduce((s, c) => s + (read(c) ?? 0), 0);
  const observed = new Map(pod.containers.map((o) => [o.id, o]));
  const volumes = snapshot.volumes.get(pod.uid) ?? new Map<string, DiskUse>();
  const logBytes = sum((c) => snapshot.logs.get(c.id)?.bytes);
  let volumeBytes = 0;
  for (const v of volumes.values()) volumeBytes += v.bytes;
  const total = sandbox?.cpuUsageCoreNanoSeconds ?? containers.reduce((n, c) => n + (c.cpuUsageCoreNanoSeconds ?? 0n), 0n);
  return {
    podRef: { name: pod.name, namespace: pod.namespace, uid: pod.uid },
    startTime: formatTime(started),
    containers: containers.map((c) => containerStats(snapshot, c, observed.get(c.id), started, time, cpu)),
    cpu: cpu(`pod/${pod.uid}`, total, sandbox?.timestamp ?? containers[0]!.timestamp),
    memory: {
      time,
      usageBytes: sandbox?.memoryUsageBytes ?? sum((c) => c.memoryUsageBytes),
      workingSetBytes: sandbox?.memoryWorkingSetBytes ?? sum((c) => c.memoryWorkingSetBytes),
      rssBytes: sandbox?.memoryRssBytes ?? sum((c) => c.memoryRssBytes),
      pageFaults: sum((c) => c.memoryPageFaults),
      majorPageFaults: sum((c) => c.memoryMajorPageFaults),
    },
    ...(sandbox === undefined || sandbox.interfaces.length === 0 ? {} : { network: networkStats(sandbox.interfaces, time) }),
    ...(volumes.size === 0
      ? {}
      : { volume: [...volumes].map(([name, v]) => ({ ...fs, usedBytes: v.bytes, inodesUsed: v.inodes, name })) }),
    'ephemeral-storage': { ...fs, usedBytes: sum((c) => c.writableLayerUsedBytes) + logBytes + volumeBytes },
    ...(sandbox?.processCount === undefined ? {} : { process_stats: { process_count: sandbox.processCount } }),
  };
}

function containerStats(
  snapshot: StatsSnapshot,
  c: ContainerStats,
  observed: ObservedContainer | undefined,
  podStarted: number,
  time: string,
  cpu: Cpu,
): object {
  const fs = fileSystem(snapshot, time);
  const log = snapshot.logs.get(c.id);
  const memory = {
    usageBytes: c.memoryUsageBytes,
    workingSetBytes: c.memoryWorkingSetBytes ?? 0,
    rssBytes: c.memoryRssBytes,
    pageFaults: c.memoryPageFaults,
    majorPageFaults: c.memoryMajorPageFaults,
    // Without a limit there is nothing to measure it by, and containerd says 0.
    availableBytes: (c.memoryAvailableBytes ?? 0) > 0 ? c.memoryAvailableBytes : undefined,
  };
  return {
    name: c.name,
    startTime: formatTime(observed?.startedAt ?? podStarted),
    cpu: cpu(c.id, c.cpuUsageCoreNanoSeconds, c.timestamp),
    memory: { time, ...Object.fromEntries(Object.entries(memory).filter(([, v]) => v !== undefined)) },
    rootfs: { ...fs, usedBytes: c.writableLayerUsedBytes ?? 0, inodesUsed: c.writableLayerInodesUsed ?? 0 },
    logs: { ...fs, usedBytes: log?.bytes ?? 0, inodesUsed: log?.inodes ?? 0 },
  };
}
