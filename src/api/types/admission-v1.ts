// Generated from src/api/schema/facts.json by scripts/generate-types.ts. Do not edit.
import type { UserInfo } from './authentication-v1.ts';
import type { Status } from './meta-v1.ts';

export interface AdmissionRequest {
  readonly dryRun?: boolean;
  readonly kind?: unknown;
  readonly name?: string;
  readonly namespace?: string;
  readonly object?: Readonly<Record<string, unknown>>;
  readonly oldObject?: Readonly<Record<string, unknown>>;
  readonly operation?: Operation;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly requestKind?: unknown;
  readonly requestResource?: unknown;
  readonly requestSubResource?: string;
  readonly resource?: unknown;
  readonly subResource?: string;
  readonly uid?: string;
  readonly userInfo?: UserInfo;
}

export interface AdmissionResponse {
  readonly allowed?: boolean;
  readonly auditAnnotations?: Readonly<Record<string, string>>;
  readonly patch?: string;
  readonly patchType?: PatchType;
  readonly status?: Status;
  readonly uid?: string;
  readonly warnings?: readonly string[];
}

export interface AdmissionReview {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly request?: AdmissionRequest;
  readonly response?: AdmissionResponse;
}

export type Operation = string;

export type PatchType = string;
