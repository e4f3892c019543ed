import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { quantityValue } from '../api/meta/quantity.ts';
import { patchTypes } from '../api/request.ts';
import type { Pod } from '../api/types/core-v1.ts';
import { nodes } from '../client/resource-refs.ts';
import { whyNoContainers } from '../runtime/test-support.ts';
import { systemClock } from '../util/clock.ts';
import { silentLogger } from '../util/logger.ts';
import {
  containerId,
  eventLine,
  FOREVER,
  isReady,
  startTestKubeletNode,
  statusOf,
  type TestKubeletNode,
} from './test-support.ts';

const conditionOf = (pod: Pod, type: string) => pod.status?.conditions?.find((c) => c.type === type)?.status;
const missing = whyNoContainers();

describe.skipIf(missing !== undefined)(
  `a kubelet that comes back${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let node: TestKubeletNode;
    beforeAll(async () => {
      node = await startTestKubeletNode(25);
      await node.start();
    }, 60_000);
    afterAll(async () => {
      await node?.cleanUp();
    }, 60_000);

    const lines = (name: string): readonly string[] => node.eventsOf(name).map(eventLine);

    /** Starts the kubelet again, and waits until it has shown that it works. */
    async function again(): Promise<void> {
      await node.start();
      const probe = await node.run(FOREVER);
      await node.running(probe);
      await node.delete(probe);
      await node.cleared(probe);
    }

    it('goes on with the containers there are: nothing is restarted, told twice, or written anew', async () => {
      const quiet = await node.run(FOREVER, { container: { readinessProbe: { exec: { command: ['true'] }, periodSeconds: 1 } } });
      const crashed = await node.run(`if [ -f /v/once ]; then ${FOREVER}; else touch /v/once; exit 7; fi`, {
        container: { volumeMounts: [{ name: 'v', mountPath: '/v' }] },
        pod: { volumes: [{ name: 'v', emptyDir: {} }] },
      });
      const done = await node.run('exit 0', { pod: { restartPolicy: 'Never' } });
      const names = [quiet, crashed, done];
      await node.running(quiet);
      await node.until(crashed, (p) => statusOf(p)?.restartCount === 1 && isReady(p));
      // It has ended, and its sandbox too.
      await node.until(done, (p) => p.status?.phase === 'Succeeded' && conditionOf(p, 'PodReadyToStartContainers') === 'False');
      await node.event(crashed, 'Started');
      await Promise.all(names.map((name) => node.event(name, 'Started')));
      const before = names.map((name) => ({ ...node.pod(name)!.status, events: lines(name) }));
      await node.stop();
      await again();
      // The probe of readiness begins anew; all else is as it was.
      await node.running(quiet);
      const after = names.map((name) => ({ ...node.pod(name)!.status, events: lines(name) }));
      const still = (s: object) =>
        JSON.parse(JSON.stringify(s, (k, v: unknown) => (k === 'lastTransitionTime' ? undefined : v))) as object;
      expect(after.map(still)).toEqual(before.map(still));
      await Promise.all(names.map((name) => node.delete(name)));
      await Promise.all(names.map((name) => node.cleared(name)));
    });

    it('clears away what was deleted while it was gone, and sees what ended', async () => {
      const gone = await node.run(FOREVER);
      const leaving = await node.run('trap "exit 0" TERM; while true; do sleep 0.05; done', {
        pod: { terminationGracePeriodSeconds: 30 },
      });
      const ended = await node.run(FOREVER, { pod: { restartPolicy: 'Never' } });
      const ends = await node.run(FOREVER);
      for (const name of [gone, leaving, ended, ends]) await node.running(name);
      await node.stop();
      await node.delete(gone, 0);
      await node.gone(gone);
      await node.delete(leaving);
      expect(node.pod(leaving)).toBeDefined();
      await node.runtime.stopContainer(containerId(node.pod(ended)), 0);
      await node.runtime.stopContainer(containerId(node.pod(ends)), 0);
      await node.start();
      await Promise.all([node.cleared(gone), node.gone(leaving), node.ended(ended)]);
      expect((await node.ended(ended)).status?.phase).toBe('Failed');
      await node.until(ends, (p) => statusOf(p)?.restartCount === 1 && isReady(p));
      await Promise.all([ended, ends].map((name) => node.delete(name)));
    });

    it('starts nothing twice when it dies at any moment', async () => {
      const name = await node.run(FOREVER);
      for (let round = 0; round < 5; round++) {
        await systemClock.sleep(20 * round);
        await node.stop();
        await node.start();
      }
      const pod = await node.running(name);
      expect(statusOf(pod)!.restartCount).toBeLessThanOrEqual(1);
      const filter = { labelSelector: { 'io.kubernetes.pod.name': name } };
      expect(await node.runtime.listContainers({ ...filter, state: 'RUNNING' })).toHaveLength(1);
      expect(await node.runtime.listPodSandboxes({ ...filter, state: 'READY' })).toHaveLength(1);
      await node.delete(name);
      await node.cleared(name);
    });

    it('keeps its pods when containerd dies and comes back', async () => {
      const name = await node.run(FOREVER);
      const before = await node.running(name);
      const pid = node.node.containerd.health().pid!;
      process.kill(pid, 'SIGKILL');
      const during = await node.run(FOREVER);
      const other = await node.running(during);
      expect(statusOf(other)!.restartCount).toBe(0);
      expect(node.pod(name)!.status).toEqual(before.status);
      expect(node.node.containerd.health().restarts).toBe(1);
      // Ends are told of again.
      await node.runtime.stopContainer(containerId(before), 0);
      await node.until(name, (p) => statusOf(p)?.restartCount === 1 && isReady(p));
      await Promise.all([name, during].map((n) => node.delete(n)));
      await Promise.all([name, during].map((n) => node.cleared(n)));
    });

    it('registers the node, ready and with what it has', async () => {
      const found = await node.client.resource(nodes).get(node.name, '');
      expect(found.status?.conditions?.map((c) => [c.type, c.status])).toEqual([
        ['MemoryPressure', 'False'],
        ['DiskPressure', 'False'],
        ['PIDPressure', 'False'],
        ['Ready', 'True'],
      ]);
      expect(found.status?.nodeInfo).toMatchObject({ kubeletVersion: 'v1.36.0', operatingSystem: 'linux' });
      expect(found.status?.nodeInfo?.containerRuntimeVersion).toMatch(/^containerd:\/\/1\./);
      expect(found.status?.images?.flatMap((i) => i.names ?? [])).toContain('k8ts.local/busybox:1');
      expect(found.status?.declaredFeatures).toEqual([
        'InPlacePodLevelResourcesVerticalScaling',
        'RestartAllContainersOnContainerExits',
      ]);
      const { capacity, allocatable } = found.status!;
      expect(Object.keys(capacity!).sort()).toEqual(Object.keys(allocatable!).sort());
      expect(quantityValue(capacity!['memory']) - quantityValue(allocatable!['memory'])).toBeGreaterThanOrEqual(100 * 2 ** 20);
    });

    it('gives pods what others put into the capacity of the node, and no longer what they took out', async () => {
      const api = node.client.resource(nodes);
      const name = 'example.com/dongle';
      const put = async (amount: string | null): Promise<unknown> =>
        await api.patch(
          node.name,
          '',
          patchTypes.strategic,
          { status: { capacity: { [name]: amount } } },
          { subresource: 'status' },
        );
      const allocatable = async (): Promise<string | undefined> => (await api.get(node.name, '')).status?.allocatable?.[name];
      await put('4');
      await node.stop();
      await again();
      expect(await allocatable()).toBe('4');
      const resources = { requests: { [name]: '1' }, limits: { [name]: '1' } };
      const user = await node.run(FOREVER, { container: { resources } });
      await node.running(user);
      await node.delete(user);
      await node.cleared(user);
      await put(null);
      await node.stop();
      await again();
      expect(await allocatable()).toBeUndefined();
    });

    it('does not make its node again when somebody has deleted it, until it is started again', async () => {
      const api = node.client.resource(nodes);
      await node.stop();
      await api.patch(node.name, '', patchTypes.merge, { metadata: { annotations: { gone: 'soon' } } });
      let say = (_message: string): void => {};
      const told = new Promise<string>((resolve) => {
        say = resolve;
      });
      await node.start({ logger: { ...silentLogger, error: (_fields, message) => say(message) } });
      await node.running(await node.run(FOREVER));
      await api.delete(node.name, '');
      expect(await told).toBe(`error getting node "${node.name}": not found`);
      await expect(api.get(node.name, '')).rejects.toMatchObject({ code: 404 });
      await node.stop();
      await node.start();
      await node.running(await node.run(FOREVER));
      expect((await api.get(node.name, '')).metadata?.annotations?.['gone']).toBeUndefined();
    });
  },
);
