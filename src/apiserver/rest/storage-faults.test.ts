import { afterEach, expect, it } from 'vitest';
import { StoreUnavailableError } from '../../store/contract.ts';
import type { EngineBatch } from '../../store/engine.ts';
import { LogStore } from '../../store/log-store.ts';
import { createMemoryStore, MemoryEngine } from '../../store/memory-store.ts';
import { VirtualClock } from '../../util/clock.ts';
import { silentLogger } from '../../util/logger.ts';
import { TestServer } from '../test-server.ts';

const START = Date.parse('2026-01-01T00:00:00Z');
const maps = '/api/v1/namespaces/default/configmaps';
let server: TestServer;

afterEach(() => server.close());

/** An engine on a disk that can be full. */
class FullEngine extends MemoryEngine {
  full = false;
  override apply(batch: EngineBatch): Promise<void> {
    if (this.full) return Promise.reject(new StoreUnavailableError('the disk is full: nothing was written; make room'));
    return super.apply(batch);
  }
}

it('answers a write that the disk has no room for with a 500 that says so, reads on, and writes again when there is room', async () => {
  const engine = new FullEngine();
  const clock = new VirtualClock(START);
  const store = new LogStore({ engine, clock, logger: silentLogger, schedule: queueMicrotask });
  server = await TestServer.start({ store });
  await server.post('/api/v1/namespaces', { metadata: { name: 'default' } });
  const made = await server.post(maps, { metadata: { name: 'one' }, data: { a: '1' } });
  engine.full = true;
  const refusals = await Promise.all([
    server.post(maps, { metadata: { name: 'two' } }),
    server.put(`${maps}/one`, { ...made.json, data: { a: '2' } }),
    server.patch(`${maps}/one`, 'application/merge-patch+json', { data: { a: '3' } }),
    server.remove(`${maps}/one`),
  ]);
  for (const { code, json } of refusals) {
    expect([code, json]).toEqual([
      500,
      {
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message: 'the disk is full: nothing was written; make room',
        code: 500,
      },
    ]);
  }
  expect((await server.get(`${maps}/one`)).json).toEqual(made.json);
  expect((await server.get(`${maps}/two`)).code).toBe(404);
  engine.full = false;
  const changed = await server.put(`${maps}/one`, { ...made.json, data: { a: '2' } });
  expect([changed.code, changed.json.data]).toEqual([200, { a: '2' }]);
  expect(Number(changed.json.metadata.resourceVersion)).toBeGreaterThan(Number(made.json.metadata.resourceVersion));
});

it('forgets events after an hour, and tells watchers', async () => {
  const clock = new VirtualClock(START);
  // Not the store of other tests: the leases of etcd go by its own clock.
  server = await TestServer.start({ clock, store: createMemoryStore({ clock, logger: silentLogger }) });
  await server.post('/api/v1/namespaces', { metadata: { name: 'default' } });
  const events = '/api/v1/namespaces/default/events';
  const about = { involvedObject: { kind: 'Pod', namespace: 'default', name: 'x' }, reason: 'Seen', type: 'Normal' };
  expect((await server.post(events, { metadata: { name: 'early' }, ...about })).code).toBe(201);
  await clock.advance(1_800_000);
  expect((await server.post(events, { metadata: { name: 'late' }, ...about })).code).toBe(201);
  const list = await server.get(events);
  expect(list.json.items).toHaveLength(2);
  const watching = await server.watch(`${events}?watch=1&resourceVersion=${list.json.metadata.resourceVersion}`);
  await clock.advance(1_802_000);
  const event = await watching.next();
  expect([event.type, event.object.metadata.name]).toEqual(['DELETED', 'early']);
  expect((await server.get(events)).json.items.map((e: { metadata: { name: string } }) => e.metadata.name)).toEqual(['late']);
  watching.stop();
});
