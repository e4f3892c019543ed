import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { patchTypes } from '../api/request.ts';
import type { ContainerRestartRule, Pod } from '../api/types/core-v1.ts';
import { pods } from '../client/resource-refs.ts';
import { type CgroupTree, openCgroupTree } from '../runtime/cgroup.ts';
import { whyNoContainers } from '../runtime/test-support.ts';
import { busybox, containerId, FOREVER, isReady, startTestKubeletNode, statusOf, type TestKubeletNode } from './test-support.ts';

const missing = whyNoContainers();
const MiB = 1024 * 1024;
const on = (action: string, ...values: readonly number[]): ContainerRestartRule => ({
  action,
  exitCodes: { operator: 'In', values },
});

describe.skipIf(missing !== undefined)(`what pods are as a whole${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let node: TestKubeletNode;
  let tree: CgroupTree;
  beforeAll(async () => {
    node = await startTestKubeletNode(37);
    tree = await openCgroupTree();
    await node.start();
  }, 60_000);
  afterAll(async () => {
    await node?.cleanUp();
  }, 60_000);

  it('a container that may not restart does, when a rule of its own says so', async () => {
    const name = await node.create({
      restartPolicy: 'Never',
      volumes: [{ name: 'v', emptyDir: {} }],
      containers: [
        busybox('app', '[ -f /v/again ] && exit 0; touch /v/again; exit 42', {
          restartPolicy: 'Never',
          restartPolicyRules: [on('Restart', 42)],
          volumeMounts: [{ name: 'v', mountPath: '/v' }],
        }),
      ],
    });
    const pod = await node.ended(name);
    expect(pod.status?.phase).toBe('Succeeded');
    expect(statusOf(pod)).toMatchObject({ restartCount: 1, lastState: { terminated: { exitCode: 42 } } });
    await node.delete(name);
  });

  it('all containers start over in the same sandbox, when a rule says so', async () => {
    const mounts = { volumeMounts: [{ name: 'v', mountPath: '/v' }] };
    const name = await node.create({
      restartPolicy: 'Never',
      volumes: [{ name: 'v', emptyDir: {} }],
      initContainers: [busybox('prepare', 'echo x >>/v/prepared', mounts)],
      containers: [
        busybox('app', `[ "$(wc -l </v/prepared)" = 1 ] && { sleep 1; exit 88; }; ${FOREVER}`, {
          ...mounts,
          restartPolicy: 'Never',
          restartPolicyRules: [on('RestartAllContainers', 88)],
        }),
        busybox('done', 'exit 0', mounts),
        busybox('other', FOREVER, { lifecycle: { preStop: { exec: { command: ['touch', '/v/stopped'] } } }, ...mounts }),
      ],
    });
    const condition = (pod: Pod) => pod.status?.conditions?.find((c) => c.type === 'AllContainersRestarting');
    const first = await node.until(name, (p) => statusOf(p, 'other')?.state?.running !== undefined);
    const again = await node.until(
      name,
      (p) => statusOf(p)?.restartCount === 1 && statusOf(p)?.ready === true && statusOf(p, 'done')?.restartCount === 1,
    );
    expect(again.status).toMatchObject({ phase: 'Running', podIP: first.status!.podIP });
    expect(condition(again)).toMatchObject({
      status: 'False',
      reason: 'ContainerExited',
      message: 'Container app exited with code 88, triggering pod restart',
    });
    expect(['prepare', 'done', 'other'].map((c) => statusOf(again, c)?.restartCount)).toEqual([1, 1, 1]);
    expect(containerId(again, 'other')).not.toBe(containerId(first, 'other'));
    expect(await node.exec(name, 'cat /v/prepared; ls /v')).toBe('x\nx\nprepared');
    const filter = { labelSelector: { 'io.kubernetes.pod.name': name } };
    expect((await node.runtime.listPodSandboxes(filter)).map((s) => s.metadata.attempt)).toEqual([0]);
    await node.delete(name);
    await node.cleared(name);
  });

  it('resources of the pod hold its containers together, and change while they run', async () => {
    const limit = async (pod: Pod, container?: string): Promise<number> => {
      const at = `${node.node.cgroupRoot}/burstable/pod${pod.metadata!.uid}`;
      const directories = tree.directories(container === undefined ? at : `${at}/${containerId(pod, container)}`);
      const directory = directories.find((d) => tree.version === 2 || d.includes('/memory/'))!;
      return Number(await readFile(join(directory, tree.version === 1 ? 'memory.limit_in_bytes' : 'memory.max'), 'utf8'));
    };
    const name = await node.create({
      resources: { requests: { cpu: '100m', memory: '32Mi' }, limits: { memory: '64Mi', cpu: '1' } },
      containers: [
        busybox('app', FOREVER, {
          env: [{ name: 'LIMIT', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } }],
        }),
        busybox('small', FOREVER, { resources: { limits: { memory: '16Mi' } } }),
      ],
    });
    const pod = await node.running(name);
    expect(pod.status).toMatchObject({
      qosClass: 'Burstable',
      allocatedResources: { cpu: '100m', memory: '32Mi' },
      resources: { requests: { cpu: '100m', memory: '32Mi' }, limits: { memory: '64Mi', cpu: '1' } },
    });
    expect([await limit(pod), await limit(pod, 'app'), await limit(pod, 'small')]).toEqual([64 * MiB, 64 * MiB, 16 * MiB]);
    expect(await node.exec(name, 'echo $LIMIT')).toBe('64');
    await node.client
      .resource(pods)
      .patch(
        name,
        'default',
        patchTypes.strategic,
        { spec: { resources: { limits: { memory: '96Mi' }, requests: { memory: '48Mi' } } } },
        { subresource: 'resize' },
      );
    const larger = await node.until(name, (p) => p.status?.resources?.limits?.['memory'] === '96Mi' && isReady(p));
    expect(larger.status).toMatchObject({ allocatedResources: { memory: '48Mi' } });
    expect([statusOf(larger)?.restartCount, containerId(larger)]).toEqual([0, containerId(pod)]);
    expect([await limit(larger), await limit(larger, 'app'), await limit(larger, 'small')]).toEqual([
      96 * MiB,
      96 * MiB,
      16 * MiB,
    ]);
    await node.event(name, 'ResizeCompleted');
    await node.delete(name);
    await node.cleared(name);
  });
});
