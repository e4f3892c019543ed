import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import { cpus, networkInterfaces, release } from 'node:os';
import { Quantity } from '../../api/meta/quantity.ts';

/** What does not change about a machine while it runs. */
export interface MachineFacts {
  readonly cpus: number;
  /** Bytes. */
  readonly memory: number;
  readonly machineId: string;
  readonly systemUuid: string;
  readonly bootId: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  /** Go's name: amd64, arm64. */
  readonly architecture: string;
  /** Bytes; 0 for none. */
  readonly swap: number;
  /** Bytes set aside for pages of each size, by resource name: `hugepages-2Mi`. A size without pages has 0. */
  readonly hugePages: Readonly<Record<string, number>>;
}

/** A file system. Bytes and inodes; 0 inodes where they are not counted. */
export interface DiskSpace {
  readonly diskCapacity: number;
  readonly diskAvailable: number;
  readonly inodes: number;
  readonly inodesFree: number;
}

/** What changes. The space is that of the kubelet's root. */
export interface MachineUse extends DiskSpace {
  /** Memory that new work could have, bytes. */
  readonly memoryAvailable: number;
  readonly memoryCapacity: number;
  /** The file system of images; undefined when it is the kubelet's own. */
  readonly imageFs?: DiskSpace;
  readonly pids: number;
  readonly maxPids: number;
}

/** The machine the kubelet runs on; tests and simulated nodes give their own. */
export interface Machine {
  facts(): MachineFacts;
  /** `imageDir`: where images are, when that is another file system. */
  use(rootDir: string, imageDir?: string): Promise<MachineUse>;
}

const goArch: Readonly<Record<string, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'arm',
  ia32: '386',
  ppc64: 'ppc64le',
  s390x: 's390x',
};

const text = (path: string): string => {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
};

async function diskSpace(dir: string): Promise<DiskSpace> {
  const { blocks, bavail, bsize, files, ffree } = await statfs(dir);
  return { diskCapacity: blocks * bsize, diskAvailable: bavail * bsize, inodes: files, inodesFree: ffree };
}

const HUGE_PAGES = '/sys/kernel/mm/hugepages';

function hugePages(): Readonly<Record<string, number>> {
  const sizes = existsSync(HUGE_PAGES) ? readdirSync(HUGE_PAGES) : [];
  return Object.fromEntries(
    sizes.flatMap((dir) => {
      const size = Number(/^hugepages-(\d+)kB$/.exec(dir)?.[1] ?? 0) * 1024;
      const pages = Number(text(`${HUGE_PAGES}/${dir}/nr_hugepages`));
      return size === 0 ? [] : [[`hugepages-${Quantity.of(size, 'BinarySI')}`, size * pages]];
    }),
  );
}

/** A `Name:  123 kB` line of /proc/meminfo, in bytes. */
export function meminfo(content: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(content)?.[1] ?? 0) * 1024;
}

export const hostMachine: Machine = {
  facts() {
    const memory = text('/proc/meminfo');
    const release_ = text('/etc/os-release');
    return {
      cpus: cpus().length || 1,
      memory: meminfo(memory, 'MemTotal'),
      machineId: text('/etc/machine-id') || text('/var/lib/dbus/machine-id'),
      systemUuid: text('/sys/class/dmi/id/product_uuid') || text('/etc/machine-id'),
      bootId: text('/proc/sys/kernel/random/boot_id'),
      kernelVersion: release(),
      osImage: /^PRETTY_NAME="?([^"\n]*)"?/m.exec(release_)?.[1] ?? 'Unknown',
      architecture: goArch[process.arch] ?? process.arch,
      swap: meminfo(memory, 'SwapTotal'),
      hugePages: hugePages(),
    };
  },
  async use(rootDir, imageDir) {
    const [memory, disk, images, load, maxPids] = await Promise.all([
      readFile('/proc/meminfo', 'utf8').catch(() => ''),
      diskSpace(rootDir),
      imageDir === undefined ? undefined : diskSpace(imageDir),
      readFile('/proc/loadavg', 'utf8').catch(() => ''),
      readFile('/proc/sys/kernel/pid_max', 'utf8').catch(() => '32768'),
    ]);
    return {
      ...disk,
      ...(images === undefined ? {} : { imageFs: images }),
      memoryAvailable: meminfo(memory, 'MemAvailable'),
      memoryCapacity: meminfo(memory, 'MemTotal'),
      pids: Number(/\d+\/(\d+)/.exec(load)?.[1] ?? 0),
      maxPids: Number(maxPids),
    };
  },
};

/** The address other machines reach this one by: that of its first interface that is neither loopback nor link-local, nor a bridge of pods. */
export function hostAddress(): string {
  const skipped = /^(lo|veth|cni|docker|br-|flannel|cbr|k8ts)/;
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    if (skipped.test(name)) continue;
    for (const a of addresses ?? [])
      if (a.family === 'IPv4' && !a.internal && !a.address.startsWith('169.254.')) return a.address;
  }
  return '127.0.0.1';
}
