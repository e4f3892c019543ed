import { expect, test } from 'vitest';
import { expired, genericNotFound } from '../api/meta/status.ts';
import type { Pod } from '../api/types/core-v1.ts';
import { silentLogger } from '../util/logger.ts';
import { createInformerFactory } from './informer.ts';
import { pods } from './resource-refs.ts';
import { createFixture } from './test-support/fixture.ts';

const pod = (name: string, namespace = 'default', labels?: Record<string, string>): Pod => ({
  metadata: { name, namespace, ...(labels === undefined ? {} : { labels }) },
  spec: { containers: [] },
});

function recording(): { log: string[]; handler: { onAdd(o: Pod): void; onUpdate(o: Pod): void; onDelete(o: Pod): void } } {
  const log: string[] = [];
  return {
    log,
    handler: {
      onAdd: (o) => log.push(`+${o.metadata?.name}`),
      onUpdate: (o) => log.push(`~${o.metadata?.name}`),
      onDelete: (o) => log.push(`-${o.metadata?.name}`),
    },
  };
}

test('lists, then follows the watch, and keeps indexes', async () => {
  const f = createFixture();
  await f.api.seed(pods, pod('a', 'one', { app: 'x' }));
  const informer = f.context.informers.informer(pods);
  expect(f.context.informers.informer(pods)).toBe(informer);
  informer.addIndex('app', (o) => (o.metadata?.labels?.['app'] === undefined ? [] : [o.metadata.labels['app']]));
  const { log, handler } = recording();
  informer.addHandler({
    onAdd: () => {
      throw new Error('a bad handler');
    },
  });
  informer.addHandler(handler);
  f.start();
  await informer.synced();
  expect(log).toEqual(['+a']);
  await f.client.resource(pods).create(pod('b', 'two', { app: 'x' }));
  await f.advance();
  f.api.change(pods, 'two/b', (o) => ({ ...o, metadata: { ...o.metadata, labels: { app: 'y' } } }));
  await f.client.resource(pods).delete('a', 'one');
  await f.advance();
  expect(log).toEqual(['+a', '+b', '~b', '-a']);
  expect(informer.list('two').map((o) => o.metadata?.name)).toEqual(['b']);
  expect(informer.list('one')).toEqual([]);
  expect(informer.byIndex('app', 'x')).toEqual([]);
  expect(informer.byIndex('app', 'y')).toHaveLength(1);
  f.stop();
});

test('goes on from the last revision when a watch ends, and lists again when it has expired', async () => {
  const f = createFixture();
  await f.api.seed(pods, pod('a'));
  await f.api.seed(pods, pod('b'));
  const informer = f.context.informers.informer(pods);
  const { log, handler } = recording();
  informer.addHandler(handler);
  f.start();
  await f.advance();
  await f.client.resource(pods).create(pod('c'));
  await f.advance(2000);
  f.api.endOneWatch();
  await f.advance();
  const lists = (): number => f.api.requests.filter((r) => r.verb === 'list').length;
  expect(lists()).toBe(1);
  await f.client.resource(pods).delete('a', 'default');
  await f.advance();
  expect(log).toEqual(['+a', '+b', '+c', '-a']);

  f.api.intercept = (request) => {
    if (request.verb === 'watch') throw expired('too old resource version');
  };
  f.api.endOneWatch();
  await f.advance();
  f.api.intercept = undefined;
  await f.client.resource(pods).delete('b', 'default');
  await f.client.resource(pods).create(pod('d'));
  await f.advance(60_000);
  expect(lists()).toBe(2);
  expect(log.slice(4).sort()).toEqual(['+d', '-b']);
  f.stop();
});

test('a watch whose type is gone is no fault, and goes on when the type is back', async () => {
  const f = createFixture();
  await f.api.seed(pods, pod('a'));
  const warnings: string[] = [];
  const logger = {
    ...silentLogger,
    warn: (_fields: unknown, message: string) => void warnings.push(message),
    child: () => logger,
  };
  const informers = createInformerFactory(f.client, { ...f.context, logger });
  const informer = informers.informer(pods);
  const stop = new AbortController();
  informers.start(stop.signal);
  await f.advance(2000);
  expect(informer.hasSynced).toBe(true);
  f.api.intercept = () => {
    throw genericNotFound();
  };
  f.api.endOneWatch();
  await f.advance(5000);
  expect(warnings).toEqual([]);
  f.api.intercept = undefined;
  await f.client.resource(pods).create(pod('b'));
  await f.advance(60_000);
  expect(informer.list().map((o) => o.metadata?.name)).toEqual(['a', 'b']);
  stop.abort();
  f.stop();
});

test('a failing list is tried again with backoff', async () => {
  const f = createFixture();
  await f.api.seed(pods, pod('a'));
  let failures = 3;
  f.api.intercept = () => {
    if (failures-- > 0) throw new Error('connection refused');
  };
  const informer = f.context.informers.informer(pods);
  f.start();
  await f.advance(100);
  expect(informer.hasSynced).toBe(false);
  await f.advance(30_000);
  expect(informer.hasSynced).toBe(true);
  f.stop();
});

test('an object made anew under the same name is a deletion and an addition', async () => {
  const f = createFixture();
  await f.api.seed(pods, pod('a'));
  const informer = f.context.informers.informer(pods);
  const { log, handler } = recording();
  informer.addHandler(handler);
  f.start();
  await f.advance();
  f.api.change(pods, 'default/a', (o) => ({ ...o, metadata: { ...o.metadata, uid: 'another' } }));
  await f.advance();
  expect(log).toEqual(['+a', '-a', '+a']);
  f.stop();
});
