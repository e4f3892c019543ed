import { duplicate, invalid, required, tooLong, tooMany } from '../../meta/field-error.ts';
import { isCIdentifier, isDNS1123Subdomain, isValidLabelValue } from '../../meta/names.ts';
import { driverNameFaults } from '../core/csi-driver-name.ts';
import { type Errors, report } from '../core/pod-validation/options.ts';

/** The names that devices have, and the lists and maps they are in. Paths are texts; what is wrong is pushed into `errors`. */

const maxPoolNameLength = 253;
const maxIdentifierLength = 32;
/** A domain, a slash and an identifier; longer keys are not repeated in full. */
export const maxShownKeyLength: number = 63 + 1 + maxIdentifierLength;
/** Keys that are DNS labels. */
export const maxShownLabelLength = 63;

export function validateDriverName(name: string | undefined, at: string, errors: Errors): void {
  errors.push(...driverNameFaults(at, name ?? ''));
}

/** Subdomains with slashes between them. */
export function validatePoolName(name: string | undefined, at: string, errors: Errors): void {
  if (!name) {
    errors.push(required(at));
    return;
  }
  if (name.length > maxPoolNameLength) errors.push(tooLong(at, maxPoolNameLength));
  for (const part of name.split('/')) report(errors, at, part, isDNS1123Subdomain(part));
}

/** `name` or `domain/name`: what attributes and capacities are called. */
export function validateQualifiedName(name: string, at: string, errors: Errors): void {
  const [domain, id, ...more] = name.split('/');
  if (id === undefined) validateIdentifier(name, at, errors);
  else if (more.length === 0) {
    if (domain === '') errors.push(invalid(at, '', 'the domain must not be empty'));
    else validateDriverName(domain, at, errors);
    if (id === '') errors.push(invalid(at, '', 'the name must not be empty'));
    else validateIdentifier(id, at, errors);
  }
}

/** As `validateQualifiedName`, but the domain must be there. */
export function validateFullyQualifiedName(name: string, at: string, errors: Errors): void {
  validateQualifiedName(name, at, errors);
  if (!name.includes('/')) {
    errors.push(invalid(at, name, 'a fully qualified name must be a domain and a name separated by a slash'));
  }
}

function validateIdentifier(id: string, at: string, errors: Errors): void {
  if (id.length > maxIdentifierLength) errors.push(tooLong(at, maxIdentifierLength));
  report(errors, at, id, isCIdentifier(id));
}

export const validateLabelValue = (value: string, at: string, errors: Errors): void =>
  report(errors, at, value, isValidLabelValue(value));

const uuid = /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/;

export function validateUid(uid: string, at: string, errors: Errors): void {
  if (![36, 36 + 9, 36 + 2, 32].includes(uid.length)) {
    errors.push(invalid(at, uid, `error validating uid: invalid UUID length: ${uid.length}`));
  } else if (uid.length === 36 && !uuid.test(uid)) {
    errors.push(invalid(at, uid, 'error validating uid: invalid UUID format'));
  } else if (uid.length !== 36 || uid !== uid.toLowerCase()) {
    errors.push(
      invalid(
        at,
        uid,
        'uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters',
      ),
    );
  }
}

type Validate<T> = (item: T, at: string, errors: Errors) => void;

/** Each item, when there are not too many to look at. `max` below zero: any number. */
export function validateList<T>(
  list: readonly T[] | undefined,
  max: number,
  each: Validate<T>,
  at: string,
  errors: Errors,
): void {
  if (list === undefined) return;
  if (max >= 0 && list.length > max) {
    errors.push(tooMany(at, list.length, max));
    return;
  }
  for (let i = 0; i < list.length; i++) each(list[i]!, `${at}[${i}]`, errors);
}

/** As `validateList`; and no two items have one key. `shown` is what a message says of the key. */
export function validateSet<T>(
  list: readonly T[] | undefined,
  max: number,
  each: Validate<T>,
  keyOf: (item: T) => string,
  at: string,
  errors: Errors,
): void {
  if (list === undefined) return;
  validateList(list, max, each, at, errors);
  if (max >= 0 && list.length > max) return;
  const seen = new Set<string>();
  for (let i = 0; i < list.length; i++) {
    const key = keyOf(list[i]!);
    if (seen.has(key)) errors.push(duplicate(`${at}[${i}]`, key));
    seen.add(key);
  }
}

/** Keys and values of a map. `max` below zero: any number. */
export function validateMap<T>(
  map: Readonly<Record<string, T>> | undefined,
  max: number,
  shownLength: number,
  key: Validate<string>,
  value: Validate<T>,
  at: string,
  errors: Errors,
): void {
  const keys = Object.keys(map ?? {});
  if (max >= 0 && keys.length > max) {
    errors.push(tooMany(at, keys.length, max));
    return;
  }
  for (const name of keys) {
    const here = `${at}[${shortened(name, shownLength)}]`;
    key(name, here, errors);
    value(map![name]!, here, errors);
  }
}

/** A text with its middle left out when it is longer than `max`. */
function shortened(text: string, max: number): string {
  if (text.length <= max) return text;
  const rest = max - 3;
  return `${text.slice(0, Math.floor((rest + 1) / 2))}...${text.slice(text.length - Math.floor(rest / 2))}`;
}
