/** How a quantity is written: `12M`, `12Mi` or `12e6`. It keeps the form it was parsed in. */
export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

const FORMAT_MESSAGE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'" as const;
const NUMERIC_MESSAGE = 'unable to parse numeric part of quantity';
const SUFFIX_MESSAGE = "unable to parse quantity's suffix";
/** Longer texts are refused: reading a number costs more than its length. */
const MAX_TEXT_LENGTH = 1000;

/** The text is not a quantity; the message is apimachinery's. */
export class QuantityError extends Error {}

/** Finer than a nano is rounded up to it. */
const NANO = -9;
const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);
/** From this many decimal digits on, apimachinery leaves its int64 form, and with it the keeping of the text as written. */
const INT64_DIGITS = 18;
/** Decimal exponents that differ by more are compared by size and added by dropping the smaller: no number is worth that many digits. */
const MAX_EXPONENT_GAP = 1000;

interface Suffix {
  readonly base: 2 | 10;
  readonly exponent: number;
  readonly format: QuantityFormat;
}

const decimal = (exponent: number): Suffix => ({ base: 10, exponent, format: 'DecimalSI' });
const binary = (exponent: number): Suffix => ({ base: 2, exponent, format: 'BinarySI' });

const suffixes: ReadonlyMap<string, Suffix> = new Map([
  ['', decimal(0)],
  ['n', decimal(-9)],
  ['u', decimal(-6)],
  ['m', decimal(-3)],
  ['k', decimal(3)],
  ['M', decimal(6)],
  ['G', decimal(9)],
  ['T', decimal(12)],
  ['P', decimal(15)],
  ['E', decimal(18)],
  ['Ki', binary(10)],
  ['Mi', binary(20)],
  ['Gi', binary(30)],
  ['Ti', binary(40)],
  ['Pi', binary(50)],
  ['Ei', binary(60)],
]);

const decimalSuffixes = new Map([...suffixes].filter(([, s]) => s.base === 10).map(([text, s]) => [s.exponent, text]));
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

/**
 * An exact amount with a decimal exponent: `unscaled × 10^exponent`. Immutable.
 * As apimachinery `resource.Quantity`: no finer than a nano, and capped at 2^63-1 when written with a binary suffix.
 */
export class Quantity {
  readonly unscaled: bigint;
  readonly exponent: number;
  readonly format: QuantityFormat;
  #text: string | undefined;

  constructor(unscaled: bigint, exponent: number, format: QuantityFormat, text?: string) {
    this.unscaled = unscaled;
    this.exponent = unscaled === 0n ? 0 : exponent;
    this.format = format;
    this.#text = text;
  }

  /** Reads a quantity as the API writes it. Throws a QuantityError with apimachinery's message. */
  static parse(text: string): Quantity {
    if (text === '0') return new Quantity(0n, 0, 'DecimalSI', text);
    const parts = split(text);
    const suffix = interpret(parts.suffix);
    const { whole, fraction } = parts;
    const digits = whole.length + fraction.length;
    const shifted = whole + fraction;
    const amount = BigInt(shifted);
    const signed = parts.negative ? -amount : amount;
    if (suffix.base === 10) {
      const exponent = suffix.exponent - fraction.length;
      if (digits > INT64_DIGITS || exponent < NANO) return new Quantity(...roundUp(signed, exponent, NANO), suffix.format);
      // Upstream keeps the text of what looks canonical already, `1.500` for one, and so does this.
      const kept = exponent % 3 === 0 && !shifted.endsWith('000') && shifted[0] !== '0';
      return new Quantity(signed, exponent, suffix.format, kept ? text : undefined);
    }
    const scaled = amount << BigInt(suffix.exponent);
    const exact = fraction.length === 0 && 15 - whole.length - (suffix.exponent * 3) / 10 - 1 >= 0 && scaled <= MAX_INT64;
    if (exact) return new Quantity(parts.negative ? -scaled : scaled, 0, 'BinarySI', (amount & 7n) === 0n ? undefined : text);
    let [unscaled, exponent] = roundUp(scaled, -fraction.length, NANO);
    if (compareScaled(unscaled, exponent, MAX_INT64, 0) > 0) [unscaled, exponent] = [MAX_INT64, 0];
    const format = unscaled > 0n && compareScaled(unscaled, exponent, 1n, 0) < 0 ? 'DecimalSI' : 'BinarySI';
    return new Quantity(parts.negative ? -unscaled : unscaled, exponent, format);
  }

