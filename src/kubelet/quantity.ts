/** Multipliers of quantity suffixes, in nano units (1e-9), as bigint. */
const suffixes: Readonly<Record<string, bigint>> = {
  n: 1n,
  u: 1_000n,
  m: 1_000_000n,
  '': 1_000_000_000n,
  k: 10n ** 12n,
  M: 10n ** 15n,
  G: 10n ** 18n,
  T: 10n ** 21n,
  P: 10n ** 24n,
  E: 10n ** 27n,
  Ki: (10n ** 9n) << 10n,
  Mi: (10n ** 9n) << 20n,
  Gi: (10n ** 9n) << 30n,
  Ti: (10n ** 9n) << 40n,
  Pi: (10n ** 9n) << 50n,
  Ei: (10n ** 9n) << 60n,
};

const pattern = /^([+-]?)(\d*)(?:\.(\d*))?([a-zA-Z]*|[eE][+-]?\d+)$/;

/** A quantity in nano units, exactly. 0 for undefined and for what does not parse: the API server has validated it long ago. */
export function quantityNano(text: string | number | undefined): bigint {
  if (text === undefined) return 0n;
  const m = pattern.exec(String(text));
  if (m === null) return 0n;
  const [, sign, whole = '', fraction = '', suffix = ''] = m;
  const digits = BigInt(whole + fraction || '0');
  let nano: bigint;
  const exponent = /^[eE]([+-]?\d+)$/.exec(suffix);
  if (exponent !== null) {
    const shift = Number(exponent[1]) - fraction.length + 9;
    nano = shift >= 0 ? digits * 10n ** BigInt(shift) : ceilDiv(digits, 10n ** BigInt(-shift));
  } else {
    const multiplier = suffixes[suffix];
    if (multiplier === undefined) return 0n;
    nano = ceilDiv(digits * multiplier, 10n ** BigInt(fraction.length));
  }
  return sign === '-' ? -nano : nano;
}

/** The quantity in whole units, rounded up: bytes, or cores. */
export function quantityValue(text: string | number | undefined): number {
  return Number(ceilDiv(quantityNano(text), 1_000_000_000n));
}

/** The quantity in thousandths, rounded up: millicores. */
export function quantityMilli(text: string | number | undefined): number {
  return Number(ceilDiv(quantityNano(text), 1_000_000n));
}

/** Integer division rounded up; `b` is positive. */
export function ceilDiv(a: bigint, b: bigint): bigint {
  return a > 0n ? (a + b - 1n) / b : a / b;
}
