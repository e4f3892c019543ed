import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseKubeconfig } from '../../src/client/kubeconfig.ts';
import { serverFile, serverFlags } from '../../src/cluster/process.ts';
import { root } from './machine.ts';

/** How often a starting control plane is asked whether it is there, in milliseconds. */
const READY_POLL_MS = 10;

export interface Answer {
  readonly code: number;
  // biome-ignore lint/suspicious/noExplicitAny: what a test looks at is its own affair
  readonly json: any;
}

/** `k8ts run` with one simulated node as a child process, and its administrator. Over HTTPS on loopback. */
export class ControlPlaneProcess {
  readonly directory: string;
  readonly port: number;
  #child: ChildProcess | undefined;
  #agent: Agent | undefined;

  private constructor(directory: string, port: number) {
    this.directory = directory;
    this.port = port;
  }

  static async create(directory: string, more: object = {}): Promise<ControlPlaneProcess> {
    spawnSync(join(root, 'k8ts'), ['--version']);
    const plane = new ControlPlaneProcess(directory, await freePort());
    mkdirSync(directory, { recursive: true });
    const config = { port: plane.port, bindAddress: '127.0.0.1', nodeName: 'test', simulatedNodes: 1, ...more };
    const ranges = { clusterCidr: '10.244.0.0/16', serviceCidr: '10.96.0.0/12', dnsIp: '10.96.0.10' };
    writeFileSync(
      join(directory, 'config.json'),
      JSON.stringify({ ...config, ...ranges, clusterDomain: 'cluster.local', bridge: 'k8ts0' }),
    );
    return plane;
  }

  /** Starts it; does not wait. */
  spawn(): void {
    const program = [...serverFlags, serverFile(join(root, 'dist')), this.directory];
    this.#child = spawn(process.execPath, program, {
      stdio: ['ignore', 'ignore', 'ignore'],
      env: { ...process.env, NODE_COMPILE_CACHE: join(root, '.cache/compile') },
    });
  }

  /** Resolves when the API is ready; rejects when the process ends instead. */
  async ready(): Promise<void> {
    for (;;) {
      if (this.#child?.exitCode !== null) throw new Error(`k8ts ended with ${this.#child?.exitCode}`);
      const code = await this.request('GET', '/readyz').then(
        (answer) => answer.code,
        () => 0,
      );
      if (code === 200) return;
      await pause(READY_POLL_MS);
    }
  }

  async start(): Promise<void> {
    this.spawn();
    await this.ready();
  }

  /** Ends it and waits until it is gone. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
    this.#agent?.destroy();
    this.#agent = undefined;
  }

  k8ts(...args: readonly string[]): { readonly code: number; readonly output: string } {
    const done = spawnSync(join(root, 'k8ts'), [...args, '--data-dir', this.directory], { encoding: 'utf8' });
    return { code: done.status ?? -1, output: done.stdout + done.stderr };
  }

  /** Rejects when no whole answer comes. */
  async request(method: string, path: string, body?: unknown, contentType = 'application/json'): Promise<Answer> {
    const answer = await this.open(method, path, body, contentType);
    const parts: Buffer[] = [];
    for await (const part of answer) parts.push(part as Buffer);
    const text = Buffer.concat(parts).toString();
    const isJson = String(answer.headers['content-type']).startsWith('application/json');
    return { code: answer.statusCode ?? 0, json: isJson ? JSON.parse(text) : text };
  }

  open(method: string, path: string, body?: unknown, contentType = 'application/json'): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const headers = text === undefined ? {} : { 'content-type': contentType, 'content-length': Buffer.byteLength(text) };
      const options = { host: '127.0.0.1', port: this.port, method, path, headers, agent: this.#administrator() };
      const asking = request(options, resolve);
      asking.on('error', reject);
      asking.end(text);
    });
  }

  #administrator(): Agent {
    if (this.#agent !== undefined) return this.#agent;
    const { clusters, users } = parseKubeconfig(readFileSync(join(this.directory, 'admin.conf'), 'utf8'));
    const pem = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'base64');
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: 32,
      ca: pem(clusters?.[0]?.cluster['certificate-authority-data']),
      cert: pem(users?.[0]?.user['client-certificate-data']),
      key: pem(users?.[0]?.user['client-key-data']),
    });
    return this.#agent;
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
