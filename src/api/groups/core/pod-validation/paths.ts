import { invalid } from '../../../meta/field-error.ts';
import type { Errors } from './options.ts';

/** Rules for file paths inside volumes and containers. They hold on Linux: `/` is the only separator. */

/** No element may be `..`. */
export function validateNoBacksteps(path: string, at: string, errors: Errors): void {
  if (path.includes('..') && path.split('/').includes('..')) errors.push(invalid(at, path, "must not contain '..'"));
}

/** A path below something: relative, and without `..`. */
export function validateDescendingPath(path: string, at: string, errors: Errors): void {
  if (path.startsWith('/')) errors.push(invalid(at, path, 'must be a relative path'));
  validateNoBacksteps(path, at, errors);
}

/** As `validateDescendingPath`; names that begin with `..` are kept for the kubelet's atomic writer. */
export function validateNonReservedPath(path: string, at: string, errors: Errors): void {
  validateDescendingPath(path, at, errors);
  // A `..` element has been told already.
  if (path.startsWith('..') && !path.startsWith('../')) errors.push(invalid(at, path, "must not start with '..'"));
}

export const fileModeMessage = 'must be a number between 0 and 0777 (octal), both inclusive';

export function validateFileMode(mode: number | undefined, at: string, errors: Errors): void {
  if (mode !== undefined && (mode > 0o777 || mode < 0)) errors.push(invalid(at, mode, fileModeMessage));
}
