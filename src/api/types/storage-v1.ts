// Generated from src/api/schema/facts.json by scripts/generate-types.ts. Do not edit.
import type { LabelSelector, ListMeta, ObjectMeta } from './meta-v1.ts';
import type { PersistentVolumeReclaimPolicy, PersistentVolumeSpec, TopologySelectorTerm } from './core-v1.ts';

export interface CSIDriver {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
  readonly spec: CSIDriverSpec;
}

export interface CSIDriverList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly items: readonly CSIDriver[];
  readonly metadata?: ListMeta;
}

export interface CSIDriverSpec {
  readonly attachRequired?: boolean;
  readonly fsGroupPolicy?: FSGroupPolicy;
  readonly nodeAllocatableUpdatePeriodSeconds?: number;
  readonly podInfoOnMount?: boolean;
  readonly preventPodSchedulingIfMissing?: boolean;
  readonly requiresRepublish?: boolean;
  readonly seLinuxMount?: boolean;
  readonly serviceAccountTokenInSecrets?: boolean;
  readonly storageCapacity?: boolean;
  readonly tokenRequests?: readonly TokenRequest[];
  readonly volumeLifecycleModes?: readonly VolumeLifecycleMode[];
}

export interface CSINode {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
  readonly spec: CSINodeSpec;
}

export interface CSINodeDriver {
  readonly allocatable?: VolumeNodeResources;
  readonly name: string;
  readonly nodeID: string;
  readonly topologyKeys?: readonly string[];
}

export interface CSINodeList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly items: readonly CSINode[];
  readonly metadata?: ListMeta;
}

export interface CSINodeSpec {
  readonly drivers: readonly CSINodeDriver[];
}

export interface CSIStorageCapacity {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly capacity?: string;
  readonly maximumVolumeSize?: string;
  readonly metadata?: ObjectMeta;
  readonly nodeTopology?: LabelSelector;
  readonly storageClassName: string;
}

export interface CSIStorageCapacityList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly items: readonly CSIStorageCapacity[];
  readonly metadata?: ListMeta;
}

export type FSGroupPolicy = string;

export interface StorageClass {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly allowVolumeExpansion?: boolean;
  readonly allowedTopologies?: readonly TopologySelectorTerm[];
  readonly metadata?: ObjectMeta;
  readonly mountOptions?: readonly string[];
  readonly parameters?: Readonly<Record<string, string>>;
  readonly provisioner: string;
  readonly reclaimPolicy?: PersistentVolumeReclaimPolicy;
  readonly volumeBindingMode?: VolumeBindingMode;
}

export interface StorageClassList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly items: readonly StorageClass[];
  readonly metadata?: ListMeta;
}

export interface TokenRequest {
  readonly audience: string;
  readonly expirationSeconds?: number;
}

export interface VolumeAttachment {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
  readonly spec: VolumeAttachmentSpec;
  readonly status?: VolumeAttachmentStatus;
}

export interface VolumeAttachmentList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly items: readonly VolumeAttachment[];
  readonly metadata?: ListMeta;
}

export interface VolumeAttachmentSource {
  readonly inlineVolumeSpec?: PersistentVolumeSpec;
  readonly persistentVolumeName?: string;
}

export interface VolumeAttachmentSpec {
  readonly attacher: string;
  readonly nodeName: string;
  readonly source: VolumeAttachmentSource;
}

export interface VolumeAttachmentStatus {
  readonly attachError?: VolumeError;
  readonly attached: boolean;
  readonly attachmentMetadata?: Readonly<Record<string, string>>;
  readonly detachError?: VolumeError;
}

export interface VolumeAttributesClass {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly driverName: string;
  readonly metadata?: ObjectMeta;
  readonly parameters?: Readonly<Record<string, string>>;
}

export interface VolumeAttributesClassList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly items: readonly VolumeAttributesClass[];
  readonly metadata?: ListMeta;
}

export type VolumeBindingMode = "Immediate" | "WaitForFirstConsumer";

export interface VolumeError {
  readonly errorCode?: number;
  readonly message?: string;
  readonly time?: string;
}

export type VolumeLifecycleMode = string;

export interface VolumeNodeResources {
  readonly count?: number;
}
