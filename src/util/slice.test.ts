import { describe, expect, it } from 'vitest';
import { inSlices, Slice, turn } from './slice.ts';

/** Holds the loop until the slice is over. */
function work(slice: Slice): void {
  while (!slice.over);
}

describe('a slice', () => {
  it('is over after a while, and begins anew in a later turn', async () => {
    const slice = new Slice();
    expect(slice.over).toBe(false);
    work(slice);
    let others = false;
    setImmediate(() => {
      others = true;
    });
    await slice.next();
    expect(others).toBe(true);
    expect(slice.over).toBe(false);
  });
});

describe('inSlices', () => {
  it('gives what the computation returns', async () => {
    function* steps(): Generator<void, string> {
      yield;
      return 'done';
    }
    expect(await inSlices(steps())).toBe('done');
  });

  it('lets others in between', async () => {
    const order: string[] = [];
    function* steps(name: string): Generator<void, void> {
      for (let i = 0; i < 3; i++) {
        order.push(name);
        work(new Slice());
        yield;
      }
    }
    await Promise.all([inSlices(steps('a')), inSlices(steps('b'))]);
    expect(order).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
  });

  it('fails with the computation', async () => {
    function* steps(): Generator<void, void> {
      yield;
      throw new Error('no');
    }
    await expect(inSlices(steps())).rejects.toThrow('no');
    await turn();
  });
});
