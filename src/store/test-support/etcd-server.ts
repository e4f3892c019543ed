import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../util/clock.ts';
import { silentLogger } from '../../util/logger.ts';
import { systemRandom } from '../../util/random.ts';
import type { Store } from '../contract.ts';
import { type EtcdStoreOptions, openEtcdStore } from '../etcd.ts';

const ETCD = '/usr/bin/etcd';

/** Whether Debian's etcd-server is installed; says so when it is not. */
export function etcdIsThere(): boolean {
  if (existsSync(ETCD)) return true;
  console.warn(`${ETCD} is not there: nothing is tested over etcd`);
  return false;
}

/** An etcd of its own on loopback. */
export class EtcdServer {
  readonly directory: string;
  readonly #port: number;
  readonly #peerPort: number;
  #child: ChildProcess | undefined;
  private constructor(directory: string, port: number, peerPort: number) {
    this.directory = directory;
    this.#port = port;
    this.#peerPort = peerPort;
  }
  static async create(): Promise<EtcdServer> {
    return new EtcdServer(await mkdtemp(join(tmpdir(), 'k8ts-etcd-')), await freePort(), await freePort());
  }
  get endpoint(): string {
    return `127.0.0.1:${this.#port}`;
  }
  async start(tls?: { readonly ca: string; readonly cert: string; readonly key: string }): Promise<void> {
    const client = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.#port}`;
    const peer = `http://127.0.0.1:${this.#peerPort}`;
    const args = ['--data-dir', join(this.directory, 'data'), '--listen-client-urls', client, '--advertise-client-urls', client];
    args.push('--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`);
    if (tls !== undefined) {
      args.push('--client-cert-auth', '--trusted-ca-file', tls.ca, '--cert-file', tls.cert, '--key-file', tls.key);
    }
    this.#child = spawn(ETCD, args, { stdio: 'ignore' });
  }
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }
  /** Stops it and deletes what it had. */
  async remove(): Promise<void> {
    await this.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
  open(tls?: EtcdStoreOptions['tls']): Promise<Store> {
    return openEtcdStore({
      endpoints: [this.endpoint],
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      ...(tls === undefined ? {} : { tls }),
    });
  }
  /** Why a running server is refused. */
  async refusal(tls: EtcdStoreOptions['tls']): Promise<Error> {
    for (;;) {
      const error = await this.open(tls).then(
        () => new Error('not refused'),
        (fault: Error) => fault,
      );
      if (!error.message.includes('ECONNREFUSED')) return error;
      await systemClock.sleep(100);
    }
  }
  /** Opens as soon as the server answers. */
  async ready(tls?: EtcdStoreOptions['tls']): Promise<Store> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.open(tls);
      } catch (error) {
        if (attempt > 50) throw error;
        await systemClock.sleep(100);
      }
    }
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}
