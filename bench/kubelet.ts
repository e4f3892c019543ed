/**
 * What a kubelet adds: a sandbox and a container made by CRI calls directly, against a pod through API server and kubelet with the same
 * containerd; then the CPU of an idle kubelet with running pods. Needs root and containerd. `node bench/kubelet.ts [rounds] [idle seconds]`.
 */
import { mkdirSync } from 'node:fs';
import { busybox, FOREVER, startTestKubeletNode } from '../src/kubelet/test-support.ts';
import type { ContainerRuntime } from '../src/runtime/contract.ts';
import { connectRuntime } from '../src/runtime/cri-client.ts';
import { testContainer, testPod } from '../src/runtime/test-support.ts';
import { systemClock } from '../src/util/clock.ts';
import { silentLogger } from '../src/util/logger.ts';

const rounds = Number(process.argv[2] ?? 10);
const idleSeconds = Number(process.argv[3] ?? 20);
const IDLE_PODS = 10;
// The clock's timers do not keep a process alive.
const alive = setInterval(() => {}, 1000);

const node = await startTestKubeletNode(97);
/** Time spent in the three calls that make a pod, whoever makes them. */
let inRuntime = 0;
await node.start({
  runtime: timed(connectRuntime(node.node.containerd.socketPath, { clock: systemClock, logger: silentLogger })),
});

function timed(runtime: ContainerRuntime): ContainerRuntime {
  const making: ReadonlySet<string | symbol> = new Set(['runPodSandbox', 'createContainer', 'startContainer']);
  return new Proxy(runtime, {
    get(target, name: keyof ContainerRuntime) {
      const call = target[name] as (...args: unknown[]) => Promise<unknown>;
      if (!making.has(name)) return call;
      return async (...args: unknown[]): Promise<unknown> => {
        const begun = performance.now();
        try {
          return await call.apply(target, args);
        } finally {
          inRuntime += performance.now() - begun;
        }
      };
    },
  });
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const line = (name: string, values: readonly number[]): void =>
  console.log(`${name.padEnd(44)} median ${median(values).toFixed(1)} ms, best ${Math.min(...values).toFixed(1)} ms`);

async function direct(round: number): Promise<number> {
  const config = testPod(node.node, `direct-${round}`);
  mkdirSync(config.logDirectory, { recursive: true });
  const begun = performance.now();
  const sandbox = await node.runtime.runPodSandbox(config);
  const container = await node.runtime.createContainer(sandbox, testContainer('app', FOREVER), config);
  await node.runtime.startContainer(container);
  const took = performance.now() - begun;
  await node.runtime.stopPodSandbox(sandbox);
  await node.runtime.removePodSandbox(sandbox);
  return took;
}

/** Milliseconds in all, and those of them that were not the runtime's. */
async function throughKubelet(): Promise<{ readonly all: number; readonly own: number }> {
  inRuntime = 0;
  const begun = performance.now();
  const name = await node.create({ containers: [busybox('app', FOREVER)] });
  await node.running(name);
  const all = performance.now() - begun;
  const own = all - inRuntime;
  await node.delete(name);
  await node.cleared(name);
  return { all, own };
}

await direct(-1);
await throughKubelet();
const a: number[] = [];
const b: { readonly all: number; readonly own: number }[] = [];
// By turns, so that whatever else the machine does hits both alike.
for (let round = 0; round < rounds; round++) {
  a.push(await direct(round));
  b.push(await throughKubelet());
}
line('sandbox + container by CRI calls', a);
line(
  'pod created to Running, through the kubelet',
  b.map((r) => r.all),
);
line(
  'of that, what the runtime did not take',
  b.map((r) => r.own),
);

if (idleSeconds > 0) {
  for (let i = 0; i < IDLE_PODS; i++) await node.running(await node.create({ containers: [busybox('app', FOREVER)] }));
  await systemClock.sleep(3000);
  const cpu = process.cpuUsage();
  await systemClock.sleep(idleSeconds * 1000);
  const { user, system } = process.cpuUsage(cpu);
  console.log(
    `${`API server + kubelet, idle with ${IDLE_PODS} pods`.padEnd(44)} ${((user + system) / 1e4 / idleSeconds).toFixed(2)} % of a core`,
  );
}
await node.cleanUp();
clearInterval(alive);
process.exit();
