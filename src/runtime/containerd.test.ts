import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../util/clock.ts';
import { silentLogger } from '../util/logger.ts';
import { openCgroupTree } from './cgroup.ts';
import { isHybridCgroup, isRootShared, launchCommand, superviseContainerd } from './containerd.ts';
import { type ContainerState, RuntimeError, runtimeErrorCodes } from './contract.ts';
import { connectRuntime } from './cri-client.ts';
import { PAUSE_IMAGE } from './image-build.ts';
import { openPortForward, openRemoteCommand, remoteCommandExitCode, remoteCommandStatus } from './spdy-client.ts';
import { BUSYBOX_IMAGE, startTestNode, type TestNode, testContainer, testPod, whyNoContainers } from './test-support.ts';

const missing = whyNoContainers();
const POLL_MS = 10;

describe.skipIf(missing !== undefined)(`a real containerd${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let node: TestNode;
  beforeAll(async () => {
    node = await startTestNode(7);
  }, 60_000);
  afterAll(async () => {
    await node?.cleanUp();
  }, 60_000);

  async function untilState(id: string, state: ContainerState): Promise<void> {
    while ((await node.runtime.containerStatus(id)).state !== state) await systemClock.sleep(POLL_MS);
  }

  async function startPod(name: string, script: string): Promise<{ readonly pod: string; readonly container: string }> {
    const config = testPod(node, name);
    const pod = await node.runtime.runPodSandbox(config);
    const container = await node.runtime.createContainer(pod, testContainer('main', script), config);
    await node.runtime.startContainer(container);
    return { pod, container };
  }

  async function removePod(pod: string): Promise<void> {
    await node.runtime.stopPodSandbox(pod);
    await node.runtime.removePodSandbox(pod);
  }

  it('answers, is ready, and has the images made here', async () => {
    const { runtime } = node;
    expect(await runtime.version()).toMatchObject({ runtimeName: 'containerd', runtimeApiVersion: 'v1' });
    const status = await runtime.status();
    expect(status.conditions.map((c) => [c.type, c.status])).toEqual([
      ['RuntimeReady', true],
      ['NetworkReady', true],
    ]);
    const tags = (await runtime.listImages()).flatMap((image) => image.repoTags);
    expect(tags).toEqual(expect.arrayContaining([PAUSE_IMAGE, BUSYBOX_IMAGE]));
    expect(await runtime.imageStatus('k8ts.local/none:1')).toBeUndefined();
    expect((await runtime.imageFsInfo())[0]!.mountpoint).toContain(node.dir);
  });

  it('runs a container from its creation to its end', async () => {
    const { runtime } = node;
    const config = testPod(node, 'lifecycle');
    const pod = await runtime.runPodSandbox(config);
    const sandbox = await runtime.podSandboxStatus(pod);
    expect(sandbox).toMatchObject({ id: pod, metadata: config.metadata, state: 'READY', labels: { app: 'lifecycle' } });
    expect(sandbox.ip).toMatch(/^10\.199\.7\./);
    expect(await runtime.listPodSandboxes({ labelSelector: { app: 'lifecycle' } })).toHaveLength(1);
    expect(await runtime.listPodSandboxes({ state: 'NOTREADY' })).toEqual([]);

    const id = await runtime.createContainer(
      pod,
      testContainer('main', 'echo out; echo err >&2; echo "$GREETING"; exit 3', { envs: [{ key: 'GREETING', value: 'hällo' }] }),
      config,
    );
    expect(await runtime.containerStatus(id)).toMatchObject({
      state: 'CREATED',
      startedAt: 0n,
      metadata: { name: 'main', attempt: 0 },
    });
    await runtime.startContainer(id);
    await untilState(id, 'EXITED');
    const status = await runtime.containerStatus(id);
    expect(status).toMatchObject({ exitCode: 3, reason: 'Error', image: BUSYBOX_IMAGE });
    expect(status.imageId).toBe(status.imageRef);
    // containerd takes the two times from different processes: a short run may seem to end before its start.
    expect(status.startedAt).toBeGreaterThan(status.createdAt);
    expect(status.finishedAt).toBeGreaterThan(status.createdAt);
    const log = await readFile(join(config.logDirectory, 'main.log'), 'utf8');
    const lines = log.trimEnd().split('\n');
    expect(lines.map((line) => line.replace(/^\S+ /, '')).sort()).toEqual(['stderr F err', 'stdout F hällo', 'stdout F out']);
    expect(await runtime.listContainers({ podSandboxId: pod, state: 'RUNNING' })).toEqual([]);

    await runtime.removeContainer(id);
    await runtime.removeContainer(id);
    await removePod(pod);
    await removePod(pod);
    await expect(runtime.containerStatus(id)).rejects.toMatchObject({ code: runtimeErrorCodes.notFound });
  });

  it('stops with SIGKILL when the grace is over', async () => {
    const { pod, container } = await startPod('stubborn', 'trap "" TERM; while true; do sleep 1; done');
    await node.runtime.stopContainer(container, 1);
    expect(await node.runtime.containerStatus(container)).toMatchObject({ state: 'EXITED', exitCode: 137 });
    await removePod(pod);
  });

  it('tells of ends, also where the CRI has no events', async () => {
    const following = new AbortController();
    const ended = Promise.withResolvers<string>();
    const followed = (async () => {
      for await (const event of node.runtime.containerEvents(following.signal)) {
        if (event.type === 'STOPPED') ended.resolve(event.containerId);
      }
    })();
    // The stream says nothing when it opens: containers end until one is told of.
    const stop = new AbortController();
    const ending = (async () => {
      const ids: string[] = [];
      for (let i = 0; !stop.signal.aborted; i++) {
        const { pod, container } = await startPod(`ending-${i}`, 'true');
        ids.push(container);
        await untilState(container, 'EXITED');
        await removePod(pod);
      }
      return ids;
    })();
    const id = await ended.promise;
    stop.abort();
    expect(await ending).toContain(id);
    following.abort();
    await followed;
  });

  it('runs commands inside and bounds them', async () => {
    const { pod, container } = await startPod('sync', 'sleep 1000');
    const result = await node.runtime.execSync(container, ['sh', '-c', 'echo a; echo b >&2; exit 5'], 10);
    expect([String(Buffer.from(result.stdout)), String(Buffer.from(result.stderr)), result.exitCode]).toEqual(['a\n', 'b\n', 5]);
    await expect(node.runtime.execSync(container, ['sleep', '100'], 1)).rejects.toMatchObject({
      code: runtimeErrorCodes.deadlineExceeded,
    });
    const abort = new AbortController();
    const running = node.runtime.execSync(container, ['sleep', '100'], 0, abort.signal);
    abort.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    expect((await node.runtime.containerStats(container)).memoryWorkingSetBytes).toBeGreaterThan(0);
    await removePod(pod);
  });

  it('streams exec: input to its end, output, errors and the exit code', async () => {
    const { pod, container } = await startPod('exec', 'sleep 1000');
    const url = await node.runtime.exec({
      containerId: container,
      cmd: ['sh', '-c', 'cat; echo done >&2; exit 7'],
      tty: false,
      stdin: true,
      stdout: true,
      stderr: true,
    });
    const session = await openRemoteCommand(url, { stdin: true, stdout: true, stderr: true, tty: false });
    const input = 'x'.repeat(300_000);
    session.stdin!.end(input);
    const [out, err, status] = await Promise.all([
      text(session.stdout!),
      text(session.stderr!),
      remoteCommandStatus(session.error),
    ]);
    expect(out).toBe(input);
    expect(err).toBe('done\n');
    expect(remoteCommandExitCode(status)).toBe(7);
    await session.closed;
    await expect(openRemoteCommand(url, { stdin: true, stdout: true, stderr: true, tty: false })).rejects.toThrow('refused with');
    await removePod(pod);
  });

  it('gives a terminal its size', async () => {
    const { pod, container } = await startPod('tty', 'sleep 1000');
    const url = await node.runtime.exec({
      containerId: container,
      // The size may arrive after the command has started: until then the terminal is 0 by 0, of which busybox's stty prints nothing.
      cmd: ['sh', '-c', 'until [ -n "$size" ]; do size=$(stty size 2>/dev/null); done; echo $size'],
      tty: true,
      stdin: true,
      stdout: true,
      stderr: false,
    });
    const session = await openRemoteCommand(url, { stdin: true, stdout: true, stderr: false, tty: true });
    session.resize(120, 33);
    const out = await text(session.stdout!);
    expect(await remoteCommandStatus(session.error)).toMatchObject({ status: 'Success' });
    expect(out).toBe('33 120\r\n');
    await removePod(pod);
  });

  it('forwards ports, and says when nobody listens', async () => {
    const { pod } = await startPod('forward', 'while true; do echo hello | nc -l -p 8080; done');
    const url = await node.runtime.portForward({ podSandboxId: pod, ports: [8080] });
    const forward = await openPortForward(url);
    let answer = '';
    while (answer === '') {
      const { data, error } = await forward.connect(8080);
      data.end();
      const [got] = await Promise.all([text(data), text(error)]);
      answer = got;
    }
    expect(answer).toBe('hello\n');
    const refused = await forward.connect(9);
    refused.data.resume();
    expect(await text(refused.error)).toMatch(/refused|failed/);
    forward.close();
    await forward.closed;
    await removePod(pod);
  });

  it('comes back after kill -9 with its pods, and is taken over by a second supervisor', async () => {
    const { pod, container } = await startPod('survivor', 'sleep 1000');
    const before = node.containerd.health();
    process.kill(before.pid!, 'SIGKILL');
    while (node.containerd.health().restarts === 0 || node.containerd.health().state !== 'running')
      await systemClock.sleep(POLL_MS);
    expect(node.containerd.health()).toMatchObject({ state: 'running', restarts: 1, lastFailure: 'the process ended' });
    expect(node.containerd.health().pid).not.toBe(before.pid);
    // The client made before finds the new one by itself.
    for (;;) {
      try {
        await node.runtime.version();
        break;
      } catch (err) {
        expect(err).toBeInstanceOf(RuntimeError);
        expect((err as RuntimeError).code).toBe(runtimeErrorCodes.unavailable);
        await systemClock.sleep(POLL_MS);
      }
    }
    expect(await node.runtime.containerStatus(container)).toMatchObject({ state: 'RUNNING' });
    expect((await node.runtime.execSync(container, ['true'], 10)).exitCode).toBe(0);

    const second = new AbortController();
    const other = await superviseContainerd(
      { dataDir: join(node.dir, 'c'), cniConfDir: join(node.dir, 'cni'), clock: systemClock, logger: silentLogger },
      second.signal,
    );
    expect(other.adopted).toBe(true);
    expect(other.health().pid).toBe(node.containerd.health().pid);
    second.abort();
    await removePod(pod);
  });

  it('puts containers below the cgroup of their pod', async () => {
    const tree = await openCgroupTree();
    const path = `${node.cgroupRoot}/pod-limits`;
    await tree.ensure(path, { cpuShares: 512, cpuQuota: 50_000, memoryLimitInBytes: 64 * 1024 * 1024, pids: 100 });
    const { pod } = await startPod('limits', 'sleep 1000');
    expect((await tree.processes(path)).length).toBeGreaterThanOrEqual(2);
    expect((await tree.usage(path))!.memoryUsageBytes).toBeGreaterThan(0);
    await removePod(pod);
    await tree.remove(path);
    expect(await tree.usage(path)).toBeUndefined();
  });
});

describe('starting containerd', () => {
  it('says in a sentence that it is not installed', async () => {
    const options = {
      dataDir: '/nonexistent',
      cniConfDir: '/nonexistent',
      clock: systemClock,
      logger: silentLogger,
      programPath: [],
    };
    await expect(superviseContainerd(options, new AbortController().signal)).rejects.toThrow(
      /^containerd is not installed: .*apt-get/,
    );
  });

  it('refuses a socket path that the kernel would cut off', async () => {
    const options = { dataDir: `/${'x'.repeat(120)}`, cniConfDir: '/nonexistent', clock: systemClock, logger: silentLogger };
    await expect(superviseContainerd(options, new AbortController().signal)).rejects.toThrow(/too long/);
  });

  it('rejects calls with UNAVAILABLE while there is no daemon', async () => {
    const runtime = connectRuntime('/nonexistent.sock', { clock: systemClock, logger: silentLogger });
    await expect(runtime.version()).rejects.toMatchObject({ name: 'RuntimeError', code: runtimeErrorCodes.unavailable });
    runtime.close();
  });

  it('reads the mounts', () => {
    const line = (point: string, type: string, shared: boolean): string =>
      `36 35 98:0 / ${point} rw,noatime${shared ? ' shared:1' : ''} - ${type} none rw`;
    expect(isRootShared(line('/', 'ext4', false))).toBe(false);
    expect(isRootShared(`${line('/', 'ext4', true)}\n${line('/proc', 'proc', false)}`)).toBe(true);
    expect(isHybridCgroup(`${line('/sys/fs/cgroup', 'tmpfs', true)}\n${line('/sys/fs/cgroup/unified', 'cgroup2', true)}`)).toBe(
      true,
    );
    expect(isHybridCgroup(line('/sys/fs/cgroup', 'cgroup2', true))).toBe(false);
    expect(isHybridCgroup(line('/sys/fs/cgroup', 'tmpfs', true))).toBe(false);
  });

  it('becomes containerd inside the namespaces asked for', () => {
    const plan = {
      containerd: '/usr/bin/containerd',
      config: '/d/config.toml',
      makeRootShared: false,
      hideUnifiedCgroup: false,
      networkNamespace: undefined,
      cgroupDirectories: [],
    };
    expect(launchCommand(plan)).toEqual(['sh', '-c', 'set -e\nexec "$0" --config "$1"', '/usr/bin/containerd', '/d/config.toml']);
    const other = launchCommand({ ...plan, networkNamespace: '/run/netns/n1', makeRootShared: true, hideUnifiedCgroup: true });
    expect(other.slice(0, 5)).toEqual(['nsenter', '--net=/run/netns/n1', '--', 'sh', '-c']);
    expect(other[5]).toMatch(/mount --make-rshared \/\nexec unshare --mount --propagation unchanged/);
  });
});
