/**
 * How long the control plane's event loop stands still: its longest turns while large collections are made, listed, searched, watched, counted,
 * loaded and deleted. `node bench/event-loop.ts [objects]`; 20,000 config maps and a quarter as many pods unless said. `STACKS=1` shows what
 * ran in the turn that took most.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { realisticPod } from '../src/api/schema/realistic-pod.fixture.ts';
import { serverFlags } from '../src/cluster/process.ts';
import { TestClient } from './event-loop-client.ts';
import { type Ask, type Hello, PORT, type Turns } from './event-loop-server.ts';

const OBJECTS = Number(process.argv[2] ?? 20_000);
const PODS = Math.floor(OBJECTS / 4);
const WIDTH = 32;
/** Makes almost as many bytes as a request may have. */
const LONG_YAML_LINES = 80_000;
/** Longer turns are shown with a mark. */
const GOAL_MS = 20;

const directory = mkdtempSync(join(tmpdir(), 'k8ts-event-loop-'));
const server = fork(join(import.meta.dirname, 'event-loop-server.ts'), ['serve', directory], { execArgv: [...serverFlags] });
const [{ ca, cert, key }] = (await once(server, 'message')) as [Hello];

async function tell(ask: Ask): Promise<Turns> {
  const answer = once(server, 'message');
  server.send(ask);
  return ((await answer) as [Turns])[0];
}

/** Does something and tells the longest turns of the server's loop meanwhile. */
async function measured(name: string, work: () => Promise<unknown>): Promise<void> {
  await tell('begin');
  const begun = performance.now();
  await work();
  const took = performance.now() - begun;
  show(name, await tell('end'), took);
}

function show(name: string, { wall, cpu, collector, stacks }: Turns, took: number): void {
  const ms = (value: number, width = 4): string => `${value.toFixed(0).padStart(width)} ms`;
  const mark = cpu > GOAL_MS ? ' !' : '  ';
  console.log(
    `${name.padEnd(44)} longest ${ms(cpu)} CPU${mark} (${ms(wall)} wall, collector ${ms(collector)})  took ${ms(took, 6)}`,
  );
  for (const line of stacks) console.log(`    ${line}`);
}

async function many(count: number, one: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: WIDTH }, async () => {
      while (next < count) await one(next++);
    }),
  );
}

let client = new TestClient(PORT, { cert, key }, ca);
const maps = '/api/v1/namespaces/crowd/configmaps';
const pods = '/api/v1/namespaces/crowd/pods';
const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };

await client.must('POST', '/api/v1/namespaces', { metadata: { name: 'crowd' } });
await measured('namespace with its account', async () => {
  while ((await client.ask('GET', '/api/v1/namespaces/crowd/serviceaccounts/default')).code !== 200) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});
// Whose pods are made.
const { nodeName: _nodeName, ...spec } = realisticPod.spec as { readonly nodeName?: string; readonly serviceAccountName: string };
// A pod of a node that is not there would be collected.
const waitingPod = { ...realisticPod, spec };
const { serviceAccountName } = spec;
await client.must('POST', '/api/v1/namespaces/crowd/serviceaccounts', { metadata: { name: serviceAccountName } });
await client.must('POST', '/api/v1/namespaces/crowd/resourcequotas', {
  metadata: { name: 'q' },
  spec: { hard: { pods: '1000000', 'count/configmaps': '1000000' } },
});
await measured(`create ${OBJECTS} config maps`, () =>
  many(OBJECTS, (i) =>
    client.must('POST', maps, {
      metadata: { name: `m${i}`, labels: { parity: i % 2 === 0 ? 'even' : 'odd' } },
      data: { a: String(i) },
    }),
  ),
);
await measured(`create ${PODS} pods`, () =>
  many(PODS, (i) => client.must('POST', pods, { ...waitingPod, metadata: { name: `p${i}`, labels: { app: `a${i % 10}` } } })),
);
const protobuf = { accept: 'application/vnd.kubernetes.protobuf' };
const get = (path: string, headers?: Readonly<Record<string, string>>) => client.must('GET', path, undefined, headers);
await measured('list config maps', () => get(maps));
await measured('list config maps again', () => get(maps));
await measured('list config maps by label', () => get(`${maps}?labelSelector=parity%3Deven`));
await measured('list config maps by a label nobody has', () => get(`${maps}?labelSelector=x%3Dy`));
await measured('list config maps as a table', () => get(maps, table));
await measured('list config maps in protobuf', () => get(maps, protobuf));
await measured('watch config maps from the beginning', () => get(`${maps}?watch=true&timeoutSeconds=2`));
await measured('list pods', () => get(pods));
await measured('list pods, compressed', () => get(pods, { 'accept-encoding': 'gzip' }));
await measured('list pods by field', () => get(`${pods}?fieldSelector=spec.nodeName%3Dx`));
await measured('list pods as a table', () => get(pods, table));
await measured('list pods as YAML', () => get(pods, { accept: 'application/yaml' }));
await measured('list pods in protobuf', () => get(pods, protobuf));
await measured('OpenAPI v2', () => get('/openapi/v2'));
await measured('OpenAPI v2 in protobuf', () =>
  get('/openapi/v2', { accept: 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf' }),
);
await measured('OpenAPI v3 of apps/v1', () => get('/openapi/v3/apis/apps/v1'));
await measured('OpenAPI v3 of v1', () => get('/openapi/v3/api/v1'));
await measured('discovery', () => get('/apis'));
await measured('metrics', () => get('/metrics'));
const lines = Array.from({ length: LONG_YAML_LINES }, (_, i) => `  key-${i}: "the value ${i}"\n`).join('');
const yaml = { 'content-type': 'application/yaml' };
await measured(`${Math.round(lines.length / 1000)} KB of YAML`, () =>
  client.ask('POST', maps, `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: long}\ndata:\n${lines}`, yaml),
);
client.close();
const restarted = performance.now();
show('start with all that', await tell('restart'), performance.now() - restarted);
client = new TestClient(PORT, { cert, key }, ca);
await client.must('GET', `${maps}?limit=1`);
await measured('after the start', () => new Promise((resolve) => setTimeout(resolve, 3_000)));
await measured('delete a half of the config maps at once', () => client.must('DELETE', `${maps}?labelSelector=parity%3Dodd`));
await measured('delete the pods at once', () => client.must('DELETE', pods));
await measured('delete the namespace', async () => {
  await client.must('DELETE', '/api/v1/namespaces/crowd');
  const until = performance.now() + 120_000;
  while (
    performance.now() < until &&
    (await client.ask('GET', `${maps}?limit=1&labelSelector=parity`)).body.includes('"name":"m')
  ) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
});
client.close();
server.disconnect();
await once(server, 'exit');
rmSync(directory, { recursive: true, force: true });
