import type { LabelSelector } from '../types/meta-v1.ts';
import { type FieldError, FieldPath, forbidden, invalid, required } from './field-error.ts';
import { isQualifiedName, isValidLabelValue } from './names.ts';

export interface LabelSelectorValidationOptions {
  /** Keep what old objects have: values that could never match. */
  readonly allowInvalidLabelValueInSelector?: boolean;
  /** Leave operators to whoever evaluates them. */
  readonly allowUnknownOperatorInRequirement?: boolean;
}

const none: readonly FieldError[] = Object.freeze([]);
const asPath = (path: FieldPath | string): FieldPath => (typeof path === 'string' ? new FieldPath(path) : path);

/** A label key, as a field error each. */
export const validateLabelName = (name: string, path: FieldPath | string): readonly FieldError[] =>
  isQualifiedName(name).map((message) => invalid(path, name, message));

/** Keys and values of a set of labels. */
export function validateLabels(
  labels: Readonly<Record<string, string>> | undefined,
  path: FieldPath | string,
): readonly FieldError[] {
  if (labels === undefined) return none;
  let errors: FieldError[] | undefined;
  for (const key in labels) {
    const value = labels[key]!;
    const keyFaults = isQualifiedName(key);
    const valueFaults = isValidLabelValue(value);
    if (keyFaults.length === 0 && valueFaults.length === 0) continue;
    errors ??= [];
    for (const message of keyFaults) errors.push(invalid(path, key, message));
    for (const message of valueFaults) errors.push(invalid(path, value, message));
  }
  return errors ?? none;
}

/** metav1 ValidateLabelSelector; nothing is wrong with an absent one. */
export function validateLabelSelector(
  selector: LabelSelector | undefined,
  path: FieldPath | string,
  options: LabelSelectorValidationOptions = {},
): readonly FieldError[] {
  if (selector === undefined) return none;
  const at = asPath(path);
  const errors = [...validateLabels(selector.matchLabels, at.child('matchLabels'))];
  selector.matchExpressions?.forEach((requirement, i) => {
    const here = at.child('matchExpressions').index(i);
    const values = requirement.values ?? [];
    switch (requirement.operator) {
      case 'In':
      case 'NotIn':
        if (values.length === 0) {
          errors.push(required(here.child('values'), "must be specified when `operator` is 'In' or 'NotIn'"));
        }
        break;
      case 'Exists':
      case 'DoesNotExist':
        if (values.length > 0) {
          errors.push(forbidden(here.child('values'), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
        }
        break;
      default:
        if (options.allowUnknownOperatorInRequirement !== true) {
          errors.push(invalid(here.child('operator'), requirement.operator, 'not a valid selector operator'));
        }
    }
    errors.push(...validateLabelName(requirement.key, here.child('key')));
    if (options.allowInvalidLabelValueInSelector !== true) {
      values.forEach((value, v) => {
        for (const message of isValidLabelValue(value)) errors.push(invalid(here.child('values').index(v), value, message));
      });
    }
  });
  return errors;
}

/** Whether a selector holds values no label can have: old objects keep theirs. */
export const selectorHasInvalidLabelValue = (selector: LabelSelector | undefined): boolean =>
  selector?.matchExpressions?.some((e) => e.values?.some((v) => isValidLabelValue(v).length > 0) ?? false) ?? false;
