import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodes } from '../client/resource-refs.ts';
import { whyNoContainers } from '../runtime/test-support.ts';
import { hostMachine } from './node/machine.ts';
import type { ShutdownSource } from './shutdown/node-shutdown.ts';
import { FOREVER, startTestKubeletNode, statusOf, type TestKubeletNode } from './test-support.ts';

const missing = whyNoContainers();

describe.skipIf(missing !== undefined)(`eviction by the node${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let node: TestKubeletNode;
  beforeAll(async () => {
    node = await startTestKubeletNode(27);
  }, 60_000);
  afterAll(async () => {
    await node?.cleanUp();
  }, 60_000);

  it('ends a pod whose volume grows beyond its limit', async () => {
    await node.start();
    const name = await node.run(`dd if=/dev/zero of=/v/big bs=1024 count=3000 2>/dev/null; ${FOREVER}`, {
      container: {
        volumeMounts: [{ name: 'v', mountPath: '/v' }],
        readinessProbe: { exec: { command: ['test', '-f', '/v/big'] }, periodSeconds: 1 },
      },
      pod: { volumes: [{ name: 'v', emptyDir: { sizeLimit: '1Mi' } }] },
    });
    const other = await node.run(FOREVER, {
      container: { volumeMounts: [{ name: 'v', mountPath: '/v' }] },
      pod: { volumes: [{ name: 'v', emptyDir: {} }] },
    });
    await Promise.all([node.running(name), node.running(other)]);
    // The node looks at once when its kubelet starts.
    await node.stop();
    await node.start();
    const pod = await node.ended(name);
    const message = 'Usage of EmptyDir volume "v" exceeds the limit "1Mi". ';
    expect(pod.status).toMatchObject({ phase: 'Failed', reason: 'Evicted', message });
    expect(pod.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet', message }),
    );
    await node.event(name, 'Evicted', message);
    expect(node.pod(other)?.status?.phase).toBe('Running');
    await Promise.all([node.delete(name), node.delete(other)]);
    await node.cleared(other);
    await node.stop();
  });

  it('ends pods for want of memory, takes no more of them, and says so', async () => {
    await node.start();
    const name = await node.run('trap "" TERM; while true; do sleep 0.05; done', { pod: { terminationGracePeriodSeconds: 600 } });
    await node.running(name);
    await node.stop();
    await node.start({
      machine: { ...hostMachine, use: async (dir) => ({ ...(await hostMachine.use(dir)), memoryAvailable: 50 * 2 ** 20 }) },
    });
    const pod = await node.ended(name);
    expect(pod.status).toMatchObject({ phase: 'Failed', reason: 'Evicted' });
    expect(pod.status?.message).toMatch(
      /^The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. Container app was using \d+Ki, request is 0, has larger consumption of memory. $/,
    );
    await node.event(node.name, 'EvictionThresholdMet', 'Attempting to reclaim memory');
    await node.event(node.name, 'NodeHasInsufficientMemory');
    const found = await node.client.resource(nodes).get(node.name, '');
    expect(found.status?.conditions?.find((c) => c.type === 'MemoryPressure')).toMatchObject({
      status: 'True',
      reason: 'KubeletHasInsufficientMemory',
    });
    const refused = await node.run(FOREVER);
    expect((await node.ended(refused)).status).toMatchObject({
      reason: 'Evicted',
      message: 'Pod was rejected: The node had condition: [MemoryPressure]. ',
    });
    const modest = await node.run(FOREVER, { container: { resources: { requests: { memory: '1Mi' } } } });
    await node.until(modest, (p) => p.status?.phase === 'Running' || p.status?.reason === 'Evicted');
    await Promise.all([name, refused, modest].map((n) => node.delete(n)));
    await Promise.all([name, modest].map((n) => node.cleared(n)));
    await node.stop();
  });

  it('ends pods by priority when the machine shuts down, has it wait for that, and takes no more', async () => {
    let begin = (): void => {};
    const began = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const locks: string[] = [];
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const shutdownSource: ShutdownSource = {
      delay: async (seconds) => {
        locks.push(`delay ${seconds}`);
        return { release };
      },
      async *changes(signal) {
        await began;
        yield true;
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      },
    };
    await node.start({
      shutdownSource,
      shutdownGracePeriods: [
        { priority: 0, seconds: 5 },
        { priority: 2_000_000_000, seconds: 10 },
      ],
    });
    const slow = await node.run('trap "sleep 1; exit 0" TERM; while true; do sleep 0.05; done', {
      pod: { terminationGracePeriodSeconds: 60 },
    });
    const critical = await node.run(FOREVER, { pod: { priority: 2_000_000_000, terminationGracePeriodSeconds: 60 } });
    await Promise.all([node.running(slow), node.running(critical)]);
    begin();
    const ended = await Promise.all([node.ended(slow), node.ended(critical)]);
    for (const pod of ended) {
      expect(pod.status).toMatchObject({
        phase: 'Failed',
        reason: 'Terminated',
        message: 'Pod was terminated in response to imminent node shutdown.',
      });
    }
    await released;
    expect(locks).toEqual(['delay 15']);
    const times = await Promise.all(
      [slow, critical].map(async (name) => {
        const over = await node.until(name, (p) => statusOf(p)?.state?.terminated !== undefined);
        return Date.parse(statusOf(over)!.state!.terminated!.finishedAt!);
      }),
    );
    expect(times[1]).toBeGreaterThanOrEqual(times[0]!);
    const late = await node.run(FOREVER);
    expect((await node.ended(late)).status).toMatchObject({
      reason: 'NodeShutdown',
      message: 'Pod was rejected: Pod was rejected as the node is shutting down.',
    });
    await node.event(node.name, 'NodeNotReady');
    await Promise.all([slow, critical, late].map((n) => node.delete(n)));
    await node.cleared(slow);
    await node.stop();
  });

  it('has others make room for a critical pod', async () => {
    await node.start({ maxPods: 2 });
    const low = await node.run(FOREVER);
    const high = await node.run(FOREVER, { pod: { priority: 7 } });
    await Promise.all([node.running(low), node.running(high)]);
    const refused = await node.run(FOREVER, { pod: { priority: 100 } });
    expect((await node.ended(refused)).status).toMatchObject({ reason: 'OutOfpods' });
    const critical = await node.run(FOREVER, { pod: { priority: 2_000_000_000 } });
    await node.running(critical);
    expect((await node.ended(low)).status).toMatchObject({
      phase: 'Failed',
      reason: 'Preempting',
      message: 'Preempted in order to admit critical pod',
    });
    await node.event(low, 'Preempting');
    expect(node.pod(high)?.status?.phase).toBe('Running');
    await Promise.all([low, high, refused, critical].map((n) => node.delete(n)));
    await Promise.all([low, high, critical].map((n) => node.cleared(n)));
    await node.stop();
  });

  it('clears away what pods left that nobody remembers', async () => {
    const root = join(node.dir, 'kubelet', 'pods');
    const logs = join(node.dir, 'pods');
    await mkdir(join(root, 'forgotten', 'volumes'), { recursive: true });
    await mkdir(join(logs, 'default_old_forgotten', 'app'), { recursive: true });
    await node.start();
    const name = await node.run(FOREVER);
    await node.running(name);
    await node.stop();
    await node.start();
    const again = await node.run(FOREVER);
    await node.running(again);
    expect(await readdir(root)).not.toContain('forgotten');
    expect(await readdir(logs)).not.toContain('default_old_forgotten');
    await Promise.all([name, again].map((n) => node.delete(n)));
    await Promise.all([name, again].map((n) => node.cleared(n)));
  });
});
