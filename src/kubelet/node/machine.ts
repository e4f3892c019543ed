import { readFileSync } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import { cpus, networkInterfaces, release } from 'node:os';

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
}

/** What changes: asked for with every status. */
export interface MachineUse {
  /** Memory that new work could have, bytes. */
  readonly memoryAvailable: number;
  /** The file system of the kubelet's root. Bytes and inodes. */
  readonly diskCapacity: number;
  readonly diskAvailable: number;
  readonly inodes: number;
  readonly inodesFree: number;
  readonly pids: number;
  readonly maxPids: number;
}

/** The machine the kubelet runs on; tests and simulated nodes give their own. */
export interface Machine {
  facts(): MachineFacts;
  use(rootDir: string): Promise<MachineUse>;
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
    };
  },
  async use(rootDir) {
    const [memory, disk, load, maxPids] = await Promise.all([
      readFile('/proc/meminfo', 'utf8').catch(() => ''),
      statfs(rootDir),
      readFile('/proc/loadavg', 'utf8').catch(() => ''),
      readFile('/proc/sys/kernel/pid_max', 'utf8').catch(() => '32768'),
    ]);
    return {
      memoryAvailable: meminfo(memory, 'MemAvailable'),
      diskCapacity: disk.blocks * disk.bsize,
      diskAvailable: disk.bavail * disk.bsize,
      inodes: disk.files,
      inodesFree: disk.ffree,
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
