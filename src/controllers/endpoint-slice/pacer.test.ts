import { expect, test } from 'vitest';
import { createWorkQueue } from '../../client/work-queue.ts';
import { VirtualClock } from '../../util/clock.ts';
import { plainIPv4 } from './endpoint.ts';
import { Pacer } from './pacer.ts';

test('cheap work is woken at once, dear work rests in proportion', async () => {
  const clock = new VirtualClock();
  const queue = createWorkQueue({ name: 'test', clock });
  const pacer = new Pacer(clock);
  const work = async (ms: number): Promise<void> => {
    const running = pacer.run('k', () => clock.sleep(ms));
    await clock.advance(ms);
    await running;
  };
  await work(1);
  pacer.wake(queue, 'k');
  expect(queue.take()).toBe('k');
  queue.done('k');
  await work(20);
  pacer.wake(queue, 'k');
  expect(queue.take()).toBeUndefined();
  await clock.advance(39);
  expect(queue.take()).toBeUndefined();
  await clock.advance(1);
  expect(queue.take()).toBe('k');
  queue.done('k');
  await work(60_000);
  pacer.wake(queue, 'k');
  await clock.advance(250);
  expect(queue.take()).toBe('k');
});

test.each(['10.0.0.1', '255.255.255.255', '0.0.0.0'])('%s is plain', (ip) => {
  expect(plainIPv4.test(ip)).toBe(true);
});

test.each(['10.0.0.01', '256.0.0.1', '10.0.0', '10.0.0.1.', '::1', ''])('%s is not', (ip) => {
  expect(plainIPv4.test(ip)).toBe(false);
});
