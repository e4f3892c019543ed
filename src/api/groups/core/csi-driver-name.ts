import { type FieldError, type FieldPath, required, tooLong } from '../../meta/field-error.ts';
import { isDNS1123Subdomain } from '../../meta/names.ts';
import { check } from '../field-checks.ts';

/** The longest name of a CSI driver, in characters. */
const maxLength = 63;

/** The name of a CSI driver: a subdomain, in any case, of 63 characters at most. */
export function driverNameFaults(path: FieldPath | string, name: string): readonly FieldError[] {
  if (name === '') return [required(path)];
  const errors: FieldError[] = name.length > maxLength ? [tooLong(path, maxLength)] : [];
  return [...errors, ...check(path, name.toLowerCase(), isDNS1123Subdomain)];
}
