import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../util/clock.ts';
import { silentLogger } from '../../util/logger.ts';
import { fieldManager } from '../field-manager/field-manager.ts';
import { TestServer } from '../test-server.ts';
import { openTestStore, TEST_ETCD } from '../test-store.ts';

const NAMESPACE = '/api/v1/namespaces/default';

/** Two API servers that know of each other by nothing but the etcd they share. */
describe.skipIf(process.env[TEST_ETCD] === undefined)('two API servers on one etcd', () => {
  let servers: readonly [TestServer, TestServer];
  /** Somebody who writes config maps into the store that the servers share. */
  let direct: {
    put(name: string, n: string): Promise<unknown>;
    remove(name: string): Promise<unknown>;
    close(): Promise<void>;
  };
  beforeAll(async () => {
    const prefix = `/${randomUUID()}`;
    const start = async (): Promise<TestServer> =>
      TestServer.start({
        store: await openTestStore(systemClock, silentLogger, prefix),
        serviceCidrs: ['10.0.0.0/24'],
        fieldManager: fieldManager(),
      });
    servers = [await start(), await start()];
    const store = await openTestStore(systemClock, silentLogger, prefix);
    const key = (name: string): string => `/registry/configmaps/default/${name}`;
    direct = {
      put: (name, n) => {
        const metadata = { name, namespace: 'default', uid: 'a-uid', creationTimestamp: '2026-01-01T00:00:00Z' };
        const value = Buffer.from(JSON.stringify({ kind: 'ConfigMap', apiVersion: 'v1', metadata, data: { n } }));
        return store.commit([{ type: 'put', key: key(name), value }]);
      },
      remove: (name) => store.commit([{ type: 'delete', key: key(name) }]),
      close: () => store.close(),
    };
    await servers[0].post('/api/v1/namespaces', { metadata: { name: 'default' } });
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.close()));
    await direct.close();
  });
  const either = (i: number): TestServer => servers[i % 2]!;

  it('read what the other one has just written', async () => {
    for (let i = 0; i < 20; i++) {
      const made = await either(i).post(`${NAMESPACE}/configmaps`, { metadata: { name: `seen-${i}` } });
      expect(made.code).toBe(201);
      expect((await either(i + 1).get(`${NAMESPACE}/configmaps/seen-${i}`)).code).toBe(200);
      const list = await either(i + 1).get(`${NAMESPACE}/configmaps`);
      expect(list.json.items.map((item: { metadata: { name: string } }) => item.metadata.name)).toContain(`seen-${i}`);
    }
  });

  it('answer with what anybody has written before, whoever it was', async () => {
    const path = `${NAMESPACE}/configmaps/fresh`;
    await either(0).post(`${NAMESPACE}/configmaps`, { metadata: { name: 'fresh' }, data: { n: '0' } });
    for (let i = 1; i <= 30; i++) {
      // Straight into the store: none of the servers has heard of it when it is asked.
      await direct.put('fresh', String(i));
      expect((await either(i).get(path)).json.data).toEqual({ n: String(i) });
    }
    await direct.remove('fresh');
    expect((await either(0).request('DELETE', path)).code).toBe(404);
    await direct.put('fresh', '31');
    expect((await either(1).request('DELETE', path)).code).toBe(200);
  });

  it('give a name to one of those who want it', async () => {
    const asked = Array.from({ length: 60 }, (_, i) =>
      either(i).post(`${NAMESPACE}/configmaps`, { metadata: { name: `wanted-${Math.floor(i / 2)}` } }),
    );
    const codes = (await Promise.all(asked)).map((answer) => answer.code);
    expect(codes.filter((code) => code === 201)).toHaveLength(30);
    expect(codes.filter((code) => code === 409)).toHaveLength(30);
  });

  it('lose no update, whichever of them takes it', async () => {
    const path = `${NAMESPACE}/configmaps/counter`;
    await either(0).post(`${NAMESPACE}/configmaps`, { metadata: { name: 'counter' }, data: { n: '0' } });
    const increment = async (i: number): Promise<void> => {
      for (;;) {
        const { json } = await either(i).get(path);
        const answer = await either(i).put(path, { ...json, data: { n: String(Number(json.data.n) + 1) } });
        if (answer.code === 200) return;
        expect(answer.code).toBe(409);
      }
    };
    await Promise.all(
      Array.from({ length: 12 }, async (_, i) => {
        for (let round = 0; round < 5; round++) await increment(i);
      }),
    );
    expect((await either(0).get(path)).json.data.n).toBe('60');
    expect((await either(1).get(path)).json.data.n).toBe('60');
  });

  it('take every patch and every configuration, however many come at once', async () => {
    const path = `${NAMESPACE}/configmaps/crowd`;
    const applied = await Promise.all(
      Array.from({ length: 20 }, (_, i) => {
        const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'crowd' }, data: { [`a${i}`]: '' } };
        return either(i).patch(`${path}?fieldManager=m${i}`, 'application/apply-patch+yaml', config);
      }),
    );
    expect(applied.map((answer) => answer.code).sort()).toEqual([...Array.from({ length: 19 }, () => 200), 201]);
    const patched = await Promise.all(
      Array.from({ length: 20 }, (_, i) => either(i).patch(path, 'application/merge-patch+json', { data: { [`p${i}`]: '' } })),
    );
    expect(patched.map((answer) => answer.code)).toEqual(patched.map(() => 200));
    expect(Object.keys((await either(0).get(path)).json.data)).toHaveLength(40);
  });

  it('show the same changes in the same order', async () => {
    const { json } = await either(0).get(`${NAMESPACE}/configmaps`);
    const since = json.metadata.resourceVersion as string;
    const watches = await Promise.all(
      servers.map((server) => server.watch(`${NAMESPACE}/configmaps?watch=1&resourceVersion=${since}`)),
    );
    await Promise.all(
      Array.from({ length: 30 }, (_, i) => either(i).post(`${NAMESPACE}/configmaps`, { metadata: { name: `order-${i}` } })),
    );
    const [one, two] = await Promise.all(
      watches.map(async (watching) => {
        const events: string[] = [];
        for (let i = 0; i < 30; i++) {
          const event = await watching.next();
          events.push(`${event.type} ${event.object.metadata.name} ${event.object.metadata.resourceVersion}`);
        }
        watching.stop();
        return events;
      }),
    );
    expect(one).toEqual(two);
    const versions = one!.map((event) => Number(event.split(' ')[2]));
    expect(versions).toEqual([...versions].sort((a, b) => a - b));
    expect(new Set(versions).size).toBe(30);
  });

  it('give no address and no port of a node twice', async () => {
    const services = Array.from({ length: 60 }, (_, i) =>
      either(i).post(`${NAMESPACE}/services`, {
        metadata: { name: `service-${i}` },
        spec: { type: 'NodePort', ports: [{ port: 80 }] },
      }),
    );
    const answers = await Promise.all(services);
    expect(answers.map((answer) => answer.code)).toEqual(answers.map(() => 201));
    expect(new Set(answers.map((answer) => answer.json.spec.clusterIP)).size).toBe(60);
    expect(new Set(answers.map((answer) => answer.json.spec.ports[0].nodePort)).size).toBe(60);
  });
});
