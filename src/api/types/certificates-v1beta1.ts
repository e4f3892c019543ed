// Generated from src/api/schema/facts.json by scripts/generate-types.ts. Do not edit.
import type { Condition, ListMeta, ObjectMeta } from './meta-v1.ts';
import type { ConditionStatus } from './core-v1.ts';

export interface CertificateSigningRequest {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
  readonly spec: CertificateSigningRequestSpec;
  readonly status?: CertificateSigningRequestStatus;
}

export interface CertificateSigningRequestCondition {
  readonly lastTransitionTime?: string;
  readonly lastUpdateTime?: string;
  readonly message?: string;
  readonly reason?: string;
  readonly status?: ConditionStatus;
  readonly type: RequestConditionType;
}

export interface CertificateSigningRequestList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly items: readonly CertificateSigningRequest[];
  readonly metadata?: ListMeta;
}

export interface CertificateSigningRequestSpec {
  readonly expirationSeconds?: number;
  readonly extra?: Readonly<Record<string, ExtraValue>>;
  readonly groups?: readonly string[];
  readonly request: string;
  readonly signerName?: string;
  readonly uid?: string;
  readonly usages?: readonly KeyUsage[];
  readonly username?: string;
}

export interface CertificateSigningRequestStatus {
  readonly certificate?: string;
  readonly conditions?: readonly CertificateSigningRequestCondition[];
}

export interface ClusterTrustBundle {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
  readonly spec: ClusterTrustBundleSpec;
}

export interface ClusterTrustBundleList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly items: readonly ClusterTrustBundle[];
  readonly metadata?: ListMeta;
}

export interface ClusterTrustBundleSpec {
  readonly signerName?: string;
  readonly trustBundle: string;
}

export type ExtraValue = readonly string[];

export type KeyUsage = string;

export interface PodCertificateRequest {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
  readonly spec: PodCertificateRequestSpec;
  readonly status?: PodCertificateRequestStatus;
}

export interface PodCertificateRequestList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly items: readonly PodCertificateRequest[];
  readonly metadata?: ListMeta;
}

export interface PodCertificateRequestSpec {
  readonly maxExpirationSeconds?: number;
  readonly nodeName: string;
  readonly nodeUID: string;
  readonly pkixPublicKey?: string;
  readonly podName: string;
  readonly podUID: string;
  readonly proofOfPossession?: string;
  readonly serviceAccountName: string;
  readonly serviceAccountUID: string;
  readonly signerName: string;
  readonly stubPKCS10Request: string;
  readonly unverifiedUserAnnotations?: Readonly<Record<string, string>>;
}

export interface PodCertificateRequestStatus {
  readonly beginRefreshAt?: string;
  readonly certificateChain?: string;
  readonly conditions?: readonly Condition[];
  readonly notAfter?: string;
  readonly notBefore?: string;
}

export type RequestConditionType = string;
