import { type ImportTarget, runCtr } from './image-archive.ts';

/**
 * Mounts what an image holds, read-only, at a directory. `imageId`: as the CRI tells it. The mount itself is unmounted as any other; what
 * containerd keeps for it goes with its lease, a day later at the latest, and the image must be kept as long as the mount.
 */
export async function mountImage(target: ImportTarget, imageId: string, dir: string): Promise<void> {
  // A machine that was restarted has lost the mount, and containerd has not forgotten it.
  await runCtr(target, ['images', 'unmount', '--rm', dir], undefined, undefined).catch(() => undefined);
  await runCtr(target, ['images', 'mount', imageId, dir], undefined, undefined);
}
