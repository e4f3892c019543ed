import { type FieldError, type FieldPath, invalid, required } from './field-error.ts';
import { isDNS1123Label, isDNS1123Subdomain, isQualifiedName, regexError } from './names.ts';

type At = FieldPath | string;

const httpPath = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";
const isHttpPath = new RegExp(`^${httpPath}$`);

/** A domain of three segments or more: `a.example.com`. */
export function validateFullyQualifiedName(path: At, name: string): readonly FieldError[] {
  if (name === '') return [required(path)];
  const faults = isDNS1123Subdomain(name);
  if (faults.length > 0) return [invalid(path, name, faults.join(','))];
  return name.split('.').length >= 3
    ? []
    : [invalid(path, name, 'should be a domain with at least three segments separated by dots')];
}

/** A domain of two segments or more, with a last dot or without. */
export function validateFullyQualifiedDomainName(path: At, given: string): readonly FieldError[] {
  if (given === '') return [required(path)];
  const name = given.endsWith('.') ? given.slice(0, -1) : given;
  const faults = isDNS1123Subdomain(name);
  if (faults.length > 0) return [invalid(path, name, faults.join(','))];
  const labels = name.split('.');
  if (labels.length < 2) return [invalid(path, name, 'should be a domain with at least two segments separated by dots')];
  return labels.flatMap((label) => {
    const wrong = isDNS1123Label(label);
    return wrong.length > 0 ? [invalid(path, label, wrong.join(','))] : [];
  });
}

/** `acme.io/foo`: a domain, a slash and a path. What names controllers and signers. */
export function validateDomainPrefixedPath(at: At, value: string): readonly FieldError[] {
  if (value === '') return [required(at)];
  const slash = value.indexOf('/');
  if (slash <= 0 || slash === value.length - 1) {
    return [invalid(at, value, 'must be a domain-prefixed path (such as "acme.io/foo")')];
  }
  const host = value.slice(0, slash);
  const path = value.slice(slash + 1);
  const errors = isDNS1123Subdomain(host).map((message) => invalid(at, host, message));
  if (!isHttpPath.test(path)) errors.push(invalid(at, path, regexError('Invalid path', httpPath)));
  return errors;
}

/** `acme.io/foo`: a label key that has its domain. */
export function validateDomainPrefixedKey(at: At, key: string): readonly FieldError[] {
  if (key === '') return [required(at)];
  const faults = isQualifiedName(key);
  if (faults.length > 0) return faults.map((message) => invalid(at, key, message));
  return key.includes('/') ? [] : [invalid(at, key, 'must be a domain-prefixed key (such as "acme.io/foo")')];
}
