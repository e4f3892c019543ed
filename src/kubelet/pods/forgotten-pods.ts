import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../util/logger.ts';
import type { LocalVolumes } from '../volumes/local-volume.ts';
import type { Mounter } from '../volumes/mounter.ts';
import { tearDownPod } from '../volumes/pod-volumes.ts';
import type { PodCgroups } from './pod-services.ts';

export interface ForgottenPodsOptions {
  readonly rootDir: string;
  readonly podLogDir: string;
  readonly mounter: Mounter;
  readonly localVolumes: LocalVolumes;
  readonly cgroups: PodCgroups;
  readonly logger: Logger;
  /** Whether somebody looks after the pod of that uid. */
  isKnown(uid: string): boolean;
}

/** Removes directories, mounts and cgroups of pods that neither the API nor the runtime knows any more: of a machine that was restarted, say. */
export async function clearForgottenPods(options: ForgottenPodsOptions): Promise<void> {
  const { rootDir, podLogDir, mounter, localVolumes, cgroups, logger, isKnown } = options;
  const cleared = new Set<string>();
  for (const uid of await readdir(join(rootDir, 'pods')).catch(() => [])) {
    if (isKnown(uid)) continue;
    try {
      await tearDownPod(rootDir, uid, mounter);
      await cgroups.remove(uid);
      cleared.add(uid);
      logger.info({ uid }, 'cleared away the directories of a pod that is forgotten');
    } catch (err) {
      logger.warn({ err, uid }, 'the directories of a pod that is forgotten could not be cleared away');
    }
  }
  await localVolumes.release();
  // Other nodes on this machine may keep their logs in the same place: only those of pods that were ours are removed.
  for (const name of cleared.size === 0 ? [] : await readdir(podLogDir).catch(() => [])) {
    const uid = name.slice(name.lastIndexOf('_') + 1);
    if (cleared.has(uid)) await rm(join(podLogDir, name), { recursive: true, force: true });
  }
}
