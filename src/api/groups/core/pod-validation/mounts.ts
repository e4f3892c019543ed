import { forbidden, invalid, notFoundField, notSupported, required } from '../../../meta/field-error.ts';
import type { Container, Volume, VolumeDevice, VolumeMount } from '../../../types/core-v1.ts';
import type { Errors } from './options.ts';
import { validateDescendingPath } from './paths.ts';

/** Where a container sees the pod's volumes: as directories and as block devices. */

const propagations = ['Bidirectional', 'HostToContainer', 'None'];
const recursiveModes = ['Disabled', 'Enabled', 'IfPossible'];

/** The mounts and devices of one container. `volumes` are those of the pod that are in order. */
export function validateMounts(container: Container, volumes: ReadonlyMap<string, Volume>, at: string, errors: Errors): void {
  const mounts = container.volumeMounts ?? [];
  const devices = container.volumeDevices ?? [];
  if (mounts.length > 0) validateVolumeMounts(mounts, devices, container, volumes, `${at}.volumeMounts`, errors);
  if (devices.length > 0) validateVolumeDevices(devices, mounts, volumes, `${at}.volumeDevices`, errors);
}

function validateVolumeMounts(
  mounts: readonly VolumeMount[],
  devices: readonly VolumeDevice[],
  container: Container,
  volumes: ReadonlyMap<string, Volume>,
  at: string,
  errors: Errors,
): void {
  const paths = new Set<string>();
  for (let i = 0; i < mounts.length; i++) {
    const mount = mounts[i] as VolumeMount;
    const here = `${at}[${i}]`;
    const volume = volumes.get(mount.name);
    if (!mount.name) errors.push(required(`${here}.name`));
    if (volume === undefined) errors.push(notFoundField(`${here}.name`, mount.name ?? ''));
    if (!mount.mountPath) errors.push(required(`${here}.mountPath`));
    if (paths.has(mount.mountPath)) errors.push(invalid(`${here}.mountPath`, mount.mountPath, 'must be unique'));
    paths.add(mount.mountPath);
    if (devices.some((d) => d.name === mount.name)) {
      errors.push(invalid(`${here}.name`, mount.name, 'must not already exist in volumeDevices'));
    }
    if (devices.some((d) => d.devicePath === mount.mountPath)) {
      errors.push(invalid(`${here}.mountPath`, mount.mountPath, 'must not already exist as a path in volumeDevices'));
    }
    // The paths below lack the index, as upstream's do.
    if (mount.subPath) validateDescendingPath(mount.subPath, `${at}.subPath`, errors);
    if (mount.subPathExpr) {
      if (mount.subPath) {
        errors.push(invalid(`${here}.subPathExpr`, mount.subPathExpr, 'subPathExpr and subPath are mutually exclusive'));
      }
      validateDescendingPath(mount.subPathExpr, `${at}.subPathExpr`, errors);
    }
    if (mount.mountPropagation !== undefined) {
      validatePropagation(mount.mountPropagation, container, `${at}.mountPropagation`, errors);
    }
    if (mount.recursiveReadOnly !== undefined) {
      validateRecursiveReadOnly(mount, mount.recursiveReadOnly, `${at}.recursiveReadOnly`, errors);
    }
  }
}

function validatePropagation(mode: string, container: Container, at: string, errors: Errors): void {
  if (!propagations.includes(mode)) errors.push(notSupported(at, mode, propagations));
  if (mode === 'Bidirectional' && container.securityContext?.privileged !== true) {
    errors.push(forbidden(at, 'Bidirectional mount propagation is available only to privileged containers'));
  }
}

function validateRecursiveReadOnly(mount: VolumeMount, mode: string, at: string, errors: Errors): void {
  if (mode === 'Disabled') return;
  if (mode !== 'Enabled' && mode !== 'IfPossible') {
    errors.push(notSupported(at, mode, recursiveModes));
    return;
  }
  if (mount.readOnly !== true) errors.push(forbidden(at, 'may only be specified when readOnly is true'));
  if (mount.mountPropagation !== undefined && mount.mountPropagation !== 'None') {
    errors.push(forbidden(at, 'may only be specified when mountPropagation is None or not specified'));
  }
}

function validateVolumeDevices(
  devices: readonly VolumeDevice[],
  mounts: readonly VolumeMount[],
  volumes: ReadonlyMap<string, Volume>,
  at: string,
  errors: Errors,
): void {
  const names = new Set<string>();
  const paths = new Set<string>();
  for (let i = 0; i < devices.length; i++) {
    const { name, devicePath } = devices[i] as VolumeDevice;
    const here = `${at}[${i}]`;
    const volume = volumes.get(name);
    if (!name) errors.push(required(`${here}.name`));
    if (names.has(name)) errors.push(invalid(`${here}.name`, name, 'must be unique'));
    if (volume !== undefined && volume.persistentVolumeClaim === undefined && volume.ephemeral === undefined) {
      errors.push(
        invalid(`${here}.name`, name, 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode'),
      );
    }
    if (volume === undefined) errors.push(notFoundField(`${here}.name`, name ?? ''));
    if (!devicePath) errors.push(required(`${here}.devicePath`));
    if (paths.has(devicePath)) errors.push(invalid(`${here}.devicePath`, devicePath, 'must be unique'));
    if (devicePath?.split('/').includes('..')) {
      errors.push(invalid(`${here}.devicePath`, devicePath, "can not contain backsteps ('..')"));
    } else {
      paths.add(devicePath);
    }
    if (mounts.some((m) => m.name === name)) {
      errors.push(invalid(`${here}.name`, name, 'must not already exist in volumeMounts'));
    }
    if (mounts.some((m) => m.mountPath === devicePath)) {
      errors.push(invalid(`${here}.devicePath`, devicePath, 'must not already exist as a path in volumeMounts'));
    }
    if (name) names.add(name);
  }
}
