import { mkdir, readdir, readFile, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../util/clock.ts';

/**
 * The part of the cgroup tree that is the kubelet's: `kubepods`, below it one cgroup for each quality of service but Guaranteed, and below
 * those one for each pod. The runtime makes the containers' cgroups inside a pod's. (cgroupfs driver; upstream's pkg/kubelet/cm.)
 */

/** The quality-of-service classes as they appear in the tree: guaranteed pods stand directly below `kubepods`. */
export type CgroupQos = 'guaranteed' | 'burstable' | 'besteffort';

/** Limits of one cgroup. What is undefined is left as it is. */
export interface CgroupLimits {
  /** Relative weight, as cgroup v1 counts it: 2 to 262144, 1024 for one CPU. */
  readonly cpuShares?: number | undefined;
  /** Microseconds of CPU time in each period; -1 or 0 for no limit. */
  readonly cpuQuota?: number | undefined;
  /** Microseconds; 100000 unless said. */
  readonly cpuPeriod?: number | undefined;
  /** Bytes; -1 or 0 for no limit. */
  readonly memoryLimitInBytes?: number | undefined;
  /** Processes and threads; -1 for no limit. */
  readonly pids?: number | undefined;
}

/** What the kernel counted for one cgroup. */
export interface CgroupUsage {
  /** CPU time used since the cgroup was made, nanoseconds. */
  readonly cpuNanoSeconds: bigint;
  readonly memoryUsageBytes: number;
  /** Usage less the file cache that could be dropped at once. */
  readonly memoryWorkingSetBytes: number;
  readonly memoryRssBytes: number;
  readonly pageFaults: number;
  readonly majorPageFaults: number;
  readonly processCount: number;
}

/** The cgroup tree of this machine. */
export interface CgroupTree {
  readonly version: 1 | 2;
  /** The directories of `path` (such as `/kubepods/burstable`), one for each controller in v1, one in all in v2. */
  directories(path: string): readonly string[];
  /** Makes the cgroup in every controller and sets `limits`. May be repeated. */
  ensure(path: string, limits: CgroupLimits): Promise<void>;
  /** Removes the cgroup and all below it from every controller. Succeeds when it is gone already; rejects while processes are in it. */
  remove(path: string): Promise<void>;
  /** Ids of the processes in the cgroup and below. */
  processes(path: string): Promise<readonly number[]>;
  /** Names of the cgroups directly below `path`, over all controllers. */
  children(path: string): Promise<readonly string[]>;
  /** Undefined when there is no such cgroup. */
  usage(path: string): Promise<CgroupUsage | undefined>;
}

const ROOT = '/sys/fs/cgroup';
const DEFAULT_PERIOD = 100_000;
/** Controllers of v1 in which pods get a cgroup, as far as they are mounted. */
const v1Controllers = [
  'cpu',
  'cpuacct',
  'cpuset',
  'memory',
  'devices',
  'freezer',
  'blkio',
  'pids',
  'hugetlb',
  'net_cls',
  'net_prio',
  'perf_event',
  'systemd',
  'rdma',
  'misc',
];
/** Controllers of v2 the kubelet hands down. */
const v2Controllers = ['cpu', 'cpuset', 'memory', 'pids', 'io', 'hugetlb'];
/** Deepest tree removed: kubepods/qos/pod/container and some inside it. */
const MAX_DEPTH = 16;
/** A cgroup whose last process has just ended may be busy for a moment: tries, and the first wait between them, which doubles. Milliseconds. */
const REMOVE_TRIES = 9;
const REMOVE_WAIT_MS = 4;

/** The cgroup path of a pod, below `root` (`/kubepods`, or another for several nodes on one machine). */
export function podCgroupPath(root: string, qos: CgroupQos, podUid: string): string {
  return `${qosCgroupPath(root, qos)}/pod${podUid}`;
}

/** The cgroup path of a quality-of-service class below `root`. */
export function qosCgroupPath(root: string, qos: CgroupQos): string {
  return qos === 'guaranteed' ? root : `${root}/${qos}`;
}

/** cgroup v2's cpu.weight for v1's cpu.shares: [2, 262144] onto [1, 10000], as runtimes and the kubelet map it. */
export function cpuSharesToWeight(shares: number): number {
  return Math.trunc(1 + ((Math.min(Math.max(shares, 2), 262_144) - 2) * 9_999) / 262_142);
}

/** The files that set `limits`, for each controller, in the order they must be written. */
export function limitFiles(
  version: 1 | 2,
  limits: CgroupLimits,
): readonly { readonly controller: string; readonly file: string; readonly value: string }[] {
  const out: { controller: string; file: string; value: string }[] = [];
  const set = (controller: string, file: string, value: string | number): void => {
    out.push({ controller, file, value: String(value) });
  };
  const limited = (value: number): boolean => value > 0;
  const period = limits.cpuPeriod ?? DEFAULT_PERIOD;
  if (version === 1) {
    if (limits.cpuShares !== undefined) set('cpu', 'cpu.shares', limits.cpuShares);
    if (limits.cpuQuota !== undefined) {
      set('cpu', 'cpu.cfs_period_us', period);
      set('cpu', 'cpu.cfs_quota_us', limited(limits.cpuQuota) ? limits.cpuQuota : -1);
    }
    if (limits.memoryLimitInBytes !== undefined)
      set('memory', 'memory.limit_in_bytes', limited(limits.memoryLimitInBytes) ? limits.memoryLimitInBytes : -1);
    if (limits.pids !== undefined) set('pids', 'pids.max', limited(limits.pids) ? limits.pids : 'max');
    return out;
  }
  if (limits.cpuShares !== undefined) set('cpu', 'cpu.weight', cpuSharesToWeight(limits.cpuShares));
  if (limits.cpuQuota !== undefined) set('cpu', 'cpu.max', `${limited(limits.cpuQuota) ? limits.cpuQuota : 'max'} ${period}`);
  if (limits.memoryLimitInBytes !== undefined)
    set('memory', 'memory.max', limited(limits.memoryLimitInBytes) ? limits.memoryLimitInBytes : 'max');
  if (limits.pids !== undefined) set('pids', 'pids.max', limited(limits.pids) ? limits.pids : 'max');
  return out;
}

/** The tree as it is mounted on this machine; `root` is for tests. A hybrid layout counts as version 1. */
export async function openCgroupTree(root = ROOT): Promise<CgroupTree> {
  const names = await readdir(root);
  if (names.includes('cgroup.controllers')) return new UnifiedTree(root);
  const controllers: string[] = [];
  const seen = new Set<string>();
  for (const name of v1Controllers) {
    if (!names.includes(name)) continue;
    // `cpu` and `cpuacct` are often two names of one mount: the same directory must not be handled twice.
    const { ino, dev } = await stat(join(root, name));
    const key = `${dev}:${ino}`;
    if (seen.has(key)) continue;
    seen.add(key);
    controllers.push(name);
  }
  return new LegacyTree(root, controllers);
}

abstract class Tree implements CgroupTree {
  abstract readonly version: 1 | 2;
  readonly root: string;
  constructor(root: string) {
    this.root = root;
  }
  abstract directories(path: string): readonly string[];
  /** The directory of `path` in one controller; undefined when that is not mounted. */
  protected abstract directory(controller: string, path: string): string | undefined;
  protected abstract make(path: string): Promise<void>;
  abstract usage(path: string): Promise<CgroupUsage | undefined>;

  async ensure(path: string, limits: CgroupLimits): Promise<void> {
    await this.make(path);
    for (const { controller, file, value } of limitFiles(this.version, limits)) {
      const directory = this.directory(controller, path);
      if (directory !== undefined) await writeFile(join(directory, file), value);
    }
  }
  async remove(path: string): Promise<void> {
    await Promise.all(this.directories(path).map((directory) => removeTree(directory, 0)));
  }
  async processes(path: string): Promise<readonly number[]> {
    const found = new Set<number>();
    await Promise.all(this.directories(path).map((directory) => collectProcesses(directory, 0, found)));
    return [...found].sort((a, b) => a - b);
  }
  async children(path: string): Promise<readonly string[]> {
    const lists = await Promise.all(this.directories(path).map(subdirectories));
    return [...new Set(lists.flat())].sort();
  }
}

class LegacyTree extends Tree {
  readonly version = 1;
  readonly #controllers: readonly string[];
  constructor(root: string, controllers: readonly string[]) {
    super(root);
    this.#controllers = controllers;
  }
  directories(path: string): readonly string[] {
    return this.#controllers.map((controller) => join(this.root, controller, path));
  }
  protected directory(controller: string, path: string): string | undefined {
    return this.#controllers.includes(controller) ? join(this.root, controller, path) : undefined;
  }
  protected async make(path: string): Promise<void> {
    await Promise.all(
      this.#controllers.map((controller) =>
        controller === 'cpuset' ? this.#makeCpuset(path) : mkdir(join(this.root, controller, path), { recursive: true }),
      ),
    );
  }
  /** A new cpuset of v1 is empty and takes no process: it gets what its parent has, from the top down. */
  async #makeCpuset(path: string): Promise<void> {
    let parent = join(this.root, 'cpuset');
    for (const part of path.split('/')) {
      if (part === '') continue;
      const directory = join(parent, part);
      await mkdir(directory, { recursive: true });
      for (const file of ['cpuset.cpus', 'cpuset.mems']) {
        if ((await read(join(directory, file))).trim() !== '') continue;
        const inherited = (await read(join(parent, file))).trim();
        if (inherited !== '') await writeFile(join(directory, file), inherited);
      }
      parent = directory;
    }
  }
  async usage(path: string): Promise<CgroupUsage | undefined> {
    const at = (controller: string, file: string): Promise<string> => {
      const directory = this.directory(controller, path) ?? (controller === 'cpuacct' ? this.directory('cpu', path) : undefined);
      return directory === undefined ? Promise.resolve('') : read(join(directory, file));
    };
    const [cpu, memory, statText, pids] = await Promise.all([
      at('cpuacct', 'cpuacct.usage'),
      at('memory', 'memory.usage_in_bytes'),
      at('memory', 'memory.stat'),
      at('pids', 'pids.current'),
    ]);
    if (cpu === '' && memory === '') return undefined;
    const counters = keyedNumbers(statText);
    const usage = Number(memory || 0);
    return {
      cpuNanoSeconds: BigInt(cpu.trim() || 0),
      memoryUsageBytes: usage,
      memoryWorkingSetBytes: Math.max(0, usage - (counters.get('total_inactive_file') ?? 0)),
      memoryRssBytes: counters.get('total_rss') ?? 0,
      pageFaults: counters.get('total_pgfault') ?? 0,
      majorPageFaults: counters.get('total_pgmajfault') ?? 0,
      processCount: Number(pids || 0),
    };
  }
}

