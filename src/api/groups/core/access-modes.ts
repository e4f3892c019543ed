import { type FieldError, type FieldPath, forbidden, notSupported } from '../../meta/field-error.ts';

const modes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];

/** Known modes, and ReadWriteOncePod only alone (KEP-2485). `path` is that of the list. */
export function accessModeFaults(path: FieldPath, given: readonly string[]): readonly FieldError[] {
  const errors: FieldError[] = given.filter((m) => !modes.includes(m)).map((m) => notSupported(path, m, modes));
  if (given.includes('ReadWriteOncePod') && given.some((m) => m !== 'ReadWriteOncePod')) {
    errors.push(forbidden(path, 'may not use ReadWriteOncePod with other access modes'));
  }
  return errors;
}

const abbreviations = [
  ['ReadWriteOnce', 'RWO'],
  ['ReadOnlyMany', 'ROX'],
  ['ReadWriteMany', 'RWX'],
  ['ReadWriteOncePod', 'RWOP'],
] as const;

/** `RWO,ROX`, in a fixed order. */
export const formatAccessModes = (given: readonly string[] | undefined): string =>
  abbreviations
    .filter(([mode]) => given?.includes(mode))
    .map(([, short]) => short)
    .join(',');
