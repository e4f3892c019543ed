/**
 * The forms that names, keys and values take. Every check answers with upstream's messages (apimachinery util/validation and
 * api/validate/content); none when the value is good. Lengths are in bytes.
 */
export type NameCheck = (value: string) => readonly string[];

/** A name check for metadata.name; `prefix` is true for a generateName, which may end in a dash. */
export type ObjectNameCheck = (name: string, prefix: boolean) => readonly string[];

const good: readonly string[] = Object.freeze([]);

export const DNS1123_LABEL_MAX_LENGTH = 63;
export const DNS1123_SUBDOMAIN_MAX_LENGTH = 253;
export const DNS1035_LABEL_MAX_LENGTH = 63;
export const LABEL_VALUE_MAX_LENGTH = 63;
const LABEL_KEY_NAME_MAX_LENGTH = 63;
const PORT_NAME_MAX_LENGTH = 15;

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const labelWithUnderscore = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const subdomain = `${label}(\\.${label})*`;
const keyName = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';

/** The message of a broken pattern: `… (e.g. 'a',  or 'b', regex used for validation is '…')`. */
export function regexError(message: string, pattern: string, ...examples: readonly string[]): string {
  if (examples.length === 0) return `${message} (regex used for validation is '${pattern}')`;
  return `${message} (e.g. ${examples.map((e) => `'${e}', `).join(' or ')}regex used for validation is '${pattern}')`;
}

export const emptyError = (): string => 'must be non-empty';
export const maxLengthError = (length: number): string => `must be no more than ${length} characters`;
export const maxBytesError = (length: number): string => `must be no more than ${length} bytes`;
export const inclusiveRangeError = (low: number, high: number): string => `must be between ${low} and ${high}, inclusive`;

const byteLength = (value: string): number => Buffer.byteLength(value);

/** A check of one pattern and a length, made so that a good value costs one test and no allocation. */
function pattern(source: string, maxLength: number, message: string, ...examples: readonly string[]): NameCheck {
  const regex = new RegExp(`^${source}$`);
  return (value) => {
    const matches = regex.test(value);
    const long = value.length * 3 > maxLength && byteLength(value) > maxLength;
    if (matches && !long) return good;
    return [...(long ? [maxLengthError(maxLength)] : []), ...(matches ? [] : [regexError(message, source, ...examples)])];
  };
}

const isLabelShape = new RegExp(`^${label}$`);
const isSubdomainShape = new RegExp(`^${subdomain}$`);

export const isDNS1123Label: NameCheck = (value) => {
  const long = byteLength(value) > DNS1123_LABEL_MAX_LENGTH;
  const errors = long ? [maxLengthError(DNS1123_LABEL_MAX_LENGTH)] : [];
  if (isLabelShape.test(value)) return errors;
  errors.push(
    isSubdomainShape.test(value)
      ? 'must not contain dots'
      : regexError(
          "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
          label,
          'my-name',
          '123-abc',
        ),
  );
  return errors;
};

const subdomainMessage =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";

/** As `isDNS1123Subdomain`, in the words of declarative validation (`k8s-long-name`). */
export const isLongName: NameCheck = (name) =>
  isDNS1123Subdomain(name).map((message) =>
    message === maxLengthError(DNS1123_SUBDOMAIN_MAX_LENGTH) ? maxBytesError(DNS1123_SUBDOMAIN_MAX_LENGTH) : message,
  );
export const isDNS1123Subdomain = pattern(subdomain, DNS1123_SUBDOMAIN_MAX_LENGTH, subdomainMessage, 'example.com');

export const isDNS1123SubdomainWithUnderscore = pattern(
  `${labelWithUnderscore}(\\.${labelWithUnderscore})*`,
  DNS1123_SUBDOMAIN_MAX_LENGTH,
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
  'example.com',
);

export const isWildcardDNS1123Subdomain = pattern(
  `\\*\\.${subdomain}`,
  DNS1123_SUBDOMAIN_MAX_LENGTH,
  "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
  '*.example.com',
);

export const isDNS1035Label = pattern(
  '[a-z]([-a-z0-9]*[a-z0-9])?',
  DNS1035_LABEL_MAX_LENGTH,
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  'my-name',
  'abc-123',
);

const isKeyName = new RegExp(`^${keyName}$`);
const keyNameError = (): string =>
  regexError(
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    keyName,
    'MyName',
    'my.name',
    '123-abc',
  );

