import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RequestAttributes } from '../contract.ts';
import { fairProportion, seatLimits, shareAt } from './allocation.ts';
import { DemandMeter } from './demand.ts';
import { RetryAfter } from './retry-after.ts';
import { dealHand, hashFlow } from './shuffle-sharding.ts';
import { WatcherCounts } from './watcher-counts.ts';

describe('hands', () => {
  it('are of different queues, and the same for the same flow', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.string(),
        fc.integer({ min: 1, max: 512 }),
        fc.integer({ min: 1, max: 6 }),
        (schema, who, deck, size) => {
          fc.pre(size <= deck);
          const hand = dealHand(hashFlow(schema, who), deck, size);
          expect(new Set(hand).size).toBe(size);
          expect(hand.every((card) => Number.isInteger(card) && card >= 0 && card < deck)).toBe(true);
          expect(dealHand(hashFlow(schema, who), deck, size)).toEqual(hand);
        },
      ),
    );
  });

  it('use the entropy digit by digit', () => {
    // 7 = 3 + 4 × 1; the second card is taken from those that are left.
    expect(dealHand(7n, 4, 2)).toEqual([3, 1]);
    expect(dealHand(4n, 4, 2)).toEqual([0, 2]);
    expect(dealHand(0n, 4, 4)).toEqual([0, 1, 2, 3]);
  });

  it('cover all queues alike', () => {
    const counts = new Array<number>(16).fill(0);
    for (let i = 0; i < 4_000; i++) for (const card of dealHand(hashFlow('s', String(i)), 16, 4)) counts[card]!++;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});

describe('shares', () => {
  const claimant = (target: number, least = 0, most = 1000) => ({ target, least, most });
  const shares = (total: number, all: readonly ReturnType<typeof claimant>[]): readonly number[] => {
    const p = fairProportion(total, all);
    return all.map((c) => Math.round(shareAt(c, p) * 100) / 100);
  };

  it.each([
    ['by what is wanted', 100, [claimant(10), claimant(30)], [25, 75]],
    ['no less than the least', 100, [claimant(10, 50), claimant(30)], [50, 50]],
    ['no more than the most', 100, [claimant(10, 0, 20), claimant(30)], [20, 80]],
    ['of nothing wanted, alike', 100, [claimant(0), claimant(0)], [50, 50]],
    ['all that may be, when there is more', 100, [claimant(10, 0, 20), claimant(30, 0, 40)], [20, 40]],
    ['the least, when there is less', 10, [claimant(10, 10), claimant(30, 20)], [10, 20]],
  ] as const)('%s', (_what, total, all, wanted) => {
    expect(shares(total, all)).toEqual(wanted);
  });

  it('come to the whole where bounds let them', () => {
    const one = fc
      .record({
        least: fc.integer({ min: 0, max: 50 }),
        more: fc.integer({ min: 0, max: 200 }),
        target: fc.integer({ min: 0, max: 300 }),
      })
      .map(({ least, more, target }) => ({ least, most: least + more, target: Math.max(least, target) }));
    fc.assert(
      fc.property(fc.array(one, { minLength: 1, maxLength: 12 }), fc.integer({ min: 0, max: 3000 }), (all, total) => {
        const p = fairProportion(total, all);
        const sum = all.reduce((s, c) => s + shareAt(c, p), 0);
        const least = all.reduce((s, c) => s + c.least, 0);
        const most = all.reduce((s, c) => s + c.most, 0);
        expect(sum).toBeCloseTo(Math.max(least, Math.min(most, total)), 4);
      }),
    );
  });

  it('of a server are rounded up, and part of them is lent', () => {
    expect(seatLimits(20, 50, undefined, 245, 600)).toEqual({ nominal: 49, least: 24, most: 649 });
    expect(seatLimits(5, 0, 100, 245, 600)).toEqual({ nominal: 13, least: 13, most: 26 });
    expect(seatLimits(0, 0, undefined, 0, 600).nominal).toBe(0);
  });
});

it('demand is weighted by its time', () => {
  const meter = new DemandMeter(0);
  meter.set(10, 0);
  meter.set(20, 5);
  expect(meter.take(10)).toEqual({ average: 15, deviation: 5, highest: 20 });
  // What still is counts on; time that goes back does not.
  meter.set(0, 8);
  expect(meter.take(20)).toEqual({ average: 0, deviation: 0, highest: 20 });
});

it('clients are told to wait longer while many are refused, and less again when few are', () => {
  const told = new RetryAfter();
  const seconds: number[] = [];
  for (let second = 1; second <= 12; second++) {
    for (let i = 0; i < 20; i++) told.refused(second * 1000 + i);
    seconds.push(told.seconds);
  }
  expect(seconds).toEqual([1, 2, 2, 4, 4, 4, 4, 8, 8, 8, 8, 8]);
  for (let second = 100; second <= 1000; second += 50) told.refused(second * 1000);
  expect(told.seconds).toBe(1);
});

it('watchers are counted by what they would see', () => {
  const of = (namespace: string, name = '', resource = 'pods'): RequestAttributes => ({
    user: { name: 'x', groups: [] },
    verb: 'watch',
    isResourceRequest: true,
    apiGroup: '',
    apiVersion: 'v1',
    resource,
    subresource: '',
    namespace,
    name,
    path: '',
  });
  const counts = new WatcherCounts();
  const ends = [of(''), of(''), of('a'), of('a', 'x'), of('b', 'x'), of('', '', 'nodes')].map((r) => counts.add(r));
  expect(counts.of(of('a', 'x'))).toBe(4);
  expect(counts.of(of('a', 'y'))).toBe(3);
  expect(counts.of(of('c'))).toBe(2);
  expect(counts.of(of('', 'n', 'nodes'))).toBe(1);
  expect(counts.of(of('a', 'x', 'secrets'))).toBe(0);
  for (const end of ends) end();
  expect(counts.of(of('a', 'x'))).toBe(0);
});
