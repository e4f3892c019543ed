/** A text is no time; the message is Go's `time.Parse`. */
export class TimeError extends Error {}

const RFC3339 = '2006-01-02T15:04:05Z07:00';
const RFC3339_MICRO = '2006-01-02T15:04:05.000000Z07:00';
/** Go's zero time: what an unset Time holds, written as null. */
const ZERO_SECONDS = -62_135_596_800;

/** An instant: whole seconds since the epoch, and the nanoseconds after them. */
export interface Instant {
  readonly seconds: number;
  readonly nanos: number;
}

/** metav1.Time: seconds, UTC. `ms` is milliseconds since the epoch. */
export function formatTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** metav1.MicroTime: microseconds, UTC. `ms` is milliseconds since the epoch, its fraction counts. */
export function formatMicroTime(ms: number): string {
  const micros = Math.round(ms * 1000);
  const seconds = Math.floor(micros / 1_000_000);
  return formatInstant({ seconds, nanos: (micros - seconds * 1_000_000) * 1000 }, true);
}

/** Milliseconds since the epoch of a Time or MicroTime as the API holds it; undefined for none or a bad one. */
export function parseTime(text: string | undefined | null): number | undefined {
  if (text === undefined || text === null) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

/** An instant as a Time (`micro` false) or MicroTime. */
export function formatInstant(instant: Instant, micro: boolean): string {
  const base = new Date(instant.seconds * 1000).toISOString().slice(0, 19);
  return micro ? `${base}.${String(Math.floor(instant.nanos / 1000)).padStart(6, '0')}Z` : `${base}Z`;
}

/** Whether an instant is Go's zero time, which the API takes for none. */
export const isZeroInstant = (instant: Instant): boolean => instant.seconds === ZERO_SECONDS && instant.nanos === 0;

const timeShape = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)$/;

/** Reads RFC 3339 as Go does; `micro` asks for exactly six decimals of a second. Throws a TimeError. */
export function parseInstant(text: string, micro: boolean): Instant {
  const m = timeShape.exec(text);
  if (m === null || (micro && m[7]?.length !== 6)) throw misshapen(text, micro);
  const [year, month, day, hour, minute, second] = [m[1], m[2], m[3], m[4], m[5], m[6]].map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const outside = (what: string): TimeError => new TimeError(`parsing time ${JSON.stringify(text)}: ${what} out of range`);
  if (month < 1 || month > 12) throw outside('month');
  if (hour > 23) throw outside('hour');
  if (minute > 59) throw outside('minute');
  if (second > 59) throw outside('second');
  if (day < 1 || day > daysIn(year, month)) throw outside('day');
  let offset = 0;
  const zone = m[8]!;
  if (zone !== 'Z') {
    const hours = Number(zone.slice(1, 3));
    const minutes = Number(zone.slice(4));
    if (hours > 24) throw outside('time zone offset hour');
    if (minutes > 60) throw outside('time zone offset minute');
    offset = (zone[0] === '-' ? -1 : 1) * (hours * 60 + minutes) * 60;
  }
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const seconds = date.getTime() / 1000 - offset;
  return { seconds, nanos: Number((m[7] ?? '').slice(0, 9).padEnd(9, '0')) };
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Finds, as Go's parser does from the left, the first element of the layout that the text does not hold. */
function misshapen(text: string, micro: boolean): TimeError {
  const layout = micro ? RFC3339_MICRO : RFC3339;
  const elements: readonly (readonly [string, RegExp])[] = [
    ['2006', /^\d{4}/],
    ['-', /^-/],
    ['01', /^\d\d/],
    ['-', /^-/],
    ['02', /^\d\d/],
    ['T', /^T/],
    ['15', /^\d\d/],
    [':', /^:/],
    ['04', /^\d\d/],
    [':', /^:/],
    ['05', micro ? /^\d\d/ : /^\d\d(?:[.,]\d+)?/],
    ...(micro ? [['.000000', /^[.,]\d{6}(?!\d)/] as const] : []),
    ['Z07:00', /^(?:Z|[+-]\d\d:\d\d)/],
  ];
  let rest = text;
  for (const [element, pattern] of elements) {
    const m = pattern.exec(rest);
    if (m === null) {
      return new TimeError(
        `parsing time ${JSON.stringify(text)} as ${JSON.stringify(layout)}: cannot parse ${JSON.stringify(rest)} as ${JSON.stringify(element)}`,
      );
    }
    rest = rest.slice(m[0].length);
  }
  return new TimeError(`parsing time ${JSON.stringify(text)}: extra text: ${JSON.stringify(rest)}`);
}

/** A Time as the API stores it: seconds, UTC; '' for Go's zero time. The same string when it is so already. Throws a TimeError. */
export function canonicalTime(text: string): string {
  if (isCanonical(text)) return text === '0001-01-01T00:00:00Z' ? '' : text;
  const instant = parseInstant(text, false);
  return isZeroInstant(instant) ? '' : formatInstant(instant, false);
}

/** As `canonicalTime`, for a MicroTime. */
export function canonicalMicroTime(text: string): string {
  const instant = parseInstant(text, true);
  if (isZeroInstant(instant)) return '';
  return text.endsWith('Z') ? text : formatInstant(instant, true);
}

const digit = (text: string, i: number): boolean => {
  const c = text.charCodeAt(i);
  return c >= 48 && c <= 57;
};
const two = (text: string, i: number): number => (text.charCodeAt(i) - 48) * 10 + text.charCodeAt(i + 1) - 48;

/** The form nearly every time on the wire has; days past the 28th are left to the careful reader. */
function isCanonical(text: string): boolean {
  if (text.length !== 20 || text[4] !== '-' || text[7] !== '-' || text[10] !== 'T' || text[13] !== ':' || text[16] !== ':')
    return false;
  if (text[19] !== 'Z') return false;
  for (let i = 0; i < 19; i++) if (i !== 4 && i !== 7 && i !== 10 && i !== 13 && i !== 16 && !digit(text, i)) return false;
  const month = two(text, 5);
  const day = two(text, 8);
  return month >= 1 && month <= 12 && day >= 1 && day <= 28 && two(text, 11) < 24 && two(text, 14) < 60 && two(text, 17) < 60;
}
