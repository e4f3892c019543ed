import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../util/random.ts';
import { AddressPool, PortPool } from './address-pool.ts';

const random = new SeededRandom(1);

describe('AddressPool', () => {
  it('hands out every usable address once', () => {
    const pool = new AddressPool('10.0.0.0/28', random);
    const all = Array.from({ length: 14 }, () => pool.next());
    expect(new Set(all).size).toBe(14);
    expect(all).not.toContain('10.0.0.0');
    expect(all).not.toContain('10.0.0.15');
    expect(() => pool.next()).toThrow('range is full');
    pool.release(all[3]!);
    expect(pool.next()).toBe(all[3]);
  });

  it('keeps the lower part for those who ask (KEP-3070)', () => {
    const pool = new AddressPool('10.96.0.0/16', random);
    for (let i = 0; i < 200; i++) {
      const [, , c, d] = pool.next().split('.').map(Number) as [number, number, number, number];
      expect(c * 256 + d).toBeGreaterThan(256);
    }
    pool.take('10.96.0.10');
    expect(pool.has('10.96.0.10')).toBe(true);
    expect(() => pool.take('10.96.0.10')).toThrow('provided IP is already allocated');
    expect(() => pool.take('10.97.0.1')).toThrow(
      'the provided IP (10.97.0.1) is not in the valid range. The range of valid IPs is 10.96.0.0/16',
    );
    expect(() => pool.take('10.96.0.0')).toThrow('is not in the valid range');
  });

  it('knows IPv6', () => {
    const pool = new AddressPool('fd00:10::/108', random);
    const address = pool.next();
    expect(address).toMatch(/^fd00:10::/);
    expect(pool.has(address)).toBe(true);
    expect(() => pool.take('10.0.0.1')).toThrow('is not in the valid range');
  });
});

describe('PortPool', () => {
  it('hands out the upper part first, then the rest', () => {
    const pool = new PortPool({ from: 30_000, to: 30_031 }, random);
    const first = Array.from({ length: 16 }, () => pool.next());
    expect(Math.min(...first)).toBe(30_016);
    const rest = Array.from({ length: 16 }, () => pool.next());
    expect(Math.max(...rest)).toBe(30_015);
    expect(() => pool.next()).toThrow('range is full');
    expect(() => pool.take(80)).toThrow('provided port is not in the valid range. The range of valid ports is 30000-30031');
  });
});
