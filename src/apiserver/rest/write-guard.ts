import type { KubernetesObject } from '../../api/meta/object.ts';
import type { StoreOp } from '../../store/contract.ts';

/** What a reservation gives: the object with what was reserved in it, and its two ends. Exactly one of them is called, once. */
export interface Reservation {
  readonly object: KubernetesObject;
  /** What has to be written in the same commit as the object. */
  readonly also: readonly StoreOp[] | undefined;
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
  /** What has to be written in the commit that deletes the object. */
  release(object: KubernetesObject): readonly StoreOp[] | undefined;
  /** The commit failed for this key, which is not the object's: another server was faster. The next reservation is to do without it. */
  lost(key: string): void;
}
