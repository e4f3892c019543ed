import { duplicate, type FieldError, invalid, notSupported, required, tooLong } from '../meta/field-error.ts';
import { isQualifiedName, regexError } from '../meta/names.ts';
import type { Condition } from '../types/meta-v1.ts';
import { check } from './field-checks.ts';

const maxReasonLength = 1024;
const maxMessageLength = 32 * 1024;
const statuses = ['False', 'True', 'Unknown'];
const reason = '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?';
const isReason = new RegExp(`^${reason}$`);
const reasonFault = regexError(
  "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_'",
  reason,
  'my_name',
  'MY_NAME',
  'MyName',
  'ReasonA,ReasonB',
  'ReasonA:ReasonB',
);

/** Conditions of the common form at path `at`: one of each type (apimachinery ValidateConditions). */
export function validateConditions(conditions: readonly Condition[] | undefined, at: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  conditions?.forEach((condition, i) => {
    const here = `${at}[${i}]`;
    const { type = '', status = '', observedGeneration = 0, lastTransitionTime, reason: why = '', message = '' } = condition;
    if (seen.has(type)) errors.push(duplicate(`${here}.type`, type));
    seen.add(type);
    errors.push(...check(`${here}.type`, type, isQualifiedName));
    if (!statuses.includes(status)) errors.push(notSupported(`${here}.status`, status, statuses));
    if (observedGeneration < 0) {
      errors.push(invalid(`${here}.observedGeneration`, observedGeneration, 'must be greater than or equal to zero'));
    }
    if (!lastTransitionTime) errors.push(required(`${here}.lastTransitionTime`));
    if (why === '') errors.push(required(`${here}.reason`));
    else {
      if (!isReason.test(why)) errors.push(invalid(`${here}.reason`, why, reasonFault));
      if (Buffer.byteLength(why) > maxReasonLength) errors.push(tooLong(`${here}.reason`, maxReasonLength));
    }
    if (Buffer.byteLength(message) > maxMessageLength) errors.push(tooLong(`${here}.message`, maxMessageLength));
  });
  return errors;
}
