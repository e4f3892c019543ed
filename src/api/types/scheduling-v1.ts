// Generated from src/api/schema/facts.json by scripts/generate-types.ts. Do not edit.
import type { ListMeta, ObjectMeta } from './meta-v1.ts';
import type { PreemptionPolicy } from './core-v1.ts';

export interface PriorityClass {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly description?: string;
  readonly globalDefault?: boolean;
  readonly metadata?: ObjectMeta;
  readonly preemptionPolicy?: PreemptionPolicy;
  readonly value?: number;
}

export interface PriorityClassList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly items: readonly PriorityClass[];
  readonly metadata?: ListMeta;
}
