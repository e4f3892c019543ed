import { describe, expect, it } from 'vitest';
import { isRepeated, keep, markRepeated, onceFor, recall } from './repeated-parts.ts';

describe('repeated parts', () => {
  it('work out once what is asked of them, and everything of it', () => {
    const part = Object.freeze({ a: 1 });
    const key = {};
    let made = 0;
    const make = (of: { readonly a: number }): object => ({ number: of.a, count: ++made });
    expect(onceFor(part, key, make)).toEqual({ number: 1, count: 1 });
    expect(onceFor(part, key, make)).toEqual({ number: 1, count: 2 });
    markRepeated(part);
    const first = onceFor(part, key, make);
    expect(onceFor(part, key, make)).toBe(first);
    expect(Object.isFrozen(first)).toBe(true);
    expect(isRepeated(first)).toBe(true);
    expect(onceFor(part, {}, make)).toEqual({ number: 1, count: 4 });
  });

  it('keep nothing of parts that nobody marked', () => {
    const [part, key] = [{}, {}];
    keep(part, key, 1);
    expect(recall(part, key)).toBeUndefined();
    markRepeated(part);
    keep(part, key, 1);
    markRepeated(part);
    expect(recall(part, key)).toBe(1);
  });
});
