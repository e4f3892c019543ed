import { type FieldError, type FieldPath, invalid } from '../meta/field-error.ts';
import { isValidPortName, isValidPortNum } from '../meta/names.ts';

/** What is wrong with a port number. */
export function portFaults(at: FieldPath | string, port: number): readonly FieldError[] {
  return isValidPortNum(port).map((detail) => invalid(at, port, detail));
}

/** What is wrong with a port given as a number or a name: corev1 ValidatePortNumOrName. */
export function portOrNameFaults(at: FieldPath | string, port: number | string): readonly FieldError[] {
  return typeof port === 'number' ? portFaults(at, port) : isValidPortName(port).map((detail) => invalid(at, port, detail));
}
