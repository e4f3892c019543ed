import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../util/clock.ts';
import { silentLogger } from '../util/logger.ts';
import { systemRandom } from '../util/random.ts';
import type { Codec } from './collection.ts';
import { EntryTooLargeError, StoreUnavailableError } from './contract.ts';
import { bytes, describeStore, WatchLog } from './contract-test.ts';
import { openEtcdStore } from './etcd.ts';
import { openCollection } from './memory-collection.ts';
import { EtcdServer, etcdIsThere, freePort } from './test-support/etcd-server.ts';

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

describe.skipIf(!etcdIsThere())('over a real etcd', () => {
  let server: EtcdServer;
  beforeAll(async () => {
    server = await EtcdServer.create();
    await server.start();
    await (await server.ready()).close();
  });
  afterAll(async () => {
    await server.remove();
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

  it('refuses what is too large for etcd, and takes the next', async () => {
    const store = await server.open();
    for (const size of [1_600_000, 2_500_000]) {
      const put = store.commit([{ type: 'put', key: '/registry/large', value: new Uint8Array(size) }]);
      await expect(put).rejects.toThrow(EntryTooLargeError);
    }
    await store.commit([{ type: 'put', key: '/registry/large', value: new Uint8Array(1_000) }]);
    await store.close();
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
