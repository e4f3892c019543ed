import { goString } from '../apply/go-json.ts';
import { goFloat, goQuote } from './go-text.ts';

/** What is wrong with a field, in upstream's vocabulary (apimachinery `field.ErrorType`). */
export type FieldErrorType =
  | 'FieldValueNotFound'
  | 'FieldValueRequired'
  | 'FieldValueDuplicate'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'FieldValueTypeInvalid'
  | 'InternalError';

/** One thing wrong with one field. `path` is written as upstream does: `spec.containers[0].name`, `metadata.labels[a.b/c]`. */
export interface FieldError {
  readonly type: FieldErrorType;
  readonly path: string;
  readonly value?: unknown;
  readonly detail: string;
}

/** A field path that grows: `path('spec').child('containers').index(0).child('name')`. Immutable; made only where an error is likely. */
export class FieldPath {
  readonly #text: string;
  constructor(text = '') {
    this.#text = text;
  }
  child(...names: readonly string[]): FieldPath {
    const joined = names.join('.');
    return new FieldPath(this.#text === '' ? joined : `${this.#text}.${joined}`);
  }
  index(i: number): FieldPath {
    return new FieldPath(`${this.#text}[${i}]`);
  }
  key(k: string): FieldPath {
    return new FieldPath(`${this.#text}[${k}]`);
  }
  toString(): string {
    return this.#text;
  }
}

type At = FieldPath | string;

export const required = (path: At, detail = ''): FieldError => ({ type: 'FieldValueRequired', path: String(path), detail });
export const invalid = (path: At, value: unknown, detail: string): FieldError => ({
  type: 'FieldValueInvalid',
  path: String(path),
  value,
  detail,
});
export const forbidden = (path: At, detail: string): FieldError => ({ type: 'FieldValueForbidden', path: String(path), detail });
export const duplicate = (path: At, value: unknown): FieldError => ({
  type: 'FieldValueDuplicate',
  path: String(path),
  value,
  detail: '',
});
export const notFoundField = (path: At, value: unknown): FieldError => ({
  type: 'FieldValueNotFound',
  path: String(path),
  value,
  detail: '',
});
export const typeInvalid = (path: At, value: unknown, detail: string): FieldError => ({
  type: 'FieldValueTypeInvalid',
  path: String(path),
  value,
  detail,
});
export const internalError = (path: At, detail: string): FieldError => ({ type: 'InternalError', path: String(path), detail });
/** `maxLength` is in characters or bytes, as upstream counts that field; negative when the limit is not told. */
export const tooLong = (path: At, maxLength: number): FieldError => ({
  type: 'FieldValueTooLong',
  path: String(path),
  detail: maxLength >= 0 ? `may not be more than ${maxLength} byte${maxLength === 1 ? '' : 's'}` : 'value is too long',
});
/** `actual` may be negative when it was not counted. */
export const tooMany = (path: At, actual: number, max: number): FieldError => ({
  type: 'FieldValueTooMany',
  path: String(path),
  value: actual >= 0 ? actual : undefined,
  detail: `must have at most ${max} item${max === 1 ? '' : 's'}`,
});
/** `supported` in the order in which the message lists them. */
export const notSupported = (path: At, value: unknown, supported: readonly string[]): FieldError => ({
  type: 'FieldValueNotSupported',
  path: String(path),
  value,
  detail: supported.length === 0 ? '' : `supported values: ${supported.map(goQuote).join(', ')}`,
});

const prefixes: Readonly<Record<FieldErrorType, string>> = {
  FieldValueNotFound: 'Not found',
  FieldValueRequired: 'Required value',
  FieldValueDuplicate: 'Duplicate value',
  FieldValueInvalid: 'Invalid value',
  FieldValueNotSupported: 'Unsupported value',
  FieldValueForbidden: 'Forbidden',
  FieldValueTooLong: 'Too long',
  FieldValueTooMany: 'Too many',
  FieldValueTypeInvalid: 'Invalid value',
  InternalError: 'Internal error',
};

/** The error without its path: what a Status cause carries as its message. */
export function fieldErrorBody(error: FieldError): string {
  const prefix = prefixes[error.type];
  switch (error.type) {
    case 'FieldValueRequired':
    case 'FieldValueForbidden':
    case 'FieldValueTooLong':
    case 'InternalError':
      return error.detail === '' ? prefix : `${prefix}: ${error.detail}`;
    case 'FieldValueTooMany':
    case 'FieldValueNotFound':
    case 'FieldValueDuplicate':
    case 'FieldValueInvalid':
    case 'FieldValueNotSupported':
    case 'FieldValueTypeInvalid': {
      const omitted = error.value === omitValue || (error.type === 'FieldValueTooMany' && error.value === undefined);
      const value = omitted ? '' : `: ${error.type === 'FieldValueNotSupported' ? goEnum(error.value) : goValue(error.value)}`;
      return error.detail === '' ? `${prefix}${value}` : `${prefix}${value}: ${error.detail}`;
    }
  }
}

/** The error as upstream prints it: `spec.replicas: Invalid value: -1: must be greater than or equal to 0`. */
export function formatFieldError(error: FieldError): string {
  return `${error.path}: ${fieldErrorBody(error)}`;
}

/** Several as one message, as upstream's aggregate has it: repeated ones are left out, and brackets stand around what is more than one. */
export function formatFieldErrors(errors: readonly FieldError[]): string {
  const messages = [...new Set(errors.map(formatFieldError))];
  return messages.length === 1 ? messages[0]! : `[${messages.join(', ')}]`;
}

/** An integer that upstream holds as a float64 where it tells of it. */
export class GoFloat {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
  toJSON(): number {
    return this.value;
  }
}

/** Stands for a value that the message leaves out (apimachinery `field.OmitValueType`). */
export const omitValue = Symbol('omitted');

/** A value as upstream's messages show it: strings quoted, everything else as JSON. */
function goValue(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  if (typeof value === 'string') return goQuote(value);
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : goFloat(value);
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (value instanceof GoFloat) return goFloat(value.value);
  // As Go's encoder writes them, structs in the order of their fields: not as goJson, which sorts what it takes for maps.
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Values of types with a closed set of values are no strings to upstream: they are encoded, not quoted. */
const goEnum = (value: unknown): string => (typeof value === 'string' ? goString(value) : goValue(value));
