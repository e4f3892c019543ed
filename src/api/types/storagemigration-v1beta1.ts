// Generated from src/api/schema/facts.json by scripts/generate-types.ts. Do not edit.
import type { Condition, ListMeta, ObjectMeta } from './meta-v1.ts';

export type MigrationConditionType = string;

export interface StorageVersionMigration {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
  readonly spec?: StorageVersionMigrationSpec;
  readonly status?: StorageVersionMigrationStatus;
}

export interface StorageVersionMigrationList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly items: readonly StorageVersionMigration[];
  readonly metadata?: ListMeta;
}

export interface StorageVersionMigrationSpec {
  readonly resource: unknown;
}

export interface StorageVersionMigrationStatus {
  readonly conditions?: readonly Condition[];
  readonly resourceVersion?: string;
}
