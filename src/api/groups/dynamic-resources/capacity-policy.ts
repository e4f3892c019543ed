import { forbidden, invalid, required } from '../../meta/field-error.ts';
import { Quantity } from '../../meta/quantity.ts';
import type { CapacityRequestPolicy, CapacityRequestPolicyRange } from '../../types/resource-v1.ts';
import type { Errors } from '../core/pod-validation/options.ts';
import { validateSet } from './names.ts';

const maxValues = 10;

const read = (text: string): Quantity => Quantity.parse(String(text));

/** How much of a shared device's capacity one request can take (KEP-5075). `capacity` is all there is. */
export function validateRequestPolicy(capacity: string, policy: CapacityRequestPolicy, at: string, errors: Errors): void {
  const { validValues = [], validRange } = policy;
  const all = read(capacity);
  if (validValues.length > 0 && validRange !== undefined) {
    const detail = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time';
    errors.push(forbidden(at, detail));
  } else if (validValues.length > 0) {
    if (policy.default === undefined) errors.push(required(`${at}.default`, 'required when validValues is defined'));
    else validateValues(read(policy.default), all, validValues.map(read), `${at}.validValues`, errors);
  } else if (validRange !== undefined) {
    if (policy.default === undefined) errors.push(required(`${at}.default`, 'required when validRange is defined'));
    else validateRange(read(policy.default), all, validRange, `${at}.validRange`, errors);
  }
}

function validateValues(standard: Quantity, all: Quantity, values: readonly Quantity[], at: string, errors: Errors): void {
  values.forEach((value, i) => {
    if (i > 0 && values[i - 1]!.compare(value) > 0) {
      errors.push(invalid(`${at}[${i}]`, value.toString(), 'values must be sorted in ascending order'));
    }
  });
  const option = (value: Quantity, here: string): void => {
    if (value.compare(all) > 0) {
      errors.push(invalid(here, value.toString(), `option is larger than capacity value: ${all}`));
    }
  };
  validateSet(values, maxValues, option, (value) => String(value.value()), at, errors);
  if (values.length > maxValues || !values.some((value) => value.equals(standard))) {
    errors.push(invalid(at, standard.toString(), 'default value is not valid according to the requestPolicy'));
  }
}

function validateRange(standard: Quantity, all: Quantity, range: CapacityRequestPolicyRange, at: string, errors: Errors): void {
  if (range.min === undefined) {
    errors.push(required(`${at}.min`, 'required when validRange is defined'));
    return;
  }
  const min = read(range.min);
  const max = range.max === undefined ? undefined : read(range.max);
  const fault = (bad: boolean, field: string, value: Quantity, detail: string): void => {
    if (bad) errors.push(invalid(`${at}.${field}`, value.toString(), detail));
  };
  fault(min.compare(all) > 0, 'min', min, `min is larger than capacity value: ${all}`);
  fault(standard.compare(min) < 0, 'min', standard, `default is less than min: ${min}`);
  if (max !== undefined) {
    fault(min.compare(max) > 0, 'max', min, `min is larger than max: ${max}`);
    fault(max.compare(all) > 0, 'max', max, `max is larger than capacity value: ${all}`);
    fault(standard.compare(max) > 0, 'max', standard, `default is more than max: ${max}`);
  }
  if (range.step === undefined) return;
  const step = read(range.step);
  const next = min.add(step);
  fault(next.compare(all) > 0, 'step', step, `one step ${next} is larger than capacity value: ${all}`);
  for (const value of max === undefined ? [standard] : [standard, max]) {
    const over = (BigInt(value.value()) - BigInt(min.value())) % (BigInt(step.value()) || 1n);
    fault(over !== 0n, 'step', value, `value is not a multiple of a given step (${step}) from (${min})`);
  }
}
