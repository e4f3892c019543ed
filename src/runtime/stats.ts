import { readFile, statfs } from 'node:fs/promises';
import type { Clock } from '../util/clock.ts';
import type { CgroupTree, CgroupUsage } from './cgroup.ts';

/** What the node as a whole uses, for the summary API and the node's status. */
export interface NodeUsage {
  /** Nanoseconds since the epoch of the sample. */
  readonly timestamp: bigint;
  /** CPU time of everything since boot, nanoseconds. */
  readonly cpuUsageCoreNanoSeconds: bigint;
  readonly memoryUsageBytes: number;
  readonly memoryWorkingSetBytes: number;
  readonly memoryRssBytes: number;
  readonly memoryAvailableBytes: number;
  readonly memoryCapacityBytes: number;
  readonly swapUsageBytes: number;
  readonly swapAvailableBytes: number;
  readonly processCount: number;
  readonly maxProcesses: number;
  /** Interfaces of the node's network namespace but the loopback. */
  readonly interfaces: readonly InterfaceUsage[];
}

export interface InterfaceUsage {
  readonly name: string;
  readonly rxBytes: bigint;
  readonly rxErrors: bigint;
  readonly txBytes: bigint;
  readonly txErrors: bigint;
}

/** A file system's space, bytes and inodes. */
export interface FilesystemSpace {
  readonly capacityBytes: number;
  /** For those who are not root. */
  readonly availableBytes: number;
  readonly usedBytes: number;
  readonly inodes: number;
  readonly inodesFree: number;
}

/** Kernel's USER_HZ: /proc/stat counts in hundredths of a second on every Linux. */
const NANOS_PER_TICK = 10_000_000n;

/** Reads the node's usage. `cgroups`, when given, supplies the whole tree's memory as cAdvisor counts it; /proc does otherwise. */
export async function readNodeUsage(clock: Clock, cgroups?: CgroupTree): Promise<NodeUsage> {
  const [stat, meminfo, network, loadavg, pidMax] = await Promise.all(
    ['stat', 'meminfo', 'net/dev', 'loadavg', 'sys/kernel/pid_max'].map((name) => readFile(`/proc/${name}`, 'utf8')),
  );
  const root = await cgroups?.usage('/');
  return nodeUsage({
    now: clock.now(),
    stat: stat!,
    meminfo: meminfo!,
    network: network!,
    loadavg: loadavg!,
    pidMax: pidMax!,
    root,
  });
}

/** What `readNodeUsage` makes of the texts it read. */
export function nodeUsage(input: {
  readonly now: number;
  readonly stat: string;
  readonly meminfo: string;
  readonly network: string;
  readonly loadavg: string;
  readonly pidMax: string;
  readonly root: CgroupUsage | undefined;
}): NodeUsage {
  const memory = parseMeminfo(input.meminfo);
  const of = (key: string): number => memory.get(key) ?? 0;
  const capacity = of('MemTotal');
  const usage = input.root?.memoryUsageBytes ?? capacity - of('MemFree');
  const workingSet = input.root?.memoryWorkingSetBytes ?? Math.max(0, usage - of('Inactive(file)'));
  return {
    timestamp: BigInt(Math.round(input.now)) * 1_000_000n,
    cpuUsageCoreNanoSeconds: parseCpuTime(input.stat),
    memoryUsageBytes: usage,
    memoryWorkingSetBytes: workingSet,
    memoryRssBytes: input.root?.memoryRssBytes ?? of('AnonPages'),
    memoryAvailableBytes: Math.max(0, capacity - workingSet),
    memoryCapacityBytes: capacity,
    swapUsageBytes: of('SwapTotal') - of('SwapFree'),
    swapAvailableBytes: of('SwapFree'),
    processCount: Number(/\d+\/(\d+)/.exec(input.loadavg)?.[1] ?? 0),
    maxProcesses: Number(input.pidMax),
    interfaces: parseInterfaces(input.network),
  };
}

/** Space of the file system `path` is on. */
export async function readFilesystemSpace(path: string): Promise<FilesystemSpace> {
  const fs = await statfs(path);
  return {
    capacityBytes: fs.blocks * fs.bsize,
    availableBytes: fs.bavail * fs.bsize,
    usedBytes: (fs.blocks - fs.bfree) * fs.bsize,
    inodes: fs.files,
    inodesFree: fs.ffree,
  };
}

/** Bytes by key of /proc/meminfo. */
export function parseMeminfo(text: string): ReadonlyMap<string, number> {
  const out = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, key, value, unit] = /^(\S+):\s+(\d+)( kB)?/.exec(line) ?? [];
    if (key !== undefined) out.set(key, Number(value) * (unit === undefined ? 1 : 1024));
  }
  return out;
}

/** CPU time since boot of all processors, but idle and waiting, in nanoseconds: the first line of /proc/stat. */
export function parseCpuTime(text: string): bigint {
  const [user = '0', nice = '0', system = '0', , , irq = '0', softirq = '0'] = text
    .slice(0, text.indexOf('\n'))
    .split(/\s+/)
    .slice(1);
  return [user, nice, system, irq, softirq].reduce((sum, ticks) => sum + BigInt(ticks), 0n) * NANOS_PER_TICK;
}

/** The interfaces in /proc/net/dev but the loopback. */
export function parseInterfaces(text: string): readonly InterfaceUsage[] {
  const out: InterfaceUsage[] = [];
  for (const line of text.split('\n').slice(2)) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const name = line.slice(0, colon).trim();
    const [rxBytes = '0', , rxErrors = '0', , , , , , txBytes = '0', , txErrors = '0'] = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/);
    if (name !== 'lo')
      out.push({
        name,
        rxBytes: BigInt(rxBytes),
        rxErrors: BigInt(rxErrors),
        txBytes: BigInt(txBytes),
        txErrors: BigInt(txErrors),
      });
  }
  return out;
}
