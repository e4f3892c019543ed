import { type FieldError, invalid } from '../../../meta/field-error.ts';

/**
 * What validation of a pod spec lets pass. Everything is strict unless an object that is being updated broke the rule before the rule
 * was there: what is stored must stay updatable.
 */
export interface PodValidationOptions {
  /** The spec is a pod's own, not one inside a template. */
  readonly resourceIsPod?: boolean;
  readonly allowInvalidPodDeletionCost?: boolean;
  readonly allowInvalidLabelValueInSelector?: boolean;
  readonly allowInvalidLabelValueInRequiredNodeAffinity?: boolean;
  readonly allowInvalidTopologySpreadConstraintLabelSelector?: boolean;
  readonly allowIndivisibleHugePages?: boolean;
  readonly allowNamespacedSysctlsForHostNetAndHostIPC?: boolean;
  readonly allowNonLocalProjectedTokenPath?: boolean;
  readonly allowMountOptionSELinuxChangePolicy?: boolean;
  readonly allowTolerationComparison?: boolean;
}

/** Where validation puts what it finds: one list for a whole object, in the order of upstream. */
export type Errors = FieldError[];

/** One `Invalid value` for each message about `value`. */
export function report(errors: Errors, at: string, value: unknown, messages: readonly string[]): void {
  for (const message of messages) errors.push(invalid(at, value, message));
}

/** A number that may not be below zero. */
export function nonNegativeAt(errors: Errors, at: string, value: number | undefined): void {
  if (value !== undefined && value < 0) errors.push(invalid(at, value, 'must be greater than or equal to 0'));
}
