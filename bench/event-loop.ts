/**
 * How long the control plane's event loop stands still: longest delays while large collections are listed, searched, deleted, counted and
 * loaded. All of it (API server, embedded store, controllers, scheduler) is in this process, and so is the client of the requests.
 * `node bench/event-loop.ts [objects]`; 20,000 config maps and a quarter as many pods unless said.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { realisticPod } from '../src/api/schema/realistic-pod.fixture.ts';
import { type ControlPlane, startControlPlane } from '../src/cluster/control-plane.ts';
import { ensurePki } from '../src/cluster/pki.ts';
import { openEmbeddedStore } from '../src/store/embedded.ts';
import { systemClock } from '../src/util/clock.ts';
import { silentLogger } from '../src/util/logger.ts';
import { systemRandom } from '../src/util/random.ts';
import { TestClient } from './event-loop-client.ts';

const OBJECTS = Number(process.argv[2] ?? 20_000);
const PODS = Math.floor(OBJECTS / 4);
const PORT = 26_443;
const WIDTH = 32;
/** Longer delays are shown with a mark. */
const GOAL_MS = 20;

const directory = mkdtempSync(join(tmpdir(), 'k8ts-event-loop-'));
const clock = systemClock;
const pki = await ensurePki(join(directory, 'pki'), { serverNames: ['localhost', '127.0.0.1'], clock });
const config = {
  port: PORT,
  bindAddress: '127.0.0.1',
  nodeIp: '192.0.2.2',
  nodeName: 'n',
  clusterCidr: '10.244.0.0/16',
  serviceCidr: '10.96.0.0/16',
  dnsIp: '10.96.0.10',
  clusterDomain: 'cluster.local',
  kubeletPort: 10250,
  dnsPort: 10053,
  bridge: 'b0',
  simulatedNodes: 0,
};

async function start(): Promise<{ readonly plane: ControlPlane; stop(): Promise<void> }> {
  const store = await openEmbeddedStore({ path: join(directory, 'store'), clock, logger: silentLogger });
  const stopping = new AbortController();
  const options = { store, config, pki, clock, random: systemRandom, logger: silentLogger };
  const plane = await startControlPlane(options, stopping.signal);
  return {
    plane,
    stop: async () => {
      stopping.abort();
      await plane.close();
      await store.close();
    },
  };
}

/** Does something and tells the longest that the loop stood still. */
async function measured(name: string, work: () => Promise<unknown>): Promise<void> {
  const delay = monitorEventLoopDelay({ resolution: 2 });
  delay.enable();
  const begun = performance.now();
  await work();
  const took = performance.now() - begun;
  delay.disable();
  const [longest, p99] = [delay.max / 1e6, delay.percentile(99) / 1e6];
  const mark = longest > GOAL_MS ? ' !' : '';
  console.log(
    `${name.padEnd(44)} longest ${longest.toFixed(0).padStart(5)} ms${mark.padEnd(2)}  p99 ${p99.toFixed(0).padStart(4)} ms  took ${took.toFixed(0)} ms`,
  );
}

async function many(count: number, one: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: WIDTH }, async () => {
      while (next < count) await one(next++);
    }),
  );
}

let running = await start();
let client = new TestClient(PORT, pki.admin, pki.ca.cert);
const maps = '/api/v1/namespaces/crowd/configmaps';
const pods = '/api/v1/namespaces/crowd/pods';
const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };

await client.ask('POST', '/api/v1/namespaces', { metadata: { name: 'crowd' } });
await measured('namespace with its account', async () => {
  while ((await client.ask('GET', '/api/v1/namespaces/crowd/serviceaccounts/default')).code !== 200) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});
await client.ask('POST', '/api/v1/namespaces/crowd/resourcequotas', {
  metadata: { name: 'q' },
  spec: { hard: { pods: '1000000', 'count/configmaps': '1000000' } },
});
await measured(`create ${OBJECTS} config maps`, () =>
  many(OBJECTS, (i) =>
    client.ask('POST', maps, {
      metadata: { name: `m${i}`, labels: { parity: i % 2 === 0 ? 'even' : 'odd' } },
      data: { a: String(i) },
    }),
  ),
);
await measured(`create ${PODS} pods`, () =>
  many(PODS, (i) => client.ask('POST', pods, { ...realisticPod, metadata: { name: `p${i}`, labels: { app: `a${i % 10}` } } })),
);
await measured('list config maps', () => client.ask('GET', maps));
await measured('list config maps again', () => client.ask('GET', maps));
await measured('list config maps by label', () => client.ask('GET', `${maps}?labelSelector=parity%3Deven`));
await measured('list config maps by a label nobody has', () => client.ask('GET', `${maps}?labelSelector=x%3Dy`));
await measured('list config maps as a table', () => client.ask('GET', maps, undefined, table));
await measured('list config maps in protobuf', () =>
  client.ask('GET', maps, undefined, { accept: 'application/vnd.kubernetes.protobuf' }),
);
await measured('list pods', () => client.ask('GET', pods));
await measured('list pods by field', () => client.ask('GET', `${pods}?fieldSelector=spec.nodeName%3Dx`));
await measured('list pods as a table', () => client.ask('GET', pods, undefined, table));
await measured('list pods as YAML', () => client.ask('GET', pods, undefined, { accept: 'application/yaml' }));
await measured('OpenAPI v2', () => client.ask('GET', '/openapi/v2'));
await measured('OpenAPI v2 in protobuf', () =>
  client.ask('GET', '/openapi/v2', undefined, { accept: 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf' }),
);
await measured('OpenAPI v3 of apps/v1', () => client.ask('GET', '/openapi/v3/apis/apps/v1'));
await measured('discovery', () => client.ask('GET', '/apis'));
await measured('metrics', () => client.ask('GET', '/metrics'));
await measured('start with all that', async () => {
  client.close();
  await running.stop();
  running = await start();
  client = new TestClient(PORT, pki.admin, pki.ca.cert);
  await client.ask('GET', `${maps}?limit=1`);
});
await measured('after the start', () => new Promise((resolve) => setTimeout(resolve, 3_000)));
await measured('delete a half of the config maps at once', () => client.ask('DELETE', `${maps}?labelSelector=parity%3Dodd`));
await measured('delete the namespace', async () => {
  await client.ask('DELETE', '/api/v1/namespaces/crowd');
  const until = performance.now() + 120_000;
  while (performance.now() < until && (await client.ask('GET', `${maps}?limit=1`)).body.includes('"name":"m')) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
});
client.close();
await running.stop();
rmSync(directory, { recursive: true, force: true });
process.exit(0);
