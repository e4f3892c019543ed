import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { podRequests } from '../../api/groups/core/pod-resources.ts';
import { quantityValue } from '../../api/meta/quantity.ts';
import type { Pod, ResourceList, Volume } from '../../api/types/core-v1.ts';
import { podUid } from '../pods/pod-spec.ts';
import { podCgroupLimits } from '../resources/qos.ts';
import { writeAtomically } from './atomic-writer.ts';
import { ClaimError, type ClaimSources, claimedVolume, claimNameOf } from './claimed-volume.ts';
import { giveToGroup } from './group-ownership.ts';
import { prepareHostPath } from './host-path.ts';
import type { LocalVolumes } from './local-volume.ts';
import type { Mounter } from './mounter.ts';
import { VolumeError, type VolumeSources, volumePayload } from './payload.ts';

/** What volumes of a pod are set up from. */
export interface VolumeEnvironment extends ClaimSources {
  /** The kubelet's root: `/var/lib/kubelet`. */
  readonly rootDir: string;
  readonly mounter: Mounter;
  readonly sources: VolumeSources;
  readonly local: LocalVolumes;
  /** Names the next directory of an atomic volume: unique within the pod. */
  stamp(): string;
  /** Records an event about what is not right with a volume but does not keep it from being used. */
  warn(reason: string, message: string): void;
}

/** Host directory (or file, or device) of each volume, by volume name. */
export type VolumePaths = ReadonlyMap<string, string>;

export const podDirectory = (rootDir: string, uid: string): string => join(rootDir, 'pods', uid);

const pluginDirectory = (env: VolumeEnvironment, pod: Pod, plugin: string, volume: string): string =>
  join(podDirectory(env.rootDir, podUid(pod)), 'volumes', plugin, volume);

/** Where an image volume is mounted. */
export const imageDirectory = (rootDir: string, pod: Pod, volume: string): string =>
  join(podDirectory(rootDir, podUid(pod)), 'volumes', 'kubernetes.io~image', volume);

/** Volumes that could not be set up, and why. */
export interface VolumeFailure {
  readonly volumes: readonly string[];
  readonly message: string;
}

/**
 * Brings every volume that a container of the pod uses to where the spec and the sources say it should be. Safe to repeat: it is also how volumes are refreshed.
 * Volumes are independent: those that can be set up are, and `failures` tells of the others. What is claimed stays as it is in `known`.
 */
export async function setUpVolumes(
  pod: Pod,
  env: VolumeEnvironment,
  known: VolumePaths = new Map(),
): Promise<{ readonly paths: VolumePaths; readonly failures: readonly VolumeFailure[] }> {
  const paths = new Map<string, string>();
  const failures: VolumeFailure[] = [];
  const unclaimed = new Map<string, string>();
  for (const volume of usedVolumes(pod)) {
    const claimName = claimNameOf(pod, volume);
    if (claimName !== undefined && known.has(volume.name)) continue;
    try {
      const path = claimName === undefined ? setUpVolume(pod, volume, env) : setUpClaimed(pod, volume, claimName, env);
      paths.set(volume.name, await path);
    } catch (err) {
      if (err instanceof ClaimError) {
        unclaimed.set(volume.name, err.message);
        continue;
      }
      failures.push({
        volumes: [volume.name],
        message: `MountVolume.SetUp failed for volume ${JSON.stringify(volume.name)} : ${(err as Error).message}`,
      });
    }
  }
  if (unclaimed.size > 0) {
    const volumes = [...unclaimed.keys()].sort();
    const unmounted = [...volumes, ...failures.flatMap((failure) => failure.volumes)].sort();
    failures.push({
      volumes,
      message:
        `Unable to attach or mount volumes: unmounted volumes=[${unmounted.join(' ')}], unattached volumes=[], ` +
        `failed to process volumes=[${volumes.join(' ')}]: ${[...unclaimed.values()].join('; ')}`,
    });
  }
  return { paths, failures };
}

/** The volumes that some container mounts, gets as a device or takes variables from: the kubelet does not care for others. */
export function usedVolumes(pod: Pod): readonly Volume[] {
  const { volumes = [], initContainers = [], containers = [], ephemeralContainers = [] } = pod.spec ?? {};
  if (volumes.length === 0) return volumes;
  const used = new Set<string>();
  for (const container of [...initContainers, ...containers, ...ephemeralContainers]) {
    for (const { name } of container.volumeMounts ?? []) used.add(name);
    for (const { name } of container.volumeDevices ?? []) used.add(name);
    for (const { valueFrom } of container.env ?? [])
      if (valueFrom?.fileKeyRef !== undefined) used.add(valueFrom.fileKeyRef.volumeName);
  }
  return used.size === volumes.length ? volumes : volumes.filter((volume) => used.has(volume.name));
}

