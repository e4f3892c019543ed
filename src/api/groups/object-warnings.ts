import { Quantity } from '../meta/quantity.ts';
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  PersistentVolumeSource,
  Service,
} from '../types/core-v1.ts';
import type { NetworkPolicy, NetworkPolicyPeer } from '../types/networking-v1.ts';
import { nodeSelectorTermWarnings } from './core/deprecated-node-labels.ts';
import { storageClassAnnotation } from './core/storage-class-annotation.ts';
import { cidrWarnings, ipWarnings } from './ip.ts';

/** Warnings about objects that are valid, but made of what is deprecated, or of what is not heeded. Those about pods: core/pod-warnings. */

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

/** What is not heeded in a service, has another name by now, or is written in an odd way. */
export function serviceWarnings({ metadata, spec = {} }: Service): readonly string[] {
  const { type, clusterIP = '', clusterIPs = [], externalIPs = [], loadBalancerIP = '', externalName = '' } = spec;
  const warnings: string[] = [];
  if (metadata?.annotations?.[hintsAnnotation] !== undefined) {
    warnings.push(`annotation ${hintsAnnotation} is deprecated, please use ${hintsReplacement} instead`);
  }
  const isExternalName = type === 'ExternalName';
  const isHeadless = clusterIP === 'None' && (type === undefined || type === 'ClusterIP');
  if (clusterIP !== '' && clusterIP !== 'None' && !isExternalName) {
    clusterIPs.forEach((ip, i) => void warnings.push(...ipWarnings(`spec.clusterIPs[${i}]`, ip)));
  }
  if (isHeadless) {
    const ignored = (field: string): void => void warnings.push(`spec.${field} is ignored for headless services`);
    if (loadBalancerIP !== '') ignored('loadBalancerIP');
    if (externalIPs.length > 0) ignored('externalIPs');
    // Upstream's spelling.
    if (spec.sessionAffinity !== 'None') ignored('SessionAffinity');
  }
  externalIPs.forEach((ip, i) => void warnings.push(...ipWarnings(`spec.externalIPs[${i}]`, ip)));
  if (externalIPs.length > 0 && !isHeadless && !isExternalName) {
    warnings.push('spec.externalIPs is deprecated and may no longer be implemented in some clusters');
  }
  if (loadBalancerIP !== '') warnings.push(...ipWarnings('spec.loadBalancerIP', loadBalancerIP));
  spec.loadBalancerSourceRanges?.forEach((range, i) => {
    warnings.push(...cidrWarnings(`spec.loadBalancerSourceRanges[${i}]`, range));
  });
  if (isExternalName && externalIPs.length > 0) warnings.push('spec.externalIPs is ignored when spec.type is "ExternalName"');
  if (!isExternalName && externalName !== '') {
    warnings.push('spec.externalName is ignored when spec.type is not "ExternalName"');
  }
  if (spec.trafficDistribution === 'PreferClose') {
    warnings.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"');
  }
  return warnings;
}

/** Blocks of addresses that are written in an odd way. */
export function networkPolicyWarnings({ spec = {} }: NetworkPolicy): readonly string[] {
  const { ingress = [], egress = [] } = spec;
  const ofPeers = (peers: readonly NetworkPolicyPeer[] | undefined, at: string): readonly string[] =>
    (peers ?? []).flatMap(({ ipBlock }, i) => {
      if (ipBlock === undefined) return [];
      const here = `${at}[${i}].ipBlock`;
      return [
        ...cidrWarnings(`${here}.cidr`, ipBlock.cidr),
        ...(ipBlock.except ?? []).flatMap((range, j) => cidrWarnings(`${here}.except[${j}]`, range)),
      ];
    });
  return [
    ...ingress.flatMap(({ from }, i) => ofPeers(from, `spec.ingress[${i}].from`)),
    ...egress.flatMap(({ to }, i) => ofPeers(to, `spec.egress[${i}].to`)),
  ];
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
  spec.nodeAffinity?.required?.nodeSelectorTerms.forEach((term, i) => {
    warnings.push(...nodeSelectorTermWarnings(term, `spec.nodeAffinity.required.nodeSelectorTerms[${i}]`, false));
  });
  for (const [name, message] of Object.entries(goneSources)) {
    if (spec[name as keyof PersistentVolumeSource] !== undefined) warnings.push(message);
  }
  return warnings;
}

/** A class by annotation, or parts of a byte. */
export const claimWarnings = ({ metadata, spec = {} }: PersistentVolumeClaim): readonly string[] => [
  ...classWarnings(metadata?.annotations),
  ...claimSpecWarnings(spec, 'spec'),
];

/** Parts of a byte, in a claim or the template of one. */
export function claimSpecWarnings(spec: PersistentVolumeClaimSpec, at: string): readonly string[] {
  const warnings: string[] = [];
  for (const list of ['requests', 'limits'] as const) {
    const text = spec.resources?.[list]?.['storage'];
    if (text === undefined) continue;
    const amount = Quantity.parse(text);
    if (amount.scaledValue(-3) % 1000n === 0n) continue;
    const value = JSON.stringify(amount.toString());
    warnings.push(`${at}.resources.${list}[storage]: fractional byte value ${value} is invalid, must be an integer`);
  }
  return warnings;
}
