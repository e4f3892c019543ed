import { stringFormat } from '../custom-resource/formats.ts';
import {
  isDNS1035Label,
  isDNS1123Label,
  isDNS1123Subdomain,
  isQualifiedName,
  isValidLabelValue,
  nameIsDNS1035Label,
  nameIsDNSLabel,
  nameIsDNSSubdomain,
} from '../meta/names.ts';
import { Quantity, QuantityError } from '../meta/quantity.ts';
import {
  type CelFunction,
  type Estimate,
  type EstimatedArg,
  global,
  matchCost,
  matchEstimate,
  member,
  REGEX_COST,
  range,
  STRING_COST,
  scaleRange,
  traversal,
} from './functions.ts';
import { compileRe2, Re2Error } from './re2.ts';
import { noOverload } from './standard-library.ts';
import { BOOL, DOUBLE, INT, listOf, opaque, optionalOf, STRING, type Type } from './types.ts';
import { ArrayList, CelError, costSize, OpaqueValue, Optional, type Value } from './values.ts';

export const QUANTITY = opaque('kubernetes.Quantity');
const SEMVER = opaque('kubernetes.Semver');
const FORMAT = opaque('kubernetes.NamedFormat');

function text(value: Value | undefined): string {
  if (typeof value !== 'string') throw noOverload();
  return value;
}

const traverse = (args: readonly Value[]): number => Math.ceil(costSize(args[0]!) * STRING_COST);
const traverseEstimate = ([arg]: readonly EstimatedArg[]): Estimate => ({ cost: traversal(arg!.size) });

// -------------------------------------------------------------------------------------------------------- quantities

class QuantityValue extends OpaqueValue {
  readonly type: Type = QUANTITY;
  readonly quantity: Quantity;
  constructor(quantity: Quantity) {
    super();
    this.quantity = quantity;
  }
  equals(other: OpaqueValue): boolean {
    return other instanceof QuantityValue && this.quantity.compare(other.quantity) === 0;
  }
}

function parseQuantity(source: string): QuantityValue | CelError {
  try {
    return new QuantityValue(Quantity.parse(source));
  } catch (err) {
    if (err instanceof QuantityError) return new CelError(err.message);
    throw err;
  }
}

function quantity(value: Value | undefined): Quantity {
  if (typeof value === 'bigint') return Quantity.of(value, 'DecimalExponent');
  if (!(value instanceof QuantityValue)) throw noOverload();
  return value.quantity;
}

/** The quantity as an int; undefined when it is none, or too large. */
function wholeQuantity(value: Quantity): bigint | undefined {
  const whole = value.scaledValue(0);
  if (whole < -(2n ** 63n) || whole >= 2n ** 63n) return undefined;
  return Quantity.of(whole).compare(value) === 0 ? whole : undefined;
}

const asParsed = <T extends OpaqueValue>(parsed: T | CelError): T => {
  if (parsed instanceof CelError) throw parsed;
  return parsed;
};

const quantities: readonly CelFunction[] = [
  {
    name: 'quantity',
    overloads: [global('string_to_quantity', [STRING], QUANTITY)],
    call: (value) => asParsed(parseQuantity(text(value))),
    cost: traverse,
    estimate: traverseEstimate,
  },
  {
    name: 'isQuantity',
    overloads: [global('is_quantity_string', [STRING], BOOL)],
    call: (value) => !(parseQuantity(text(value)) instanceof CelError),
    cost: traverse,
    estimate: traverseEstimate,
  },
  { name: 'sign', overloads: [global('quantity_sign', [QUANTITY], INT)], call: (q) => BigInt(quantity(q).sign) },
  {
    name: 'asInteger',
    overloads: [member('quantity_get_int', [QUANTITY], INT)],
    call: (q) => {
      const whole = wholeQuantity(quantity(q));
      if (whole === undefined) throw new CelError('cannot convert value to integer');
      return whole;
    },
  },
  {
    name: 'isInteger',
    overloads: [member('quantity_is_integer', [QUANTITY], BOOL)],
    call: (q) => wholeQuantity(quantity(q)) !== undefined,
  },
  {
    name: 'asApproximateFloat',
    overloads: [member('quantity_get_float', [QUANTITY], DOUBLE)],
    call: (q) => quantity(q).toNumber(),
  },
  {
    name: 'add',
    overloads: [member('quantity_add', [QUANTITY, QUANTITY], QUANTITY), member('quantity_add_int', [QUANTITY, INT], QUANTITY)],
    call: (a, b) => new QuantityValue(quantity(a).add(quantity(b))),
  },
  {
    name: 'sub',
    overloads: [member('quantity_sub', [QUANTITY, QUANTITY], QUANTITY), member('quantity_sub_int', [QUANTITY, INT], QUANTITY)],
    call: (a, b) => new QuantityValue(quantity(a).sub(quantity(b))),
  },
];

