import { readdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { patchTypes } from '../api/request.ts';
import { pods } from '../client/resource-refs.ts';
import { BUSYBOX_IMAGE, whyNoContainers } from '../runtime/test-support.ts';
import { systemClock } from '../util/clock.ts';
import { readLog } from './logs/read-log.ts';
import { rotateLog } from './logs/rotate-log.ts';
import {
  busybox,
  containerId,
  eventLine,
  FOREVER,
  startTestKubeletNode,
  statusOf,
  type TestKubeletNode,
} from './test-support.ts';

const missing = whyNoContainers();

describe.skipIf(missing !== undefined)(
  `pods on a real containerd${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let node: TestKubeletNode;
    beforeAll(async () => {
      node = await startTestKubeletNode(21);
      await node.start();
    }, 60_000);
    afterAll(async () => {
      await node?.cleanUp();
    }, 60_000);

    const lines = (name: string): readonly string[] => node.eventsOf(name).map(eventLine);

    it('runs a pod, tells all about it, and removes it', async () => {
      const name = await node.run(FOREVER, { pod: { terminationGracePeriodSeconds: 5 } });
      const pod = await node.running(name);
      expect(pod.status).toMatchObject({
        phase: 'Running',
        hostIP: '192.0.2.7',
        qosClass: 'BestEffort',
        containerStatuses: [
          { name: 'app', ready: true, started: true, restartCount: 0, image: BUSYBOX_IMAGE, state: { running: {} } },
        ],
      });
      expect(pod.status?.podIP).toMatch(/^10\.199\.21\./);
      expect(containerId(pod)).toMatch(/^[0-9a-f]{64}$/);
      await node.event(name, 'Started');
      expect(lines(name)).toEqual([
        `Normal Pulled x1: Container image "${BUSYBOX_IMAGE}" already present on machine and can be accessed by the pod`,
        'Normal Created x1: Container created',
        'Normal Started x1: Container started',
      ]);
      expect(node.eventsOf(name)[0]!.involvedObject.fieldPath).toBe('spec.containers{app}');
      expect(node.eventsOf(name)[0]!.source).toEqual({ component: 'kubelet', host: node.name });
      await node.delete(name);
      await node.until(name, (p) => statusOf(p)?.state?.terminated !== undefined);
      await node.gone(name);
      await node.cleared(name);
      await node.event(name, 'Killing', 'Stopping container app');
    });

    it('gives SIGTERM first, then SIGKILL when the grace is over', async () => {
      const polite = await node.run('trap "echo bye > /dev/termination-log; exit 3" TERM; while true; do sleep 0.05; done', {
        pod: { terminationGracePeriodSeconds: 60 },
      });
      const stubborn = await node.run('trap "" TERM; while true; do sleep 0.05; done', {
        pod: { terminationGracePeriodSeconds: 60 },
      });
      await Promise.all([node.running(polite), node.running(stubborn)]);
      const ends = [polite, stubborn].map((name) => node.until(name, (p) => statusOf(p)?.state?.terminated !== undefined));
      await Promise.all([node.delete(polite), node.delete(stubborn, 1)]);
      const [a, b] = await Promise.all(ends);
      expect(statusOf(a)!.state!.terminated).toMatchObject({ exitCode: 3, reason: 'Error', message: 'bye\n' });
      expect(statusOf(b)!.state!.terminated).toMatchObject({ exitCode: 137, reason: 'Error' });
      expect([a!.status?.phase, b!.status?.phase]).toEqual(['Failed', 'Failed']);
      await Promise.all([node.gone(polite), node.gone(stubborn)]);
    });

    it('shortens the grace of a pod that is being stopped', async () => {
      const name = await node.run('trap "" TERM; while true; do sleep 0.05; done', {
        pod: { terminationGracePeriodSeconds: 600 },
      });
      await node.running(name);
      await node.delete(name);
      await node.event(name, 'Killing');
      await node.delete(name, 1);
      await node.gone(name);
      await node.cleared(name);
    });

    it('removes at once what is deleted without grace', async () => {
      const name = await node.run('trap "" TERM; while true; do sleep 0.05; done', {
        pod: { terminationGracePeriodSeconds: 600 },
      });
      await node.running(name);
      await node.delete(name, 0);
      await node.gone(name);
      await node.cleared(name);
    });

    it('runs the hooks: postStart before the container counts, preStop before SIGTERM', async () => {
      const name = await node.run('trap "cat /tmp/order > /dev/termination-log; exit 0" TERM; while true; do sleep 0.05; done', {
        container: {
          lifecycle: {
            postStart: { exec: { command: ['sh', '-c', 'echo started > /tmp/order'] } },
            preStop: { exec: { command: ['sh', '-c', 'echo stopping >> /tmp/order'] } },
          },
        },
        pod: { terminationGracePeriodSeconds: 30 },
      });
      await node.running(name);
      const end = node.until(name, (p) => statusOf(p)?.state?.terminated !== undefined);
      await node.delete(name);
      expect(statusOf(await end)!.state!.terminated).toMatchObject({ exitCode: 0, message: 'started\nstopping\n' });
    });

    it('kills a container whose postStart hook fails', async () => {
      const name = await node.run(FOREVER, {
        container: { lifecycle: { postStart: { exec: { command: ['sh', '-c', 'echo no; exit 4'] } } } },
        pod: { restartPolicy: 'Never' },
      });
      await node.event(name, 'FailedPostStartHook', 'PostStartHook failed');
      await node.event(name, 'Killing', 'FailedPostStartHook');
      expect((await node.ended(name)).status?.phase).toBe('Failed');
    });

    it('goes on when a preStop hook fails', async () => {
      const name = await node.run(FOREVER, {
        container: { lifecycle: { preStop: { exec: { command: ['false'] } } } },
        pod: { terminationGracePeriodSeconds: 30 },
      });
      await node.running(name);
      await node.delete(name);
      await node.event(name, 'FailedPreStopHook', 'PreStopHook failed');
      await node.gone(name);
    });

    it('ends as Succeeded or Failed by exit code and restart policy', async () => {
      const good = await node.run('exit 0', { pod: { restartPolicy: 'Never' } });
      const bad = await node.run('exit 9', { pod: { restartPolicy: 'Never' } });
      const onFailure = await node.run('exit 0', { pod: { restartPolicy: 'OnFailure' } });
      const [a, b, c] = await Promise.all([node.ended(good), node.ended(bad), node.ended(onFailure)]);
      expect(a.status?.phase).toBe('Succeeded');
      expect(statusOf(a)).toMatchObject({
        ready: false,
        restartCount: 0,
        state: { terminated: { exitCode: 0, reason: 'Completed' } },
      });
      expect(a.status?.conditions).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ type: 'Ready', status: 'False', reason: 'PodCompleted' }),
          expect.objectContaining({ type: 'Initialized', status: 'True', reason: 'PodCompleted' }),
        ]),
      );
      expect(b.status?.phase).toBe('Failed');
      expect(statusOf(b)!.state!.terminated).toMatchObject({ exitCode: 9, reason: 'Error' });
      expect(c.status?.phase).toBe('Succeeded');
      await Promise.all([good, bad, onFailure].map((name) => node.delete(name)));
      await Promise.all([good, bad, onFailure].map((name) => node.gone(name)));
    });

    it('restarts what crashes: once at once, then with back-off', async () => {
      const name = await node.run('echo run; exit 1');
      const pod = await node.until(name, (p) => statusOf(p)?.state?.waiting?.reason === 'CrashLoopBackOff');
      expect(statusOf(pod)).toMatchObject({
        restartCount: 1,
        ready: false,
        lastState: { terminated: { exitCode: 1, reason: 'Error' } },
        state: {
          waiting: { message: `back-off 10s restarting failed container=app pod=${name}_default(${pod.metadata!.uid})` },
        },
      });
      expect(pod.status?.phase).toBe('Running');
      const event = await node.event(name, 'BackOff');
      expect(eventLine(event)).toContain(
        `Warning BackOff x1: Back-off restarting failed container app in pod ${name}_default(${pod.metadata!.uid})`,
      );
      await node.delete(name);
      await node.cleared(name);
    });

    it('leaves the process alone while a crashing init container is held back', async () => {
      const name = await node.create({ initContainers: [busybox('one', 'exit 1')], containers: [busybox('app', FOREVER)] });
      await node.until(name, (p) => p.status?.initContainerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff');
      await node.delete(name);
      await node.cleared(name);
      // A worker that span through the back-off would have let nothing else run until it had started the container again.
      expect(eventLine(await node.event(name, 'Started'))).toContain('Normal Started x2');
    });

    it('runs init containers one after the other, then the others', async () => {
      const name = await node.create({
        volumes: [{ name: 'v', emptyDir: {} }],
        initContainers: [
          busybox('one', 'sleep 0.1; echo one >> /v/log', { volumeMounts: [{ name: 'v', mountPath: '/v' }] }),
          busybox('two', 'echo two >> /v/log', { volumeMounts: [{ name: 'v', mountPath: '/v' }] }),
        ],
        containers: [busybox('app', `echo app >> /v/log; ${FOREVER}`, { volumeMounts: [{ name: 'v', mountPath: '/v' }] })],
      });
      const waiting = await node.until(name, (p) => statusOf(p, 'one')?.state?.running !== undefined);
      expect(waiting.status?.phase).toBe('Pending');
      expect(statusOf(waiting)?.state?.waiting?.reason).toBe('PodInitializing');
      expect(waiting.status?.conditions?.find((c) => c.type === 'Initialized')).toMatchObject({
        status: 'False',
        reason: 'ContainersNotInitialized',
        message: 'containers with incomplete status: [one two]',
      });
      const pod = await node.running(name);
      expect(statusOf(pod, 'one')).toMatchObject({ ready: true, state: { terminated: { exitCode: 0, reason: 'Completed' } } });
      expect(await node.exec(name, 'cat /v/log')).toBe('one\ntwo\napp');
      await node.delete(name);
    });

    it('fails with its init container when it may not restart', async () => {
      const name = await node.create({
        restartPolicy: 'Never',
        initContainers: [busybox('one', 'exit 5')],
        containers: [busybox('app', FOREVER)],
      });
      const pod = await node.ended(name);
      expect(pod.status?.phase).toBe('Failed');
      expect(statusOf(pod, 'one')!.state!.terminated!.exitCode).toBe(5);
      expect(statusOf(pod)!.state!.waiting!.reason).toBe('PodInitializing');
    });

    it('keeps sidecars running beside the others, and stops them last', async () => {
      const name = await node.create({
        restartPolicy: 'Never',
        terminationGracePeriodSeconds: 20,
        volumes: [{ name: 'v', emptyDir: {} }],
        initContainers: [
          busybox('side', 'trap "exit 0" TERM; echo ready > /v/side; while true; do sleep 0.05; done', {
            restartPolicy: 'Always',
            volumeMounts: [{ name: 'v', mountPath: '/v' }],
            startupProbe: { exec: { command: ['test', '-f', '/v/side'] }, periodSeconds: 1 },
          }),
        ],
        containers: [busybox('app', 'cat /v/side; sleep 0.3', { volumeMounts: [{ name: 'v', mountPath: '/v' }] })],
      });
      const running = await node.until(name, (p) => statusOf(p)?.state?.running !== undefined);
      expect(statusOf(running, 'side')).toMatchObject({ started: true, ready: true, state: { running: {} } });
      const pod = await node.ended(name);
      expect(pod.status?.phase).toBe('Succeeded');
      expect(statusOf(pod, 'side')?.state?.terminated).toMatchObject({ exitCode: 0 });
      await node.event(name, 'Killing', 'Stopping container side');
    });

    it('takes the last words of containers, from their file or their log', async () => {
      const file = await node.run('echo from file > /tmp/last; exit 1', {
        container: { terminationMessagePath: '/tmp/last' },
        pod: { restartPolicy: 'Never' },
      });
      const log = await node.run('echo from log; exit 1', {
        container: { terminationMessagePolicy: 'FallbackToLogsOnError' },
        pod: { restartPolicy: 'Never' },
      });
      const both = await Promise.all([node.ended(file), node.ended(log)]);
      expect(both.map((p) => statusOf(p)!.state!.terminated!.message)).toEqual(['from file\n', 'from log\n']);
    });

    it('goes on writing when its log is rotated, and readers follow', async () => {
      const name = await node.run('i=0; while true; do i=$((i+1)); echo line $i; sleep 0.02; done');
      const pod = await node.running(name);
      const [container] = await node.runtime.listContainers({ labelSelector: { 'io.kubernetes.pod.name': name } });
      const { logPath } = await node.runtime.containerStatus(container!.id);
      const stop = new AbortController();
      const lines = readLog({
        path: logPath,
        options: { follow: true, timestamps: false },
        clock: systemClock,
        running: () => true,
        signal: stop.signal,
      });
      let got = '';
      let rotations = 0;
      for await (const { data } of lines) {
        got += data.toString();
        const seen = got.split('\n').length;
        if (seen > 5 && rotations < 1)
          rotations += Number(await rotateLog(node.runtime, container!.id, logPath, systemClock.now(), { size: 10, files: 3 }));
        if (seen > 30) break;
      }
      stop.abort();
      // Every line once, in order, across the rotation.
      const numbers = got
        .trimEnd()
        .split('\n')
        .map((line) => Number(line.slice(5)));
      expect(numbers).toEqual(numbers.map((_, i) => i + 1));
      expect((await readdir(dirname(logPath))).filter((f) => f.startsWith('0.log.'))).toHaveLength(1);
      expect(statusOf(pod)!.restartCount).toBe(0);
      await node.delete(name);
      await node.cleared(name);
    });

    it('ends a pod at its deadline', async () => {
      const name = await node.run(FOREVER, { pod: { activeDeadlineSeconds: 1 } });
      const pod = await node.ended(name);
      expect(pod.status).toMatchObject({
        phase: 'Failed',
        reason: 'DeadlineExceeded',
        message: 'Pod was active on the node longer than the specified deadline',
      });
      await node.event(name, 'DeadlineExceeded');
    });

    it('runs ephemeral containers, with a look at the processes of another', async () => {
      const name = await node.run(FOREVER);
      await node.running(name);
      await node.client.resource(pods).patch(
        name,
        'default',
        patchTypes.strategic,
        {
          spec: {
            ephemeralContainers: [{ ...busybox('debug', `ls /proc/1/root; ${FOREVER}`), targetContainerName: 'app' }],
          },
        },
        { subresource: 'ephemeralcontainers' },
      );
      const pod = await node.until(name, (p) => statusOf(p, 'debug')?.state?.running !== undefined);
      expect(pod.status?.ephemeralContainerStatuses).toHaveLength(1);
      expect(await node.exec(name, 'cat /proc/1/cmdline', 'debug')).toContain('sleep 1000');
      await node.event(name, 'Started');
      expect(node.eventsOf(name).some((e) => e.involvedObject.fieldPath === 'spec.ephemeralContainers{debug}')).toBe(true);
      await node.delete(name);
    });

    it('replaces a container whose image changes', async () => {
      const name = await node.run(FOREVER);
      const before = await node.running(name);
      await node.client
        .resource(pods)
        .patch(name, 'default', patchTypes.strategic, { spec: { containers: [{ name: 'app', image: 'k8ts.local/busybox:2' }] } });
      await node.event(name, 'Killing', 'Container app definition changed, will be restarted');
      await node.delete(name);
      expect(containerId(before)).not.toBe('');
    });

    it('makes a new sandbox when the old one dies', async () => {
      const name = await node.run(FOREVER);
      const before = await node.running(name);
      const [sandbox] = await node.runtime.listPodSandboxes({ labelSelector: { 'io.kubernetes.pod.name': name } });
      await node.runtime.stopPodSandbox(sandbox!.id);
      await node.event(name, 'SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.');
      const after = await node.until(name, (p) => statusOf(p)?.ready === true && p.status?.podIP !== before.status?.podIP);
      // Twice when the first try still met the old sandbox.
      expect(statusOf(after)!.restartCount).toBeGreaterThanOrEqual(1);
      await node.delete(name);
    });

    it('refuses what the node cannot hold', async () => {
      const name = await node.run(FOREVER, { container: { resources: { requests: { cpu: '1000' } } } });
      const pod = await node.ended(name);
      expect(pod.status).toMatchObject({ phase: 'Failed', reason: 'OutOfcpu' });
      expect(pod.status?.message).toMatch(
        /^Pod was rejected: Node didn't have enough resource: cpu, requested: 1000000, used: \d+, capacity: \d+$/,
      );
      await node.event(name, 'OutOfcpu');
    });
  },
);
