/**
 * The API server over HTTPS: rates, latencies, and the CPU of the server's process for each request, next to kube-apiserver 1.24 with
 * etcd 3.4 on a machine of two cores. The server is a process of its own, durable on disk, with authentication, RBAC, default admission
 * and managed fields. `node bench/apiserver.ts [name of a load …]`; `growth`, to 50,000 pods, runs only when named.
 * `CPU_PROF=directory` writes a profile of the server for each load.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { Session } from 'node:inspector/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { serverEnvironment, serverFlags } from '../src/cluster/process.ts';
import { podNamed, send } from './requests.ts';
import type { WatchersReport, WatchersTask } from './watchers.ts';

const PODS = 5_000;
const WIDTH = 32;
const WATCHERS = 100;
const WATCHED_PODS = 500;
const WATCH_ROUNDS = 3;
const GROWN_PODS = 50_000;
/** Requests of each kind before the measured ones: what is measured is a server that has been up for a while, as the peer had been. */
const WARM_UP = 2_000;
const pods = '/api/v1/namespaces/default/pods';
const only = new Set(process.argv.slice(2).filter((name) => name !== 'serve'));

/** What the peer did: a rate, the 50th and 99th percentile in milliseconds, CPU microseconds for each. */
const peer: Readonly<Record<string, string>> = {
  start: '3.4 s',
  idle: '304 MB',
  create: '1,250/s, p50 23 ms, p99 69 ms, 1,350 us',
  get: '3,830/s, p99 25 ms, 384 us',
  'list, all': '165-277 ms, 215-330 ms CPU',
  'list, by label': '13/s, 152 ms CPU',
  'list, pages': '390 ms, 396 ms CPU',
  'patch status': '833/s, 2,190 us',
  'patch metadata': '690/s, 2,710 us',
  apply: '2,110/s, 760 us',
  watch: '27,700 events/s, p50 780 ms, 54 us CPU an event',
  delete: '1,000/s, 1,760 us',
  memory: '1,150 + 270 MB',
};

// ------------------------------------------------------------------------------------------------------------------ the server

async function serve(directory: string): Promise<void> {
  const begun = performance.now();
  const { openEmbeddedStore } = await import('../src/store/embedded.ts');
  const { ensurePki } = await import('../src/cluster/pki.ts');
  const { startControlPlaneApi } = await import('./apiserver-parts.ts');
  const { systemClock } = await import('../src/util/clock.ts');
  const { silentLogger } = await import('../src/util/logger.ts');
  const { giveBackAtRest } = await import('../src/util/memory-at-rest.ts');
  const loaded = performance.now();
  const pki = await ensurePki(join(directory, 'pki'), { serverNames: ['localhost', '127.0.0.1'], clock: systemClock });
  const store = await openEmbeddedStore({ path: join(directory, 'store'), clock: systemClock, logger: silentLogger });
  const ready = performance.now();
  const { port, created } = await startControlPlaneApi(store, pki);
  giveBackAtRest(systemClock, new AbortController().signal);
  const { cert, key } = pki.admin;
  const times = { load: loaded - begun, create: created - ready, total: performance.now() - begun };
  const profiler = process.env['CPU_PROF'] === undefined ? undefined : new Session();
  profiler?.connect();
  process.on('message', async (message: Ask) => {
    if (message.end !== undefined && profiler !== undefined) {
      const { profile } = await profiler.post('Profiler.stop');
      writeFileSync(join(process.env['CPU_PROF']!, `${message.end.replaceAll(/\W+/g, '-')}.cpuprofile`), JSON.stringify(profile));
    }
    if (message.settle === true) await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    if (message.begin !== undefined && profiler !== undefined) {
      await profiler.post('Profiler.enable');
      await profiler.post('Profiler.start');
    }
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed, external } = process.memoryUsage();
    process.send!({ cpu: user + system, rss, anonymous: anonymousBytes() ?? rss, heapUsed, external });
  });
  process.once('disconnect', () => process.exit(0));
  process.send!({ port, ca: pki.ca.cert, cert, key, times });
}

