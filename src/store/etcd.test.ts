import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../util/clock.ts';
import { silentLogger } from '../util/logger.ts';
import { systemRandom } from '../util/random.ts';
import type { Codec } from './collection.ts';
import { type Store, StoreUnavailableError } from './contract.ts';
import { bytes, describeStore, WatchLog } from './contract-test.ts';
import { type EtcdStoreOptions, openEtcdStore } from './etcd.ts';
import { openCollection } from './memory-collection.ts';

const ETCD = '/usr/bin/etcd';
const present = existsSync(ETCD);
if (!present) console.warn(`${ETCD} is not there: the etcd store is not tested`);

/** An etcd of its own on loopback. */
class EtcdServer {
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

/** A certificate authority, and one certificate for an address that serves both sides. PEM. */
async function makePki(address = '127.0.0.1'): Promise<{ readonly ca: string; readonly cert: string; readonly key: string }> {
  // The library wants the polyfill to be there before it.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(crypto);
  const signingAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const [authority, own] = await Promise.all([
    crypto.subtle.generateKey(signingAlgorithm, true, ['sign', 'verify']),
    crypto.subtle.generateKey(signingAlgorithm, true, ['sign', 'verify']),
  ]);
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=test',
    keys: authority,
    signingAlgorithm,
    extensions: [new x509.BasicConstraintsExtension(true)],
  });
  const cert = await x509.X509CertificateGenerator.create({
    subject: 'CN=etcd',
    issuer: ca.subject,
    publicKey: own.publicKey,
    signingKey: authority.privateKey,
    signingAlgorithm,
    extensions: [
      new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: address }]),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
    ],
  });
  const key = x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', own.privateKey), 'PRIVATE KEY');
  return { ca: ca.toString('pem'), cert: cert.toString('pem'), key };
}

function freePort(): Promise<number> {
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

describe.skipIf(!present)('over a real etcd', () => {
  let server: EtcdServer;
  beforeAll(async () => {
    server = await EtcdServer.create();
    await server.start();
    await (await server.ready()).close();
  });
  afterAll(async () => {
    await server.stop();
    await rm(server.directory, { recursive: true, force: true });
  });

  describeStore('etcd', async () => {
    let store = await server.open();
    // What an earlier test left behind.
    for (const { key } of (await store.list('')).entries) await store.commit([{ type: 'delete', key }]);
    await store.close();
    store = await server.open();
    return {
      store,
      clock: undefined,
      reopen: async () => {
        await store.close();
        store = await server.open();
        return store;
      },
      dispose: () => store.close(),
    };
  });

  it('serves a collection, and two of them see each other', async () => {
    const codec: Codec<string> = {
      encode: (object) => bytes(object),
      decode: (value) => Buffer.from(value).toString(),
      withRevision: (object) => object,
      wire: (object) => bytes(object),
    };
    const [one, two] = [await server.open(), await server.open()];
    const base = { prefix: '/c/', codec, clock: systemClock, logger: silentLogger };
    const [a, b] = [await openCollection({ store: one, ...base }), await openCollection({ store: two, ...base })];
    const written = await a.write({ type: 'put', key: '/c/1', object: 'x' });
    expect(a.get('/c/1')).toBe(written);
    await b.waitFor(written.revision);
    expect(b.get('/c/1')?.object).toBe('x');
    const { revision } = await two.commit([{ type: 'put', key: '/other', value: bytes('') }]);
    await a.waitFor(revision);
    const gone = await b.write({ type: 'delete', key: '/c/1', expectedRevision: written.revision });
    expect(gone.object).toBe('x');
    await a.waitFor(gone.revision);
    expect(a.get('/c/1')).toBeUndefined();
    a.close();
    b.close();
    await Promise.all([one.close(), two.close()]);
  });

  it('goes to the next endpoint when one does not answer', async () => {
    const store = await openEtcdStore({
      endpoints: [`127.0.0.1:${await freePort()}`, server.endpoint],
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
    });
    const { revision } = await store.commit([{ type: 'put', key: '/f/1', value: bytes('x') }]);
    expect((await store.get('/f/1'))?.modRevision).toBe(revision);
    await store.close();
  });

  it('speaks TLS with client certificates', async () => {
    const pki = await makePki();
    const secured = await EtcdServer.create();
    try {
      const files = {
        ca: join(secured.directory, 'ca'),
        cert: join(secured.directory, 'cert'),
        key: join(secured.directory, 'key'),
      };
      await Promise.all([writeFile(files.ca, pki.ca), writeFile(files.cert, pki.cert), writeFile(files.key, pki.key)]);
      await secured.start(files);
      const tls = { ca: bytes(pki.ca), cert: bytes(pki.cert), key: bytes(pki.key) };
      const store = await secured.ready(tls);
      await store.commit([{ type: 'put', key: '/t/1', value: bytes('x') }]);
      expect((await store.list('/t/')).entries).toHaveLength(1);
      await store.close();
      await expect(secured.open({ ca: bytes(pki.ca) })).rejects.toBeInstanceOf(StoreUnavailableError);
      // Its certificate is for another name.
      const elsewhere = await makePki('127.0.0.2');
      await expect(secured.open({ ...tls, ca: bytes(elsewhere.ca) })).rejects.toBeInstanceOf(StoreUnavailableError);
      const misnamed = await EtcdServer.create();
      const wrong = {
        ca: join(secured.directory, 'ca2'),
        cert: join(secured.directory, 'cert2'),
        key: join(secured.directory, 'key2'),
      };
      await Promise.all([
        writeFile(wrong.ca, elsewhere.ca),
        writeFile(wrong.cert, elsewhere.cert),
        writeFile(wrong.key, elsewhere.key),
      ]);
      await misnamed.start(wrong);
      const refused = await misnamed
        .refusal({ ca: bytes(elsewhere.ca), cert: bytes(elsewhere.cert), key: bytes(elsewhere.key) })
        .finally(() => misnamed.stop());
      expect(refused.message).toMatch(/altnames|IP: 127\.0\.0\.1 is not in the cert/);
      await rm(misnamed.directory, { recursive: true, force: true });
    } finally {
      await secured.stop();
      await rm(secured.directory, { recursive: true, force: true });
    }
  });

  it('says what to do when nobody answers', async () => {
    const error = await openEtcdStore({
      endpoints: [`127.0.0.1:${await freePort()}`],
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
    }).catch((fault: unknown) => fault);
    expect(error).toBeInstanceOf(StoreUnavailableError);
    expect((error as Error).message).toMatch(/cannot be used .*check that it runs/);
  });

  it('resumes its watches without gap or repeat when etcd comes back', async () => {
    const store = await server.open();
    const log = new WatchLog(store, '/r/', store.revision);
    const put = async (value: string): Promise<void> => {
      await store.commit([{ type: 'put', key: '/r/1', value: bytes(value) }]);
    };
    await put('1');
    await log.count(1);
    await server.stop();
    await expect(put('lost')).rejects.toBeInstanceOf(StoreUnavailableError);
    await server.start();
    const other = await server.ready();
    await other.commit([{ type: 'put', key: '/r/1', value: bytes('2') }]);
    await log.count(2);
    expect(log.lines).toEqual(['put /r/1 1', 'put /r/1 2']);
    await other.close();
    await store.close();
  });
});