// ----------------------------------------------------------------------------------------------------------- versions

interface Version {
  readonly numbers: readonly [bigint, bigint, bigint];
  readonly pre: readonly string[];
}

class SemverValue extends OpaqueValue {
  readonly type: Type = SEMVER;
  readonly version: Version;
  constructor(version: Version) {
    super();
    this.version = version;
  }
  equals(other: OpaqueValue): boolean {
    return other instanceof SemverValue && compareVersions(this.version, other.version) === 0;
  }
}

const semverPattern =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/;

function parseSemver(source: string, normalize: boolean): SemverValue | CelError {
  const normalized = normalize ? normalizeSemver(source) : source;
  if (normalized === undefined) return new CelError('short version cannot contain PreRelease/Build meta data');
  if (normalized === '') return new CelError('Version string empty');
  const found = semverPattern.exec(normalized);
  if (found === null) {
    return new CelError(
      normalized.split('.').length < 3
        ? 'No Major.Minor.Patch elements found'
        : `Invalid character(s) found in version ${JSON.stringify(normalized)}`,
    );
  }
  const [major, minor, patch] = found.slice(1, 4).map(BigInt) as [bigint, bigint, bigint];
  return new SemverValue({ numbers: [major, minor, patch], pre: found[4] === undefined ? [] : found[4].split('.') });
}

function normalizeSemver(source: string): string | undefined {
  const text = source.replace(/^v/, '');
  const first = text.split('.');
  const parts = first.length <= 3 ? first : [first[0]!, first[1]!, first.slice(2).join('.')];
  const trimmed = parts.map((p) => {
    if (p.length < 2) return p;
    const rest = p.replace(/^0+/, '');
    return /^\d/.test(rest) ? rest : `0${rest}`;
  });
  if (trimmed.length < 3 && /[+-]/.test(trimmed.at(-1)!)) return undefined;
  while (trimmed.length < 3) trimmed.push('0');
  return trimmed.join('.');
}

function compareVersions(a: Version, b: Version): number {
  for (let i = 0; i < 3; i++) {
    if (a.numbers[i]! !== b.numbers[i]!) return a.numbers[i]! < b.numbers[i]! ? -1 : 1;
  }
  if (a.pre.length === 0 || b.pre.length === 0) return a.pre.length === b.pre.length ? 0 : a.pre.length === 0 ? 1 : -1;
  for (let i = 0; i < Math.min(a.pre.length, b.pre.length); i++) {
    const order = comparePre(a.pre[i]!, b.pre[i]!);
    if (order !== 0) return order;
  }
  return Math.sign(a.pre.length - b.pre.length);
}

