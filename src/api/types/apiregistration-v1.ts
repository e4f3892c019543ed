// Generated from src/api/schema/facts.json by scripts/generate-types.ts. Do not edit.
import type { ListMeta, ObjectMeta } from './meta-v1.ts';

export interface APIService {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
  readonly spec?: APIServiceSpec;
  readonly status?: APIServiceStatus;
}

export interface APIServiceCondition {
  readonly lastTransitionTime?: string;
  readonly message?: string;
  readonly reason?: string;
  readonly status: ConditionStatus;
  readonly type: APIServiceConditionType;
}

export type APIServiceConditionType = string;

export interface APIServiceList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly items: readonly APIService[];
  readonly metadata?: ListMeta;
}

export interface APIServiceSpec {
  readonly caBundle?: string;
  readonly group?: string;
  readonly groupPriorityMinimum: number;
  readonly insecureSkipTLSVerify?: boolean;
  readonly service?: ServiceReference;
  readonly version?: string;
  readonly versionPriority: number;
}

export interface APIServiceStatus {
  readonly conditions?: readonly APIServiceCondition[];
}

export type ConditionStatus = string;

export interface ServiceReference {
  readonly name?: string;
  readonly namespace?: string;
  readonly port?: number;
}
