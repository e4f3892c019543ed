import type { KubernetesObject } from '../../api/meta/object.ts';

/** What a reservation gives: the object with what was reserved in it, and its two ends. Exactly one of them is called, once. */
export interface Reservation {
  readonly object: KubernetesObject;
  commit(): void;
  rollback(): void;
}

/**
 * Takes part in the writes of one type with state beside the object (upstream's BeginCreate, BeginUpdate, AfterDelete).
 * Objects are in the storage version. Errors are StatusErrors.
 */
export interface WriteGuard {
  create(object: KubernetesObject, dryRun: boolean): Reservation;
  update(object: KubernetesObject, old: KubernetesObject, dryRun: boolean): Reservation;
  /** The object is gone. */
  deleted(object: KubernetesObject): void;
}

export const nothingReserved = (object: KubernetesObject): Reservation => ({ object, commit: () => {}, rollback: () => {} });
