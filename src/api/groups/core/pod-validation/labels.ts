import { validateLabels as labelFaults, validateLabelSelector } from '../../../meta/label-selector-validation.ts';
import { isQualifiedName } from '../../../meta/names.ts';
import type { LabelSelector } from '../../../types/meta-v1.ts';
import { type Errors, report } from './options.ts';

/** Label names and selectors, found wrong into a list. */

export function validateLabelName(name: string | undefined, at: string, errors: Errors): void {
  report(errors, at, name ?? '', isQualifiedName(name ?? ''));
}

/** A selector that may be left out. `allowInvalidValues`: values that are no label values pass. */
export function validateSelector(
  selector: LabelSelector | undefined,
  at: string,
  allowInvalidValues: boolean,
  errors: Errors,
): void {
  if (selector === undefined) return;
  errors.push(...validateLabelSelector(selector, at, { allowInvalidLabelValueInSelector: allowInvalidValues }));
}

/** Labels that something is selected by or given: spec.nodeSelector, a template's labels. */
export function validateLabels(labels: Readonly<Record<string, string>> | undefined, at: string, errors: Errors): void {
  if (labels !== undefined) errors.push(...labelFaults(labels, at));
}
