/** A text is no duration; the message is Go's `time.ParseDuration`. */
export class DurationError extends Error {}

const MAX_NANOS = 2n ** 63n - 1n;
const unitNanos: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

/** Nanoseconds of a Go duration (`1h30m`, `1.5s`, `-3ms`, `0`). Throws a DurationError with Go's message. */
export function parseDuration(text: string): bigint {
  const quoted = JSON.stringify(text);
  const negative = text[0] === '-';
  let rest = text[0] === '-' || text[0] === '+' ? text.slice(1) : text;
  if (rest === '0') return 0n;
  if (rest === '') throw new DurationError(`time: invalid duration ${quoted}`);
  let total = 0n;
  while (rest !== '') {
    const number = /^([0-9]*)(?:\.([0-9]*))?/.exec(rest)!;
    const whole = number[1]!;
    const fraction = number[2] ?? '';
    if (whole === '' && fraction === '') throw new DurationError(`time: invalid duration ${quoted}`);
    rest = rest.slice(number[0].length);
    const unit = /^[^.0-9]*/.exec(rest)![0];
    if (unit === '') throw new DurationError(`time: missing unit in duration ${quoted}`);
    const nanos = Object.hasOwn(unitNanos, unit) ? unitNanos[unit] : undefined;
    if (nanos === undefined) throw new DurationError(`time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}`);
    rest = rest.slice(unit.length);
    // More digits than these are below a nanosecond, or beyond the range.
    if (whole.length > 40) throw new DurationError(`time: invalid duration ${quoted}`);
    const places = fraction.slice(0, 18);
    total += BigInt(whole || '0') * nanos + (BigInt(places || '0') * nanos) / 10n ** BigInt(places.length);
    if (total > MAX_NANOS + (negative ? 1n : 0n)) throw new DurationError(`time: invalid duration ${quoted}`);
  }
  return negative ? -total : total;
}

/** Nanoseconds as Go prints a duration: `1h30m0s`, `1.5s`, `300ms`, `0s`. */
export function formatDuration(nanos: bigint): string {
  if (nanos === 0n) return '0s';
  const sign = nanos < 0n ? '-' : '';
  const n = nanos < 0n ? -nanos : nanos;
  if (n < 1_000n) return `${sign}${n}ns`;
  if (n < 1_000_000n) return `${sign}${decimals(n, 3)}µs`;
  if (n < 1_000_000_000n) return `${sign}${decimals(n, 6)}ms`;
  const minutes = n / 60_000_000_000n;
  const seconds = `${decimals(n % 60_000_000_000n, 9)}s`;
  if (minutes === 0n) return sign + seconds;
  const hours = minutes / 60n;
  return hours === 0n ? `${sign}${minutes}m${seconds}` : `${sign}${hours}h${minutes % 60n}m${seconds}`;
}

/** `n / 10^places` without trailing zeros. */
function decimals(n: bigint, places: number): string {
  const digits = n.toString().padStart(places + 1, '0');
  const whole = digits.slice(0, -places);
  const fraction = digits.slice(-places).replace(/0+$/, '');
  return fraction === '' ? whole : `${whole}.${fraction}`;
}

/** Milliseconds of a Go duration. Throws a DurationError. */
export const durationMs = (text: string): number => Number(parseDuration(text)) / 1_000_000;
