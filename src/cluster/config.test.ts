import { describe, expect, it } from 'vitest';
import { parseComponents, runs } from './config.ts';

describe('components that others stand in for', () => {
  it('are read in any order, stored in one', () => {
    expect(parseComponents('dns,scheduler')).toEqual(['scheduler', 'dns']);
    expect(parseComponents('none')).toEqual([]);
    expect(() => parseComponents('scheduler,etcd')).toThrow('There is no component etcd');
  });

  it('leave the others running; a node takes what it has with it', () => {
    expect(runs({}, 'scheduler')).toBe(true);
    expect(runs({ disabled: ['kubelet'] }, 'kubelet')).toBe(false);
    expect(runs({ disabled: ['kubelet'] }, 'proxy')).toBe(true);
    expect(runs({ disabled: ['node'] }, 'proxy')).toBe(false);
    expect(runs({ disabled: ['node'] }, 'controllers')).toBe(true);
  });
});
