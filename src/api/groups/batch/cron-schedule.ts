import { DurationError, parseDuration } from '../../meta/duration.ts';
import { timeZoneFault } from './time-zone.ts';

/** A text is no schedule; the message is that of robfig/cron, which upstream reads schedules with. */
export class ScheduleError extends Error {}

/**
 * When a CronJob is due: at the given minutes, hours, days and months, or every so often. `anyDay` and `anyWeekday` tell the fields that
 * were `*`: when neither was, a day that either field names will do, and otherwise both must agree (crontab(5)).
 */
export type CronSchedule =
  | {
      readonly kind: 'calendar';
      readonly minutes: ReadonlySet<number>;
      readonly hours: ReadonlySet<number>;
      readonly days: ReadonlySet<number>;
      /** 1 is January. */
      readonly months: ReadonlySet<number>;
      /** 0 is Sunday. */
      readonly weekdays: ReadonlySet<number>;
      readonly anyDay: boolean;
      readonly anyWeekday: boolean;
      /** The zone of a `TZ=` or `CRON_TZ=` before the fields, which only old objects may have. */
      readonly timeZone?: string;
    }
  | { readonly kind: 'every'; readonly seconds: number; readonly timeZone?: string };

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const minutes: Bounds = { min: 0, max: 59 };
const hours: Bounds = { min: 0, max: 23 };
const days: Bounds = { min: 1, max: 31 };
const months: Bounds = {
  min: 1,
  max: 12,
  names: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
};
const weekdays: Bounds = { min: 0, max: 6, names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] };

const fieldCount = 5;

const named: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/** Reads a schedule of five fields, or a name such as `@daily` or `@every 1h30m`. Throws a ScheduleError. */
export function parseCronSchedule(text: string): CronSchedule {
  if (text === '') throw new ScheduleError('empty spec string');
  let rest = text;
  let zone: { readonly timeZone?: string } = {};
  if (text.startsWith('TZ=') || text.startsWith('CRON_TZ=')) {
    const end = text.indexOf(' ');
    const name = text.slice(text.indexOf('=') + 1, end < 0 ? text.length : end);
    const fault = timeZoneFault(name);
    if (fault !== undefined) throw new ScheduleError(`provided bad location ${name}: ${fault}`);
    zone = { timeZone: name };
    rest = end < 0 ? '' : text.slice(end).trim();
  }
  if (rest.startsWith('@every ')) return { kind: 'every', seconds: wholeSeconds(rest.slice('@every '.length), rest), ...zone };
  if (rest.startsWith('@')) {
    const meant = Object.hasOwn(named, rest) ? named[rest] : undefined;
    if (meant === undefined) throw new ScheduleError(`unrecognized descriptor: ${rest}`);
    rest = meant;
  }
  const fields = rest.split(/\s+/).filter((field) => field !== '');
  if (fields.length !== fieldCount) {
    throw new ScheduleError(`expected exactly ${fieldCount} fields, found ${fields.length}: [${fields.join(' ')}]`);
  }
  // One after the other: the first fault is the one that is told.
  const minute = parseField(fields[0]!, minutes);
  const hour = parseField(fields[1]!, hours);
  const day = parseField(fields[2]!, days);
  const month = parseField(fields[3]!, months);
  const weekday = parseField(fields[4]!, weekdays);
  return {
    kind: 'calendar',
    minutes: minute.values,
    hours: hour.values,
    days: day.values,
    months: month.values,
    weekdays: weekday.values,
    anyDay: day.any,
    anyWeekday: weekday.any,
    ...zone,
  };
}

/** At least one second, and no parts of one. */
function wholeSeconds(text: string, whole: string): number {
  try {
    return Math.max(1, Number(parseDuration(text) / 1_000_000_000n));
  } catch (err) {
    if (err instanceof DurationError) throw new ScheduleError(`failed to parse duration ${whole}: ${err.message}`);
    throw err;
  }
}

/** The values that a field names; `any` when it says `*` without a step. */
function parseField(text: string, bounds: Bounds): { readonly values: ReadonlySet<number>; readonly any: boolean } {
  const values = new Set<number>();
  let any = false;
  for (const part of text.split(',')) if (part !== '') any = addRange(part, bounds, values) || any;
  return { values, any };
}

/** Adds what `*`, `3`, `1-5`, `mon-fri`, `*`+`/10` or `10-40/5` names; returns whether it was any value at all. */
function addRange(text: string, bounds: Bounds, values: Set<number>): boolean {
  const parts = text.split('/');
  const ends = parts[0]!.split('-');
  const star = ends[0] === '*' || ends[0] === '?';
  let start = bounds.min;
  let end = bounds.max;
  if (!star) {
    start = parseValue(ends[0]!, bounds.names, bounds.min);
    if (ends.length > 2) throw new ScheduleError(`too many hyphens: ${text}`);
    end = ends.length === 2 ? parseValue(ends[1]!, bounds.names, bounds.min) : start;
  }
  let step = 1;
  if (parts.length > 2) throw new ScheduleError(`too many slashes: ${text}`);
  if (parts.length === 2) {
    step = parseNumber(parts[1]!);
    // `3/10` starts at 3 and goes on to the end.
    if (ends.length === 1) end = bounds.max;
  }
  if (start < bounds.min) throw new ScheduleError(`beginning of range (${start}) below minimum (${bounds.min}): ${text}`);
  if (end > bounds.max) throw new ScheduleError(`end of range (${end}) above maximum (${bounds.max}): ${text}`);
  if (start > end) throw new ScheduleError(`beginning of range (${start}) beyond end of range (${end}): ${text}`);
  if (step === 0) throw new ScheduleError(`step of range should be a positive number: ${text}`);
  for (let value = start; value <= end; value += step) values.add(value);
  return star && step === 1;
}

function parseValue(text: string, names: readonly string[] | undefined, first: number): number {
  const index = names?.indexOf(text.toLowerCase()) ?? -1;
  return index < 0 ? parseNumber(text) : index + first;
}

/** As Go's strconv.Atoi, with its words for what is none. */
function parseNumber(text: string): number {
  const fault = (why: string): ScheduleError =>
    new ScheduleError(`failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: ${why}`);
  if (!/^[+-]?[0-9]+$/.test(text)) throw fault('invalid syntax');
  const value = Number(text);
  if (Math.abs(value) > 2 ** 63) throw fault('value out of range');
  if (value < 0) throw new ScheduleError(`negative number (${value}) not allowed: ${text}`);
  return value;
}