/** A label key: a name, with a DNS subdomain and a slash before it or not. */
export const isQualifiedName: NameCheck = (value) => {
  const slash = value.indexOf('/');
  if (slash >= 0 && value.includes('/', slash + 1)) {
    return [`a valid label key ${keyNameError()} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const name = slash < 0 ? value : value.slice(slash + 1);
  const errors: string[] = [];
  if (slash === 0) errors.push(`prefix part ${emptyError()}`);
  else if (slash > 0) {
    const prefix = value.slice(0, slash);
    if (byteLength(prefix) > DNS1123_SUBDOMAIN_MAX_LENGTH) {
      errors.push(`prefix part ${maxBytesError(DNS1123_SUBDOMAIN_MAX_LENGTH)}`);
    }
    if (!isSubdomainShape.test(prefix)) errors.push(`prefix part ${regexError(subdomainMessage, subdomain, 'example.com')}`);
  }
  if (name === '') errors.push(`name part ${emptyError()}`);
  else if (byteLength(name) > LABEL_KEY_NAME_MAX_LENGTH) errors.push(`name part ${maxBytesError(LABEL_KEY_NAME_MAX_LENGTH)}`);
  if (!isKeyName.test(name)) errors.push(`name part ${keyNameError()}`);
  return errors;
};

const labelValue = `(${keyName})?`;
const isLabelValueShape = new RegExp(`^${labelValue}$`);

export const isValidLabelValue: NameCheck = (value) => {
  const errors = byteLength(value) > LABEL_VALUE_MAX_LENGTH ? [maxBytesError(LABEL_VALUE_MAX_LENGTH)] : [];
  if (!isLabelValueShape.test(value)) {
    errors.push(
      regexError(
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        labelValue,
        'MyValue',
        'my_value',
        '12345',
      ),
    );
  }
  return errors;
};

export const isCIdentifier = pattern(
  '[A-Za-z_][A-Za-z0-9_]*',
  Number.MAX_SAFE_INTEGER,
  "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
  'my_name',
  'MY_NAME',
  'MyName',
);

const envVarName = pattern(
  '[-._a-zA-Z][-._a-zA-Z0-9]*',
  Number.MAX_SAFE_INTEGER,
  "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit",
  'my.env-name',
  'MY_ENV.NAME',
  'MyEnvName1',
);

export const isEnvVarName: NameCheck = (value) => [...envVarName(value), ...changesDirectory(value)];

/** Since v1.34 (KEP-4369): any printable ASCII but `=`. */
export const isRelaxedEnvVarName: NameCheck = (value) => {
  const errors = value === '' ? [`environment variable name ${emptyError()}`] : [];
  if (!/^[ -<>-~]*$/.test(value)) {
    errors.push("a valid environment variable name must consist only of printable ASCII characters other than '='");
  }
  return errors;
};

const configMapKey = pattern(
  '[-._a-zA-Z0-9]+',
  DNS1123_SUBDOMAIN_MAX_LENGTH,
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
  'key.name',
  'KEY_NAME',
  'key-name',
);

export const isConfigMapKey: NameCheck = (value) => [...configMapKey(value), ...changesDirectory(value)];

function changesDirectory(value: string): readonly string[] {
  if (!value.startsWith('.')) return good;
  if (value === '.') return ["must not be '.'"];
  if (value === '..') return ["must not be '..'"];
  return value.startsWith('..') ? ["must not start with '..'"] : good;
}

export const isHTTPHeaderName = pattern(
  '[-A-Za-z0-9]+',
  Number.MAX_SAFE_INTEGER,
  "a valid HTTP header must consist of alphanumeric characters or '-'",
  'X-Header-Name',
);

export const isValidPercent = pattern(
  '[0-9]+%',
  Number.MAX_SAFE_INTEGER,
  "a valid percent string must be a numeric string followed by an ending '%'",
  '1%',
  '93%',
);

const inRange =
  (low: number, high: number) =>
  (value: number): readonly string[] =>
    value >= low && value <= high ? good : [inclusiveRangeError(low, high)];

export const isInRange = (value: number, low: number, high: number): readonly string[] => inRange(low, high)(value);
export const isValidPortNum = inRange(1, 65_535);
export const isValidUserID = inRange(0, 0x7fffffff);
export const isValidGroupID = inRange(0, 0x7fffffff);

/** An IANA service name (RFC 6335). */
export const isValidPortName: NameCheck = (port) => {
  const errors: string[] = [];
  if (byteLength(port) > PORT_NAME_MAX_LENGTH) errors.push(maxLengthError(PORT_NAME_MAX_LENGTH));
  if (!/^[-a-z0-9]+$/.test(port)) errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(port)) errors.push('must contain at least one letter (a-z)');
  if (port.includes('--')) errors.push('must not contain consecutive hyphens');
  if (port.startsWith('-') || port.endsWith('-')) errors.push('must not begin or end with a hyphen');
  return errors;
};

/** A name that can stand between the slashes of a URL or a storage key: RBAC's names are no more than that. */
export const isPathSegmentName: NameCheck = (name) => {
  if (name === '.' || name === '..') return [`may not be '${name}'`];
  return isPathSegmentPrefix(name);
};

export const isPathSegmentPrefix: NameCheck = (name) =>
  ['/', '%'].filter((c) => name.includes(c)).map((c) => `may not contain '${c}'`);

/** Upstream masks two characters, not one, where a prefix ends in a dash; so does this. */
const maskTrailingDash = (name: string): string => (name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name);

const objectName =
  (check: NameCheck): ObjectNameCheck =>
  (name, prefix) =>
    check(prefix ? maskTrailingDash(name) : name);

export const nameIsDNSSubdomain = objectName(isDNS1123Subdomain);
/** What declarative validation calls a long name; of a generateName it says nothing, as the generated name is judged. */
export const nameIsLongName: ObjectNameCheck = (name, prefix) => (prefix ? good : isLongName(name));
export const nameIsDNSLabel = objectName(isDNS1123Label);
export const nameIsDNS1035Label = objectName(isDNS1035Label);
export const nameIsPathSegment: ObjectNameCheck = (name, prefix) =>
  prefix ? isPathSegmentPrefix(name) : isPathSegmentName(name);