  /** A whole number in the given form. */
  static of(value: number | bigint, format: QuantityFormat = 'DecimalSI'): Quantity {
    return new Quantity(BigInt(value), 0, format);
  }

  /** Thousandths. */
  static ofMilli(value: number | bigint, format: QuantityFormat = 'DecimalSI'): Quantity {
    return new Quantity(BigInt(value), -3, format);
  }

  /** The canonical text: no fraction, the largest suffix that loses nothing. */
  toString(): string {
    this.#text ??= canonical(this.unscaled, this.exponent, this.format);
    return this.#text;
  }

  toJSON(): string {
    return this.toString();
  }

  get isZero(): boolean {
    return this.unscaled === 0n;
  }

  /** -1, 0 or 1. */
  get sign(): -1 | 0 | 1 {
    return this.unscaled === 0n ? 0 : this.unscaled < 0n ? -1 : 1;
  }

  /** Negative, 0 or positive as this is less than, equal to or more than `other`. */
  compare(other: Quantity): number {
    return compareScaled(this.unscaled, this.exponent, other.unscaled, other.exponent);
  }

  equals(other: Quantity): boolean {
    return this.compare(other) === 0;
  }

  /** The sum, in this one's form; in the other's when this is zero. */
  add(other: Quantity): Quantity {
    const format = this.isZero ? other.format : this.format;
    if (other.isZero) return new Quantity(this.unscaled, this.exponent, format);
    if (this.isZero) return new Quantity(other.unscaled, other.exponent, format);
    const exponent = Math.min(this.exponent, other.exponent);
    if (Math.abs(this.exponent - other.exponent) > MAX_EXPONENT_GAP) {
      const larger = this.exponent > other.exponent ? this : other;
      return new Quantity(larger.unscaled, larger.exponent, format);
    }
    return new Quantity(
      rescale(this.unscaled, this.exponent, exponent) + rescale(other.unscaled, other.exponent, exponent),
      exponent,
      format,
    );
  }

  sub(other: Quantity): Quantity {
    return this.add(new Quantity(-other.unscaled, other.exponent, other.format));
  }

  negate(): Quantity {
    return new Quantity(-this.unscaled, this.exponent, this.format);
  }

  multiply(by: number | bigint): Quantity {
    return new Quantity(this.unscaled * BigInt(by), this.exponent, this.format);
  }

  /** The value in units of 10^scale, rounded away from zero, within the range of an int64. */
  scaledValue(scale: number): bigint {
    if (this.exponent - scale > MAX_EXPONENT_GAP) return this.unscaled < 0n ? MIN_INT64 : MAX_INT64;
    const [unscaled, exponent] = roundUp(this.unscaled, this.exponent, scale);
    const value = unscaled === 0n ? 0n : rescale(unscaled, exponent, scale);
    return value > MAX_INT64 ? MAX_INT64 : value < MIN_INT64 ? MIN_INT64 : value;
  }

  /** Whole units, rounded away from zero. Exact up to 2^53, the nearest number above. */
  value(): number {
    return Number(this.scaledValue(0));
  }

  /** Thousandths, rounded away from zero. Exact up to 2^53, the nearest number above. */
  milliValue(): number {
    return Number(this.scaledValue(-3));
  }

