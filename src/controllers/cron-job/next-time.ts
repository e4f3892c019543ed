import type { CronSchedule } from '../../api/groups/batch/cron-schedule.ts';

/** A schedule that is not due within this many years is never due (the 30th of February). */
const HORIZON_YEARS = 5;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/**
 * The first time after `after` that a schedule is due in a time zone; undefined when it never is. Milliseconds since the epoch.
 * As robfig/cron has it: times that a clock change leaves out are left out, and those that it repeats come twice.
 */
export function nextTime(schedule: CronSchedule, after: number, timeZone: string): number | undefined {
  if (schedule.kind === 'every') return Math.floor(after / 1000) * 1000 + schedule.seconds * 1000;
  let at = Math.floor(after / MINUTE_MS) * MINUTE_MS + MINUTE_MS;
  const zone = schedule.timeZone ?? timeZone;
  const horizon = zoned(at, zone).year + HORIZON_YEARS;
  for (;;) {
    const time = zoned(at, zone);
    if (time.year > horizon) return undefined;
    if (!schedule.months.has(time.month)) {
      at = time.with({ day: 1 }).add({ months: 1 }).startOfDay().epochMilliseconds;
    } else if (!isDay(schedule, time)) {
      at = time.add({ days: 1 }).startOfDay().epochMilliseconds;
    } else if (!schedule.hours.has(time.hour)) {
      at += HOUR_MS - time.minute * MINUTE_MS;
    } else {
      const minute = firstFrom(schedule.minutes, time.minute);
      if (minute === time.minute) return at;
      at += ((minute ?? 60) - time.minute) * MINUTE_MS;
    }
  }
}

const zoned = (ms: number, zone: string): Temporal.ZonedDateTime =>
  Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(zone);

/** crontab(5): when both days are restricted either will do, else both must agree. */
function isDay(schedule: Extract<CronSchedule, { kind: 'calendar' }>, time: Temporal.ZonedDateTime): boolean {
  const day = schedule.days.has(time.day);
  // Temporal's Sunday is 7.
  const weekday = schedule.weekdays.has(time.dayOfWeek % 7);
  return schedule.anyDay || schedule.anyWeekday ? day && weekday : day || weekday;
}

function firstFrom(values: ReadonlySet<number>, from: number): number | undefined {
  for (let value = from; value < 60; value++) if (values.has(value)) return value;
  return undefined;
}

/** RFC 3339 in a zone, as Go writes it: `Z` where the offset is none. */
export function formatInZone(ms: number, zone: string): string {
  const text = zoned(ms, zone).toString({ timeZoneName: 'never', smallestUnit: 'second' });
  return text.replace(/\+00:00$/, 'Z');
}

export interface DueTimes {
  /** The latest time that has come and not been dealt with. */
  readonly due: number | undefined;
  /** When to look again. */
  readonly next: number | undefined;
  /** So many were missed that something must be wrong. */
  readonly tooManyMissed: boolean;
}

/** More missed starts than this are told of. */
const MANY = 100;

/**
 * What is due since `since` (the last start, or the creation), not looking back further than `notBefore`. How many were missed is estimated from
 * the first two, so that years of missed minutes need not be counted one by one. Undefined for a schedule that is never due, as upstream has it:
 * one without a first time, or without a second once the first has come.
 */
export function dueTimes(
  schedule: CronSchedule,
  since: number,
  notBefore: number | undefined,
  now: number,
  timeZone: string,
): DueTimes | undefined {
  const next = (after: number): number | undefined => nextTime(schedule, after, timeZone);
  const earliest = Math.max(since, notBefore ?? since);
  const first = next(earliest);
  // An interval is counted from the last start, not from the time of looking.
  if (first === undefined) return undefined;
  if (first > now) return { due: undefined, next: latestNext(next, since, now), tooManyMissed: false };
  const second = next(first);
  if (second === undefined) return undefined;
  if (second > now) return { due: first, next: second, tooManyMissed: false };
  const interval = Math.max(1000, second - first);
  const missed = Math.floor((now - first) / interval) + 1;
  let due = first;
  let following: number | undefined = next(first + Math.max(0, missed - 2) * interval - 1000);
  while (following !== undefined && following <= now) {
    due = Math.max(due, following);
    following = next(following);
  }
  return { due, next: following, tooManyMissed: missed > MANY };
}

function latestNext(next: (after: number) => number | undefined, since: number, now: number): number | undefined {
  const regular = next(since);
  return regular !== undefined && regular > now ? regular : next(now);
}
