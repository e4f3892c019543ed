import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../util/clock.ts';
import { deepFreeze } from '../util/deep-freeze.ts';
import { silentLogger } from '../util/logger.ts';
import type { Change, Codec, Collection, CollectionSnapshot } from './collection.ts';
import { CompactedError, PreconditionError, type Store, type StoreWatchHandler } from './contract.ts';
import { openEmbeddedStore } from './embedded.ts';
import { openCollection } from './memory-collection.ts';
import { createMemoryStore } from './memory-store.ts';

interface Item {
  readonly name: string;
  readonly data: string;
  readonly revision?: number;
}

/** Counts what the collection asks of it. */
class CountingCodec implements Codec<Item> {
  encoded = 0;
  decoded = 0;
  wired = 0;
  encode({ name, data }: Item): Uint8Array {
    this.encoded++;
    return Buffer.from(JSON.stringify({ name, data }));
  }
  decode(bytes: Uint8Array, revision: number): Item {
    this.decoded++;
    return deepFreeze({ ...(JSON.parse(Buffer.from(bytes).toString()) as Item), revision });
  }
  withRevision(object: Item, revision: number): Item {
    return deepFreeze({ ...object, revision });
  }
  wire(object: Item): Uint8Array {
    this.wired++;
    return Buffer.from(JSON.stringify(object));
  }
}

const item = (name: string, data = ''): Item => deepFreeze({ name, data });
const names = (snapshot: CollectionSnapshot<Item> | undefined, prefix = '/p/', after?: string): string[] =>
  [...(snapshot?.entries(prefix, after) ?? [])].map((entry) => `${entry.key}=${entry.object.data}`);
const line = ({ type, revision, entry, previous }: Change<Item>): string =>
  `${revision} ${type} ${entry.key} ${entry.object.data}@${entry.object.revision} was ${previous?.object.data ?? '-'}`;

async function openMemory(clock: VirtualClock): Promise<{ store: Store; dispose(): Promise<void> }> {
  const store = createMemoryStore({ clock, logger: silentLogger });
  return { store, dispose: () => store.close() };
}

async function openDisk(clock: VirtualClock): Promise<{ store: Store; dispose(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'k8ts-collection-'));
  const store = await openEmbeddedStore({ path, clock, logger: silentLogger });
  return {
    store,
    dispose: async () => {
      await store.close();
      await rm(path, { recursive: true, force: true });
    },
  };
}

