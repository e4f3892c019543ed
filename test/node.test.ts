import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ComponentStatus } from '../src/cluster/control.ts';
import { buildBusyboxImage } from '../src/runtime/test-support.ts';
import { Cluster, eventually } from './support/cluster.ts';
import { realClusterObstacle } from './support/machine.ts';

/** A real node's runtime, images and faults. */

const obstacle = realClusterObstacle();

describe.skipIf(obstacle !== '')('a real node', () => {
  let cluster: Cluster;
  const components = (): readonly ComponentStatus[] =>
    (JSON.parse(cluster.k8ts('status', '-o', 'json').stdout) as { components: readonly ComponentStatus[] }).components;
  const containerdPid = (): number =>
    Number(/pid (\d+)/.exec(components().find((c) => c.name === 'containerd')?.message ?? '')?.[1]);

  const containerdPidOnFile = (): number =>
    Number(readFileSync(join(cluster.dataDirectory, 'node/containerd/containerd.pid'), 'utf8').split(' ')[0]);
  /** Command lines of the programs that work in the cluster's directory. */
  const ours = (): readonly string[] =>
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        } catch {
          // It has ended meanwhile.
          return '';
        }
      })
      .filter((line) => line.includes('containerd') && line.includes(cluster.dataDirectory));

  beforeAll(() => {
    cluster = new Cluster('node', '192.168.232');
    const up = cluster.k8ts('up', '--yes');
    expect(up.stderr + up.stdout).toContain('The cluster is up');
  });
  afterAll(() => cluster.remove());

  it('loads images from archives, and says what is wrong with others', async () => {
    const archive = join(cluster.machine.directory, 'image.tar');
    writeFileSync(archive, buildBusyboxImage(['example.com/loaded:1']));
    const loaded = cluster.k8ts('image', 'load', archive);
    expect(loaded.stdout).toContain('loaded example.com/loaded:1');
    cluster.kubectl('run', 'loaded', '--image=example.com/loaded:1', '--image-pull-policy=Never', '--', 'sleep', '100000');
    cluster.kubectl('wait', '--for=condition=Ready', 'pod/loaded', '--timeout=30s');
    const broken = join(cluster.machine.directory, 'broken.tar');
    writeFileSync(broken, 'no archive');
    const refused = cluster.k8ts('image', 'load', broken);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('could not be loaded');
    expect(cluster.k8ts('image', 'load', '/nowhere.tar').stderr).toContain('There is no file');
  });

  it('tells why a pod does not run', async () => {
    cluster.kubectl('run', 'absent', '--image=k8ts.local/absent:1');
    await eventually('the pull to fail', () => /ErrImagePull|ImagePullBackOff/.test(cluster.kubectl('get', 'pod', 'absent')));
    expect(cluster.kubectl('describe', 'pod', 'absent')).toContain('Failed to pull image "k8ts.local/absent:1"');
    cluster.kubectl('run', 'broken', '--image=k8ts.local/busybox:1.35', '--', 'no-such-program');
    await eventually('the start to fail', () =>
      /RunContainerError|CrashLoopBackOff|StartError/.test(cluster.kubectl('get', 'pod', 'broken')),
    );
    cluster.kubectl('run', 'crashing', '--image=k8ts.local/busybox:1.35', '--', 'sh', '-c', 'echo last words; exit 3');
    await eventually('the back-off', () => /CrashLoopBackOff/.test(cluster.kubectl('get', 'pod', 'crashing')));
    expect(cluster.kubectl('logs', '--previous', 'crashing')).toBe('last words\n');
    const asks = { resources: { requests: { cpu: '4096' } } };
    const overrides = JSON.stringify({ spec: { containers: [{ name: 'large', image: 'k8ts.local/busybox:1.35', ...asks }] } });
    cluster.kubectl('run', 'large', '--image=k8ts.local/busybox:1.35', '--overrides', overrides);
    await eventually('the verdict', () =>
      cluster.kubectl('describe', 'pod', 'large').includes('0/1 nodes are available: 1 Insufficient cpu.'),
    );
    cluster.kubectl('delete', 'pod', 'absent', 'broken', 'crashing', 'large', '--grace-period=1');
  });

  it('outlives the death of containerd', async () => {
    const before = cluster.json<{ status: { containerStatuses: { containerID: string }[] } }>('get', 'pod', 'loaded');
    const pid = containerdPid();
    process.kill(pid, 'SIGKILL');
    await eventually('another containerd', () => containerdPid() !== pid && components().every((c) => c.healthy), 60_000);
    const after = cluster.json<typeof before>('get', 'pod', 'loaded');
    expect(after.status.containerStatuses[0]?.containerID).toBe(before.status.containerStatuses[0]?.containerID);
    expect(cluster.kubectl('exec', 'loaded', '--', 'echo', 'alive')).toBe('alive\n');
    cluster.kubectl('run', 'later', '--image=example.com/loaded:1', '--', 'sleep', '100000');
    cluster.kubectl('wait', '--for=condition=Ready', 'pod/later', '--timeout=30s');
  });

  it('shows the log of each component', () => {
    expect(cluster.k8ts('logs').stdout).toContain('k8ts starts');
    expect(cluster.k8ts('logs', 'containerd').stdout).toContain('containerd');
    expect(cluster.k8ts('logs', '--tail', '1').stdout.trim().split('\n')).toHaveLength(1);
  });

  it('takes up its work again when it comes back from a stop with the containers running', () => {
    const started = cluster.kubectl(
      'get',
      'pod',
      'loaded',
      '-o',
      'jsonpath={.status.containerStatuses[0].state.running.startedAt}',
    );
    expect(cluster.k8ts('down', '--keep-containers').code).toBe(0);
    expect(cluster.k8ts('up').code).toBe(0);
    const now = cluster.kubectl('get', 'pod', 'loaded', '-o', 'jsonpath={.status.containerStatuses[0].state.running.startedAt}');
    expect(now).toBe(started);
  });

  it('leaves nothing behind on reset, not even when the runtime has forgotten its pods', () => {
    process.kill(cluster.pid(), 'SIGKILL');
    process.kill(containerdPidOnFile(), 'SIGKILL');
    rmSync(join(cluster.dataDirectory, 'node/containerd/root/io.containerd.metadata.v1.bolt'), { recursive: true });
    expect(ours()).not.toEqual([]);
    expect(cluster.k8ts('reset', '--yes').code).toBe(0);
    expect(ours()).toEqual([]);
  });
});
