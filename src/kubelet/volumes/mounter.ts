import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What of the host's mount table volumes need. */
export interface Mounter {
  /** Mounts a memory file system; `size` in bytes, 0 for the kernel's default. */
  mountTmpfs(dir: string, size: number): Promise<void>;
  /** Mounts what an image holds, read-only, where the runtime cannot do that itself. */
  mountImage?(imageId: string, dir: string): Promise<void>;
  unmount(dir: string): Promise<void>;
  /** Mount points at or below `dir`, deepest first. */
  mountsBelow(dir: string): Promise<readonly string[]>;
}

/** The host's own mount table, through mount(8) and umount(8): for root. */
export const hostMounter: Mounter = {
  async mountTmpfs(dir, size) {
    await run('mount', ['-t', 'tmpfs', ...(size > 0 ? ['-o', `size=${size}`] : []), 'tmpfs', dir]);
  },
  async unmount(dir) {
    await run('umount', [dir]).catch(() => run('umount', ['-l', dir]));
  },
  async mountsBelow(dir) {
    return below(await readFile('/proc/self/mountinfo', 'utf8'), dir);
  },
};

/** Mounts nothing: memory volumes are directories. For tests and for users other than root. */
export const plainMounter: Mounter = {
  mountTmpfs: async () => {},
  unmount: async () => {},
  mountsBelow: async () => [],
};

/** Mount points of a mountinfo text at or below `dir`, deepest first. */
export function below(mountinfo: string, dir: string): readonly string[] {
  const found: string[] = [];
  for (const line of mountinfo.split('\n')) {
    // The fifth field; spaces in it are written \040.
    const point = line
      .split(' ', 5)[4]
      ?.replace(/\\(\d{3})/g, (_m, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    if (point !== undefined && (point === dir || point.startsWith(`${dir}/`))) found.push(point);
  }
  return found.reverse().sort((a, b) => b.length - a.length);
}
