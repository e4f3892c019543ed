import { describe, expect, it } from 'vitest';
import { RuntimeError, runtimeErrorCodes } from '../../runtime/contract.ts';
import { createFakeRuntime } from '../../runtime/fake.ts';
import { VirtualClock } from '../../util/clock.ts';
import { silentLogger } from '../../util/logger.ts';
import { RuntimeHealth } from './runtime-health.ts';

const down = new RuntimeError(runtimeErrorCodes.unavailable, 'connection refused');

function health() {
  const clock = new VirtualClock();
  const runtime = createFakeRuntime({ clock });
  const changes: string[] = [];
  const stop = new AbortController();
  const it = new RuntimeHealth(runtime, clock, silentLogger, () => changes.push(it.problems().join()));
  return { clock, runtime, changes, stop, it };
}

describe('the health of the runtime', () => {
  it('is unknown, then good', async () => {
    const { it: h, stop, changes } = health();
    expect(h.problems()).toEqual(['container runtime status check may not have completed yet']);
    await h.check(stop.signal);
    expect(h.problems()).toEqual([]);
    expect(changes).toEqual(['']);
    expect(h.version).toMatch(/^\w+:\/\/\S+$/);
  });

  it('is down when it has not answered for half a minute, and up with its first answer', async () => {
    const { it: h, stop, clock, runtime, changes } = health();
    const running = h.run(stop.signal);
    await clock.advance(0);
    runtime.failNext('status', down, 200);
    await clock.advance(25_000);
    expect(h.problems()).toEqual([]);
    await clock.advance(10_000);
    expect(h.problems()).toEqual(['container runtime is down']);
    expect(changes.at(-1)).toBe('container runtime is down');
    await clock.advance(100_000);
    expect(h.problems()).toEqual([]);
    expect(changes.at(-1)).toBe('');
    stop.abort();
    await clock.advance(0);
    await running;
  });

  it('is down when the runtime takes calls and never answers', async () => {
    const { it: h, stop, clock, runtime, changes } = health();
    await h.check(stop.signal);
    runtime.status = (signal) =>
      new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason), { once: true }));
    const running = h.run(stop.signal);
    await clock.advance(45_000);
    expect(h.problems()).toEqual(['container runtime is down']);
    expect(changes.at(-1)).toBe('container runtime is down');
    stop.abort();
    await clock.advance(0);
    await running;
  });

  it('passes on what the runtime says of itself', async () => {
    const { it: h, stop, runtime } = health();
    runtime.status = async () => ({
      conditions: [
        { type: 'RuntimeReady', status: true, reason: '', message: '' },
        { type: 'NetworkReady', status: false, reason: 'NetworkPluginNotReady', message: 'cni plugin not initialized' },
      ],
    });
    await h.check(stop.signal);
    expect(h.problems()).toEqual([
      'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:cni plugin not initialized',
    ]);
  });
});
