import { createHash } from 'node:crypto';
import type { Node, PersistentVolume, Pod } from '../../api/types/core-v1.ts';
import type { VolumeAttachment } from '../../api/types/storage-v1.ts';
import { findCondition } from '../conditions.ts';

/** How long a volume that nobody wants any more may still be mounted on a node that does not answer before it is taken from it. */
export const MAX_UNMOUNT_MS = 6 * 60_000;
const OUT_OF_SERVICE = 'node.kubernetes.io/out-of-service';
const MANAGED = 'volumes.kubernetes.io/controller-managed-attach-detach';

/** The name of the attachment of a volume to a node, which CSI drivers and kubelets compute alike. */
export function attachmentName(volume: PersistentVolume, node: string): string {
  const { volumeHandle = '', driver = '' } = volume.spec?.csi ?? {};
  return `csi-${createHash('sha256').update(`${volumeHandle}${driver}${node}`).digest('hex')}`;
}

/** How a node's status names a CSI volume. */
export const uniqueVolumeName = (volume: PersistentVolume): string =>
  `kubernetes.io/csi/${volume.spec?.csi?.driver}^${volume.spec?.csi?.volumeHandle}`;

/** Whether a volume may be attached to several nodes at once. One that does not tell is believed to. */
export function isShared({ spec }: PersistentVolume): boolean {
  const modes = spec?.accessModes ?? [];
  return modes.length === 0 || modes.includes('ReadWriteMany') || modes.includes('ReadOnlyMany');
}

/** A pod that is over, or on its way out with no container running, needs its volumes no more. */
export function needsVolumes({ metadata, status }: Pod): boolean {
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return false;
  if (metadata?.deletionTimestamp === undefined) return true;
  return (status?.containerStatuses ?? []).some(({ state }) => state?.terminated === undefined && state?.waiting === undefined);
}

/** The kubelet of this node leaves attaching to the controller. */
export const isManaged = (node: Node | undefined): boolean => node?.metadata?.annotations?.[MANAGED] === 'true';

/** One attachment that nobody wants any more, and what its node says. */
export interface DetachObservation {
  readonly node: Node | undefined;
  /** As the node names it. */
  readonly volume: string;
  /** Milliseconds since it was wanted. */
  readonly idleMs: number;
}

/** Whether it may go: at once, by force for a reason, or not yet. Pure. */
export function mayDetach({ node, volume, idleMs }: DetachObservation): 'now' | 'timeout' | 'out-of-service' | 'wait' {
  if (node === undefined || !(node.status?.volumesInUse ?? []).includes(volume)) return 'now';
  if ((node.spec?.taints ?? []).some(({ key }) => key === OUT_OF_SERVICE)) return 'out-of-service';
  return !isHealthy(node) && idleMs > MAX_UNMOUNT_MS ? 'timeout' : 'wait';
}

export const isHealthy = (node: Node): boolean => findCondition(node.status?.conditions, 'Ready')?.status === 'True';

export interface AttachObservation {
  readonly volume: PersistentVolume;
  /** The pods that need the volume and are on a node whose kubelet leaves attaching to the controller. */
  readonly pods: readonly Pod[];
  readonly attachments: readonly VolumeAttachment[];
}

export interface AttachPlan {
  /** Nodes that the volume is to be attached to. */
  readonly attach: readonly string[];
  /** Nodes that would have it, were it not on others. */
  readonly refused: readonly string[];
  readonly unwanted: readonly VolumeAttachment[];
}

/** Which attachments a volume should get and lose; the order of its pods tells who comes first. Pure. */
export function planAttachments({ volume, pods, attachments }: AttachObservation): AttachPlan {
  const wanted = new Set(pods.map((pod) => pod.spec!.nodeName!));
  const unwanted = attachments.filter(({ spec }) => !wanted.has(spec.nodeName));
  const taken = new Set(attachments.map(({ spec }) => spec.nodeName));
  const attach: string[] = [];
  const refused: string[] = [];
  for (const node of wanted) {
    if (taken.has(node)) continue;
    if (taken.size > 0 && !isShared(volume)) {
      refused.push(node);
      continue;
    }
    attach.push(node);
    taken.add(node);
  }
  return { attach, refused, unwanted };
}

/** What a pod is told whose volume is on another node: who has it there, by name only in its own namespace. */
export function multiAttachMessage(volume: string, pod: Pod, holders: readonly Pod[]): string {
  const prefix = `Multi-Attach error for volume "${volume}"`;
  if (holders.length === 0) {
    return `${prefix} Volume is already exclusively attached to one node and can't be attached to another`;
  }
  const near = holders.filter(({ metadata }) => metadata?.namespace === pod.metadata?.namespace);
  const others = holders.length - near.length;
  if (near.length === 0) return `${prefix} Volume is already used by ${others} pod(s) in different namespaces`;
  const names = near.map(({ metadata }) => metadata?.name).join(', ');
  const more = others > 0 ? ` and ${others} pod(s) in different namespaces` : '';
  return `${prefix} Volume is already used by pod(s) ${names}${more}`;
}
