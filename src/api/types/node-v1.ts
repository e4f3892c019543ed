// Generated from src/api/schema/facts.json by scripts/generate-types.ts. Do not edit.
import type { ResourceList, Toleration } from './core-v1.ts';
import type { ListMeta, ObjectMeta } from './meta-v1.ts';

export interface Overhead {
  readonly podFixed?: ResourceList;
}

export interface RuntimeClass {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly handler: string;
  readonly metadata?: ObjectMeta;
  readonly overhead?: Overhead;
  readonly scheduling?: Scheduling;
}

export interface RuntimeClassList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly items: readonly RuntimeClass[];
  readonly metadata?: ListMeta;
}

export interface Scheduling {
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly tolerations?: readonly Toleration[];
}
