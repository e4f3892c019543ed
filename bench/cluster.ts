/**
 * The cluster as a whole, as a user has it: how long it takes to start, and what it costs when it idles. Needs Linux and root for the second
 * part. `node bench/cluster.ts`; the command must have been built (./k8ts --version does it).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { serverFile, serverFlags } from '../src/cluster/process.ts';
import { Cluster } from '../test/support/cluster.ts';
import { realClusterObstacle, root } from '../test/support/machine.ts';

const RUNS = 7;
const IDLE_SECONDS = 60;
const IDLE_PODS = 10;
const SETTLE_SECONDS = 40;
/** Of /proc/PID/stat, on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
const line = (what: string, value: string, budget: string): void =>
  console.log(`${what.padEnd(64)} ${value.padStart(10)}   ${budget}`);

/** Processor time of a process so far, in seconds. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

const residentMb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

function ready(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = https.get({ host: '127.0.0.1', port, path: '/readyz', rejectUnauthorized: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('error', () => resolve(false));
  });
}

/** From the start of the process to /readyz, in milliseconds. */
async function startControlPlane(
  directory: string,
  port: number,
): Promise<{ readonly ms: number; readonly child: ChildProcess }> {
  mkdirSync(directory, { recursive: true });
  const config = { port, bindAddress: '127.0.0.1', nodeName: 'bench', simulatedNodes: 1, clusterCidr: '10.244.0.0/16' };
  const rest = { serviceCidr: '10.96.0.0/12', dnsIp: '10.96.0.10', clusterDomain: 'cluster.local', bridge: 'k8ts0' };
  writeFileSync(join(directory, 'config.json'), JSON.stringify({ ...config, ...rest }));
  const start = performance.now();
  const child = spawn(process.execPath, [...serverFlags, serverFile(join(root, 'dist')), directory], {
    stdio: ['ignore', 'ignore', 'ignore'],
    env: { ...process.env, NODE_COMPILE_CACHE: join(root, '.cache/compile') },
  });
  while (!(await ready(port))) await pause(1);
  return { ms: performance.now() - start, child };
}

async function end(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await gone;
}

async function startUp(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'k8ts-bench-'));
  try {
    const port = 36_443;
    const first: number[] = [];
    const again: number[] = [];
    let memory = 0;
    for (let run = 0; run < RUNS; run++) {
      const data = join(directory, String(run));
      const fresh = await startControlPlane(data, port);
      first.push(fresh.ms);
      await end(fresh.child);
      rmSync(join(data, 'store'), { recursive: true });
      const empty = await startControlPlane(data, port);
      again.push(empty.ms);
      if (run === RUNS - 1) {
        await pause(5_000);
        memory = residentMb(empty.child.pid!);
      }
      await end(empty.child);
    }
    line('control plane, process start to /readyz, empty data', `${median(again).toFixed(0)} ms`, 'budget 300 ms, peer 3.4 s');
    line('  and making all certificates first', `${median(first).toFixed(0)} ms`, '');
    line('memory of the control plane, idle', `${memory.toFixed(0)} MB`, 'budget 150 MB, peer 400 MB');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function wholeCluster(): Promise<void> {
  const cluster = new Cluster('bench', '192.168.236');
  try {
    cluster.k8ts('up', '--yes');
    const times: number[] = [];
    for (let run = 0; run < 3; run++) {
      cluster.k8ts('down');
      const start = performance.now();
      cluster.k8ts('up');
      times.push(performance.now() - start);
    }
    line('k8ts up to node Ready, all installed', `${median(times).toFixed(0)} ms`, 'budget 2 s, k3s tens of seconds');
    cluster.kubectl(
      'create',
      'deployment',
      'idle',
      '--image=k8ts.local/busybox:1.35',
      `--replicas=${IDLE_PODS}`,
      '--',
      'sleep',
      '1000000',
    );
    cluster.kubectl('rollout', 'status', 'deployment/idle', '--timeout=60s');
    // What the start has left behind has been collected by then.
    await pause(SETTLE_SECONDS * 1000);
    const pid = cluster.pid();
    const before = cpuSeconds(pid);
    await pause(IDLE_SECONDS * 1000);
    const share = ((cpuSeconds(pid) - before) / IDLE_SECONDS) * 100;
    line(`CPU of k8ts, idle, ${IDLE_PODS} pods running`, `${share.toFixed(2)} %`, 'budget 1 % of a core');
    line('memory of k8ts, control plane and node', `${residentMb(pid).toFixed(0)} MB`, '');
  } finally {
    cluster.remove();
  }
}

await startUp();
const obstacle = realClusterObstacle();
if (obstacle === '') await wholeCluster();
else console.log(`no real node: ${obstacle}`);
