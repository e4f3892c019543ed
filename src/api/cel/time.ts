import { DurationError, parseDuration } from '../meta/duration.ts';
import { CelError, conversionError, Duration, Timestamp } from './values.ts';

const NANOS = 1_000_000_000n;
/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999999Z, in seconds. */
const MIN_SECONDS = -62_135_596_800n;
const MAX_SECONDS = 253_402_300_799n;

/** RFC 3339 with any fraction. Throws a CelError. */
export function parseTimestamp(text: string): Timestamp {
  const found = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?([Zz]|[+-]\d\d:\d\d)$/.exec(text);
  if (found === null) throw conversionError('google.protobuf.Timestamp');
  const [, year, month, day, hour, minute, second, fraction = '', zone] = found;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  date.setUTCHours(Number(hour), Number(minute), Number(second), 0);
  const wrong = date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day) || Number(hour) > 23;
  if (wrong || Number(minute) > 59 || Number(second) > 59) throw conversionError('google.protobuf.Timestamp');
  const offset = zone === 'Z' || zone === 'z' ? 0 : zoneMinutes(zone!);
  const seconds = BigInt(date.getTime() / 1000 - offset * 60);
  return checkedTimestamp(seconds * NANOS + BigInt(fraction.slice(0, 9).padEnd(9, '0') || '0'), offset);
}

const zoneMinutes = (zone: string): number =>
  (zone.startsWith('-') ? -1 : 1) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2)));

function zoneText(minutes: number): string {
  if (minutes === 0) return 'Z';
  const part = (n: number): string => String(Math.trunc(Math.abs(n))).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${part(minutes / 60)}:${part(minutes % 60)}`;
}

/** A timestamp in the range that there is. */
export function checkedTimestamp(nanos: bigint, offset = 0): Timestamp {
  const seconds = nanos >= 0n ? nanos / NANOS : (nanos - (NANOS - 1n)) / NANOS;
  if (seconds < MIN_SECONDS || seconds > MAX_SECONDS) throw new CelError('timestamp overflow');
  return new Timestamp(nanos, offset);
}

export function checkedDuration(nanos: bigint): Duration {
  if (nanos < -(2n ** 63n) || nanos >= 2n ** 63n) throw new CelError('duration overflow');
  return new Duration(nanos);
}

/** Go's durations. Throws a CelError. */
export function canonicalDuration(text: string): Duration {
  try {
    return new Duration(parseDuration(text));
  } catch (err) {
    throw err instanceof DurationError ? conversionError('google.protobuf.Duration') : err;
  }
}

/** `3600.5s`, as CEL writes durations. */
export function durationText(duration: Duration): string {
  const negative = duration.nanos < 0n;
  const nanos = negative ? -duration.nanos : duration.nanos;
  const fraction = (nanos % NANOS).toString().padStart(9, '0').replace(/0+$/, '');
  return `${negative ? '-' : ''}${nanos / NANOS}${fraction === '' ? '' : `.${fraction}`}s`;
}

/** RFC 3339 with as much of a fraction as there is. */
export function timestampText(timestamp: Timestamp): string {
  const { nanos } = timestamp;
  const fraction = ((nanos % NANOS) + NANOS) % NANOS;
  const ms = Number((nanos - fraction) / 1_000_000n) + timestamp.offset * 60_000;
  const digits = fraction.toString().padStart(9, '0').replace(/0+$/, '');
  const iso = new Date(ms).toISOString();
  return `${iso.slice(0, iso.indexOf('.'))}${digits === '' ? '' : `.${digits}`}${zoneText(timestamp.offset)}`;
}

/** The parts of a timestamp in a time zone: `UTC`, `-08:00` or a name of the tz database. Throws a CelError. */
export function timeParts(timestamp: Timestamp, zone = 'UTC'): Date {
  const fraction = ((timestamp.nanos % NANOS) + NANOS) % NANOS;
  const ms = Number((timestamp.nanos - fraction) / 1_000_000n);
  if (zone === 'UTC' || zone === '') return new Date(ms);
  const fixed = /^([+-]?)(\d\d):(\d\d)$/.exec(zone);
  if (fixed !== null) {
    const minutes = (fixed[1] === '-' ? -1 : 1) * (Number(fixed[2]) * 60 + Number(fixed[3]));
    return new Date(ms + minutes * 60_000);
  }
  try {
    const parts = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' }).formatToParts(ms);
    const offset = /GMT([+-]\d\d):?(\d\d)?/.exec(parts.find((p) => p.type === 'timeZoneName')?.value ?? '');
    const hours = Number(offset?.[1] ?? 0);
    const minutes = Math.abs(hours) * 60 + Number(offset?.[2] ?? 0);
    return new Date(ms + (offset?.[1]?.startsWith('-') ? -minutes : minutes) * 60_000);
  } catch {
    throw new CelError(`unknown time zone ${zone}`);
  }
}

/** The milliseconds of the second. */
export const millisOf = (timestamp: Timestamp): bigint => (((timestamp.nanos % NANOS) + NANOS) % NANOS) / 1_000_000n;
