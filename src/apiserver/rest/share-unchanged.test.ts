import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { shareUnchanged } from './share-unchanged.ts';

describe('shareUnchanged', () => {
  it('gives the old object when nothing changed', () => {
    const before = deepFreeze({ a: { b: [1, { c: 'x' }] }, d: null });
    expect(shareUnchanged(deepFreeze({ d: null, a: { b: [1, { c: 'x' }] } }), before)).toBe(before);
  });

  it('keeps what did not change', () => {
    const before = deepFreeze({ spec: { list: [{ x: 1 }, { y: 2 }] }, status: { n: 1 } });
    const next = shareUnchanged(deepFreeze({ spec: { list: [{ x: 1 }, { y: 2 }] }, status: { n: 2 } }), before);
    expect(next).toEqual({ spec: { list: [{ x: 1 }, { y: 2 }] }, status: { n: 2 } });
    expect(next.spec).toBe(before.spec);
    expect(Object.isFrozen(next)).toBe(true);
    const longer = shareUnchanged(
      deepFreeze({ spec: { list: [{ x: 1 }, { y: 2 }, { z: 3 }] }, status: { n: 1 } } as typeof before),
      before,
    );
    expect(longer.spec.list[0]).toBe(before.spec.list[0]);
    expect(longer.status).toBe(before.status);
  });

  it('never changes the value', () => {
    const value = fc.jsonValue({ maxDepth: 4 });
    fc.assert(
      fc.property(value, value, (next, before) => {
        const shared = shareUnchanged(deepFreeze(structuredClone(next)), deepFreeze(structuredClone(before)));
        expect(shared).toEqual(next);
      }),
    );
  });
});
