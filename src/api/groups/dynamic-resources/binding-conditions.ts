import { duplicate, invalid } from '../../meta/field-error.ts';
import { isQualifiedName } from '../../meta/names.ts';
import { type Errors, report } from '../core/pod-validation/options.ts';
import { validateList } from './names.ts';

const maxConditions = 4;

/** The conditions that a pod waits for before it is bound, and those that end the wait (KEP-5007): of a device or an allocation. */
export function validateBindingConditions(
  object: { readonly bindingConditions?: readonly string[]; readonly bindingFailureConditions?: readonly string[] },
  at: string,
  errors: Errors,
): void {
  const { bindingConditions: awaited = [], bindingFailureConditions: failures = [] } = object;
  const lists = { bindingConditions: awaited, bindingFailureConditions: failures };
  const name = (condition: string, here: string): void => report(errors, here, condition, isQualifiedName(condition));
  for (const [field, list] of Object.entries(lists)) validateList(list, maxConditions, name, `${at}.${field}`, errors);
  for (const [field, list] of Object.entries(lists)) {
    list.forEach((condition, i) => {
      const here = `${at}.${field}[${i}]`;
      if (list.indexOf(condition) < i) errors.push(duplicate(here, condition));
      if (list === failures && awaited.includes(condition)) {
        errors.push(invalid(here, condition, 'bindingFailureConditions must not overlap with bindingConditions'));
      }
    });
  }
  if (awaited.length === 0 && failures.length > 0) {
    const detail = 'bindingConditions are required to use bindingFailureConditions';
    errors.push(invalid(`${at}.bindingConditions`, object.bindingConditions, detail));
  }
  if (failures.length === 0 && awaited.length > 0) {
    const detail = 'bindingFailureConditions are required to use bindingConditions';
    errors.push(invalid(`${at}.bindingFailureConditions`, object.bindingFailureConditions, detail));
  }
}
