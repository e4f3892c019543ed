import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../util/random.ts';
import { AddressRange, checkPort, nextPort } from './ranges.ts';

const random = new SeededRandom(1);

/** Hands out until there is no more. */
function drain<T>(next: (isTaken: (value: T) => boolean) => T | undefined): T[] {
  const taken = new Set<T>();
  for (;;) {
    const value = next((candidate) => taken.has(candidate));
    if (value === undefined) return [...taken];
    taken.add(value);
  }
}

describe('AddressRange', () => {
  it('hands out every usable address once', () => {
    const range = new AddressRange('10.0.0.0/28');
    const all = drain<string>((isTaken) => range.next(random, isTaken));
    expect(all).toHaveLength(14);
    expect(all).not.toContain('10.0.0.0');
    expect(all).not.toContain('10.0.0.15');
  });

  it('keeps the lower part for those who ask (KEP-3070)', () => {
    const range = new AddressRange('10.96.0.0/16');
    for (let i = 0; i < 200; i++) {
      const [, , c, d] = range
        .next(random, () => false)!
        .split('.')
        .map(Number) as [number, number, number, number];
      expect(c * 256 + d).toBeGreaterThan(256);
    }
  });

  it('knows what is of it, and what a Service may have', () => {
    const range = new AddressRange('10.96.0.0/16');
    expect(['10.96.0.0', '10.96.0.10', '10.96.255.255'].map((ip) => range.covers(ip))).toEqual([true, true, true]);
    expect(['10.97.0.0', '10.95.255.255', 'fd00::1'].map((ip) => range.covers(ip))).toEqual([false, false, false]);
    expect(() => range.check('10.96.0.10')).not.toThrow();
    for (const ip of ['10.97.0.1', '10.96.0.0', '10.96.255.255']) {
      expect(() => range.check(ip)).toThrow(
        `the provided IP (${ip}) is not in the valid range. The range of valid IPs is 10.96.0.0/16`,
      );
    }
  });

  it('knows IPv6', () => {
    const range = new AddressRange('fd00:10::/108');
    const address = range.next(random, () => false)!;
    expect(address).toMatch(/^fd00:10::/);
    expect(range.covers(address)).toBe(true);
    expect(() => range.check('10.0.0.1')).toThrow('is not in the valid range');
  });
});

describe('node ports', () => {
  it('come of the upper part first, then of the rest', () => {
    const ports = { from: 30_000, to: 30_031 };
    const all = drain<number>((isTaken) => nextPort(ports, random, isTaken));
    expect(all).toHaveLength(32);
    expect(Math.min(...all.slice(0, 16))).toBe(30_016);
    expect(Math.max(...all.slice(16))).toBe(30_015);
    expect(() => checkPort(ports, 80)).toThrow(
      'provided port is not in the valid range. The range of valid ports is 30000-30031',
    );
  });
});
