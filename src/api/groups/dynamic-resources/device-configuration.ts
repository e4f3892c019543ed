import { deviceSelectorFault } from '../../cel/device-selector.ts';
import { forbidden, invalid, required, tooLong } from '../../meta/field-error.ts';
import type { DeviceConfiguration, DeviceSelector, OpaqueDeviceConfiguration } from '../../types/resource-v1.ts';
import type { Errors } from '../core/pod-validation/options.ts';
import { validateDriverName, validateList } from './names.ts';

/** How many there may be in a claim or class. */
export const maxConfigurations = 32;
const maxSelectors = 32;
const maxExpressionLength = 10 * 1024;
const maxParametersLength = 10 * 1024;

/** Selectors of devices: expressions that compile and do not cost too much. */
export function validateSelectors(selectors: readonly DeviceSelector[] | undefined, at: string, errors: Errors): void {
  validateList(selectors, maxSelectors, validateSelector, at, errors);
}

function validateSelector({ cel }: DeviceSelector, at: string, errors: Errors): void {
  if (cel === undefined) {
    errors.push(required(`${at}.cel`));
    return;
  }
  const { expression = '' } = cel;
  const path = `${at}.cel.expression`;
  if (Buffer.byteLength(expression) > maxExpressionLength) {
    errors.push(tooLong(path, maxExpressionLength));
    return;
  }
  const fault = deviceSelectorFault(expression);
  if (fault === undefined) return;
  errors.push('invalid' in fault ? invalid(path, expression, fault.invalid) : forbidden(path, 'too complex, exceeds cost limit'));
}

/** Configuration that only the driver understands. `stored`: it was there before there was a limit to its size. */
export function validateConfiguration({ opaque }: DeviceConfiguration, at: string, stored: boolean, errors: Errors): void {
  if (opaque === undefined) {
    errors.push(required(`${at}.opaque`));
    return;
  }
  const { driver, parameters }: Partial<OpaqueDeviceConfiguration> = opaque;
  validateDriverName(driver, `${at}.opaque.driver`, errors);
  validateRawObject(parameters, `${at}.opaque.parameters`, stored ? undefined : maxParametersLength, errors);
}

/** Any JSON object, of at most `maxLength` bytes when that is given. */
export function validateRawObject(value: unknown, at: string, maxLength: number | undefined, errors: Errors): void {
  if (value === undefined || value === null) errors.push(required(at));
  else if (maxLength !== undefined && Buffer.byteLength(JSON.stringify(value)) > maxLength) errors.push(tooLong(at, maxLength));
  else if (typeof value !== 'object' || Array.isArray(value)) {
    errors.push(invalid(at, '<value omitted>', 'must be a valid JSON object'));
  }
}