  /** The nearest double. */
  toNumber(): number {
    return Number(`${this.unscaled}e${this.exponent}`);
  }
}

interface Parts {
  readonly negative: boolean;
  /** Digits before the point, without leading zeros; `0` when there are none. */
  readonly whole: string;
  readonly fraction: string;
  readonly suffix: string;
}

const shape = /^([+-]?)0*([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)$/;

function split(text: string): Parts {
  const match = text === '' ? null : shape.exec(text);
  if (match === null) throw new QuantityError(FORMAT_MESSAGE);
  if (text.length > MAX_TEXT_LENGTH) throw new QuantityError(NUMERIC_MESSAGE);
  const whole = match[2] === '' ? '0' : match[2]!;
  return { negative: match[1] === '-', whole, fraction: match[3] ?? '', suffix: match[4]! };
}

const exponentSuffix = /^[eE][+-]?[0-9]+$/;

function interpret(suffix: string): Suffix {
  const known = suffixes.get(suffix);
  if (known !== undefined) return known;
  if (exponentSuffix.test(suffix)) {
    const exponent = Number(suffix.slice(1));
    // Upstream narrows to an int32; what is outside of it is no quantity anybody means.
    if (Math.abs(exponent) <= 0x7fffffff) return { base: 10, exponent, format: 'DecimalExponent' };
  }
  throw new QuantityError(SUFFIX_MESSAGE);
}

/** Rounds away from zero to a multiple of 10^scale; unchanged when it is one. */
function roundUp(unscaled: bigint, exponent: number, scale: number): [bigint, number] {
  if (exponent >= scale || unscaled === 0n) return [unscaled, exponent];
  const gap = scale - exponent;
  // Dividing by 10^gap leaves nothing of a number with fewer digits: one unit is what rounding up makes of it.
  if (gap > MAX_EXPONENT_GAP && gap > unscaled.toString().length) return [unscaled < 0n ? -1n : 1n, scale];
  const divisor = 10n ** BigInt(gap);
  const quotient = unscaled / divisor;
  const exact = quotient * divisor === unscaled;
  return [exact ? quotient : quotient + (unscaled < 0n ? -1n : 1n), scale];
}

const rescale = (unscaled: bigint, from: number, to: number): bigint =>
  from === to ? unscaled : unscaled * 10n ** BigInt(from - to);

function compareScaled(a: bigint, aExponent: number, b: bigint, bExponent: number): number {
  if (aExponent === bExponent || a === 0n || b === 0n || a < 0n !== b < 0n) return a < b ? -1 : a > b ? 1 : 0;
  if (Math.abs(aExponent - bExponent) > MAX_EXPONENT_GAP) {
    const size = a.toString().length + aExponent - (b.toString().length + bExponent);
    if (size !== 0) return size > 0 === a > 0n ? 1 : -1;
  }
  const exponent = Math.min(aExponent, bExponent);
  const left = rescale(a, aExponent, exponent);
  const right = rescale(b, bExponent, exponent);
  return left < right ? -1 : left > right ? 1 : 0;
}

function canonical(unscaled: bigint, exponent: number, format: QuantityFormat): string {
  if (unscaled === 0n) return '0';
  if (format === 'BinarySI') {
    const magnitude = unscaled < 0n ? -unscaled : unscaled;
    const whole = wholeNumber(magnitude, exponent);
    // Below 1024, and where a fraction is left, the decimal form says it exactly.
    if (whole !== undefined && whole >= 1024n) {
      let amount = whole;
      let step = 0;
      while (step < binarySuffixes.length - 1 && amount >= 1024n && (amount & 1023n) === 0n) {
        amount >>= 10n;
        step++;
      }
      return `${unscaled < 0n ? '-' : ''}${amount}${binarySuffixes[step]}`;
    }
  }
  let digits = unscaled.toString();
  let power = exponent;
  let zeros = 0;
  while (digits.charCodeAt(digits.length - 1 - zeros) === 48) zeros++;
  if (zeros > 0) digits = digits.slice(0, digits.length - zeros);
  power += zeros;
  const above = ((power % 3) + 3) % 3;
  digits += '0'.repeat(above);
  power -= above;
  if (format === 'DecimalExponent') return power === 0 ? digits : `${digits}e${power}`;
  const suffix = decimalSuffixes.get(power);
  if (suffix !== undefined) return digits + suffix;
  // Beyond exa upstream finds no suffix and prints the bare mantissa, another number; here the zeros are written out.
  return digits + '0'.repeat(power - 18) + 'E';
}

/** The amount as an integer; undefined when it has a fraction. */
function wholeNumber(magnitude: bigint, exponent: number): bigint | undefined {
  if (exponent >= 0) return exponent > MAX_EXPONENT_GAP ? undefined : rescale(magnitude, exponent, 0);
  const divisor = 10n ** BigInt(-exponent);
  return magnitude % divisor === 0n ? magnitude / divisor : undefined;
}

/** The quantity of a text already known to be one; for everything behind decoding. */
export const quantity = (text: string): Quantity => Quantity.parse(text);

/** Canonical text, the same string when it is canonical already. The fast path serves `2`, `100m`, `64Mi`: nearly all there are. */
export function canonicalQuantity(text: string): string {
  const length = text.length;
  if (length > 0 && length < 12) {
    let i = 0;
    let value = 0;
    for (; i < length; i++) {
      const digit = text.charCodeAt(i) - 48;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    const first = text.charCodeAt(0);
    if (i > 0 && first !== 48) {
      if (i === length || (i === length - 1 && decimalLetter(text.charCodeAt(i)))) {
        if (value % 1000 !== 0) return text;
      } else if (i === length - 2 && text.charCodeAt(i + 1) === 105 && binaryLetter(text.charCodeAt(i)) && i <= 6) {
        if ((value & 7) !== 0 || (value & 1023) !== 0) return text;
      }
    }
  }
  return Quantity.parse(text).toString();
}

/** n u m k M G */
const decimalLetter = (c: number): boolean => c === 109 || c === 107 || c === 77 || c === 71 || c === 110 || c === 117;
/** K M G T */
const binaryLetter = (c: number): boolean => c === 77 || c === 71 || c === 75 || c === 84;

const decimalPlaces = /^([0-9]{1,12})(m|)$/;
const binaryPlaces = /^([0-9]{1,6})([KMG])i$/;
const binaryFactor: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** Thousandths of a quantity, rounded up; 0 for undefined. What CPU is counted in. */
export function milliValue(text: string | undefined): number {
  if (text === undefined) return 0;
  const plain = decimalPlaces.exec(text);
  if (plain !== null) return plain[2] === 'm' ? Number(plain[1]) : Number(plain[1]) * 1000;
  return Quantity.parse(text).milliValue();
}

/** Whole units of a quantity, rounded up; 0 for undefined. What memory is counted in. */
export function quantityValue(text: string | undefined): number {
  if (text === undefined) return 0;
  const plain = binaryPlaces.exec(text);
  if (plain !== null) return Number(plain[1]) * binaryFactor[plain[2]!]!;
  const whole = decimalPlaces.exec(text);
  if (whole !== null && whole[2] === '') return Number(whole[1]);
  return Quantity.parse(text).value();
}

/** Order of two quantities given as text. */
export const compareQuantities = (a: string, b: string): number => (a === b ? 0 : Quantity.parse(a).compare(Quantity.parse(b)));

/** The sum of two quantities given as text, canonical. */
export const addQuantities = (a: string, b: string): string => Quantity.parse(a).add(Quantity.parse(b)).toString();

/** `a - b`, canonical; may be negative. */
export const subtractQuantities = (a: string, b: string): string => Quantity.parse(a).sub(Quantity.parse(b)).toString();
