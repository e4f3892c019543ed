import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod, Volume } from '../../api/types/core-v1.ts';
import { podUid } from '../pods/pod-spec.ts';
import { podDirectory } from './pod-volumes.ts';

/** What files take. */
export interface DiskUse {
  readonly bytes: number;
  readonly inodes: number;
}

/** lstat counts in these. Bytes. */
const BLOCK = 512;
/** Entries of a directory looked at together. */
const BATCH = 64;

/** What a directory and everything below it takes on its own file system (du -x). Nothing when there is none. */
export async function treeUse(dir: string): Promise<DiskUse> {
  const top = await lstat(dir).catch(() => undefined);
  if (top === undefined) return { bytes: 0, inodes: 0 };
  let bytes = top.blocks * BLOCK;
  let inodes = 1;
  /** Files with several names count once. */
  const linked = new Set<number>();
  const waiting = top.isDirectory() ? [dir] : [];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const names = await readdir(at).catch(() => [] as string[]);
    for (let i = 0; i < names.length; i += BATCH) {
      const paths = names.slice(i, i + BATCH).map((name) => join(at!, name));
      const found = await Promise.all(paths.map((path) => lstat(path).catch(() => undefined)));
      for (const [j, s] of found.entries()) {
        if (s === undefined || s.dev !== top.dev) continue;
        if (s.isDirectory()) waiting.push(paths[j]!);
        else if (s.nlink > 1) {
          if (linked.has(s.ino)) continue;
          linked.add(s.ino);
        }
        bytes += s.blocks * BLOCK;
        inodes++;
      }
    }
  }
  return { bytes, inodes };
}

const plugins: readonly (readonly [keyof Volume, string])[] = [
  ['emptyDir', 'kubernetes.io~empty-dir'],
  ['configMap', 'kubernetes.io~configmap'],
  ['secret', 'kubernetes.io~secret'],
  ['downwardAPI', 'kubernetes.io~downward-api'],
  ['projected', 'kubernetes.io~projected'],
];

/** Directories of a pod's volumes that the kubelet keeps itself, by volume name. */
export function ownVolumeDirectories(rootDir: string, pod: Pod): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const volume of pod.spec?.volumes ?? []) {
    const plugin = plugins.find(([field]) => volume[field] !== undefined)?.[1];
    if (plugin !== undefined) found.set(volume.name, join(podDirectory(rootDir, podUid(pod)), 'volumes', plugin, volume.name));
  }
  return found;
}
