import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../store/memory-store.ts';
import { systemClock } from '../../util/clock.ts';
import { silentLogger } from '../../util/logger.ts';
import { TestServer } from '../test-server.ts';

/** What the server itself does at its start. */
const HOOKS = [
  'start-apiserver-admission-initializer',
  'generic-apiserver-start-informers',
  'start-service-ip-repair-controllers',
  'start-kubernetes-service-cidr-controller',
  'start-apiextensions-informers',
  'start-apiextensions-controllers',
  'crd-informer-synced',
]
  .map((name) => `[+]poststarthook/${name} ok\n`)
  .join('');

let api: TestServer;
let broken = false;

beforeAll(async () => {
  const store = createMemoryStore({ clock: systemClock, logger: silentLogger });
  const { list } = store;
  store.list = (prefix, options) =>
    broken ? Promise.reject(new Error('the disk is on fire')) : list.call(store, prefix, options);
  api = await TestServer.start({ store });
});
afterAll(() => api.close());

describe('health', () => {
  it('is one word when all is well', async () => {
    for (const path of ['/healthz', '/livez', '/readyz', '/livez/ping', '/readyz/etcd', '/healthz/etcd']) {
      const answer = await api.get(path);
      expect([path, answer.code, answer.body.toString()]).toEqual([path, 200, 'ok']);
      expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
    }
    expect((await api.get('/livez/nothing')).code).toBe(404);
  });

  it('tells each check when asked', async () => {
    expect((await api.get('/livez?verbose')).body.toString()).toBe(
      `[+]ping ok\n[+]log ok\n[+]etcd ok\n${HOOKS}livez check passed\n`,
    );
    expect((await api.get('/readyz?verbose&exclude=etcd')).body.toString()).toBe(
      `[+]ping ok\n[+]log ok\n[+]etcd excluded: ok\n[+]etcd-readiness ok\n[+]informer-sync ok\n${HOOKS}[+]shutdown ok\nreadyz check passed\n`,
    );
    expect((await api.get('/livez?verbose&exclude=odd')).body.toString()).toContain(
      'warn: some health checks cannot be excluded: no matches for "odd"\n',
    );
  });

  it('tells what is wrong to those who ask for it, and to others that something is', async () => {
    broken = true;
    const answer = await api.get('/readyz');
    expect([answer.code, answer.body.toString()]).toEqual([
      500,
      `[+]ping ok\n[+]log ok\n[-]etcd failed: reason withheld\n[-]etcd-readiness failed: reason withheld\n[+]informer-sync ok\n${HOOKS}[+]shutdown ok\nreadyz check failed\n`,
    ]);
    expect((await api.get('/livez/etcd')).body.toString()).toBe('internal server error: the disk is on fire\n');
    expect((await api.get('/livez?exclude=etcd')).code).toBe(200);
    broken = false;
  });

  it('waits for the parts of the start', async () => {
    let finish = (): void => {};
    let fail = (_reason: Error): void => {};
    api.server.startHooks.add(['slow'], new Promise<void>((resolve) => (finish = resolve)));
    api.server.startHooks.add(['odd/one'], new Promise<void>((_, reject) => (fail = reject)));
    const body = async (path: string): Promise<string> => (await api.get(path)).body.toString();
    expect(await body('/readyz')).toContain('\n[-]poststarthook/slow failed: reason withheld\n');
    expect(await body('/livez/poststarthook/slow')).toBe('internal server error: not finished\n');
    finish();
    fail(new Error('no such luck'));
    expect(await body('/readyz/poststarthook/slow')).toBe('ok');
    expect(await body('/healthz/poststarthook/odd/one')).toBe('internal server error: no such luck\n');
    expect((await api.get('/readyz?exclude=poststarthook/odd/one')).code).toBe(200);
    expect((await api.get('/readyz/poststarthook/none')).code).toBe(404);
    expect((await api.get('/')).json.paths).toContain('/livez/poststarthook/odd/one');
  });

  it('has a version and a list of paths', async () => {
    expect((await api.get('/version')).json).toMatchObject({ major: '1', minor: '36', gitVersion: 'v1.36.0+k8ts' });
    const { paths } = (await api.get('/')).json;
    for (const path of ['/api/v1', '/apis/apps', '/apis/apps/v1', '/healthz', '/livez/etcd', '/openapi/v2', '/version']) {
      expect(paths).toContain(path);
    }
  });
});
