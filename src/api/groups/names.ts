import { type FieldError, type FieldPath, invalid } from '../meta/field-error.ts';

const regexFault = (fmt: string, message: string, ...examples: readonly string[]): string =>
  `${message} (${examples.map((e) => `e.g. '${e}'`).join(', or ')}, regex used for validation is '${fmt}')`;
const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomain = `${label}(\\.${label})*`;
const tooLong = (max: number): string => `must be no more than ${max} bytes`;

function rule(fmt: string, max: number, message: string, ...examples: readonly string[]): (value: string) => readonly string[] {
  const pattern = new RegExp(`^${fmt}$`);
  return (value) => [
    ...(value.length > max ? [tooLong(max)] : []),
    ...(pattern.test(value) ? [] : [regexFault(fmt, message, ...examples)]),
  ];
}

export const isDNS1123Label = rule(
  label,
  63,
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  'my-name',
  '123-abc',
);
export const isDNS1123Subdomain = rule(
  subdomain,
  253,
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  'example.com',
);
export const isDNS1035Label = rule(
  '[a-z]([-a-z0-9]*[a-z0-9])?',
  63,
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  'my-name',
  'abc-123',
);
export const isConfigMapKey = rule(
  '[-._a-zA-Z0-9]+',
  253,
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
  'key.name',
  'KEY_NAME',
  'key-name',
);
export const isQualifiedName = (value: string): readonly string[] =>
  /^([a-z0-9.-]+\/)?[A-Za-z0-9][-A-Za-z0-9_.]*$/.test(value) ? [] : ['name part must consist of alphanumeric characters'];
export const isValidPortNum = (n: number): readonly string[] =>
  n >= 1 && n <= 65535 ? [] : ['must be between 1 and 65535, inclusive'];
export const isValidPortName = isDNS1123Label;
const named = (check: (value: string) => readonly string[]) => (name: string, prefix: boolean) =>
  check(prefix ? name.replace(/-$/, 'a') : name);
export const nameIsDNSSubdomain = named(isDNS1123Subdomain);
export const nameIsDNSLabel = named(isDNS1123Label);
export const nameIsDNS1035Label = named(isDNS1035Label);
export const validateFinalizerName = (name: string, path: FieldPath): readonly FieldError[] =>
  isQualifiedName(name).map((m) => invalid(path, name, m));
export const validateLabels = (_labels: Readonly<Record<string, string>>, _path: FieldPath): readonly FieldError[] => [];
export const isValidLabelValue = (value: string): readonly string[] =>
  /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/.test(value) ? [] : ['a valid label'];
export const validateLabelSelector = (_selector: unknown, _path: FieldPath): readonly FieldError[] => [];
