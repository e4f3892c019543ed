import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from './support/cluster.ts';
import { kubectls, root, runCommand } from './support/machine.ts';

/** The control plane with simulated nodes: what works without root, Linux and containers. On loopback. */

const PORT = 26_443;
const kubectlPath = kubectls().at(-1)?.path;
if (kubectlPath === undefined) console.log('the tests of simulated nodes skip: they need a kubectl');

describe.skipIf(kubectlPath === undefined)('simulated nodes', () => {
  const directory = mkdtempSync(join(tmpdir(), 'k8ts-simulated-'));
  const data = join(directory, 'data');
  const kubeconfig = join(directory, 'kubeconfig');
  const env = { HOME: directory, KUBECONFIG: '' };
  const k8ts = (...args: readonly string[]) =>
    runCommand(join(root, 'k8ts'), [...args, '--data-dir', data], { env, timeoutMs: 90_000 });
  const up = (...args: readonly string[]) => k8ts('up', '--port', String(PORT), '--kubeconfig', kubeconfig, ...args);
  const kubectl = (...args: readonly string[]): string => {
    const done = runCommand(kubectlPath!, ['--kubeconfig', kubeconfig, ...args], { env });
    if (done.code !== 0) throw new Error(done.stderr);
    return done.stdout;
  };
  const pid = (): number => Number(readFileSync(join(data, 'run', 'k8ts.pid'), 'utf8').split(' ')[0]);
  const runningPods = (): number =>
    kubectl('get', 'pods', '--no-headers')
      .split('\n')
      .filter((line) => / Running /.test(line)).length;

  beforeAll(() => {
    const started = up('--simulated-nodes', '3');
    expect(started.stderr + started.stdout).toContain('The cluster is up');
  });
  afterAll(() => {
    k8ts('reset', '--yes');
    rmSync(directory, { recursive: true, force: true });
  });

  it('are ready, and said to be simulated', () => {
    expect(kubectl('get', 'nodes', '--no-headers').match(/ Ready /g)).toHaveLength(3);
    expect(kubectl('get', 'nodes', '-o', 'wide')).toContain('k8ts simulation');
    expect(k8ts('status').code).toBe(0);
  });

  it('run what is scheduled on them', async () => {
    kubectl('create', 'deployment', 'many', '--image=example.com/any:1', '--replicas=100');
    kubectl('rollout', 'status', 'deployment/many', '--timeout=60s');
    expect(runningPods()).toBe(100);
    const nodes = new Set(kubectl('get', 'pods', '-o', 'jsonpath={.items[*].spec.nodeName}').trim().split(' '));
    expect(nodes.size).toBe(3);
    kubectl('scale', 'deployment/many', '--replicas=7');
    await eventually('the rest to go', () => runningPods() === 7);
  });

  it('finish jobs when they are told to', () => {
    const job = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'short' },
      spec: {
        template: {
          metadata: { annotations: { 'simulation.k8ts.dev/run-for': '200ms' } },
          spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'example.com/any:1' }] },
        },
      },
    };
    const file = join(directory, 'job.json');
    writeFileSync(file, JSON.stringify(job));
    kubectl('create', '-f', file);
    kubectl('wait', '--for=condition=complete', 'job/short', '--timeout=30s');
  });

  it('are all there again after a kill', async () => {
    const identity = (): string =>
      kubectl('get', 'pods,deployments,replicasets,services', '-o', 'jsonpath={.items[*].metadata.uid}');
    const before = identity();
    process.kill(pid(), 'SIGKILL');
    expect(up().code).toBe(0);
    expect(identity()).toBe(before);
    await eventually('the pods', () => runningPods() === 7);
  });

  it('are not mixed with real ones, and start once', () => {
    expect(up('--simulated-nodes', '5').stderr).toContain('running with --simulated-nodes 3');
    const again = up();
    expect(again.stdout).toContain('nothing was changed');
    expect(again.code).toBe(0);
  });

  it('say what to do when they cannot start', async () => {
    expect(k8ts('down').code).toBe(0);
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(PORT, '0.0.0.0', resolve));
    const refused = up();
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(`Port ${PORT} is in use`);
    await new Promise((resolve) => other.close(resolve));
    const version = join(data, 'VERSION');
    const mine = readFileSync(version, 'utf8');
    writeFileSync(version, '99\n');
    expect(up().stderr).toContain('has format "99"');
    writeFileSync(version, mine);
    const blocked = join(directory, 'file');
    writeFileSync(blocked, '');
    const unwritable = runCommand(join(root, 'k8ts'), ['up', '--simulated-nodes', '1', '--data-dir', join(blocked, 'x')], {
      env,
    });
    expect(unwritable.stderr).toContain('cannot be written');
    expect(unwritable.code).toBe(1);
    expect(up().code).toBe(0);
    expect(kubectl('get', 'deployment', 'many', '-o', 'jsonpath={.spec.replicas}')).toBe('7');
  });
});
