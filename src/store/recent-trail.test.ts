import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LogRecord, SLOTS_PER_REVISION, type TrailMark } from './engine.ts';
import { RecentTrail } from './recent-trail.ts';

const record = (slot: number, value: string | undefined, previousSlot = 0): LogRecord => ({
  slot,
  key: `/k${slot}`,
  value: value === undefined ? undefined : Buffer.from(value),
  createRevision: 1,
  previousSlot,
  expiresAt: 0,
});

describe('the recent trail', () => {
  it('knows what was written since it began', () => {
    const trail = new RecentTrail(4);
    expect(trail.start).toBe(5 * SLOTS_PER_REVISION);
    trail.push(record(5 * SLOTS_PER_REVISION, 'abc', 17));
    trail.push(record(6 * SLOTS_PER_REVISION, undefined, 5 * SLOTS_PER_REVISION));
    expect(trail.take(trail.start, 7 * SLOTS_PER_REVISION, 10)).toEqual([
      { slot: 5 * SLOTS_PER_REVISION, previousSlot: 17, isDelete: false, bytes: 9 },
      { slot: 6 * SLOTS_PER_REVISION, previousSlot: 5 * SLOTS_PER_REVISION, isDelete: true, bytes: 6 },
    ]);
    expect(trail.take(trail.start, 6 * SLOTS_PER_REVISION, 10)).toHaveLength(1);
  });

  it('gives the same as a list would, whole revisions of it when it is full', () => {
    const step = fc.record({
      records: fc.integer({ min: 1, max: 4 }),
      taken: fc.boolean(),
      limit: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(8, 1_500), (steps, scale) => {
        const maximum = 2_048;
        const trail = new RecentTrail(0, maximum);
        let model: TrailMark[] = [];
        let revision = 0;
        let from = SLOTS_PER_REVISION;
        for (const { records, taken, limit } of steps) {
          revision++;
          for (let i = 0; i < Math.min(records * scale, SLOTS_PER_REVISION - 1); i++) {
            const slot = revision * SLOTS_PER_REVISION + i;
            trail.push(record(slot, 'v'));
            model.push({ slot, previousSlot: 0, isDelete: false, bytes: `/k${slot}v`.length });
          }
          from = Math.max(from, trail.start);
          model = model.filter(({ slot }) => slot >= from);
          if (!taken) continue;
          const to = (revision + 1) * SLOTS_PER_REVISION;
          const marks = trail.take(from, to, limit);
          expect(marks).toEqual(model.slice(0, limit));
          from = marks.at(-1)?.slot ?? from;
        }
      }),
      { numRuns: 50 },
    );
  });
});