class UnifiedTree extends Tree {
  readonly version = 2;
  directories(path: string): readonly string[] {
    return [join(this.root, path)];
  }
  protected directory(_controller: string, path: string): string {
    return join(this.root, path);
  }
  protected async make(path: string): Promise<void> {
    // A controller works in a cgroup only when every cgroup above hands it down.
    let parent = this.root;
    for (const part of path.split('/')) {
      if (part === '') continue;
      await this.#handDown(parent);
      parent = join(parent, part);
      await mkdir(parent, { recursive: true });
    }
    await this.#handDown(parent);
  }
  async #handDown(directory: string): Promise<void> {
    const available = (await read(join(directory, 'cgroup.controllers'))).trim().split(' ');
    const enabled = (await read(join(directory, 'cgroup.subtree_control'))).trim().split(' ');
    const missing = v2Controllers.filter((c) => available.includes(c) && !enabled.includes(c));
    if (missing.length > 0) await writeFile(join(directory, 'cgroup.subtree_control'), missing.map((c) => `+${c}`).join(' '));
  }
  async usage(path: string): Promise<CgroupUsage | undefined> {
    const directory = join(this.root, path);
    const [cpuText, current, statText, pids] = await Promise.all([
      read(join(directory, 'cpu.stat')),
      read(join(directory, 'memory.current')),
      read(join(directory, 'memory.stat')),
      read(join(directory, 'pids.current')),
    ]);
    if (cpuText === '') return undefined;
    const counters = keyedNumbers(statText);
    const anonymous = counters.get('anon') ?? 0;
    // The root cgroup has no memory.current: what it holds is the sum of its parts.
    const usage = current === '' ? anonymous + (counters.get('file') ?? 0) : Number(current);
    return {
      cpuNanoSeconds: BigInt(keyedNumbers(cpuText).get('usage_usec') ?? 0) * 1000n,
      memoryUsageBytes: usage,
      memoryWorkingSetBytes: Math.max(0, usage - (counters.get('inactive_file') ?? 0)),
      memoryRssBytes: anonymous,
      pageFaults: counters.get('pgfault') ?? 0,
      majorPageFaults: counters.get('pgmajfault') ?? 0,
      processCount: Number(pids || 0),
    };
  }
}

