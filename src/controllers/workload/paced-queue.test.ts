import { expect, test } from 'vitest';
import { createWorkQueue } from '../../client/work-queue.ts';
import { VirtualClock } from '../../util/clock.ts';
import { plainIPv4 } from '../endpoint-slice/endpoint.ts';
import { pacedQueue } from './paced-queue.ts';

/** Virtual time in which computing takes as long as it is told to. */
class SlowClock extends VirtualClock {
  spent = 0;
  override monotonic(): number {
    return super.monotonic() + this.spent;
  }
}

test('cheap keys are woken at once, dear ones rest in proportion', async () => {
  const clock = new SlowClock();
  const inner = createWorkQueue({ name: 'test', clock });
  const queue = pacedQueue(inner, clock);
  const compute = (ms: number): void => queue.compute('k', () => void (clock.spent += ms));
  const taken = (): boolean => {
    const key = inner.take();
    if (key !== undefined) inner.done(key);
    return key !== undefined;
  };
  compute(0.05);
  queue.add('k');
  expect(taken()).toBe(true);
  compute(20);
  queue.add('k');
  queue.add('other');
  expect(inner.take()).toBe('other');
  await clock.advance(79);
  expect(taken()).toBe(false);
  await clock.advance(1);
  expect(taken()).toBe(true);
  queue.add('k');
  expect(taken()).toBe(true);
  compute(60_000);
  queue.add('k');
  await clock.advance(249);
  expect(taken()).toBe(false);
  await clock.advance(1);
  expect(taken()).toBe(true);
});

test.each([
  ['10.0.0.1', true],
  ['255.255.255.255', true],
  ['0.0.0.0', true],
  ['10.0.0.01', false],
  ['256.0.0.1', false],
  ['10.0.0', false],
  ['10.0.0.1.', false],
  ['::1', false],
  ['', false],
])('%j is an address as it is nearly always written: %s', (ip, expected) => {
  expect(plainIPv4.test(ip)).toBe(expected);
});
