import { describe, expect, it } from 'vitest';
import { quantityMilli, quantityValue } from './quantity.ts';

describe('quantities', () => {
  it.each([
    ['100m', 1, 100],
    ['0.1', 1, 100],
    ['2', 2, 2000],
    ['1.5', 2, 1500],
    ['128Mi', 134_217_728, 134_217_728_000],
    ['1e3', 1000, 1_000_000],
    ['1E', 1e18, 1e21],
    ['100n', 1, 1],
    ['0', 0, 0],
    ['-1', -1, -1000],
    ['garbage', 0, 0],
  ])('%s is %d units and %d thousandths', (text, units, milli) => {
    expect(quantityValue(text)).toBe(units);
    expect(quantityMilli(text)).toBe(milli);
  });
});