async function setUpVolume(pod: Pod, volume: Volume, env: VolumeEnvironment): Promise<string> {
  const group = pod.spec?.securityContext?.fsGroup;
  if (volume.emptyDir !== undefined) {
    const dir = pluginDirectory(env, pod, 'kubernetes.io~empty-dir', volume.name);
    const fresh = await makeDirectory(dir, 0o777);
    // Before anything is mounted there: a memory file system has a mode of its own, 1777.
    if (fresh) await chmod(dir, 0o777);
    const { medium = '' } = volume.emptyDir;
    if (medium.startsWith('HugePages')) await ensureHugePages(env, dir, pageSize(pod, medium));
    if (medium === 'Memory')
      await ensureTmpfs(env, dir, memorySize(pod, volume.emptyDir.sizeLimit, env.sources.downward.allocatable));
    if (fresh && group !== undefined) await giveToGroup(dir, group);
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
  throw new VolumeError('no volume plugin matched');
}

async function makeDirectory(dir: string, mode: number): Promise<boolean> {
  return (await mkdir(dir, { recursive: true, mode })) !== undefined;
}

async function ensureTmpfs(env: VolumeEnvironment, dir: string, size: number): Promise<void> {
  const mounted = await env.mounter.mountsBelow(dir);
  if (!mounted.includes(dir)) await env.mounter.mountTmpfs(dir, size);
}

async function ensureHugePages(env: VolumeEnvironment, dir: string, size: number): Promise<void> {
  const mounted = await env.mounter.mountsBelow(dir);
  if (!mounted.includes(dir)) await env.mounter.mountHugePages(dir, size);
}

/** The size of the pages of a volume, bytes: what its medium says, or the one size that the pod's containers ask for (emptydir getPageSize). */
function pageSize(pod: Pod, medium: string): number {
  const named = /^HugePages-(.+)$/.exec(medium)?.[1];
  if (named !== undefined) return quantityValue(named);
  const asked = new Set(
    Object.keys(podRequests(pod)).flatMap((name) => (name.startsWith('hugepages-') ? [name.slice('hugepages-'.length)] : [])),
  );
  if (asked.size !== 1) {
    throw new VolumeError(
      asked.size === 0
        ? 'hugePages storage requested, but there is no resource request for huge pages.'
        : "medium HugePages can't be used with several page sizes: use HugePages-size notation",
    );
  }
  return quantityValue([...asked][0]);
}

/** A memory volume is no larger than its limit, than what the pod may use, and than what the node has for pods (emptydir calculateEmptyDirMemorySize). */
function memorySize(pod: Pod, sizeLimit: string | undefined, allocatable: ResourceList): number {
  const limits = [quantityValue(sizeLimit), podCgroupLimits(pod).memoryLimitInBytes ?? 0, quantityValue(allocatable['memory'])];
  const set = limits.filter((limit) => limit > 0);
  return set.length === 0 ? 0 : Math.min(...set);
}

async function setUpClaimed(pod: Pod, volume: Volume, claimName: string, env: VolumeEnvironment): Promise<string> {
  const claimed = await claimedVolume(pod, volume, claimName, env);
  const { hostPath, local, volumeMode } = claimed.spec ?? {};
  if (hostPath !== undefined) {
    await prepareHostPath(hostPath);
    return hostPath.path;
  }
  if (local === undefined) throw new VolumeError(`no volume plugin matched for persistent volume ${claimed.metadata?.name}`);
  if (volumeMode === 'Block') return env.local.device(claimed);
  const readOnly = volume.persistentVolumeClaim?.readOnly === true;
  return env.local.mount(claimed, pod, { readOnly, warn: env.warn });
}

/** Removes everything the kubelet keeps for a pod. Never follows into what is mounted there. */
export async function tearDownPod(rootDir: string, uid: string, mounter: Mounter): Promise<void> {
  const dir = podDirectory(rootDir, uid);
  for (const point of await mounter.mountsBelow(dir)) await mounter.unmount(point);
  // Were a mount still there, deleting would empty it.
  if ((await mounter.mountsBelow(dir)).length > 0) throw new VolumeError(`volumes of pod ${uid} are still mounted`);
  await rm(dir, { recursive: true, force: true });
}