describe.each([
  ['memory', openMemory],
  ['embedded', openDisk],
] as const)('collection over the %s store', (_name, openStore) => {
  let clock: VirtualClock;
  let store: Store;
  let codec: CountingCodec;
  let collection: Collection<Item>;
  let dispose: () => Promise<void>;
  let stop: AbortController;
  const open = (ringSize?: number): Promise<Collection<Item>> =>
    openCollection({ store, prefix: '/p/', codec, clock, logger: silentLogger, ...(ringSize === undefined ? {} : { ringSize }) });
  beforeEach(async () => {
    clock = new VirtualClock();
    ({ store, dispose } = await openStore(clock));
    codec = new CountingCodec();
    collection = await open();
    stop = new AbortController();
  });
  afterEach(async () => {
    collection.close();
    await dispose();
  });
  const put = (name: string, data: string, expectedRevision?: number) =>
    collection.write({
      type: 'put',
      key: `/p/${name}`,
      object: item(name, data),
      ...(expectedRevision === undefined ? {} : { expectedRevision }),
    });
  const remove = (name: string) => collection.write({ type: 'delete', key: `/p/${name}` });
  const watch = (from: number, lines: string[], errors: Error[] = []): void =>
    collection.watch(
      from,
      { onChange: (change) => lines.push(line(change)), onError: (error) => errors.push(error) },
      stop.signal,
    );

  it('shows and delivers a write before it resolves, encoding once and decoding never', async () => {
    const lines: string[] = [];
    watch(collection.revision, lines);
    const entry = await put('a', 'x', 0);
    expect(lines).toEqual([`${entry.revision} added /p/a x@${entry.revision} was -`]);
    expect(collection.get('/p/a')).toBe(entry);
    expect(entry.object).toEqual({ name: 'a', data: 'x', revision: entry.revision });
    const next = await put('a', 'y', entry.revision);
    expect(next.createRevision).toBe(entry.revision);
    expect(lines[1]).toBe(`${next.revision} modified /p/a y@${next.revision} was x`);
    expect([codec.encoded, codec.decoded, codec.wired]).toEqual([2, 0, 0]);
  });

  it('makes wire bytes once, when asked', async () => {
    const entry = await put('a', 'x');
    expect(entry.bytes).toBe(entry.bytes);
    expect(JSON.parse(Buffer.from(entry.bytes).toString())).toEqual({ name: 'a', data: 'x', revision: entry.revision });
    expect(codec.wired).toBe(1);
  });

  it('delivers the last state of what is deleted, with the revision of the delete', async () => {
    await put('a', 'x');
    await put('b', 'x');
    const lines: string[] = [];
    watch(collection.revision, lines);
    const gone = await remove('a');
    expect(gone.object).toEqual({ name: 'a', data: 'x', revision: gone.revision });
    const last = await collection.write({ type: 'delete', key: '/p/b', object: item('b', 'final') });
    expect(lines).toEqual([
      `${gone.revision} deleted /p/a x@${gone.revision} was x`,
      `${last.revision} deleted /p/b final@${last.revision} was x`,
    ]);
    expect(collection.snapshot().size).toBe(0);
    await expect(remove('a')).rejects.toBeInstanceOf(PreconditionError);
  });

  it('rejects on a failed expectation and changes nothing', async () => {
    const { revision } = await put('a', 'x');
    await expect(put('a', 'y', 0)).rejects.toBeInstanceOf(PreconditionError);
    const results = await Promise.allSettled([put('a', 'same', revision), put('a', 'same', revision), put('a', 'same')]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    const revisions = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.revision] : []));
    expect(revisions[1]).toBeGreaterThan(revisions[0]!);
    expect(collection.get('/p/a')?.revision).toBe(revisions[1]);
  });

  it('keeps a snapshot as it was', async () => {
    for (const name of ['c', 'a', 'b/1', 'b/2']) await put(name, '1');
    const snapshot = collection.snapshot();
    expect(collection.snapshot()).toBe(snapshot);
    await put('a', '2');
    await remove('c');
    await put('d', '1');
    expect(names(snapshot)).toEqual(['/p/a=1', '/p/b/1=1', '/p/b/2=1', '/p/c=1']);
    expect(names(snapshot, '/p/b/')).toEqual(['/p/b/1=1', '/p/b/2=1']);
    expect(names(snapshot, '/p/', '/p/b/1')).toEqual(['/p/b/2=1', '/p/c=1']);
    expect(names(snapshot, '/p/', '/p/a0')).toEqual(['/p/b/1=1', '/p/b/2=1', '/p/c=1']);
    expect([snapshot.size, snapshot.count('/p/'), snapshot.count('/p/b/'), snapshot.count('/p/x')]).toEqual([4, 4, 2, 0]);
    expect(names(collection.snapshot())).toEqual(['/p/a=2', '/p/b/1=1', '/p/b/2=1', '/p/d=1']);
  });

  it('finds the state at a recent revision', async () => {
    const states: [number, string[]][] = [];
    const note = (): void => void states.push([collection.revision, names(collection.snapshot())]);
    note();
    for (const [name, data] of [
      ['a', '1'],
      ['b', '1'],
      ['a', '2'],
    ] as const) {
      await put(name, data);
      note();
    }
    await remove('b');
    note();
    await store.commit([{ type: 'put', key: '/other', value: Buffer.from('x') }]);
    note();
    for (const [revision, state] of states) expect([revision, names(collection.snapshotAt(revision))]).toEqual([revision, state]);
    expect(collection.snapshotAt(collection.revision + 1)).toBeUndefined();
  });

  it('finds a kept snapshot for some minutes after its changes are forgotten', async () => {
    collection.close();
    collection = await open(4);
    await put('a', 'old');
    const snapshot = collection.snapshot();
    collection.keep(snapshot);
    const { revision } = collection;
    const unkept = (await put('a', 'between')).revision;
    for (let i = 0; i < 10; i++) await put('a', `${i}`);
    expect(names(collection.snapshotAt(revision))).toEqual(['/p/a=old']);
    expect(collection.snapshotAt(unkept)).toBeUndefined();
    await clock.advance(301_000);
    expect(collection.snapshotAt(revision)).toBeUndefined();
  });

  it('lets a kept snapshot expire also where nothing has changed since', async () => {
    await put('a', '1');
    const { revision } = collection;
    collection.keep(collection.snapshot());
    const elsewhere = (): Promise<unknown> => store.commit([{ type: 'put', key: '/other', value: Buffer.from('x') }]);
    await elsewhere();
    await clock.advance(299_000);
    expect(names(collection.snapshotAt(revision))).toEqual(['/p/a=1']);
    collection.keep(collection.snapshotAt(revision)!);
    await clock.advance(2_000);
    expect(collection.snapshotAt(revision)).toBeUndefined();
    // What is current is as new as can be, however long nothing was written.
    const now = collection.revision;
    collection.keep(collection.snapshot());
    await clock.advance(301_000);
    collection.keep(collection.snapshot());
    await elsewhere();
    expect(names(collection.snapshotAt(now))).toEqual(['/p/a=1']);
  });

  it('resumes a watch exactly, and refuses one from too far back', async () => {
    collection.close();
    collection = await open(4);
    const revisions: number[] = [];
    for (let i = 0; i < 6; i++) revisions.push((await put('a', `${i}`)).revision);
    const lines: string[] = [];
    watch(revisions[2]!, lines);
    expect(lines.map((text) => Number(text.split(' ')[0]))).toEqual(revisions.slice(3));
    await put('b', 'new');
    expect(lines).toHaveLength(4);
    expect(() => watch(revisions[0]!, [])).toThrow(CompactedError);
    const future: string[] = [];
    watch(collection.revision + 1, future);
    await put('b', 'skipped');
    await put('b', 'seen');
    expect(future).toHaveLength(1);
  });

  it('forgets changes by age', async () => {
    const { revision } = await put('a', '1');
    await clock.advance(301_000);
    await put('a', '2');
    watch(revision, []);
    expect(() => watch(revision - 1, [])).toThrow(CompactedError);
  });

  it('forgets the many of a burst sooner, though nothing comes after it, and keeps the newest of them', async () => {
    const { revision } = await put('a', 'first');
    await Promise.all(Array.from({ length: 1500 }, (_, i) => put('b', `${i}`)));
    await clock.advance(60_000);
    const lines: string[] = [];
    watch(revision, lines);
    expect(lines).toHaveLength(1500);
    await clock.advance(45_000);
    expect(() => watch(revision, [])).toThrow(CompactedError);
    const newest: string[] = [];
    watch(collection.revision - 1024, newest);
    expect(newest).toEqual(lines.slice(-1024));
    expect(names(collection.snapshotAt(collection.revision - 1))).toEqual(['/p/a=first', '/p/b=1498']);
  });

  it('remembers less when values are large', async () => {
    const large = 'x'.repeat(8 * 1024 * 1024);
    const first = await put('a', large);
    for (let i = 0; i < 10; i++) await put('a', large + i);
    expect(() => watch(first.revision, [])).toThrow(CompactedError);
    watch(collection.revision - 1, []);
  });

  it('makes the bytes of what was replaced anew', async () => {
    const old = await put('a', '1');
    const before = Buffer.from(old.bytes).toString();
    await put('a', '2');
    expect(Buffer.from(old.bytes).toString()).toBe(before);
  });

  it('stops delivering when the signal aborts, also in the middle of a change', async () => {
    const lines: string[] = [];
    const second = new AbortController();
    collection.watch(collection.revision, { onChange: () => second.abort(), onError: () => {} }, stop.signal);
    collection.watch(collection.revision, { onChange: (change) => lines.push(line(change)), onError: () => {} }, second.signal);
    await put('a', '1');
    await put('a', '2');
    expect(lines).toEqual([]);
  });

  it('gives one who joins in the middle of a change that change once', async () => {
    const lines: string[] = [];
    const from = collection.revision;
    let joined = false;
    collection.watch(
      from,
      {
        onChange: () => {
          if (!joined) watch(from, lines);
          joined = true;
        },
        onError: () => {},
      },
      stop.signal,
    );
    await put('a', '1');
    await put('a', '2');
    expect(lines).toHaveLength(2);
  });

  it('drops a watcher that throws and goes on with the others', async () => {
    const lines: string[] = [];
    const errors: string[] = [];
    collection.watch(
      collection.revision,
      {
        onChange: () => {
          throw new Error('broken');
        },
        onError: (error) => errors.push(error.message),
      },
      stop.signal,
    );
    watch(collection.revision, lines);
    await put('a', '1');
    await put('a', '2');
    expect([lines.length, errors]).toEqual([2, ['broken']]);
  });

  it('moves on with commits elsewhere, tells waiting callers at once and watchers now and then', async () => {
    const progress: number[] = [];
    collection.watch(
      collection.revision,
      { onChange: () => {}, onProgress: (at) => progress.push(at), onError: () => {} },
      stop.signal,
    );
    const target = collection.revision + 2;
    let reached = false;
    const waiting = collection.waitFor(target).then(() => {
      reached = true;
    });
    await store.commit([{ type: 'put', key: '/other/1', value: Buffer.from('x') }]);
    expect(reached).toBe(false);
    await store.commit([{ type: 'put', key: '/other/2', value: Buffer.from('x') }]);
    expect(collection.revision).toBe(target);
    await waiting;
    expect(progress).toEqual([]);
    await clock.advance(1_000);
    expect(progress).toEqual([target]);
    await collection.waitFor(target);
    const abort = new AbortController();
    const never = collection.waitFor(target + 100, abort.signal);
    abort.abort(new Error('enough'));
    await expect(never).rejects.toThrow('enough');
  });

  it('loads what is there and follows what others write', async () => {
    await put('a', '1');
    const other = await open();
    expect(names(other.snapshot())).toEqual(['/p/a=1']);
    expect(codec.decoded).toBe(1);
    await put('a', '2');
    await other.waitFor(collection.revision);
    expect(names(other.snapshot())).toEqual(['/p/a=2']);
    other.close();
    await put('a', '3');
    expect(names(other.snapshot())).toEqual(['/p/a=2']);
  });

  it('loads anew when what it reads is compacted before its end', async () => {
    const key = (i: number): string => `/p/${String(i).padStart(4, '0')}`;
    await Promise.all(
      Array.from({ length: 600 }, (_, i) =>
        store.commit([{ type: 'put', key: key(i), value: codec.encode(item(`${i}`, 'first')) }]),
      ),
    );
    const value = codec.encode(item('599', 'second'));
    let pages = 0;
    const busy: Store = new Proxy(store, {
      get: (target, name) => {
        if (name === 'list') {
          return async (...list: Parameters<Store['list']>) => {
            if (++pages === 2) await store.compact((await store.commit([{ type: 'put', key: key(599), value }])).revision);
            return target.list(...list);
          };
        }
        const found: unknown = Reflect.get(target, name, target);
        return typeof found === 'function' ? found.bind(target) : found;
      },
    });
    const other = await openCollection({ store: busy, prefix: '/p/', codec, clock, logger: silentLogger });
    expect(other.snapshot().size).toBe(600);
    expect(other.get(key(599))?.object.data).toBe('second');
    other.close();
  });

  it('deletes what has run out', async () => {
    const lines: string[] = [];
    watch(collection.revision, lines);
    await collection.write({ type: 'put', key: '/p/e', object: item('e', 'event'), ttlSeconds: 10 });
    await clock.advance(12_000);
    await collection.waitFor(3);
    expect(lines[1]).toBe('3 deleted /p/e event@3 was event');
  });

  it('ends watches and loads anew when the feed breaks', async () => {
    await put('a', '1');
    let handler: StoreWatchHandler | undefined;
    const breaking: Store = new Proxy(store, {
      get: (target, name) => {
        if (name === 'watch') {
          return (prefix: string, from: number, given: StoreWatchHandler, signal: AbortSignal): void => {
            handler = given;
            target.watch(prefix, from, given, signal);
          };
        }
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    collection.close();
    collection = await openCollection({ store: breaking, prefix: '/p/', codec, clock, logger: silentLogger });
    const errors: Error[] = [];
    watch(collection.revision, [], errors);
    handler!.onError(new Error('connection lost'));
    expect(errors[0]).toBeInstanceOf(CompactedError);
    const { revision } = await store.commit([{ type: 'put', key: '/p/a', value: codec.encode(item('a', '2')) }]);
    await collection.waitFor(revision);
    expect(names(collection.snapshot())).toEqual(['/p/a=2']);
  });

  it('agrees with a plain map at every revision, for every watcher', async () => {
    const step = fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd/1', 'd/2'), remove: fc.boolean(), watch: fc.boolean() });
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
        const base = `${round++}/`;
        const start = collection.revision;
        const logs: { from: number; lines: string[] }[] = [];
        const states = new Map<number, string[]>([[start, []]]);
        const all: string[] = [];
        watch(start, all);
        await Promise.all(
          steps.map(async ({ name, remove: removing, watch: joining }, i) => {
            await (removing ? remove(base + name) : put(base + name, `${i}`)).catch((error: unknown) => {
              if (!(error instanceof PreconditionError)) throw error;
            });
            if (!joining) return;
            const log = { from: collection.revision, lines: [] };
            logs.push(log);
            watch(log.from, log.lines);
            states.set(collection.revision, names(collection.snapshot(), `/p/${base}`));
          }),
        );
        for (const { from, lines } of logs) expect(lines).toEqual(all.filter((text) => Number(text.split(' ')[0]) > from));
        for (const [revision, state] of states) expect(names(collection.snapshotAt(revision), `/p/${base}`)).toEqual(state);
        const listed = await store.list(`/p/${base}`);
        expect(names(collection.snapshot(), `/p/${base}`)).toEqual(
          listed.entries.map(({ key, value, modRevision }) => `${key}=${codec.decode(value, modRevision).data}`),
        );
        stop.abort();
        stop = new AbortController();
      }),
      { numRuns: 25 },
    );
  });
});
