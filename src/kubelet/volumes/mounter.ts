import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { formatAndMount } from './device.ts';
import { below, type MountPoint, parseMountTable } from './mount-table.ts';

const run = promisify(execFile);

/** What of the host's mount table volumes need. */
export interface Mounter {
  /** Mounts a memory file system; `size` in bytes, 0 for the kernel's default. */
  mountTmpfs(dir: string, size: number): Promise<void>;
  /** Mounts what an image holds, read-only, where the runtime cannot do that itself. */
  mountImage?(imageId: string, dir: string): Promise<void>;
  /** Mounts a file system of huge pages; `pageSize` in bytes. */
  mountHugePages(dir: string, pageSize: number): Promise<void>;
  unmount(dir: string): Promise<void>;
  /** Mount points at or below `dir`, deepest first. */
  mountsBelow(dir: string): Promise<readonly string[]>;
  /** All that is mounted, in the order of mounting. */
  table(): Promise<readonly MountPoint[]>;
  /** Makes the directory `source` be seen at `dir` too. Where it is seen. */
  bind(source: string, dir: string, options: readonly string[]): Promise<string>;
  /** Mounts a block device, which gets a file system of `fsType` if it has none. */
  mountDevice(device: string, dir: string, fsType: string, options: readonly string[]): Promise<void>;
}

async function hostTable(): Promise<readonly MountPoint[]> {
  return parseMountTable(await readFile('/proc/self/mountinfo', 'utf8'));
}

/** The host's own mount table, through mount(8) and umount(8): for root. */
export const hostMounter: Mounter = {
  async mountTmpfs(dir, size) {
    await run('mount', ['-t', 'tmpfs', ...(size > 0 ? ['-o', `size=${size}`] : []), 'tmpfs', dir]);
  },
  async mountHugePages(dir, pageSize) {
    await run('mount', ['-t', 'hugetlbfs', '-o', `pagesize=${pageSize}`, 'nodev', dir]);
  },
  async unmount(dir) {
    await run('umount', [dir]).catch(() => run('umount', ['-l', dir]));
  },
  async mountsBelow(dir) {
    return below(await hostTable(), dir);
  },
  table: hostTable,
  async bind(source, dir, options) {
    await run('mount', ['-o', ['bind', ...options].join(','), source, dir]);
    return dir;
  },
  mountDevice: formatAndMount,
};

/** Mounts nothing: memory volumes are directories, local volumes are used where they are. For tests and for users other than root. */
export const plainMounter: Mounter = {
  mountTmpfs: async () => {},
  mountHugePages: async () => {},
  unmount: async () => {},
  mountsBelow: async () => [],
  table: async () => [],
  bind: async (source) => source,
  mountDevice: async (device) => {
    throw new Error(`${device} can be mounted by root only`);
  },
};
