import { required } from '../../../meta/field-error.ts';
import type { KeyToPath } from '../../../types/core-v1.ts';
import type { Errors } from './options.ts';
import { validateFileMode, validateNonReservedPath } from './paths.ts';

/** One key of a config map or secret, and the file it becomes. */
export function validateKeyToPath(item: KeyToPath, at: string, errors: Errors): void {
  if (!item.key) errors.push(required(`${at}.key`));
  if (!item.path) errors.push(required(`${at}.path`));
  validateNonReservedPath(item.path ?? '', `${at}.path`, errors);
  validateFileMode(item.mode, `${at}.mode`, errors);
}
