import { Quantity } from '../meta/quantity.ts';
import type { PersistentVolume, PersistentVolumeClaim, PersistentVolumeSource, Service } from '../types/core-v1.ts';

/** Warnings about objects that are valid, but made of what is deprecated, or of what is not heeded. Those about pods: core/pod-warnings. */

const storageClassAnnotation = 'volume.beta.kubernetes.io/storage-class';
const mountOptionsAnnotation = 'volume.beta.kubernetes.io/mount-options';
const hintsAnnotation = 'service.kubernetes.io/topology-aware-hints';
const hintsReplacement = 'service.kubernetes.io/topology-mode';

const goneSources: Partial<Record<keyof PersistentVolumeSource, string>> = {
  photonPersistentDisk: 'spec.photonPersistentDisk: deprecated in v1.11, non-functional in v1.16+',
  scaleIO: 'spec.scaleIO: deprecated in v1.16, non-functional in v1.22+',
  storageos: 'spec.storageOS: deprecated in v1.22, non-functional in v1.25+',
  glusterfs: 'spec.glusterfs: deprecated in v1.25, non-functional in v1.26+',
  rbd: 'spec.rbd: deprecated in v1.28, non-functional in v1.31+',
  cephfs: 'spec.cephfs: deprecated in v1.28, non-functional in v1.31+',
};

/** What is not heeded in a service without an address. */
export function serviceWarnings({ metadata, spec = {} }: Service): readonly string[] {
  const warnings: string[] = [];
  if (metadata?.annotations?.[hintsAnnotation] !== undefined) {
    warnings.push(`annotation ${hintsAnnotation} is deprecated, please use ${hintsReplacement} instead`);
  }
  if (spec.clusterIP === 'None') {
    const ignored = (field: string): void => void warnings.push(`spec.${field} is ignored when spec.clusterIP is "None"`);
    if (spec.loadBalancerIP) ignored('loadBalancerIP');
    if ((spec.externalIPs ?? []).length > 0) ignored('externalIPs');
    // Upstream's spelling.
    if (spec.sessionAffinity !== 'None') ignored('SessionAffinity');
  }
  return warnings;
}

const classWarnings = (annotations: Readonly<Record<string, string>> | undefined): readonly string[] =>
  annotations?.[storageClassAnnotation] === undefined
    ? []
    : [`metadata.annotations[${storageClassAnnotation}]: deprecated since v1.8; use "storageClassName" attribute instead`];

/** A class by annotation, a policy or a kind of source that is gone. */
export function persistentVolumeWarnings({ metadata, spec = {} }: PersistentVolume): readonly string[] {
  const warnings = [...classWarnings(metadata?.annotations)];
  if (metadata?.annotations?.[mountOptionsAnnotation] !== undefined) {
    warnings.push(
      `metadata.annotations[${mountOptionsAnnotation}]: deprecated since v1.31; use "mountOptions" attribute instead`,
    );
  }
  if (spec.persistentVolumeReclaimPolicy === 'Recycle') {
    warnings.push(
      'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.',
    );
  }
  for (const [name, message] of Object.entries(goneSources)) {
    if (spec[name as keyof PersistentVolumeSource] !== undefined) warnings.push(message);
  }
  return warnings;
}

/** A class by annotation, or parts of a byte. */
export function claimWarnings({ metadata, spec = {} }: PersistentVolumeClaim): readonly string[] {
  const warnings = [...classWarnings(metadata?.annotations)];
  for (const list of ['requests', 'limits'] as const) {
    const text = spec.resources?.[list]?.['storage'];
    if (text === undefined) continue;
    const amount = Quantity.parse(text);
    if (amount.scaledValue(-3) % 1000n === 0n) continue;
    const value = JSON.stringify(amount.toString());
    warnings.push(`spec.resources.${list}[storage]: fractional byte value ${value} is invalid, must be an integer`);
  }
  return warnings;
}
