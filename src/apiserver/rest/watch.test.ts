import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { VirtualClock } from '../../util/clock.ts';
import { TestServer } from '../test-server.ts';

let api: TestServer;
const clock = new VirtualClock();
const maps = '/api/v1/namespaces/w/configmaps';
const merge = 'application/merge-patch+json';

interface Event {
  readonly type: string;
  readonly object: { readonly metadata: { readonly name: string; readonly resourceVersion: string } };
}
const told = (events: readonly unknown[]): string[] =>
  events.map((event) => `${(event as Event).type} ${(event as Event).object.metadata.name ?? ''}`.trim());

beforeAll(async () => {
  api = await TestServer.start({ clock });
});
afterAll(() => api.close());

describe('watch', () => {
  it('begins with what is there, then tells each change', async () => {
    await api.post(maps, { metadata: { name: 'a' } });
    const watch = await api.watch(`${maps}?watch=true`);
    expect(watch.head.headers['content-type']).toBe('application/json');
    expect(watch.head.headers['transfer-encoding']).toBe('chunked');
    expect(told([await watch.next()])).toEqual(['ADDED a']);
    await api.post(maps, { metadata: { name: 'b' } });
    await api.patch(`${maps}/b`, merge, { data: { x: 'y' } });
    const before = (await api.get(`${maps}/b`)).json;
    await api.remove(`${maps}/b`);
    const events = (await watch.take(3)) as Event[];
    expect(told(events)).toEqual(['ADDED b', 'MODIFIED b', 'DELETED b']);
    // The last state, at the revision of the deletion.
    expect(Number(events[2]!.object.metadata.resourceVersion)).toBeGreaterThan(Number(before.metadata.resourceVersion));
    watch.stop();
  });

  it('goes on from a revision', async () => {
    const { resourceVersion } = (await api.get(maps)).json.metadata;
    await api.post(maps, { metadata: { name: 'c' } });
    await api.post('/api/v1/namespaces/elsewhere/configmaps', { metadata: { name: 'far' } });
    await api.post(maps, { metadata: { name: 'd' } });
    const watch = await api.watch(`${maps}?watch=1&resourceVersion=${resourceVersion}`);
    expect(told(await watch.take(2))).toEqual(['ADDED c', 'ADDED d']);
    watch.stop();
  });

  it('tells what comes into a selection and what leaves it', async () => {
    const watch = await api.watch(
      `${maps}?watch=true&labelSelector=on&resourceVersion=${(await api.get(maps)).json.metadata.resourceVersion}`,
    );
    const label = (on: string | null) => api.patch(`${maps}/a`, merge, { metadata: { labels: { on } } });
    await label('1');
    await label('2');
    const { resourceVersion } = (await label(null)).json.metadata;
    const events = (await watch.take(3)) as Event[];
    expect(told(events)).toEqual(['ADDED a', 'MODIFIED a', 'DELETED a']);
    expect(events[2]!.object.metadata).toMatchObject({ labels: { on: '2' }, resourceVersion });
    watch.stop();
  });

  it('follows one object by its name', async () => {
    const watch = await api.watch(`${maps}?watch=true&fieldSelector=metadata.name%3Dc`);
    expect(told([await watch.next()])).toEqual(['ADDED c']);
    await api.patch(`${maps}/d`, merge, { data: { n: '1' } });
    await api.patch(`${maps}/c`, merge, { data: { n: '1' } });
    expect(told([await watch.next()])).toEqual(['MODIFIED c']);
    watch.stop();
  });

  it('streams a list (KEP-3157)', async () => {
    const query = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
    const watch = await api.watch(`${maps}?${query}`);
    const { items, metadata } = (await api.get(maps)).json;
    const events = (await watch.take(items.length + 1)) as Event[];
    expect(events.slice(0, -1).every((e) => e.type === 'ADDED')).toBe(true);
    expect(events.at(-1)).toEqual({
      type: 'BOOKMARK',
      object: {
        kind: 'ConfigMap',
        apiVersion: 'v1',
        metadata: { resourceVersion: metadata.resourceVersion, annotations: { 'k8s.io/initial-events-end': 'true' } },
      },
    });
    watch.stop();
    expect((await api.get(`${maps}?watch=true&sendInitialEvents=true`)).json).toMatchObject({ code: 422 });
  });

  it('sends bookmarks, and ends in time', async () => {
    const { resourceVersion } = (await api.get(maps)).json.metadata;
    const watch = await api.watch(
      `${maps}?watch=true&timeoutSeconds=90&allowWatchBookmarks=true&resourceVersion=${resourceVersion}`,
    );
    await api.post('/api/v1/namespaces/elsewhere/configmaps', { metadata: { name: 'further' } });
    await clock.advance(60_000);
    const bookmark = (await watch.next()) as Event;
    expect(bookmark.type).toBe('BOOKMARK');
    expect(Number(bookmark.object.metadata.resourceVersion)).toBeGreaterThan(Number(resourceVersion));
    await clock.advance(30_000);
    expect(told([await watch.next()])).toEqual(['BOOKMARK']);
    expect(await watch.next()).toBeUndefined();
  });

  it('is served as messages of a WebSocket, to browsers', async () => {
    const socket = new WebSocket(`wss://localhost:${api.port}${maps}?watch=true&fieldSelector=metadata.name%3Dc`, ['odd'], {
      ca: api.pki.ca,
      headers: { authorization: 'Bearer admin' },
    });
    const messages: unknown[] = [];
    let arrived = (): void => {};
    socket.on('message', (data: Buffer) => {
      messages.push(JSON.parse(data.toString()));
      arrived();
    });
    const until = async (count: number): Promise<void> => {
      while (messages.length < count) {
        await new Promise<void>((resolve) => {
          arrived = resolve;
        });
      }
    };
    await until(1);
    await api.patch(`${maps}/c`, merge, { data: { n: 'socket' } });
    await until(2);
    expect(told(messages)).toEqual(['ADDED c', 'MODIFIED c']);
    expect(socket.protocol).toBe('odd');
    const before = clock.pendingTimers;
    socket.close();
    await once(socket, 'close');
    while (clock.pendingTimers >= before) await new Promise((resolve) => setImmediate(resolve));
  });

  it('says when it cannot begin that far back', async () => {
    await api.patch(`${maps}/a`, merge, { data: { n: '1' } });
    const { resourceVersion } = (await api.get(maps)).json.metadata;
    await clock.advance(400_000);
    for (const n of ['2', '3']) await api.patch(`${maps}/a`, merge, { data: { n } });
    const watch = await api.watch(`${maps}?watch=true&resourceVersion=${Number(resourceVersion) - 1}`);
    const event = (await watch.next()) as unknown as { readonly type: string; readonly object: object };
    expect(event).toMatchObject({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } });
    expect((event.object as { message: string }).message).toMatch(/^too old resource version: \d+ \(\d+\)$/);
    expect(await watch.next()).toBeUndefined();
  });

  it('ends when the server closes', async () => {
    const second = await TestServer.start();
    const watch = await second.watch(`${maps}?watch=true`);
    const end = watch.next();
    await second.close();
    expect(await end).toBeUndefined();
  });

  it('lets go of a watcher that has gone', async () => {
    const watch = await api.watch(`${maps}?watch=true&labelSelector=none`);
    const before = clock.pendingTimers;
    watch.stop();
    while (clock.pendingTimers >= before) await new Promise((resolve) => setImmediate(resolve));
  });
});
