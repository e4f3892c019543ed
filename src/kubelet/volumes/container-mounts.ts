import { chmod, mkdir, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, posix } from 'node:path';
import type { Pod, VolumeMount } from '../../api/types/core-v1.ts';
import type { Mount, RuntimeStatus } from '../../runtime/contract.ts';
import { ConfigError } from '../containers/config-error.ts';
import { expandStrict } from '../containers/expansion.ts';
import type { AnyContainer } from '../pods/pod-spec.ts';
import type { VolumePaths } from './pod-volumes.ts';
import { within } from './within.ts';

const propagation = { None: 'PRIVATE', HostToContainer: 'HOST_TO_CONTAINER', Bidirectional: 'BIDIRECTIONAL' } as const;

/** The mounts of a container's volumes, in the order of the spec. Throws ConfigError. */
export async function containerMounts(
  pod: Pod,
  container: AnyContainer,
  paths: VolumePaths,
  env: ReadonlyMap<string, string>,
  more: {
    /** The runtime has recursive read-only mounts. */
    readonly recursiveReadOnly?: boolean;
    /** References of images that the runtime itself mounts, by volume. */
    readonly images?: ReadonlyMap<string, string>;
  } = {},
): Promise<readonly Mount[]> {
  const mounts: Mount[] = [];
  for (const m of container.volumeMounts ?? []) {
    let hostPath = paths.get(m.name);
    if (hostPath === undefined) {
      throw new ConfigError(
        `cannot find volume ${JSON.stringify(m.name)} to mount into container ${JSON.stringify(container.name)}`,
      );
    }
    let subPath = m.subPath ?? '';
    if (m.subPathExpr !== undefined && m.subPathExpr !== '') {
      const expanded = expandStrict(m.subPathExpr, (name) => env.get(name));
      if (expanded.missing.length > 0) {
        throw new ConfigError(`missing value for ${expanded.missing.map((n) => JSON.stringify(n)).join(', ')}`);
      }
      subPath = expanded.text;
    }
    const image = more.images?.get(m.name);
    if (image !== undefined) {
      mounts.push({ hostPath: '', containerPath: m.mountPath, readonly: true, image, imageSubPath: subPath });
      continue;
    }
    if (subPath !== '') hostPath = await resolveSubPath(hostPath, subPath, container.name);
    const volume = pod.spec?.volumes?.find((v) => v.name === m.name);
    // A projection is the kubelet's to write: no container may.
    const projected =
      volume?.configMap !== undefined ||
      volume?.secret !== undefined ||
      volume?.projected !== undefined ||
      volume?.downwardAPI !== undefined ||
      volume?.image !== undefined;
    const claimedReadOnly = volume?.persistentVolumeClaim?.readOnly === true;
    mounts.push({
      hostPath,
      containerPath: isAbsolute(m.mountPath) ? m.mountPath : posix.join('/', m.mountPath),
      readonly: m.readOnly === true || projected || claimedReadOnly,
      propagation: propagation[m.mountPropagation ?? 'None'],
      ...(isRecursiveReadOnly(m, more.recursiveReadOnly === true) ? { recursiveReadOnly: true } : {}),
    });
  }
  return mounts;
}

/** Whether a runtime class's handler (that of no class: '') has recursive read-only mounts. */
export const recursiveReadOnly = (handlers: RuntimeStatus['runtimeHandlers'], handler = ''): boolean =>
  handlers?.find((h) => h.name === handler)?.features?.recursiveReadOnlyMounts === true;

/** Whether what is mounted below a volume is read-only too (KEP-3857). Throws ConfigError where that is asked for and cannot be had. */
export function isRecursiveReadOnly(m: VolumeMount, supported: boolean): boolean {
  const mode = m.recursiveReadOnly ?? 'Disabled';
  if (mode === 'Disabled') return false;
  const refuse = (why: string): ConfigError =>
    new ConfigError(`volume ${JSON.stringify(m.name)} requested recursive read-only mode, but it is not ${why}`);
  if (m.readOnly !== true) throw refuse('read-only');
  const { mountPropagation = 'None' } = m;
  if (mountPropagation !== 'None') throw refuse(`compatible with propagation ${JSON.stringify(mountPropagation)}`);
  if (mode === 'Enabled' && !supported) throw refuse('supported by the runtime');
  return supported;
}

/** The path of `subPath` in a volume, made when it is not there; links may not lead out of the volume. */
async function resolveSubPath(volume: string, subPath: string, container: string): Promise<string> {
  if (isAbsolute(subPath)) throw new ConfigError(`error SubPath \`${subPath}\` must not be an absolute path`);
  if (subPath.split('/').includes('..')) throw new ConfigError(`must not contain '..'`);
  const wanted = join(volume, subPath);
  const real = await realpath(wanted).catch(() => undefined);
  const root = await realpath(volume);
  if (real === undefined) {
    // What exists of the way there decides where the rest would be made.
    let existing = wanted;
    let resolved: string | undefined;
    while (resolved === undefined) {
      existing = posix.dirname(existing);
      resolved = await realpath(existing).catch(() => undefined);
    }
    if (!within(root, resolved)) throw outside(container, wanted);
    // It is as open as the volume: the mode of what the container sees is not to depend on the umask.
    const mode = (await stat(root)).mode & 0o7777;
    await mkdir(wanted, { recursive: true, mode: mode & 0o777 });
    await chmod(wanted, mode);
    return realpath(wanted);
  }
  if (!within(root, real)) throw outside(container, wanted);
  return real;
}

const outside = (container: string, path: string): ConfigError =>
  new ConfigError(
    `failed to prepare subPath for volumeMount of container ${JSON.stringify(container)}: subpath ${path} is not within volume`,
  );
