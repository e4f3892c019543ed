import { uptime } from 'node:os';
import { dirname } from 'node:path';
import type { Pod } from '../../api/types/core-v1.ts';
import { type ContainerRuntime, type PodSandboxStats, RuntimeError, runtimeErrorCodes } from '../../runtime/contract.ts';
import { readNodeUsage } from '../../runtime/stats.ts';
import type { Clock } from '../../util/clock.ts';
import type { Machine, MachineFacts } from '../node/machine.ts';
import type { ObservedPod } from '../observed/observed.ts';
import { podUid } from '../pods/pod-spec.ts';
import { type DiskUse, ownVolumeDirectories, treeUse } from '../volumes/disk-use.ts';
import type { StatsSnapshot } from './summary.ts';

/** How old the sizes of volumes and logs may get (volumeStatsAggPeriod). Milliseconds. */
const DISK_USE_AGE_MS = 60_000;

export interface StatsSourceOptions {
  readonly nodeName: string;
  readonly rootDir: string;
  readonly machine: Machine;
  readonly facts: MachineFacts;
  readonly runtime: ContainerRuntime;
  readonly clock: Clock;
  pods(): readonly Pod[];
  observedPods(): readonly ObservedPod[];
}

type DiskUses = Pick<StatsSnapshot, 'volumes' | 'logs'>;

/** Asks machine, runtime and file system what pods and node use. */
export class StatsSource {
  readonly #options: StatsSourceOptions;
  #disks: (DiskUses & { readonly at: number }) | undefined;
  /** As last told by the runtime. */
  #sandboxes: readonly PodSandboxStats[] = [];

  constructor(options: StatsSourceOptions) {
    this.#options = options;
  }

  /** Sizes of volumes and logs are those of the last minute, or of `maxDiskAge` milliseconds. */
  async snapshot(maxDiskAge = DISK_USE_AGE_MS): Promise<StatsSnapshot> {
    const { runtime, machine, rootDir, clock, nodeName, facts } = this.#options;
    const now = clock.now();
    const observed = this.#options.observedPods();
    const [use, containers, sandboxes, node, disks] = await Promise.all([
      machine.use(rootDir),
      runtime.listContainerStats(),
      this.#sandboxStats(),
      readNodeUsage(clock).catch(() => undefined),
      this.#diskUses(observed, now, maxDiskAge),
    ]);
    const { volumes, logs } = disks;
    const bootedAt = now - uptime() * 1000;
    return { nodeName, facts, use, containers, sandboxes, node, pods: observed, volumes, logs, bootedAt, now };
  }

  /** What the runtime says of sandboxes. containerd refuses to tell of any when one ends meanwhile: then as it was told the last time. */
  async #sandboxStats(): Promise<readonly PodSandboxStats[]> {
    try {
      this.#sandboxes = await this.#options.runtime.listPodSandboxStats();
      return this.#sandboxes;
    } catch (err) {
      if (!(err instanceof RuntimeError)) throw err;
      if (err.code === runtimeErrorCodes.unimplemented) return [];
      if (err.code === runtimeErrorCodes.unknown || err.code === runtimeErrorCodes.notFound) return this.#sandboxes;
      throw err;
    }
  }

  /** What volumes and logs take. Counting files is dear: the answer is kept for a while. */
  async #diskUses(observed: readonly ObservedPod[], now: number, maxAge: number): Promise<DiskUses> {
    if (this.#disks !== undefined && now - this.#disks.at < maxAge) return this.#disks;
    const volumes = new Map<string, Map<string, DiskUse>>();
    for (const pod of this.#options.pods()) {
      const own = new Map<string, DiskUse>();
      for (const [name, dir] of ownVolumeDirectories(this.#options.rootDir, pod)) own.set(name, await treeUse(dir));
      volumes.set(podUid(pod), own);
    }
    const logs = new Map<string, DiskUse>();
    for (const c of observed.flatMap((p) => p.containers))
      if (c.logPath !== '') logs.set(c.id, await treeUse(dirname(c.logPath)));
    this.#disks = { volumes, logs, at: now };
    return this.#disks;
  }
}