/** Undefined where the system does not tell. */
function anonymousBytes(): number | undefined {
  if (process.platform !== 'linux') return undefined;
  const kilobytes = /RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

// ------------------------------------------------------------------------------------------------------------------- the client

/** What the server is asked: always its usage, and a profile to begin or to end. */
interface Ask {
  readonly begin?: string;
  readonly end?: string;
  /** Rests first, so that memory is what is kept. */
  readonly settle?: boolean;
}

/** After this time of rest the server has given back what it does not need. */
const SETTLE_MS = 40_000;

interface Hello {
  readonly port: number;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly times: { readonly load: number; readonly create: number; readonly total: number };
}

interface Usage {
  /** Microseconds. */
  readonly cpu: number;
  readonly rss: number;
  /** Of `rss` what is no file's: the pages of the store's file that were looked at are the kernel's to take back. */
  readonly anonymous: number;
  readonly heapUsed: number;
  readonly external: number;
}

const megabytes = ({ rss, anonymous, heapUsed, external }: Usage): string =>
  `${(rss / 1e6).toFixed(0)} MB (anonymous ${(anonymous / 1e6).toFixed(0)}, heap ${(heapUsed / 1e6).toFixed(0)}, buffers ${(external / 1e6).toFixed(0)})`;

async function run(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'k8ts-bench-'));
  const profile = process.env['CPU_PROF'];
  if (profile !== undefined) mkdirSync(profile, { recursive: true });
  const child = fork(await bundled(), ['serve', directory], {
    execArgv: [...serverFlags],
    env: { ...process.env, ...serverEnvironment },
  });
  const begun = performance.now();
  try {
    const [hello] = (await once(child, 'message')) as [Hello];
    print('start', `${Math.round(performance.now() - begun)} ms (createApiServer ${hello.times.create.toFixed(0)} ms)`);
    const bench = new Bench(child, hello);
    print('idle', megabytes(await bench.usage()));
    await bench.all();
    print('memory', megabytes(await bench.usage()));
    print('memory, settled', megabytes(await bench.usage({ settle: true })));
  } finally {
    const exit = once(child, 'exit');
    child.disconnect();
    await exit;
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The server as it is delivered: sources would bring the compiler of their types along, some 25 MB of it. */
async function bundled(): Promise<string> {
  const outfile = join(dirname(import.meta.dirname), '.cache', 'bench', 'apiserver.mjs');
  await build({
    entryPoints: [import.meta.filename],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    mainFields: ['module', 'main'],
    minifySyntax: true,
    minifyWhitespace: true,
    external: ['lmdb', 'esbuild'],
    banner: { js: "import{createRequire as __k8tsRequire}from'node:module';const require=__k8tsRequire(import.meta.url);" },
    logLevel: 'error',
  });
  return outfile;
}

function print(name: string, ours: string): void {
  console.log(`${name.padEnd(18)} ${ours.padEnd(62)} ${peer[name] ?? ''}`);
}

class Bench {
  readonly #child: ChildProcess;
  readonly #hello: Hello;
  readonly #agent: Agent;

  constructor(child: ChildProcess, hello: Hello) {
    const { ca, cert, key } = hello;
    this.#child = child;
    this.#hello = hello;
    this.#agent = new Agent({ keepAlive: true, maxSockets: WIDTH, ca, cert, key });
  }

  async usage(ask: Ask = {}): Promise<Usage> {
    const answer = once(this.#child, 'message');
    this.#child.send(ask);
    return ((await answer) as [Usage])[0];
  }

  async all(): Promise<void> {
    await this.#warmUp();
    await this.#each('create', PODS, (i) => this.#send('POST', pods, 201, JSON.stringify(podOf(i))));
    await this.#each('get', 20_000, (i) => this.#send('GET', `${pods}/pod-${i % PODS}`, 200));
    await this.#once('list, all', 5, () => this.#send('GET', pods, 200));
    await this.#each('list, by label', 300, () => this.#send('GET', `${pods}?labelSelector=shard%3D7`, 200));
    await this.#once('list, pages', 3, () => this.#pages());
    await this.#each('patch status', 4_000, (i) => this.#patchStatus(`pod-${i}`, i));
    await this.#each('patch metadata', 4_000, (i) => this.#patchMetadata(`pod-${i}`, i));
    await this.#each('apply', 2_000, (i) => this.#apply(i, 'applied'));
    await this.#ownSpecs();
    if (this.#wanted('watch')) for (let i = 0; i < WATCH_ROUNDS; i++) await this.#watch();
    await this.#each('delete', 4_000, (i) => this.#delete(`pod-${i}`));
    if (only.has('growth')) await this.#growth();
    this.#agent.destroy();
  }

  async #warmUp(): Promise<void> {
    await this.#each('first creates', WARM_UP, (i) => this.#send('POST', pods, 201, JSON.stringify(podOf(i, 'warm'))), 'create');
    await this.#each('', WARM_UP, (i) => this.#patchStatus(`warm-${i}`, i), 'create');
    await this.#each('', WARM_UP, (i) => this.#patchMetadata(`warm-${i}`, i), 'create');
    await this.#each('', WARM_UP, (i) => this.#delete(`warm-${i}`), 'create');
    await this.#each('', WARM_UP, (i) => this.#apply(i, 'warm'), 'apply');
    await this.#each('', WARM_UP, (i) => this.#delete(`warm-${i}`), 'apply');
  }

  /** The same for pods that no template made: no spec comes twice. */
  async #ownSpecs(): Promise<void> {
    const create = (base: string, i: number) => this.#send('POST', pods, 201, JSON.stringify(podOf(i, base, true)));
    await this.#each('', WARM_UP, (i) => create('own-warm', i), 'create, own specs');
    await this.#each('create, own specs', WARM_UP, (i) => create('own', i));
    await this.#each('', WARM_UP, (i) => this.#apply(i, 'own-warm-applied', true), 'apply, own specs');
    await this.#each('apply, own specs', WARM_UP, (i) => this.#apply(i, 'own-applied', true));
    for (const base of ['own-warm', 'own'])
      await this.#each('', WARM_UP, (i) => this.#delete(`${base}-${i}`), 'create, own specs');
    for (const base of ['own-warm-applied', 'own-applied']) {
      await this.#each('', WARM_UP, (i) => this.#delete(`${base}-${i}`), 'apply, own specs');
    }
  }

  #patchStatus(name: string, i: number): Promise<Buffer> {
    const status = { conditions: [{ type: 'Ready', status: 'True', reason: `r${i}` }] };
    const type = 'application/strategic-merge-patch+json';
    return this.#send('PATCH', `${pods}/${name}/status`, 200, JSON.stringify({ status }), type);
  }

  #patchMetadata(name: string, i: number): Promise<Buffer> {
    const metadata = { annotations: { touched: String(i) } };
    return this.#send('PATCH', `${pods}/${name}`, 200, JSON.stringify({ metadata }), 'application/merge-patch+json');
  }

  #apply(i: number, base: string, own = false): Promise<Buffer> {
    const path = `${pods}/${base}-${i}?fieldManager=bench`;
    return this.#send('PATCH', path, 201, JSON.stringify(podOf(i, base, own)), 'application/apply-patch+yaml');
  }

  #delete(name: string): Promise<Buffer> {
    return this.#send('DELETE', `${pods}/${name}?gracePeriodSeconds=0`, 200);
  }

  async #growth(): Promise<void> {
    print(`memory, ${PODS.toLocaleString('en')}`, megabytes(await this.usage({ settle: true })));
    await this.#each('growth', GROWN_PODS - PODS, (i) => this.#send('POST', pods, 201, JSON.stringify(podOf(PODS + i))));
    print(`memory, ${GROWN_PODS.toLocaleString('en')}`, megabytes(await this.usage({ settle: true })));
    await this.#once('list, grown', 3, () => this.#send('GET', pods, 200), 'growth');
    print('memory, listed', megabytes(await this.usage({ settle: true })));
  }

  #wanted(name: string): boolean {
    return only.size === 0 || only.has(name) || name === 'create';
  }

  /** Runs `work` `count` times, `WIDTH` at once. */
  /** `load` is the name that it is wanted by. Nothing is told of what has no name. */
  async #each(name: string, count: number, work: (i: number) => Promise<unknown>, load = name): Promise<void> {
    if (!this.#wanted(load)) return;
    const latencies: number[] = [];
    const before = await this.usage({ begin: name });
    const start = performance.now();
    let next = 0;
    await Promise.all(
      Array.from({ length: WIDTH }, async () => {
        for (let i = next++; i < count; i = next++) {
          const begun = performance.now();
          await work(i);
          latencies.push(performance.now() - begun);
        }
      }),
    );
    const elapsed = performance.now() - start;
    const cpu = ((await this.usage({ end: name })).cpu - before.cpu) / count;
    latencies.sort((a, b) => a - b);
    const at = (share: number): string => latencies[Math.floor(latencies.length * share)]!.toFixed(1);
    const rate = Math.round((count / elapsed) * 1000).toLocaleString('en');
    if (name !== '') print(name, `${rate}/s, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${Math.round(cpu)} us CPU`);
  }

  async #once(name: string, times: number, work: () => Promise<unknown>, load = name): Promise<void> {
    if (!this.#wanted(load)) return;
    await work();
    const before = await this.usage({ begin: name });
    const start = performance.now();
    for (let i = 0; i < times; i++) await work();
    const elapsed = (performance.now() - start) / times;
    const cpu = ((await this.usage({ end: name })).cpu - before.cpu) / times / 1000;
    print(name, `${elapsed.toFixed(0)} ms, ${cpu.toFixed(0)} ms CPU`);
  }

  async #pages(): Promise<void> {
    let token: string | undefined = '';
    while (token !== undefined) {
      const body = await this.#send('GET', `${pods}?limit=500${token === '' ? '' : `&continue=${token}`}`, 200);
      token = /"continue":"([^"]+)"/.exec(body.toString('latin1', 0, 400))?.[1];
    }
  }

  /** `WATCHERS` see `WATCHED_PODS` being touched, in a process of their own. */
  async #watch(): Promise<void> {
    const list = await this.#send('GET', `${pods}?limit=1`, 200);
    const version = /"resourceVersion":"(\d+)"/.exec(list.toString('latin1', 0, 400))![1]!;
    const { port, ca, cert, key } = this.#hello;
    const wanted = WATCHERS * WATCHED_PODS;
    const path = `${pods}?watch=true&resourceVersion=${version}`;
    const watchers = fork(join(import.meta.dirname, 'watchers.ts'));
    const report = async (): Promise<WatchersReport> => ((await once(watchers, 'message')) as [WatchersReport])[0];
    watchers.send({ port, ca, cert, key, watchers: WATCHERS, path, wanted } satisfies WatchersTask);
    await report();
    const seen = report();
    const before = await this.usage({ begin: 'watch' });
    const start = performance.now();
    let next = 0;
    const touch = async (): Promise<void> => {
      for (let i = next++; i < WATCHED_PODS; i = next++) {
        const body = JSON.stringify({ metadata: { annotations: { sent: String(Date.now()) } } });
        await this.#send('PATCH', `${pods}/pod-${i}`, 200, body, 'application/merge-patch+json');
      }
    };
    await Promise.all(Array.from({ length: WIDTH }, touch));
    const told = await seen;
    const elapsed = performance.now() - start;
    const cpu = ((await this.usage({ end: 'watch' })).cpu - before.cpu) / wanted;
    const rate = Math.round((wanted / elapsed) * 1000).toLocaleString('en');
    if (told.type !== 'seen') throw new Error('the watchers began twice');
    const client = `the watchers' own ${(told.cpu / wanted).toFixed(1)}`;
    print('watch', `${rate} events/s, p50 ${told.p50} ms, p99 ${told.p99} ms, ${cpu.toFixed(1)} us CPU an event (${client})`);
    watchers.disconnect();
    await once(watchers, 'exit');
  }

  #send(method: string, path: string, code: number, body?: string, type?: string): Promise<Buffer> {
    return send({ port: this.#hello.port, agent: this.#agent }, method, path, code, body, type);
  }
}

/** One of the pods of a load. `own`: with a spec of its own, not that of a template. */
const podOf = (i: number, base = 'pod', own = false): object =>
  podNamed(`${base}-${i}`, {
    labels: { shard: String(i % 100) },
    ...(own ? { env: [{ name: 'SELF', value: `${base}-${i}` }] } : {}),
  });

if (process.argv[2] === 'serve') await serve(process.argv[3]!);
else await run();
