import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DurationError, durationMs, formatDuration, parseDuration } from './duration.ts';
import { intValue, parseIntOrString, scaledValue } from './int-or-string.ts';
import { canonicalMicroTime, canonicalTime, formatMicroTime, formatTime, parseTime, TimeError } from './time.ts';

const problem = (run: () => unknown, type: new (message?: string) => Error): string => {
  try {
    run();
  } catch (err) {
    if (err instanceof type) return err.message;
    throw err;
  }
  return 'none';
};

describe('times', () => {
  it('are whole seconds in UTC, or microseconds', () => {
    expect(formatTime(1_767_323_045_678)).toBe('2026-01-02T03:04:05Z');
    expect(formatMicroTime(1_767_323_045_678.5)).toBe('2026-01-02T03:04:05.678500Z');
    expect(canonicalTime('2026-01-02T03:04:05.678+01:00')).toBe('2026-01-02T02:04:05Z');
    expect(canonicalTime('2024-02-29T23:59:59Z')).toBe('2024-02-29T23:59:59Z');
    expect(canonicalTime('0001-01-01T00:00:00Z')).toBe('');
    expect(canonicalMicroTime('2026-01-02T03:04:05.000001-02:00')).toBe('2026-01-02T05:04:05.000001Z');
    expect(parseTime('2026-01-02T03:04:05Z')).toBe(1_767_323_045_000);
    expect(parseTime(undefined)).toBeUndefined();
  });

  it('say what Go says of bad ones', () => {
    const of = (text: string): string => problem(() => canonicalTime(text), TimeError);
    const layout = 'as "2006-01-02T15:04:05Z07:00"';
    expect(of('')).toBe(`parsing time "" ${layout}: cannot parse "" as "2006"`);
    expect(of('2026-01-02')).toBe(`parsing time "2026-01-02" ${layout}: cannot parse "" as "T"`);
    expect(of('2026-01-02T03:04:05')).toBe(`parsing time "2026-01-02T03:04:05" ${layout}: cannot parse "" as "Z07:00"`);
    expect(of('2026-13-02T03:04:05Z')).toBe('parsing time "2026-13-02T03:04:05Z": month out of range');
    expect(of('2026-02-29T03:04:05Z')).toBe('parsing time "2026-02-29T03:04:05Z": day out of range');
    expect(of('2026-01-02T03:04:05Zx')).toBe('parsing time "2026-01-02T03:04:05Zx": extra text: "x"');
    expect(problem(() => canonicalMicroTime('2026-01-02T03:04:05Z'), TimeError)).toMatch(/cannot parse "Z" as "\.000000"$/);
  });

  it('are canonical once', () => {
    fc.assert(
      fc.property(fc.date({ min: new Date('0002-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }), (date) => {
        const text = formatTime(date.getTime());
        expect(canonicalTime(text)).toBe(text);
        expect(canonicalMicroTime(formatMicroTime(Math.trunc(date.getTime())))).toMatch(/\.\d{6}Z$/);
      }),
    );
  });
});

describe('durations', () => {
  it('read and write as in Go', () => {
    expect(formatDuration(parseDuration('1h30m'))).toBe('1h30m0s');
    expect(formatDuration(parseDuration('90s'))).toBe('1m30s');
    expect(formatDuration(parseDuration('1.5s'))).toBe('1.5s');
    expect(formatDuration(parseDuration('-1500us'))).toBe('-1.5ms');
    expect(formatDuration(parseDuration('0'))).toBe('0s');
    expect(durationMs('2.5s')).toBe(2500);
    expect(problem(() => parseDuration('5'), DurationError)).toBe('time: missing unit in duration "5"');
    expect(problem(() => parseDuration('5x'), DurationError)).toBe('time: unknown unit "x" in duration "5x"');
    expect(problem(() => parseDuration(''), DurationError)).toBe('time: invalid duration ""');
    expect(problem(() => parseDuration('9999999999h'), DurationError)).toBe('time: invalid duration "9999999999h"');
  });

  it('come back as they were', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }), (nanos) => {
        expect(parseDuration(formatDuration(nanos))).toBe(nanos);
      }),
    );
  });
});

describe('int-or-string', () => {
  it('scales percentages', () => {
    expect(scaledValue('25%', 10, true)).toBe(3);
    expect(scaledValue('25%', 10, false)).toBe(2);
    expect(scaledValue(7, 10, true)).toBe(7);
    expect(() => scaledValue('7', 10, true)).toThrow('invalid value for IntOrString: invalid type: string is not a percentage');
    expect(() => scaledValue('x%', 10, true)).toThrow('invalid value "x%": strconv.Atoi: parsing "x": invalid syntax');
    expect(parseIntOrString('80')).toBe(80);
    expect(parseIntOrString('http')).toBe('http');
    expect(intValue('80')).toBe(80);
  });
});
