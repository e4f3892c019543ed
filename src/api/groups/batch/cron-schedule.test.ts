import { describe, expect, it } from 'vitest';
import { parseCronSchedule } from './cron-schedule.ts';
import { timeZoneFault } from './time-zone.ts';

const list = (values: ReadonlySet<number>): readonly number[] => [...values].sort((a, b) => a - b);

describe('a schedule', () => {
  it('names minutes, hours, days, months and weekdays', () => {
    const schedule = parseCronSchedule('*/20 1-3,5 31 jan,MAR-apr sun-tue');
    if (schedule.kind !== 'calendar') throw new Error(schedule.kind);
    expect(list(schedule.minutes)).toEqual([0, 20, 40]);
    expect(list(schedule.hours)).toEqual([1, 2, 3, 5]);
    expect(list(schedule.days)).toEqual([31]);
    expect(list(schedule.months)).toEqual([1, 3, 4]);
    expect(list(schedule.weekdays)).toEqual([0, 1, 2]);
    expect([schedule.anyDay, schedule.anyWeekday]).toEqual([false, false]);
  });

  it('goes on to the end from a start with a step', () => {
    expect(parseCronSchedule('50/4 * * * ?')).toMatchObject({ minutes: new Set([50, 54, 58]), anyDay: true, anyWeekday: true });
  });

  it('is no longer any day with a step', () => {
    expect(parseCronSchedule('0 0 */2 * *')).toMatchObject({ anyDay: false, anyWeekday: true });
  });

  it('has names', () => {
    expect(parseCronSchedule('@weekly')).toEqual(parseCronSchedule('0 0 * * 0'));
    expect(parseCronSchedule('@every 1h30m10.9s')).toEqual({ kind: 'every', seconds: 5410 });
    expect(parseCronSchedule('@every 1ms')).toEqual({ kind: 'every', seconds: 1 });
  });

  it('may have a zone, in old objects', () => {
    expect(parseCronSchedule('CRON_TZ=Asia/Tokyo 0 * * * *')).toMatchObject({ kind: 'calendar', timeZone: 'Asia/Tokyo' });
  });

  it.each([
    ['', 'empty spec string'],
    ['* * * *', 'expected exactly 5 fields, found 4: [* * * *]'],
    ['60 * * * *', 'end of range (60) above maximum (59): 60'],
    ['* * 0 * *', 'beginning of range (0) below minimum (1): 0'],
    ['* * * * 7', 'end of range (7) above maximum (6): 7'],
    ['5-3 * * * *', 'beginning of range (5) beyond end of range (3): 5-3'],
    ['1-2-3 * * * *', 'too many hyphens: 1-2-3'],
    ['1/2/3 * * * *', 'too many slashes: 1/2/3'],
    ['*/0 * * * *', 'step of range should be a positive number: */0'],
    ['*/-1 * * * *', 'negative number (-1) not allowed: -1'],
    ['x * * * *', 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'],
    ['@often', 'unrecognized descriptor: @often'],
    ['@every soon', 'failed to parse duration @every soon: time: invalid duration "soon"'],
    ['TZ=Nowhere 0 * * * *', 'provided bad location Nowhere: unknown time zone Nowhere'],
  ])('%s is none', (text, message) => {
    expect(() => parseCronSchedule(text)).toThrow(message);
  });
});

describe('a time zone', () => {
  it.each(['UTC', 'Europe/Kyiv', 'US/Eastern', 'Asia/Calcutta', 'EST5EDT', 'Etc/GMT+5', ''])('%s is one', (name) => {
    expect(timeZoneFault(name)).toBeUndefined();
  });
  it.each(['utc', 'europe/kyiv', '+05', '+0530', 'PST', 'Nowhere'])('%s is none', (name) => {
    expect(timeZoneFault(name)).toBe(`unknown time zone ${name}`);
  });
  it('has a name without tricks', () => {
    expect(timeZoneFault('../etc/passwd')).toBe('time: invalid location name');
  });
});
