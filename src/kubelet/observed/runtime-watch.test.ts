import { describe, expect, it } from 'vitest';
import { createFakeRuntime, type FakeRuntime } from '../../runtime/fake.ts';
import { testContainer, testPod } from '../../runtime/test-support.ts';
import { VirtualClock } from '../../util/clock.ts';
import { silentLogger } from '../../util/logger.ts';
import { keys } from '../containers/labels.ts';
import { RuntimeCache } from './runtime-cache.ts';
import { RuntimeWatch } from './runtime-watch.ts';

const labels = { [keys.podUid]: 'u', [keys.podName]: 'p', [keys.podNamespace]: 'default', [keys.containerName]: 'app' };

async function watched(events: boolean, prepare: (runtime: FakeRuntime) => void = () => {}) {
  const clock = new VirtualClock();
  const runtime = createFakeRuntime({ clock, events });
  runtime.addImage('k8ts.local/busybox:1');
  prepare(runtime);
  const changed: string[] = [];
  const cache = new RuntimeCache(runtime, (uid) => changed.push(uid));
  let seen = 0;
  const watch = new RuntimeWatch({ runtime, cache, clock, logger: silentLogger, seen: () => seen++ });
  const stop = new AbortController();
  const config = { ...testPod({ dir: '/tmp', cgroupRoot: '/x' }, 'p'), labels };
  const sandbox = await runtime.runPodSandbox(config);
  const id = await runtime.createContainer(sandbox, { ...testContainer('app', ''), labels }, config);
  await runtime.startContainer(id);
  expect(await watch.firstLook(stop.signal)).not.toBe('');
  watch.start(stop.signal);
  await clock.advance(5000);
  const looks = (): number => runtime.calls.filter((c) => c.startsWith('listContainers')).length;
  return { clock, runtime, cache, watch, stop, id, looks, times: () => seen };
}

describe('the watch over the runtime', () => {
  it('looks when it is told of an end, and hardly ever otherwise', async () => {
    const { clock, runtime, cache, stop, id, looks } = await watched(true);
    const before = looks();
    await clock.advance(19_000);
    expect(looks() - before).toBeLessThanOrEqual(1);
    runtime.exit(id, 3);
    await clock.advance(10);
    expect(cache.get('u').containers[0]).toMatchObject({ state: 'exited', exitCode: 3 });
    stop.abort();
  });

  it('looks every second where the runtime tells of nothing', async () => {
    const { clock, runtime, cache, stop, id } = await watched(false);
    runtime.exit(id, 3);
    await clock.advance(1000);
    expect(cache.get('u').containers[0]!.state).toBe('exited');
    stop.abort();
  });

  it('goes on looking for an end that the lists do not show for long', async () => {
    const { clock, runtime, cache, stop, id } = await watched(true);
    const { listContainers } = runtime;
    let lagging = true;
    runtime.listContainers = async (filter, signal) =>
      (await listContainers(filter, signal)).map((c) => (lagging ? { ...c, state: 'RUNNING' as const } : c));
    runtime.exit(id, 3);
    await clock.advance(5000);
    expect(cache.get('u').containers[0]!.state).toBe('running');
    lagging = false;
    await clock.advance(1000);
    expect(cache.get('u').containers[0]!.state).toBe('exited');
    stop.abort();
  });

  it('tells when the runtime has not answered for three minutes, and when it is back', async () => {
    const { clock, runtime, watch, stop, times } = await watched(false);
    const { listContainers } = runtime;
    runtime.listContainers = () => Promise.reject(new Error('down'));
    await clock.advance(170_000);
    expect(watch.problems()).toEqual([]);
    await clock.advance(15_000);
    expect(watch.problems()[0]).toMatch(/^PLEG is not healthy: pleg was last seen active 3m\d+(\.\d+)?s ago; threshold is 3m0s$/);
    const before = times();
    runtime.listContainers = listContainers;
    await clock.advance(1000);
    expect([watch.problems(), times() - before]).toEqual([[], 1]);
    stop.abort();
  });

  it('takes up events again when their stream breaks', async () => {
    let opened = 0;
    const { clock, runtime, cache, stop, id } = await watched(true, (fake) => {
      const { containerEvents } = fake;
      fake.containerEvents = (signal) => {
        opened++;
        if (opened < 3) throw new Error('stream broke');
        return containerEvents(signal);
      };
    });
    expect(opened).toBe(3);
    await clock.advance(5000);
    runtime.exit(id, 1);
    await clock.advance(10);
    expect(cache.get('u').containers[0]!.exitCode).toBe(1);
    stop.abort();
  });
});
