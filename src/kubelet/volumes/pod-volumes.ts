import { chmod, chown, lchown, lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { quantityValue } from '../../api/meta/quantity.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod, ResourceList, Volume } from '../../api/types/core-v1.ts';
import { podUid } from '../pods/pod-spec.ts';
import { podCgroupLimits } from '../resources/qos.ts';
import { writeAtomically } from './atomic-writer.ts';
import { prepareHostPath } from './host-path.ts';
import type { Mounter } from './mounter.ts';
import { VolumeError, type VolumeSources, volumePayload } from './payload.ts';

/** What volumes of a pod are set up from. */
export interface VolumeEnvironment {
  /** The kubelet's root: `/var/lib/kubelet`. */
  readonly rootDir: string;
  readonly mounter: Mounter;
  readonly sources: VolumeSources;
  /** Names the next directory of an atomic volume: unique within the pod. */
  stamp(): string;
  claim(name: string): Promise<PersistentVolumeClaim | undefined>;
  persistentVolume(name: string): Promise<PersistentVolume | undefined>;
}

/** Host directory (or file) of each volume, by volume name. */
export type VolumePaths = ReadonlyMap<string, string>;

export const podDirectory = (rootDir: string, uid: string): string => join(rootDir, 'pods', uid);

const pluginDirectory = (env: VolumeEnvironment, pod: Pod, plugin: string, volume: string): string =>
  join(podDirectory(env.rootDir, podUid(pod)), 'volumes', plugin, volume);

/** Where an image volume is mounted. */
export const imageDirectory = (rootDir: string, pod: Pod, volume: string): string =>
  join(podDirectory(rootDir, podUid(pod)), 'volumes', 'kubernetes.io~image', volume);

/** A volume that could not be set up, and why. */
export interface VolumeFailure {
  readonly volume: string;
  readonly message: string;
}

/**
 * Brings every volume of the pod to where the spec and the sources say it should be. Safe to repeat: it is also how volumes are refreshed.
 * Volumes are independent: those that can be set up are, and `failures` tells of the others.
 */
export async function setUpVolumes(
  pod: Pod,
  env: VolumeEnvironment,
): Promise<{ readonly paths: VolumePaths; readonly failures: readonly VolumeFailure[] }> {
  const paths = new Map<string, string>();
  const failures: VolumeFailure[] = [];
  for (const volume of pod.spec?.volumes ?? []) {
    try {
      paths.set(volume.name, await setUpVolume(pod, volume, env));
    } catch (err) {
      failures.push({
        volume: volume.name,
        message: `MountVolume.SetUp failed for volume ${JSON.stringify(volume.name)} : ${(err as Error).message}`,
      });
    }
  }
  return { paths, failures };
}

async function setUpVolume(pod: Pod, volume: Volume, env: VolumeEnvironment): Promise<string> {
  const group = pod.spec?.securityContext?.fsGroup;
  if (volume.emptyDir !== undefined) {
    const dir = pluginDirectory(env, pod, 'kubernetes.io~empty-dir', volume.name);
    const fresh = await makeDirectory(dir, 0o777);
    if (volume.emptyDir.medium === 'Memory')
      await ensureTmpfs(env, dir, memorySize(pod, volume.emptyDir.sizeLimit, env.sources.downward.allocatable));
    if (fresh) {
      await chmod(dir, 0o777);
      if (group !== undefined) await giveToGroup(dir, group);
    }
    return dir;
  }
  if (volume.hostPath !== undefined) {
    await prepareHostPath(volume.hostPath);
    return volume.hostPath.path;
  }
  const plugin =
    volume.configMap !== undefined
      ? 'kubernetes.io~configmap'
      : volume.secret !== undefined
        ? 'kubernetes.io~secret'
        : volume.downwardAPI !== undefined
          ? 'kubernetes.io~downward-api'
          : volume.projected !== undefined
            ? 'kubernetes.io~projected'
            : undefined;
  if (plugin !== undefined) {
    const payload = await volumePayload(pod, volume, env.sources);
    const dir = pluginDirectory(env, pod, plugin, volume.name);
    await makeDirectory(dir, 0o777);
    // Upstream keeps all of these but config maps in memory, so that secrets never reach a disk.
    if (volume.configMap === undefined) await ensureTmpfs(env, dir, 0);
    await writeAtomically(dir, payload!, env.stamp(), group);
    return dir;
  }
  if (volume.image !== undefined) {
    // The image is mounted when a container that uses it starts: it may have to be pulled.
    const dir = imageDirectory(env.rootDir, pod, volume.name);
    await makeDirectory(dir, 0o755);
    return dir;
  }
  if (volume.persistentVolumeClaim !== undefined) return claimedPath(volume.persistentVolumeClaim.claimName, pod, env);
  if (volume.ephemeral !== undefined) return claimedPath(`${pod.metadata?.name}-${volume.name}`, pod, env);
  throw new VolumeError('no volume plugin matched');
}

async function makeDirectory(dir: string, mode: number): Promise<boolean> {
  return (await mkdir(dir, { recursive: true, mode })) !== undefined;
}

async function ensureTmpfs(env: VolumeEnvironment, dir: string, size: number): Promise<void> {
  const mounted = await env.mounter.mountsBelow(dir);
  if (!mounted.includes(dir)) await env.mounter.mountTmpfs(dir, size);
}

/** A memory volume is no larger than its limit, than what the pod may use, and than what the node has for pods (emptydir calculateEmptyDirMemorySize). */
function memorySize(pod: Pod, sizeLimit: string | undefined, allocatable: ResourceList): number {
  const limits = [quantityValue(sizeLimit), podCgroupLimits(pod).memoryLimitInBytes ?? 0, quantityValue(allocatable['memory'])];
  const set = limits.filter((limit) => limit > 0);
  return set.length === 0 ? 0 : Math.min(...set);
}

async function claimedPath(claimName: string, pod: Pod, env: VolumeEnvironment): Promise<string> {
  const claim = await env.claim(claimName);
  if (claim === undefined) throw new VolumeError(`persistentvolumeclaim ${JSON.stringify(claimName)} not found`);
  const volumeName = claim.spec?.volumeName ?? '';
  if (claim.status?.phase !== 'Bound' || volumeName === '') {
    throw new VolumeError(`PVC ${pod.metadata?.namespace}/${claimName} is not bound`);
  }
  const volume = await env.persistentVolume(volumeName);
  if (volume === undefined) throw new VolumeError(`persistentvolume ${JSON.stringify(volumeName)} not found`);
  const { hostPath, local } = volume.spec ?? {};
  if (hostPath !== undefined) {
    await prepareHostPath(hostPath);
    return hostPath.path;
  }
  if (local === undefined) throw new VolumeError(`no volume plugin matched for persistent volume ${volumeName}`);
  const found = await lstat(local.path).catch(() => undefined);
  if (found === undefined) throw new VolumeError(`path ${JSON.stringify(local.path)} does not exist`);
  const group = pod.spec?.securityContext?.fsGroup;
  if (group !== undefined) await giveToGroup(local.path, group, pod.spec?.securityContext?.fsGroupChangePolicy);
  return local.path;
}

/** Hands a tree to a group: owned by it, readable and writable for it, and new files inherit it (volume.SetVolumeOwnership). */
export async function giveToGroup(dir: string, group: number, policy: string = 'Always'): Promise<void> {
  const top = await lstat(dir);
  if (policy === 'OnRootMismatch' && top.gid === group && (top.mode & 0o2770) === 0o2770) return;
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    await take(join(entry.parentPath, entry.name), group);
  }
  // The top last: it is what OnRootMismatch goes by.
  await take(dir, group);
}

async function take(path: string, group: number): Promise<void> {
  const { mode, uid } = await lstat(path);
  if ((mode & 0o170000) === 0o120000) {
    await lchown(path, uid, group);
    return;
  }
  await chown(path, uid, group);
  const directory = (mode & 0o170000) === 0o040000;
  await chmod(path, (mode & 0o7777) | 0o660 | (directory ? 0o2110 : 0));
}

/** Removes everything the kubelet keeps for a pod. Never follows into what is mounted there. */
export async function tearDownPod(rootDir: string, uid: string, mounter: Mounter): Promise<void> {
  const dir = podDirectory(rootDir, uid);
  for (const point of await mounter.mountsBelow(dir)) await mounter.unmount(point);
  // Were a mount still there, deleting would empty it.
  if ((await mounter.mountsBelow(dir)).length > 0) throw new VolumeError(`volumes of pod ${uid} are still mounted`);
  await rm(dir, { recursive: true, force: true });
}
