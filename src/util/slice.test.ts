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

  it('does not share a turn with others, however many there are', async () => {
    let turns = 0;
    const inTurn = new Map<number, number>();
    let running = true;
    const count = (): void => {
      turns++;
      if (running) setImmediate(count);
    };
    setImmediate(count);
    function* steps(): Generator<void, void> {
      // All begin at once; from then on they stand in line.
      yield;
      for (let i = 0; i < 2; i++) {
        inTurn.set(turns, (inTurn.get(turns) ?? 0) + 1);
        work(new Slice());
        yield;
      }
    }
    const first = new Slice();
    work(first);
    await Promise.all(
      Array.from({ length: 5 }, async () => {
        await first.next();
        await inSlices(steps());
      }),
    );
    running = false;
    expect([...inTurn.values()]).toEqual(Array.from({ length: 10 }, () => 1));
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
