/**
 * Whether the cost of a create, a get and a watch event depends on how many objects there are: the CPU that the API server's process spends on
 * each, at 1,000, 10,000 and 100,000 pods, over HTTPS, durable on disk. `node bench/growth.ts [number of pods …]`
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverFlags } from '../src/cluster/process.ts';
import { open, podNamed, send } from './requests.ts';

const given = process.argv.slice(2).map(Number);
const SIZES = given.length > 0 ? given : [1_000, 10_000, 100_000];
const WIDTH = 32;
/** Requests of each kind in a round: few against the smallest size, so that it stays what it is. */
const CREATES = 400;
const GETS = 4_000;
const DIFFERENT = 500;
const WATCHERS = 20;
/** The least of so many rounds counts: what else the machine does only adds. */
const ROUNDS = 10;
const WARM_UP_ROUNDS = 6;
const PODS = '/api/v1/namespaces/default/pods';

interface Hello {
  readonly port: number;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Microseconds of CPU each. */
interface Costs {
  readonly create: number;
  readonly get: number;
  /** With its share of the patch that caused it. */
  readonly event: number;
}

class Client {
  readonly #child: ChildProcess;
  readonly #hello: Hello;
  readonly #agent: Agent;

  constructor(child: ChildProcess, hello: Hello) {
    this.#child = child;
    this.#hello = hello;
    this.#agent = this.#newAgent(WIDTH);
  }

  #newAgent(maxSockets: number): Agent {
    const { ca, cert, key } = this.#hello;
    return new Agent({ keepAlive: true, maxSockets, ca, cert, key });
  }

  /** Microseconds that the server's process has used, and its memory that is no file's. */
  async usage(settle = false): Promise<{ readonly cpu: number; readonly anonymous: number }> {
    const answer = once(this.#child, 'message') as Promise<[{ readonly cpu: number; readonly anonymous: number }]>;
    this.#child.send({ settle });
    return (await answer)[0];
  }

  async create(name: string): Promise<void> {
    await this.#send('POST', PODS, 201, JSON.stringify(podNamed(name)));
  }

  /** One round of everything, among `size` pods; what it makes it takes away. */
  async round(size: number): Promise<Costs> {
    const create = await this.#cost(CREATES, (i) => this.create(`more-${i}`));
    // As many different ones at every size: the first get of each makes its bytes.
    const step = size / DIFFERENT;
    const get = await this.#cost(GETS, (i) => this.#send('GET', `${PODS}/pod-${(i % DIFFERENT) * step}`, 200));
    const event = await this.#eventCost();
    await each(0, CREATES, (i) => this.#send('DELETE', `${PODS}/more-${i}?gracePeriodSeconds=0`, 200));
    return { create, get, event };
  }

  async #cost(count: number, work: (i: number) => Promise<unknown>): Promise<number> {
    const before = await this.usage();
    await each(0, count, work);
    return ((await this.usage()).cpu - before.cpu) / count;
  }

  async #eventCost(): Promise<number> {
    const wanted = WATCHERS * CREATES;
    const list = await this.#send('GET', `${PODS}?limit=1`, 200);
    const version = /"resourceVersion":"(\d+)"/.exec(list.toString('latin1', 0, 400))![1]!;
    const agent = this.#newAgent(WATCHERS);
    const watch = (): Promise<IncomingMessage> =>
      open({ port: this.#hello.port, agent }, 'GET', `${PODS}?watch=true&resourceVersion=${version}`);
    const watches = await Promise.all(Array.from({ length: WATCHERS }, watch));
    const { promise: seen, resolve } = Promise.withResolvers<void>();
    let events = 0;
    for (const stream of watches) {
      stream.on('data', (chunk: Buffer) => {
        for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) events++;
        if (events >= wanted) resolve();
      });
    }
    const before = await this.usage();
    const body = JSON.stringify({ metadata: { annotations: { touched: version } } });
    await each(0, CREATES, (i) => this.#send('PATCH', `${PODS}/more-${i}`, 200, body, 'application/merge-patch+json'));
    await seen;
    const cost = ((await this.usage()).cpu - before.cpu) / wanted;
    for (const stream of watches) stream.destroy();
    agent.destroy();
    return cost;
  }

  #send(method: string, path: string, code: number, body?: string, type?: string): Promise<Buffer> {
    return send({ port: this.#hello.port, agent: this.#agent }, method, path, code, body, type);
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** `work` for every number from `from` up to `to`, `WIDTH` at once. */
async function each(from: number, to: number, work: (i: number) => Promise<unknown>): Promise<void> {
  let next = from;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < to; i = next++) await work(i);
  };
  await Promise.all(Array.from({ length: WIDTH }, worker));
}

const least = (rounds: readonly Costs[], of: keyof Costs): string => Math.min(...rounds.map((round) => round[of])).toFixed(1);

/** A server of its own that holds `size` pods. */
class Grown {
  readonly size: number;
  readonly rounds: Costs[] = [];
  readonly #directory = mkdtempSync(join(tmpdir(), 'k8ts-growth-'));
  readonly #child: ChildProcess;

  constructor(size: number) {
    this.size = size;
    const server = join(import.meta.dirname, 'apiserver.ts');
    this.#child = fork(server, ['serve', this.#directory], { execArgv: [...serverFlags, '--expose-gc'] });
  }

  async start(): Promise<Client> {
    const [hello] = (await once(this.#child, 'message')) as [Hello];
    const client = new Client(this.#child, hello);
    await each(0, this.size, (i) => client.create(`pod-${i}`));
    for (let i = 0; i < WARM_UP_ROUNDS; i++) await client.round(this.size);
    return client;
  }

  async end(): Promise<void> {
    const exit = once(this.#child, 'exit');
    this.#child.disconnect();
    await exit;
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

async function run(): Promise<void> {
  const servers: Grown[] = [];
  const clients: Client[] = [];
  try {
    for (const size of SIZES) {
      const server = new Grown(size);
      servers.push(server);
      clients.push(await server.start());
    }
    // In turns: what else the machine does falls on all of them alike.
    for (let i = 0; i < ROUNDS; i++) {
      for (const [at, server] of servers.entries()) server.rounds.push(await clients[at]!.round(server.size));
    }
    for (const [at, { size, rounds }] of servers.entries()) {
      const { anonymous } = await clients[at]!.usage(true);
      const costs = `create ${least(rounds, 'create')} us, get ${least(rounds, 'get')} us, watch event ${least(rounds, 'event')} us CPU`;
      console.log(`${size.toLocaleString('en').padStart(9)} pods: ${costs}; ${Math.round(anonymous / 1e6)} MB`);
    }
    for (const client of clients) client.close();
  } finally {
    for (const server of servers) await server.end();
  }
}

await run();
