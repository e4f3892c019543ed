import { expect, it } from 'vitest';
import { turn } from './slice.ts';
import { TurnBudget } from './turn-budget.ts';

const hold = (ms: number): void => {
  const end = performance.now() + ms;
  while (performance.now() < end);
};

it('what comes at once is spread over turns, in its order', async () => {
  const budget = new TurnBudget();
  const done: string[] = [];
  let turns = 0;
  let counting = true;
  const count = (): void => {
    turns++;
    if (counting) setImmediate(count);
  };
  setImmediate(count);
  await new Promise<void>((resolve) => {
    for (let i = 0; i < 10; i++) {
      budget.run(() => {
        hold(9);
        done.push(`${i}`);
        if (i === 9) resolve();
      });
    }
    expect(done).toEqual(['0']);
  });
  counting = false;
  expect(done).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
  expect(turns).toBeGreaterThan(5);
});

it('small work is done at once', async () => {
  const budget = new TurnBudget();
  let done = 0;
  budget.run(() => done++);
  expect(done).toBe(1);
  await turn();
  budget.run(() => done++);
  expect(done).toBe(2);
});
