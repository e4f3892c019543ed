import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  milliValue,
  Quantity,
  QuantityError,
  quantityValue,
} from './quantity.ts';

const canonical = (text: string): string => Quantity.parse(text).toString();

describe('Quantity', () => {
  it.each([
    ['0', '0'],
    ['-0', '0'],
    ['1', '1'],
    ['0.5', '500m'],
    ['1.5', '1500m'],
    ['.001', '1m'],
    ['1000m', '1'],
    ['1000', '1k'],
    ['1500', '1500'],
    ['1024', '1024'],
    ['1.500', '1.500'],
    ['100000', '100k'],
    ['1.5Gi', '1536Mi'],
    ['1024Ki', '1Mi'],
    ['1023Mi', '1023Mi'],
    ['8Gi', '8Gi'],
    ['512Ki', '512Ki'],
    ['0.5Ki', '512'],
    ['0.1Ki', '102400m'],
    ['1e3', '1e3'],
    ['1E', '1E'],
    ['12e6', '12e6'],
    ['1000e3', '1e6'],
    ['-1.5', '-1500m'],
    ['0.0000000001', '1n'],
    ['-0.0000000001', '-1n'],
    ['1.0000000001', '1000000001n'],
    ['1000000000000000000000', '1000E'],
    ['9Ei', '9223372036854775807'],
    ['+5', '+5'],
  ])('%s is %s', (text, expected) => {
    expect(canonical(text)).toBe(expected);
    expect(canonicalQuantity(text)).toBe(expected);
  });

  it.each(['', 'a', '1.5.3', '1 ', '1i', '--1', '1e', '1Kib', '1e3.5', '5MI'])('refuses %j', (text) => {
    expect(() => Quantity.parse(text)).toThrow(QuantityError);
    expect(() => canonicalQuantity(text)).toThrow(QuantityError);
  });

  it('rounds up where the unit is coarser', () => {
    expect(milliValue('1500u')).toBe(2);
    expect(milliValue('0.1m')).toBe(1);
    expect(milliValue('2')).toBe(2000);
    expect(milliValue(undefined)).toBe(0);
    expect(quantityValue('1500m')).toBe(2);
    expect(quantityValue('1Gi')).toBe(1024 ** 3);
    expect(quantityValue('128974848')).toBe(128_974_848);
    expect(Quantity.parse('-1500m').value()).toBe(-2);
  });

  it('adds in the form of the first, and takes the form of the other when it is zero', () => {
    expect(addQuantities('1Gi', '512Mi')).toBe('1536Mi');
    expect(addQuantities('0', '512Mi')).toBe('512Mi');
    expect(addQuantities('500m', '1500m')).toBe('2');
    expect(Quantity.parse('1').sub(Quantity.parse('1500m')).toString()).toBe('-500m');
  });

  it('survives exponents that no number should have', () => {
    const huge = Quantity.parse('1e2000000000');
    expect(huge.compare(Quantity.parse('1'))).toBeGreaterThan(0);
    expect(Quantity.parse('-1e2000000000').compare(Quantity.parse('1e-2000000000'))).toBeLessThan(0);
    expect(huge.value()).toBe(Number(2n ** 63n - 1n));
    expect(huge.add(Quantity.parse('1')).toString()).toBe('100e1999999998');
    expect(Quantity.parse('1e-2000000000').milliValue()).toBe(1);
    expect(() => Quantity.parse('9'.repeat(100_000))).toThrow(QuantityError);
  });

  const suffixes = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E', 'Ki', 'Mi', 'Gi', 'Ti', 'e3', 'E-3'] as const;
  const texts = fc
    .tuple(fc.constantFrom('', '-'), fc.nat({ max: 10 ** 7 }), fc.option(fc.nat({ max: 10 ** 5 })), fc.constantFrom(...suffixes))
    .map(([sign, whole, fraction, suffix]) => `${sign}${whole}${fraction === null ? '' : `.${fraction}`}${suffix}`);

  it('keeps its value and its text through canonical form', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const parsed = Quantity.parse(text);
        const again = Quantity.parse(parsed.toString());
        expect(again.equals(parsed)).toBe(true);
        expect(again.toString()).toBe(parsed.toString());
        expect(canonicalQuantity(text)).toBe(parsed.toString());
        expect(milliValue(text)).toBe(parsed.milliValue());
        expect(quantityValue(text)).toBe(parsed.value());
      }),
    );
  });

  it('orders and adds as numbers do', () => {
    fc.assert(
      fc.property(texts, texts, (a, b) => {
        const [x, y] = [Quantity.parse(a), Quantity.parse(b)];
        expect(Math.sign(x.compare(y))).toBe(-Math.sign(y.compare(x)) + 0);
        expect(x.add(y).sub(y).equals(x)).toBe(true);
        expect(x.add(y).equals(y.add(x))).toBe(true);
        expect(Math.sign(x.sub(y).sign)).toBe(Math.sign(compareQuantities(a, b)));
      }),
    );
  });
});
