import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodes } from '../client/resource-refs.ts';
import { whyNoContainers } from '../runtime/test-support.ts';
import { hostMachine } from './node/machine.ts';
import { FOREVER, startTestKubeletNode, type TestKubeletNode } from './test-support.ts';

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
  });
});
