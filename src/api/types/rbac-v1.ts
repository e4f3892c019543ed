// Generated from src/api/schema/facts.json by scripts/generate-types.ts. Do not edit.
import type { LabelSelector, ListMeta, ObjectMeta } from './meta-v1.ts';

export interface AggregationRule {
  readonly clusterRoleSelectors?: readonly LabelSelector[];
}

export interface ClusterRole {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly aggregationRule?: AggregationRule;
  readonly metadata?: ObjectMeta;
  readonly rules?: readonly PolicyRule[];
}

export interface ClusterRoleBinding {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
  readonly roleRef: RoleRef;
  readonly subjects?: readonly Subject[];
}

export interface ClusterRoleBindingList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly items: readonly ClusterRoleBinding[];
  readonly metadata?: ListMeta;
}

export interface ClusterRoleList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly items: readonly ClusterRole[];
  readonly metadata?: ListMeta;
}

export interface PolicyRule {
  readonly apiGroups?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly resources?: readonly string[];
  readonly verbs: readonly string[];
}

export interface Role {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
  readonly rules?: readonly PolicyRule[];
}

export interface RoleBinding {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
  readonly roleRef: RoleRef;
  readonly subjects?: readonly Subject[];
}

export interface RoleBindingList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly items: readonly RoleBinding[];
  readonly metadata?: ListMeta;
}

export interface RoleList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly items: readonly Role[];
  readonly metadata?: ListMeta;
}

export interface RoleRef {
  readonly apiGroup?: string;
  readonly kind: string;
  readonly name: string;
}

export interface Subject {
  readonly apiGroup?: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}
