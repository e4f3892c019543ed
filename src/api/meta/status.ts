import type { Status, StatusCause, StatusDetails } from '../types/meta-v1.ts';
import { type FieldError, fieldErrorBody, formatFieldErrors } from './field-error.ts';

/** The reasons a Status can carry (metav1.StatusReason), with the HTTP code each goes with. */
export const statusCodes = {
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  AlreadyExists: 409,
  Conflict: 409,
  Gone: 410,
  Invalid: 422,
  ServerTimeout: 500,
  StoreReadError: 500,
  Timeout: 504,
  TooManyRequests: 429,
  BadRequest: 400,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  InternalError: 500,
  Expired: 410,
  ServiceUnavailable: 503,
} as const;

export type StatusReason = keyof typeof statusCodes | '';

/** An API error: thrown anywhere below a request, answered to the client as it stands. All of them are made in this file. */
export class StatusError extends Error {
  readonly status: Status;
  constructor(status: Status, options?: ErrorOptions) {
    super(status.message ?? 'unknown error', options);
    this.name = 'StatusError';
    this.status = status;
  }
  get code(): number {
    return this.status.code ?? 500;
  }
  get reason(): StatusReason {
    return (this.status.reason ?? '') as StatusReason;
  }
}

function failure(
  reason: keyof typeof statusCodes,
  message: string,
  details?: StatusDetails,
  code: number = statusCodes[reason],
): StatusError {
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    ...(details === undefined ? {} : { details }),
    code,
  });
}

/** What an error is about: the resource as in the URL (`pods`) or, for Invalid, the kind (`Pod`). */
export interface ErrorSubject {
  readonly group: string;
  readonly resource: string;
}

/** `pods`, `deployments.apps`: a group resource as messages name it. */
export const qualified = (s: ErrorSubject): string => (s.group === '' ? s.resource : `${s.resource}.${s.group}`);

const detailsOf = (s: ErrorSubject, name: string, more: Partial<StatusDetails> = {}): StatusDetails => ({
  ...(name === '' ? {} : { name }),
  ...(s.group === '' ? {} : { group: s.group }),
  ...(s.resource === '' ? {} : { kind: s.resource }),
  ...more,
});

export const notFound = (s: ErrorSubject, name: string): StatusError =>
  failure('NotFound', `${qualified(s)} ${JSON.stringify(name)} not found`, detailsOf(s, name));
export const alreadyExists = (s: ErrorSubject, name: string): StatusError =>
  failure('AlreadyExists', `${qualified(s)} ${JSON.stringify(name)} already exists`, detailsOf(s, name));
export const conflict = (s: ErrorSubject, name: string, cause: string): StatusError =>
  failure('Conflict', `Operation cannot be fulfilled on ${qualified(s)} ${JSON.stringify(name)}: ${cause}`, detailsOf(s, name));
/** Server-side apply met fields that others own; a cause for each. */
export const applyConflict = (message: string, causes: readonly StatusCause[]): StatusError =>
  failure('Conflict', message, { causes });
/** The optimistic lock failed. */
export const staleConflict = (s: ErrorSubject, name: string): StatusError =>
  conflict(s, name, 'the object has been modified; please apply your changes to the latest version and try again');
export const forbiddenError = (s: ErrorSubject, name: string, cause: string): StatusError =>
  failure(
    'Forbidden',
    s.resource === ''
      ? `forbidden: ${cause}`
      : `${qualified(s)} ${name === '' ? 'is' : `${JSON.stringify(name)} is`} forbidden: ${cause}`,
    detailsOf(s, name),
  );
export const unauthorized = (message = 'Unauthorized'): StatusError => failure('Unauthorized', message);
export const badRequest = (message: string): StatusError => failure('BadRequest', message);
export const internalStatus = (message: string): StatusError =>
  failure('InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] });
export const gone = (message: string): StatusError => failure('Gone', message);
/** The resource version asked for is no longer held. */
export const expired = (message: string): StatusError => failure('Expired', message);
export const tooLargeResourceVersion = (requested: number, current: number): StatusError =>
  failure('Timeout', `Too large resource version: ${requested}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
export const methodNotSupported = (s: ErrorSubject, action: string): StatusError =>
  failure(
    'MethodNotAllowed',
    `${action} is not supported on resources of kind ${JSON.stringify(qualified(s))}`,
    detailsOf(s, ''),
  );
export const notAcceptable = (accepted: readonly string[]): StatusError =>
  failure('NotAcceptable', `only the following media types are accepted: ${accepted.join(', ')}`);
export const unsupportedMediaType = (accepted: readonly string[]): StatusError =>
  failure(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  );
export const requestEntityTooLarge = (message: string): StatusError =>
  failure('RequestEntityTooLarge', `Request entity too large: ${message}`);
export const tooManyRequests = (message: string, retryAfterSeconds: number, causes?: readonly StatusCause[]): StatusError =>
  failure('TooManyRequests', message, {
    ...(retryAfterSeconds > 0 ? { retryAfterSeconds } : {}),
    ...(causes === undefined ? {} : { causes }),
  });
export const timeoutError = (message: string, retryAfterSeconds = 0): StatusError =>
  failure('Timeout', `Timeout: ${message}`, retryAfterSeconds > 0 ? { retryAfterSeconds } : undefined);
export const serviceUnavailable = (message: string): StatusError => failure('ServiceUnavailable', message);
/** The path leads nowhere: upstream's answer for an unknown resource or URL. */
export const genericNotFound = (): StatusError => failure('NotFound', 'the server could not find the requested resource', {});
/** An error with a code and reason chosen by the caller, for those a webhook or an aggregated server gave. */
export const customError = (code: number, reason: string, message: string): StatusError =>
  new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    ...(reason === '' ? {} : { reason }),
    code,
  });

/** Validation failed. `subject` names the kind and its group; `errors` is not empty. */
export function invalidObject(
  subject: { readonly group: string; readonly kind: string },
  name: string,
  errors: readonly FieldError[],
): StatusError {
  const causes: StatusCause[] = errors.map((e) => ({ reason: e.type, message: fieldErrorBody(e), field: e.path }));
  const text = formatFieldErrors(errors);
  const what = subject.group === '' ? subject.kind : `${subject.kind}.${subject.group}`;
  return failure('Invalid', `${what} ${JSON.stringify(name)} is invalid: ${text}`, {
    ...(name === '' ? {} : { name }),
    ...(subject.group === '' ? {} : { group: subject.group }),
    kind: subject.kind,
    causes,
  });
}

export const isStatusError = (err: unknown, reason?: StatusReason): err is StatusError =>
  err instanceof StatusError && (reason === undefined || err.reason === reason);
export const isNotFound = (err: unknown): err is StatusError => isStatusError(err, 'NotFound');
export const isConflict = (err: unknown): err is StatusError => isStatusError(err, 'Conflict');
export const isAlreadyExists = (err: unknown): err is StatusError => isStatusError(err, 'AlreadyExists');
/** The watch or list must start again from a fresh list. */
export const isExpired = (err: unknown): err is StatusError => isStatusError(err, 'Expired') || isStatusError(err, 'Gone');

/** The patch was well formed but could not be carried out; upstream says no more than this to the client (NewGenericServerResponse, 422). */
export const unprocessablePatch = (): StatusError =>
  failure('Invalid', 'the server rejected our request due to an error in our request', {});