function comparePre(a: string, b: string): number {
  const [x, y] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (x && y) return BigInt(a) < BigInt(b) ? -1 : BigInt(a) > BigInt(b) ? 1 : 0;
  if (x !== y) return x ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function version(value: Value | undefined): Version {
  if (!(value instanceof SemverValue)) throw noOverload();
  return value.version;
}

const normalizes = (value: Value | undefined): boolean => {
  if (value === undefined) return false;
  if (typeof value !== 'boolean') throw noOverload();
  return value;
};

const part = (name: string, i: number): CelFunction => ({
  name,
  overloads: [member(`semver_${name}`, [SEMVER], INT)],
  call: (value) => version(value).numbers[i]!,
});

const versions: readonly CelFunction[] = [
  {
    name: 'semver',
    overloads: [global('string_to_semver', [STRING], SEMVER), global('string_bool_to_semver', [STRING, BOOL], SEMVER)],
    call: (value, normalize) => asParsed(parseSemver(text(value), normalizes(normalize))),
    cost: traverse,
    estimate: traverseEstimate,
  },
  {
    name: 'isSemver',
    overloads: [global('is_semver_string', [STRING], BOOL), global('is_semver_string_bool', [STRING, BOOL], BOOL)],
    call: (value, normalize) => !(parseSemver(text(value), normalizes(normalize)) instanceof CelError),
    cost: traverse,
    estimate: traverseEstimate,
  },
  part('major', 0),
  part('minor', 1),
  part('patch', 2),
];

/** Quantities and versions are compared by the same functions. */
function order(a: Value | undefined, b: Value | undefined): number {
  if (a instanceof SemverValue) return compareVersions(a.version, version(b));
  if (!(a instanceof QuantityValue && b instanceof QuantityValue)) throw noOverload();
  return Math.sign(a.quantity.compare(b.quantity));
}

const comparison = (name: string, id: string, result: Type, call: (order: number) => Value): CelFunction => ({
  name,
  overloads: [member(`quantity_${id}`, [QUANTITY, QUANTITY], result), member(`semver_${id}`, [SEMVER, SEMVER], result)],
  call: (a, b) => call(order(a, b)),
});

const comparisons: readonly CelFunction[] = [
  comparison('isGreaterThan', 'is_greater_than', BOOL, (o) => o > 0),
  comparison('isLessThan', 'is_less_than', BOOL, (o) => o < 0),
  comparison('compareTo', 'compare_to', INT, (o) => BigInt(o)),
];

// ------------------------------------------------------------------------------------------------------------ formats

interface NamedFormat {
  readonly name: string;
  readonly faults: (text: string) => readonly string[];
  /** How long a pattern the check is worth. */
  readonly patternSize: number;
}

/** The longest pattern that a format is taken to be. */
const MAX_PATTERN = 128;

const byFormat =
  (format: string, message: string) =>
  (value: string): readonly string[] =>
    stringFormat(format)!(value) ? [] : [message];

const namedFormats: ReadonlyMap<string, NamedFormat> = new Map(
  (
    [
      ['dns1123Label', 'DNS1123Label', isDNS1123Label, 30],
      ['dns1123Subdomain', 'DNS1123Subdomain', isDNS1123Subdomain, 60],
      ['dns1035Label', 'DNS1035Label', isDNS1035Label, 30],
      ['qualifiedName', 'QualifiedName', isQualifiedName, 60],
      ['dns1123LabelPrefix', 'DNS1123LabelPrefix', (s: string) => nameIsDNSLabel(s, true), 30],
      ['dns1123SubdomainPrefix', 'DNS1123SubdomainPrefix', (s: string) => nameIsDNSSubdomain(s, true), 60],
      ['dns1035LabelPrefix', 'DNS1035LabelPrefix', (s: string) => nameIsDNS1035Label(s, true), 30],
      ['labelValue', 'LabelValue', isValidLabelValue, 40],
      [
        'uri',
        'URI',
        (s: string) => (stringFormat('uri')!(s) ? [] : [`parse ${JSON.stringify(s)}: invalid URI for request`]),
        MAX_PATTERN,
      ],
      ['uuid', 'uuid', byFormat('uuid', 'does not match the UUID format'), 77],
      ['byte', 'byte', byFormat('byte', 'invalid base64'), 73],
      ['date', 'date', byFormat('date', 'invalid date'), 79],
      ['datetime', 'datetime', byFormat('datetime', 'invalid datetime'), 79],
    ] as const
  ).map(([key, name, faults, patternSize]) => [key, { name, faults, patternSize }]),
);

class FormatValue extends OpaqueValue {
  readonly type: Type = FORMAT;
  readonly format: NamedFormat;
  constructor(format: NamedFormat) {
    super();
    this.format = format;
  }
  equals(other: OpaqueValue): boolean {
    return other instanceof FormatValue && this.format.name === other.format.name;
  }
}

const formats: readonly CelFunction[] = [
  ...[...namedFormats].map(
    ([key, format]): CelFunction => ({
      name: `format.${key}`,
      overloads: [global(`format.${key}`, [], FORMAT)],
      call: () => new FormatValue(format),
    }),
  ),
  {
    name: 'format.named',
    overloads: [global('format-named', [STRING], optionalOf(FORMAT))],
    call: (name) => {
      const format = namedFormats.get(text(name));
      return format === undefined ? Optional.none : new Optional(new FormatValue(format));
    },
  },
  {
    name: 'validate',
    overloads: [member('format-validate', [FORMAT, STRING], optionalOf(listOf(STRING)))],
    call: (format, value) => {
      if (!(format instanceof FormatValue)) throw noOverload();
      const faults = format.format.faults(text(value));
      return faults.length === 0 ? Optional.none : new Optional(new ArrayList(faults));
    },
    cost: ([format, value]) => (format instanceof FormatValue ? matchCost(costSize(value!), format.format.patternSize) : 1),
    estimate: ([, value]) => ({ cost: scaleRange(traversal(value!.size), MAX_PATTERN * REGEX_COST) }),
  },
];

// ----------------------------------------------------------------------------------------------- regular expressions

/** What `search` finds of a pattern. */
function searched<T>(regex: Value | undefined, search: (pattern: RegExp) => T): T {
  try {
    return search(compileRe2(text(regex)));
  } catch (err) {
    if (err instanceof Re2Error) throw new CelError(`Illegal regex: ${err.message}`);
    throw err;
  }
}

function findAll(value: Value | undefined, regex: Value | undefined, limit: Value | undefined): Value {
  const most = limit === undefined ? -1 : typeof limit === 'bigint' ? Number(limit) : Number.NaN;
  if (Number.isNaN(most)) throw noOverload();
  return searched(regex, (pattern) => {
    const found: string[] = [];
    // A pattern with limits has them here, too.
    const Pattern = pattern.constructor as RegExpConstructor;
    for (const match of text(value).matchAll(new Pattern(pattern.source, `${pattern.flags}g`))) {
      if (most >= 0 && found.length >= most) break;
      found.push(match[0]);
    }
    return new ArrayList(found);
  });
}

const findCost = (args: readonly Value[]): number => matchCost(costSize(args[0]!), costSize(args[1]!));
const findEstimate = ([subject, regex]: readonly EstimatedArg[]): Estimate => ({
  cost: matchEstimate(subject!.size, regex!.size),
  size: range(0, subject!.size.max),
});

const regexes: readonly CelFunction[] = [
  {
    name: 'find',
    overloads: [member('string_find_string', [STRING, STRING], STRING)],
    call: (value, regex) => searched(regex, (pattern) => pattern.exec(text(value))?.[0] ?? ''),
    cost: findCost,
    estimate: findEstimate,
  },
  {
    name: 'findAll',
    overloads: [
      member('string_find_all_string', [STRING, STRING], listOf(STRING)),
      member('string_find_all_string_int', [STRING, STRING, INT], listOf(STRING)),
    ],
    call: findAll,
    cost: findCost,
    estimate: findEstimate,
  },
];

const jsonPatch: CelFunction = {
  name: 'jsonpatch.escapeKey',
  overloads: [global('string_jsonpatch_escapeKey_string', [STRING], STRING)],
  call: (value) => text(value).replaceAll('~', '~0').replaceAll('/', '~1'),
  cost: traverse,
  estimate: ([arg]) => ({ cost: traversal(arg!.size), size: arg!.size }),
};

/** Kubernetes' functions of quantities, versions, named formats, patterns and JSON patches. */
export const kubernetesLibrary: readonly CelFunction[] = [
  ...quantities,
  ...versions,
  ...comparisons,
  ...formats,
  ...regexes,
  jsonPatch,
];
