/**
 * The control plane of the event loop's benchmark, in a process of its own: API server, embedded store, controllers, scheduler. It looks at
 * each turn of its loop while it is told to.
 */

import { Session } from 'node:inspector/promises';
import { join } from 'node:path';
import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { type ControlPlane, startControlPlane } from '../src/cluster/control-plane.ts';
import { ensurePki } from '../src/cluster/pki.ts';
import { openEmbeddedStore } from '../src/store/embedded.ts';
import { systemClock } from '../src/util/clock.ts';
import { silentLogger } from '../src/util/logger.ts';
import { systemRandom } from '../src/util/random.ts';
import { turn } from '../src/util/slice.ts';

/** Away from what clusters on this machine use. */
export const PORT = 36_443;

/** What it is asked. Each is answered once: the last two with a `Turns`. */
export type Ask = 'begin' | 'end' | 'restart';

/** The longest turns of the loop. A turn is measured in the processor's time too: what others did meanwhile on the machine is none of its fault. */
export interface Turns {
  /** Milliseconds by the clock, of the longest turn. */
  readonly wall: number;
  /** Milliseconds of the main thread's processor time, of the turn with most. */
  readonly cpu: number;
  /** Longest pause of the garbage collector, milliseconds. */
  readonly collector: number;
  /** What ran in the turn with most processor time, when profiles are wanted. */
  readonly stacks: readonly string[];
}

export interface Hello {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Looks at every turn of the loop from `begin` to `end`. */
class TurnProbe {
  #running = false;
  #wall = 0;
  #cpu = 0;
  #collector = 0;
  #window: readonly [from: number, to: number] = [0, 0];
  readonly #profiler: Session | undefined;

  constructor() {
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const { duration, detail } = entry as PerformanceEntry & { readonly detail: { readonly kind: number } };
        if (detail.kind !== constants.NODE_PERFORMANCE_GC_INCREMENTAL) this.#collector = Math.max(this.#collector, duration);
      }
    }).observe({ entryTypes: ['gc'] });
    if (process.env['STACKS'] === undefined) return;
    this.#profiler = new Session();
    this.#profiler.connect();
  }

  async begin(): Promise<void> {
    await this.#profiler?.post('Profiler.enable');
    await this.#profiler?.post('Profiler.setSamplingInterval', { interval: 500 });
    await this.#profiler?.post('Profiler.start');
    // The profiler takes a turn of its own.
    await turn();
    await turn();
    this.#running = true;
    [this.#wall, this.#cpu, this.#collector] = [0, 0, 0];
    let at = process.hrtime.bigint();
    let used = processorTime();
    const look = (): void => {
      const now = process.hrtime.bigint();
      const spent = processorTime();
      const wall = Number(now - at) / 1e6;
      if (wall > this.#wall) this.#wall = wall;
      const cpu = spent - used;
      if (cpu > this.#cpu) {
        this.#cpu = cpu;
        this.#window = [Number(at / 1000n), Number(now / 1000n)];
      }
      at = now;
      used = spent;
      if (this.#running) setImmediate(look);
    };
    setImmediate(look);
  }

  async end(): Promise<Turns> {
    await new Promise((resolve) => setTimeout(resolve, 5));
    this.#running = false;
    const profile = (await this.#profiler?.post('Profiler.stop'))?.profile;
    const stacks = profile === undefined ? [] : stacksIn(profile, this.#window);
    return { wall: this.#wall, cpu: this.#cpu, collector: this.#collector, stacks };
  }
}

/** Of this thread, milliseconds. */
function processorTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

type Profile = Awaited<ReturnType<typeof stopped>>;
const stopped = async (session: Session) => (await session.post('Profiler.stop')).profile;
/** Most functions told of a turn. */
const MAX_STACKS = 14;

/** The functions with most time within the window, with all that they called. */
function stacksIn({ nodes, samples, timeDeltas, startTime }: Profile, [from, to]: readonly [number, number]): readonly string[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id] as const)));
  const times = new Map<string, number>();
  let at = startTime;
  samples?.forEach((sample, i) => {
    const delta = timeDeltas?.[i] ?? 0;
    at += delta;
    if (at < from || at > to) return;
    const seen = new Set<string>();
    for (let id: number | undefined = sample; id !== undefined; id = parents.get(id)) {
      const { functionName, url, lineNumber } = byId.get(id)!.callFrame;
      const name = `${functionName} ${url.replace(/.*\/(src|node_modules)\//, '')}:${lineNumber + 1}`;
      if (!seen.has(name)) times.set(name, (times.get(name) ?? 0) + delta);
      seen.add(name);
    }
  });
  const most = [...times].sort((a, b) => b[1] - a[1]).slice(0, MAX_STACKS);
  return most.map(([name, time]) => `${(time / 1000).toFixed(1).padStart(7)} ms ${name}`);
}

const clock = systemClock;

async function serve(directory: string): Promise<void> {
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
  const start = async (): Promise<() => Promise<void>> => {
    const store = await openEmbeddedStore({ path: join(directory, 'store'), clock, logger: silentLogger });
    const stopping = new AbortController();
    const options = { store, config, pki, clock, random: systemRandom, logger: silentLogger };
    const plane: ControlPlane = await startControlPlane(options, stopping.signal);
    return async () => {
      stopping.abort();
      await plane.close();
      await store.close();
    };
  };
  const probe = new TurnProbe();
  let stop = await start();
  const answer = async (ask: Ask): Promise<Turns | undefined> => {
    if (ask === 'begin') await probe.begin();
    else if (ask === 'end') return probe.end();
    else {
      await stop();
      await probe.begin();
      stop = await start();
      return probe.end();
    }
    return undefined;
  };
  process.on('message', async (ask: Ask) => process.send!((await answer(ask)) ?? {}));
  process.once('disconnect', () => process.exit(0));
  const { cert, key } = pki.admin;
  process.send!({ ca: pki.ca.cert, cert, key } satisfies Hello);
}

if (process.argv[2] === 'serve') await serve(process.argv[3]!);
