import { mkdir, realpath } from 'node:fs/promises';
import { isAbsolute, join, posix } from 'node:path';
import type { Pod } from '../../api/types/core-v1.ts';
import type { Mount } from '../../runtime/contract.ts';
import { ConfigError } from '../containers/env.ts';
import { expandStrict } from '../containers/expansion.ts';
import type { AnyContainer } from '../pods/pod-spec.ts';
import type { VolumePaths } from './pod-volumes.ts';

const propagation = { None: 'PRIVATE', HostToContainer: 'HOST_TO_CONTAINER', Bidirectional: 'BIDIRECTIONAL' } as const;

/** The mounts of a container's volumes, in the order of the spec. Throws ConfigError. */
export async function containerMounts(
  pod: Pod,
  container: AnyContainer,
  paths: VolumePaths,
  env: ReadonlyMap<string, string>,
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
    if (subPath !== '') hostPath = await resolveSubPath(hostPath, subPath, container.name);
    const volume = pod.spec?.volumes?.find((v) => v.name === m.name);
    // A projection is the kubelet's to write: no container may.
    const projected =
      volume?.configMap !== undefined ||
      volume?.secret !== undefined ||
      volume?.projected !== undefined ||
      volume?.downwardAPI !== undefined;
    const claimedReadOnly = volume?.persistentVolumeClaim?.readOnly === true;
    mounts.push({
      hostPath,
      containerPath: isAbsolute(m.mountPath) ? m.mountPath : posix.join('/', m.mountPath),
      readonly: m.readOnly === true || projected || claimedReadOnly,
      propagation: propagation[m.mountPropagation ?? 'None'],
    });
  }
  return mounts;
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
    await mkdir(wanted, { recursive: true, mode: 0o750 });
    return realpath(wanted);
  }
  if (!within(root, real)) throw outside(container, wanted);
  return real;
}

const within = (root: string, path: string): boolean => path === root || path.startsWith(`${root}/`);
const outside = (container: string, path: string): ConfigError =>
  new ConfigError(
    `failed to prepare subPath for volumeMount of container ${JSON.stringify(container)}: subpath ${path} is not within volume`,
  );