/** The text of a file; empty when there is none. */
async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (err) {
    if (isGone(err)) return '';
    throw err;
  }
}

function isGone(err: unknown): boolean {
  const code = (err as NodeJS.ErrnoException).code;
  // ENODEV: the cgroup was removed while its file was open.
  return code === 'ENOENT' || code === 'ENODEV' || code === 'ENOTDIR';
}

function keyedNumbers(text: string): ReadonlyMap<string, number> {
  const out = new Map<string, number>();
  for (const line of text.split('\n')) {
    const blank = line.indexOf(' ');
    if (blank > 0) out.set(line.slice(0, blank), Number(line.slice(blank + 1)));
  }
  return out;
}

async function subdirectories(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (err) {
    if (isGone(err)) return [];
    throw err;
  }
}

async function collectProcesses(directory: string, depth: number, found: Set<number>): Promise<void> {
  for (const line of (await read(join(directory, 'cgroup.procs'))).split('\n')) if (line !== '') found.add(Number(line));
  if (depth >= MAX_DEPTH) return;
  for (const name of await subdirectories(directory)) await collectProcesses(join(directory, name), depth + 1, found);
}

async function removeTree(directory: string, depth: number): Promise<void> {
  if (depth > MAX_DEPTH) throw new Error(`cgroups nested too deeply: ${directory}`);
  for (const name of await subdirectories(directory)) await removeTree(join(directory, name), depth + 1);
  for (let tries = 1; ; tries++) {
    try {
      await rmdir(directory);
      return;
    } catch (err) {
      if (isGone(err)) return;
      if ((err as NodeJS.ErrnoException).code !== 'EBUSY' || tries >= REMOVE_TRIES) throw err;
      // The kernel is waited for: that is the host's time in any case.
      await systemClock.sleep(REMOVE_WAIT_MS * 2 ** (tries - 1));
    }
  }
}
