import { type FieldError, type FieldPath, forbidden, invalid, notSupported, required } from '../meta/field-error.ts';
import { isDNS1123Label, isDNS1123Subdomain } from '../meta/names.ts';
import { deepEqual } from './define.ts';

/** Says what is wrong with a value in upstream's words; empty when nothing is. */
export type Validator = (value: string) => readonly string[];

type At = FieldPath | string;

/** One `Invalid value` for each thing a validator finds wrong. */
export function check(at: At, value: string, validator: Validator): readonly FieldError[] {
  return validator(value).map((detail) => invalid(at, value, detail));
}

/** As `check`, but an empty value is `Required value`. */
export function checkRequired(at: At, value: string | undefined, validator: Validator, detail = ''): readonly FieldError[] {
  return value === undefined || value === '' ? [required(at, detail)] : check(at, value, validator);
}

/** A domain of two labels or more; a trailing dot is allowed: apimachinery IsFullyQualifiedDomainName. */
export function isFullyQualifiedDomainName(at: At, value: string): readonly FieldError[] {
  if (value === '') return [required(at)];
  const name = value.replace(/\.$/, '');
  const bad = isDNS1123Subdomain(name);
  if (bad.length > 0) return [invalid(at, name, bad.join(','))];
  const labels = name.split('.');
  if (labels.length < 2) return [invalid(at, name, 'should be a domain with at least two segments separated by dots')];
  return labels.flatMap((label) => {
    const errors = isDNS1123Label(label);
    return errors.length === 0 ? [] : [invalid(at, label, errors.join(','))];
  });
}

/** apimachinery ValidateImmutableField. A missing value equals its zero value only where the caller says so with `??`. */
export function immutable(at: At, value: unknown, old: unknown): readonly FieldError[] {
  return deepEqual(value, old) ? [] : [invalid(at, value, 'field is immutable')];
}

/** apimachinery ValidateNonnegativeField. */
export function nonNegative(at: At, value: number | undefined): readonly FieldError[] {
  return value !== undefined && value < 0 ? [invalid(at, value, 'must be greater than or equal to 0')] : [];
}

/** corev1 ValidatePositiveField. */
export function positive(at: At, value: number | undefined): readonly FieldError[] {
  return value !== undefined && value <= 0 ? [invalid(at, value, 'must be greater than 0')] : [];
}

/** A value that must be one of a closed set, and must be there. */
export function oneOf(at: At, value: string | undefined, supported: readonly string[], detail = ''): readonly FieldError[] {
  if (value === undefined || value === '') return [required(at, detail)];
  return supported.includes(value) ? [] : [notSupported(at, value, supported)];
}

/** What an object whose `immutable` is set may not change: the flag itself and the given fields. ConfigMap and Secret. */
export function sealedFields<T extends { readonly immutable?: boolean }>(
  object: T,
  old: T,
  fields: readonly (keyof T & string)[],
): readonly FieldError[] {
  if (old.immutable !== true) return [];
  const detail = 'field is immutable when `immutable` is set';
  const errors = object.immutable === true ? [] : [forbidden('immutable', detail)];
  for (const name of fields) {
    if (!deepEqual(object[name] ?? {}, old[name] ?? {})) errors.push(forbidden(name, detail));
  }
  return errors;
}

/** `a=b,c=d` in the order of the keys, `<none>` when there are none: apimachinery labels.FormatLabels. */
export function formatLabels(labels: Readonly<Record<string, string>> | undefined): string {
  const text = Object.keys(labels ?? {})
    .sort()
    .map((key) => `${key}=${labels![key]}`)
    .join(',');
  return text === '' ? '<none>' : text;
}

/** The first `max` items and how many more there are: `a,b,c + 2 more...`. */
export function firstFew(items: readonly string[], max = 3): string {
  const text = items.slice(0, max).join(',');
  return items.length > max ? `${text} + ${items.length - max} more...` : text;
}

/** A map as Go's encoder writes it, by its keys. */
export const sorted = <T>(map: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
