import { mkdir, readdir, realpath, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { PersistentVolume, Pod } from '../../api/types/core-v1.ts';
import { podUid } from '../pods/pod-spec.ts';
import { giveToGroup } from './group-ownership.ts';
import { otherMountsOf } from './mount-table.ts';
import type { Mounter } from './mounter.ts';
import { VolumeError } from './payload.ts';

/** The file system a device gets when its volume names none. */
const DEFAULT_FS_TYPE = 'ext4';

/** How a pod is to have a local volume. */
export interface LocalMount {
  readonly readOnly: boolean;
  /** Tells of what is not right but does not keep the volume from being used: an event's reason and message. */
  warn(reason: string, message: string): void;
}

/**
 * Persistent volumes that are directories or block devices of the node (plugin kubernetes.io/local-volume). Each pod gets a mount of its own
 * of the directory; the file system of a device is mounted once, as long as there are pods that use it.
 */
export class LocalVolumes {
  readonly #rootDir: string;
  readonly #mounter: Mounter;
  /** What is being done with a volume, by its name: a device is not to be formatted or mounted twice. */
  readonly #busy = new Map<string, Promise<unknown>>();

  constructor(rootDir: string, mounter: Mounter) {
    this.#rootDir = rootDir;
    this.#mounter = mounter;
  }

  /** Mounts the volume for the pod, if it is not yet. Where it can be found. Rejects with the reason that the volume cannot be used. */
  mount(volume: PersistentVolume, pod: Pod, how: LocalMount): Promise<string> {
    return this.#alone(nameOf(volume), () => this.#mount(volume, pod, how));
  }

  /** The device of a volume of mode Block. */
  async device(volume: PersistentVolume): Promise<string> {
    const { path, isDevice } = await sourceOf(volume);
    if (!isDevice) throw new VolumeError(`path ${JSON.stringify(path)} is not a block device`);
    return path;
  }

  /** Unmounts the file systems of devices that no pod uses any more. */
  async release(): Promise<void> {
    for (const name of await readdir(this.#devicesDir).catch(() => [])) {
      await this.#alone(name, async () => {
        const dir = join(this.#devicesDir, name);
        const table = await this.#mounter.table();
        if (otherMountsOf(table, dir).some((point) => this.#isOfPod(point))) return;
        if (table.some((mount) => mount.point === dir)) await this.#mounter.unmount(dir);
        await rmdir(dir).catch(() => {});
      });
    }
  }

  get #devicesDir(): string {
    return join(this.#rootDir, 'plugins', 'kubernetes.io', 'local-volume', 'mounts');
  }

  #isOfPod(path: string): boolean {
    return path.startsWith(`${join(this.#rootDir, 'pods')}/`);
  }

  async #mount(volume: PersistentVolume, pod: Pod, how: LocalMount): Promise<string> {
    const name = nameOf(volume);
    const options = [...(volume.spec?.mountOptions ?? []), ...(how.readOnly ? ['ro'] : [])];
    const dir = join(this.#rootDir, 'pods', podUid(pod), 'volumes', 'kubernetes.io~local-volume', name);
    const before = await this.#mounter.table();
    if (before.some((mount) => mount.point === dir)) return dir;

    const source = await sourceOf(volume);
    let path = source.path;
    if (source.isDevice) {
      path = join(this.#devicesDir, name);
      if (!before.some((mount) => mount.point === path)) {
        await mkdir(path, { recursive: true, mode: 0o750 });
        await this.#mounter.mountDevice(source.path, path, volume.spec?.local?.fsType || DEFAULT_FS_TYPE, options);
      }
    }
    const users = otherMountsOf(await this.#mounter.table(), path).filter((point) => this.#isOfPod(point));
    const group = pod.spec?.securityContext?.fsGroup;
    if (group !== undefined && users.length > 0) {
      const { gid } = await stat(path);
      if (gid !== group) {
        how.warn(
          'AlreadyMountedVolume',
          `The requested fsGroup is ${group}, but the volume ${name} has GID ${gid}. The volume may not be shareable.`,
        );
      }
    }
    await mkdir(dir, { recursive: true, mode: 0o750 });
    const seen = await this.#mounter.bind(path, dir, options);
    // Whoever came first has decided whose it is.
    if (group !== undefined && users.length === 0 && !how.readOnly) {
      await giveToGroup(seen, group, pod.spec?.securityContext?.fsGroupChangePolicy);
    }
    return seen;
  }

  async #alone<T>(name: string, work: () => Promise<T>): Promise<T> {
    const mine = (this.#busy.get(name) ?? Promise.resolve()).then(work, work);
    this.#busy.set(name, mine);
    try {
      return await mine;
    } finally {
      if (this.#busy.get(name) === mine) this.#busy.delete(name);
    }
  }
}

const nameOf = (volume: PersistentVolume): string => volume.metadata?.name ?? '';

/** What the volume's path leads to. */
async function sourceOf(volume: PersistentVolume): Promise<{ readonly path: string; readonly isDevice: boolean }> {
  const given = volume.spec?.local?.path ?? '';
  const path = await realpath(given).catch(() => {
    throw new VolumeError(`path ${JSON.stringify(given)} does not exist`);
  });
  const found = await stat(path);
  if (!found.isDirectory() && !found.isBlockDevice()) throw new VolumeError('only directory and block device are supported');
  return { path, isDevice: found.isBlockDevice() };
}
