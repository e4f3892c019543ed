import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { VirtualClock } from '../util/clock.ts';
import { CompactedError, PreconditionError, type Store, type StoreEvent, StoreUnavailableError } from './contract.ts';

/** One store under test, and how to let it end and begin again over the same data. */
export interface StoreFixture {
  readonly store: Store;
  /** The clock that keys run out by; undefined when the store goes by the host's. */
  readonly clock: VirtualClock | undefined;
  /** Closes and opens over the same data; undefined when there is nothing to come back to. */
  readonly reopen?: () => Promise<Store>;
  /** An empty store of the same kind to restore into; undefined when it cannot. */
  readonly empty?: () => Promise<Store>;
  dispose(): Promise<void>;
}

export const bytes = (text: string): Uint8Array => Buffer.from(text);
export const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : Buffer.from(value).toString();

/** Collects a watch, and lets a test wait until it has seen enough. */
export class WatchLog {
  readonly events: StoreEvent[] = [];
  error: Error | undefined;
  progress = 0;
  readonly controller = new AbortController();
  #waiting: { readonly ready: () => boolean; readonly resolve: () => void }[] = [];

  constructor(store: Store, prefix: string, from: number) {
    store.watch(
      prefix,
      from,
      {
        onEvents: (events) => {
          this.events.push(...events);
          this.#check();
        },
        onProgress: (revision) => {
          this.progress = revision;
          this.#check();
        },
        onError: (error) => {
          this.error = error;
          this.#check();
        },
      },
      this.controller.signal,
    );
  }
  get lines(): string[] {
    return this.events.map((event) => `${event.type} ${event.key} ${text(event.value) ?? '-'}`);
  }
  get revisions(): number[] {
    return this.events.map((event) => event.revision);
  }
  until(ready: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ ready, resolve });
      this.#check();
    });
  }
  count(events: number): Promise<void> {
    return this.until(() => this.events.length >= events);
  }
  #check(): void {
    for (const { resolve } of this.#waiting.filter(({ ready }) => ready())) resolve();
  }
}

/** Holds an implementation to the promises of `Store`. */
export function describeStore(name: string, open: () => Promise<StoreFixture>): void {
  describe(`store contract: ${name}`, () => {
    let fixture: StoreFixture;
    let store: Store;
    beforeEach(async () => {
      fixture = await open();
      store = fixture.store;
    });
    afterEach(async () => {
      await fixture.dispose();
    });

    const put = async (key: string, value: string, expectedRevision?: number): Promise<number> =>
      (
        await store.commit([
          { type: 'put', key, value: bytes(value), ...(expectedRevision === undefined ? {} : { expectedRevision }) },
        ])
      ).revision;

    it('gives every commit a greater revision and shows it once resolved', async () => {
      const before = store.revision;
      const first = await put('/a/1', 'x');
      const second = await put('/a/1', 'y');
      expect(first).toBeGreaterThan(before);
      expect(second).toBeGreaterThan(first);
      expect(store.revision).toBeGreaterThanOrEqual(second);
      const entry = await store.get('/a/1');
      expect(entry).toMatchObject({ key: '/a/1', createRevision: first, modRevision: second });
      expect(text(entry?.value)).toBe('y');
      expect(await store.get('/a/2')).toBeUndefined();
    });

    it('keeps an empty value apart from an absent key', async () => {
      await put('/a/1', '');
      expect(text((await store.get('/a/1'))?.value)).toBe('');
    });

    it('commits all operations under one revision, or none', async () => {
      const log = new WatchLog(store, '/', store.revision);
      const { revision } = await store.commit([
        { type: 'put', key: '/a/1', value: bytes('1') },
        { type: 'put', key: '/b/1', value: bytes('2') },
      ]);
      await expect(
        store.commit([
          { type: 'put', key: '/a/2', value: bytes('3') },
          { type: 'delete', key: '/b/1', expectedRevision: revision - 1 },
        ]),
      ).rejects.toBeInstanceOf(PreconditionError);
      expect(await store.get('/a/2')).toBeUndefined();
      await log.count(2);
      expect(log.lines).toEqual(['put /a/1 1', 'put /b/1 2']);
      expect(new Set(log.revisions)).toEqual(new Set([revision]));
    });

    it('refuses what is no commit', async () => {
      await expect(store.commit([])).rejects.toBeInstanceOf(RangeError);
      await expect(put('', 'x')).rejects.toBeInstanceOf(RangeError);
      await expect(put('/ä', 'x')).rejects.toBeInstanceOf(RangeError);
      const op = { type: 'put', key: '/a', value: bytes('1') } as const;
      await expect(store.commit([op, op])).rejects.toBeInstanceOf(RangeError);
    });

    it('checks expected revisions and tells what stands there', async () => {
      const first = await put('/a/1', 'x', 0);
      const error = await put('/a/1', 'y', 0).catch((fault: unknown) => fault);
      expect(error).toBeInstanceOf(PreconditionError);
      expect((error as PreconditionError).current?.modRevision).toBe(first);
      expect(text((error as PreconditionError).current?.value)).toBe('x');
      const gone = await put('/a/2', 'y', first).catch((fault: unknown) => fault);
      expect((gone as PreconditionError).current).toBeUndefined();
      const second = await put('/a/1', 'y', first);
      await store.commit([{ type: 'delete', key: '/a/1', expectedRevision: second }]);
      expect(await store.get('/a/1')).toBeUndefined();
      const third = await put('/a/1', 'z', 0);
      expect((await store.get('/a/1'))?.createRevision).toBe(third);
    });

    it('lets exactly one of many concurrent writers with the same expectation through', async () => {
      const base = await put('/a/1', 'base');
      const results = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => put('/a/1', `w${i}`, base)));
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
      const winner = results.findIndex((result) => result.status === 'fulfilled');
      expect(text((await store.get('/a/1'))?.value)).toBe(`w${winner}`);
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason.current.modRevision).toBeGreaterThan(base);
      }
    });

    it('takes no revision for the delete of an absent key', async () => {
      const before = await put('/a/1', 'x');
      expect((await store.commit([{ type: 'delete', key: '/a/none' }])).revision).toBe(before);
      expect(await put('/a/1', 'y')).toBe(before + 1);
    });

    it('lists a prefix in key order, in pages, from a key', async () => {
      for (const key of ['/a/2', '/b/1', '/a/10', '/a/1', '/a!', '/a0']) await put(key, key);
      const keys = async (prefix: string, options?: Parameters<Store['list']>[1]): Promise<string[]> =>
        (await store.list(prefix, options)).entries.map((entry) => entry.key);
      expect(await keys('/a/')).toEqual(['/a/1', '/a/10', '/a/2']);
      expect(await keys('/')).toEqual(['/a!', '/a/1', '/a/10', '/a/2', '/a0', '/b/1']);
      expect(await keys('/c')).toEqual([]);
      const page = await store.list('/a/', { limit: 2 });
      expect(page.more).toBe(true);
      expect(page.entries.map((entry) => entry.key)).toEqual(['/a/1', '/a/10']);
      const rest = await store.list('/a/', { limit: 2, from: '/a/10 ', revision: page.revision });
      expect(rest.more).toBe(false);
      expect(rest.entries.map((entry) => entry.key)).toEqual(['/a/2']);
      expect((await store.list('/a/', { limit: 3 })).more).toBe(false);
    });

    it('lists as of a past revision', async () => {
      await put('/a/1', 'one');
      await put('/a/2', 'two');
      const then = await put('/b/1', 'other');
      await put('/a/1', 'ONE');
      await store.commit([{ type: 'delete', key: '/a/2' }]);
      await put('/a/0', 'new');
      await put('/a/2', 'again');
      const past = await store.list('/a/', { revision: then });
      expect(past.entries.map((entry) => [entry.key, text(entry.value)])).toEqual([
        ['/a/1', 'one'],
        ['/a/2', 'two'],
      ]);
      expect(past.revision).toBe(then);
      const first = await store.list('/a/', { revision: then, limit: 1 });
      expect([first.entries.map((entry) => entry.key), first.more]).toEqual([['/a/1'], true]);
    });

    it('watches from now and from the past alike, without gap or repeat', async () => {
      const start = store.revision;
      const live = new WatchLog(store, '/a/', start);
      await put('/a/1', 'x');
      await put('/b/1', 'x');
      const middle = await put('/a/1', 'y');
      const late = new WatchLog(store, '/a/', start);
      const later = new WatchLog(store, '/a/', middle);
      await put('/a/2', 'z');
      await store.commit([{ type: 'delete', key: '/a/1' }]);
      const lines = ['put /a/1 x', 'put /a/1 y', 'put /a/2 z', 'delete /a/1 -'];
      await Promise.all([live.count(4), late.count(4), later.count(2)]);
      expect(live.lines).toEqual(lines);
      expect(late.lines).toEqual(lines);
      expect(later.lines).toEqual(lines.slice(2));
      expect(late.revisions).toEqual(live.revisions);
      live.controller.abort();
      const last = await put('/a/3', 'z');
      await late.until(() => late.revisions.includes(last));
      expect(live.events).toHaveLength(4);
    });

    it('resumes with no gap at any point while writers go on', async () => {
      const start = store.revision;
      const writers = Promise.all(
        Array.from({ length: 4 }, async (_, writer) => {
          for (let i = 0; i < 60; i++) await put(`/a/${writer}`, `${i}`);
        }),
      );
      const logs: WatchLog[] = [];
      const probe = new WatchLog(store, '/a/', start);
      await probe.count(20);
      logs.push(new WatchLog(store, '/a/', start));
      await probe.count(120);
      logs.push(new WatchLog(store, '/a/', start));
      await writers;
      logs.push(new WatchLog(store, '/a/', start));
      await Promise.all([...logs, probe].map((log) => log.count(240)));
      for (const log of logs) expect(log.revisions).toEqual(probe.revisions);
      expect(probe.revisions).toEqual([...new Set(probe.revisions)].sort((a, b) => a - b));
    });

    it('tells progress past changes of other prefixes', async () => {
      const log = new WatchLog(store, '/a/', store.revision);
      const revision = await put('/b/1', 'x');
      await log.until(() => log.progress >= revision);
      expect(log.events).toEqual([]);
    });

    it('delivers to watchers before the commit resolves or soon after, and drops one that throws', async () => {
      const errors: Error[] = [];
      store.watch(
        '/a/',
        store.revision,
        {
          onEvents: () => {
            throw new Error('broken watcher');
          },
          onError: (error) => errors.push(error),
        },
        new AbortController().signal,
      );
      const log = new WatchLog(store, '/a/', store.revision);
      await put('/a/1', 'x');
      await put('/a/2', 'x');
      await log.count(2);
      expect(errors.map((error) => error.message)).toEqual(['broken watcher']);
    });

    it('compacts history, never current values', async () => {
      const first = await put('/a/1', 'x');
      await put('/a/2', 'old');
      await store.commit([{ type: 'delete', key: '/a/2' }]);
      const at = await put('/a/1', 'y');
      const after = await put('/a/1', 'z');
      await store.compact(at);
      expect(store.compactedRevision).toBe(at);
      await expect(store.list('/a/', { revision: first })).rejects.toBeInstanceOf(CompactedError);
      expect((await store.list('/a/', { revision: at })).entries.map((entry) => text(entry.value))).toEqual(['y']);
      expect((await store.list('/a/')).entries.map((entry) => text(entry.value))).toEqual(['z']);
      const old = new WatchLog(store, '/a/', first);
      const fine = new WatchLog(store, '/a/', at);
      await Promise.all([old.until(() => old.error !== undefined), fine.count(1)]);
      expect(old.error).toBeInstanceOf(CompactedError);
      expect(fine.revisions).toEqual([after]);
      await store.compact(first);
      await expect(store.compact(after + 1000)).rejects.toThrow();
    });

    it('ends keys whose time is over with a delete event', async () => {
      const { clock } = fixture;
      const log = new WatchLog(store, '/e/', store.revision);
      await store.commit([{ type: 'put', key: '/e/short', value: bytes('x'), ttlSeconds: clock === undefined ? 1 : 60 }]);
      await store.commit([{ type: 'put', key: '/e/renewed', value: bytes('x'), ttlSeconds: clock === undefined ? 1 : 60 }]);
      await put('/e/renewed', 'y');
      await clock?.advance(62_000);
      await log.count(4);
      expect(log.lines.at(-1)).toBe('delete /e/short -');
      expect((await store.list('/e/')).entries.map((entry) => entry.key)).toEqual(['/e/renewed']);
    });

    it('comes back with everything, and never gives a revision again', async () => {
      if (fixture.reopen === undefined) return;
      const first = await put('/a/1', 'x');
      const second = await put('/a/1', 'y');
      await store.commit([{ type: 'put', key: '/e/1', value: bytes('x'), ttlSeconds: fixture.clock === undefined ? 2 : 60 }]);
      await store.commit([{ type: 'delete', key: '/a/none' }]);
      const before = store.revision;
      store = await fixture.reopen();
      expect(store.revision).toBe(before);
      expect(await store.get('/a/1')).toMatchObject({ createRevision: first, modRevision: second });
      expect((await store.list('/a/', { revision: first })).entries.map((entry) => text(entry.value))).toEqual(['x']);
      const log = new WatchLog(store, '/', first);
      await log.count(2);
      expect(log.lines.slice(0, 2)).toEqual(['put /a/1 y', 'put /e/1 x']);
      expect(await put('/a/2', 'x')).toBeGreaterThan(before);
      await fixture.clock?.advance(62_000);
      await log.count(4);
      expect(log.lines.at(-1)).toBe('delete /e/1 -');
    });

    it('restores a snapshot into an empty store, revisions included', async () => {
      if (fixture.empty === undefined) return;
      const first = await put('/a/1', 'x');
      await put('/a/2', 'gone');
      await store.commit([{ type: 'delete', key: '/a/2' }]);
      const last = await put('/a/3', 'z'.repeat(5000));
      const chunks = await Array.fromAsync(store.snapshot());
      const copy = await fixture.empty();
      const whole = Buffer.concat(chunks);
      const damaged = Buffer.from(whole);
      damaged[whole.length - 40] = damaged[whole.length - 40]! ^ 1;
      await expect(copy.restore(pieces(damaged, 100))).rejects.toBeInstanceOf(StoreUnavailableError);
      await expect(copy.restore(pieces(whole.subarray(0, -1), 100))).rejects.toBeInstanceOf(StoreUnavailableError);
      expect((await copy.list('/')).entries).toEqual([]);
      await copy.restore(pieces(whole, 7));
      expect(copy.revision).toBe(last);
      expect((await copy.list('/')).entries).toEqual((await store.list('/')).entries);
      await expect(copy.list('/', { revision: first })).rejects.toBeInstanceOf(CompactedError);
      expect((await copy.commit([{ type: 'put', key: '/a/4', value: bytes('') }])).revision).toBe(last + 1);
      await expect(copy.restore(pieces(whole, 1000))).rejects.toBeInstanceOf(StoreUnavailableError);
      await copy.close();
    });

    it('goes on at a distance from the snapshot when asked to', async () => {
      if (fixture.empty === undefined) return;
      const last = await put('/a/1', 'x');
      const whole = Buffer.concat(await Array.fromAsync(store.snapshot()));
      const copy = await fixture.empty();
      await copy.restore(pieces(whole, 100), 1_000);
      expect([copy.revision, copy.compactedRevision]).toEqual([last + 1_000, last + 1_000]);
      expect((await copy.get('/a/1'))?.modRevision).toBe(last);
      expect((await copy.commit([{ type: 'put', key: '/a/1', value: bytes('y') }])).revision).toBe(last + 1_001);
      expect((await copy.check()).faults).toEqual([]);
      await copy.close();
    });

    it('tells what it holds, and that it is whole', async () => {
      await put('/a/1', 'x');
      await put('/a/1', 'xyz');
      await put('/a/2', 'gone');
      await store.commit([{ type: 'put', key: '/b/1', value: bytes('1'), ttlSeconds: 3600 }]);
      await store.commit([{ type: 'delete', key: '/a/2' }]);
      const before = await store.check();
      expect(before).toMatchObject({ revision: store.revision, keys: 2, bytes: 4, faults: [] });
      await store.compact(store.revision);
      const after = await store.check();
      expect(after).toMatchObject({ compactedRevision: store.revision, keys: 2, bytes: 4, faults: [] });
      if (after.history !== undefined) expect([before.history, after.history]).toEqual([5, 0]);
    });

    it('finishes what was accepted when closed, and rejects what comes later', async () => {
      const accepted = put('/a/1', 'x');
      const closing = store.close();
      await expect(accepted).resolves.toBeGreaterThan(0);
      await closing;
      await expect(put('/a/1', 'y')).rejects.toBeInstanceOf(StoreUnavailableError);
      await expect(store.get('/a/1')).rejects.toBeInstanceOf(StoreUnavailableError);
      await store.close();
    });

    it('agrees with a plain model under concurrent commits', async () => {
      const op = fc.record({
        key: fc.constantFrom('/m/a', '/m/b', '/m/c'),
        kind: fc.constantFrom('put' as const, 'delete' as const),
        expect: fc.constantFrom('none' as const, 'absent' as const, 'current' as const, 'stale' as const),
      });
      let run = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(op, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 5 }),
          async (rounds) => {
            const prefix = `/run${run++}`;
            const from = store.revision;
            const log = new WatchLog(store, prefix, from);
            let acknowledged = 0;
            const expectations: { readonly key: string; readonly revision: number; readonly expected: number }[] = [];
            for (const round of rounds) {
              const known = new Map((await store.list(prefix)).entries.map((entry) => [entry.key, entry.modRevision]));
              const results = await Promise.allSettled(
                round.map(({ key: name, kind, expect: wish }, i) => {
                  const key = prefix + name;
                  const current = known.get(key) ?? 0;
                  const expectedRevision =
                    wish === 'none' ? undefined : wish === 'absent' ? 0 : wish === 'current' ? current : current + 1;
                  const condition = expectedRevision === undefined ? {} : { expectedRevision };
                  return store.commit([
                    kind === 'put' ? { type: kind, key, value: bytes(`${i}`), ...condition } : { type: kind, key, ...condition },
                  ]);
                }),
              );
              // Replayed in order of their revisions, the commits that went through must all have met their expectation.
              for (const result of results) {
                if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(PreconditionError);
                else acknowledged = Math.max(acknowledged, result.value.revision);
              }
            }
            const { entries, revision } = await store.list(prefix);
            await log.until(
              () => acknowledged <= from || log.progress >= acknowledged || (log.revisions.at(-1) ?? 0) >= acknowledged,
            );
            const model = new Map<string, { value: string | undefined; mod: number; create: number }>();
            for (const event of log.events) {
              const old = model.get(event.key);
              if (event.type === 'delete') {
                expect(old).toBeDefined();
                model.delete(event.key);
              } else {
                expect(event.createRevision).toBe(old?.create ?? event.revision);
                model.set(event.key, { value: text(event.value), mod: event.revision, create: event.createRevision });
              }
            }
            // In the order of revisions, every commit that went through met what it expected.
            for (const { key, revision: at, expected } of expectations) {
              const before = log.events.findLast((event) => event.key === key && event.revision < at);
              expect(before === undefined || before.type === 'delete' ? 0 : before.revision).toBe(expected);
            }
            expect(revision).toBeGreaterThanOrEqual(acknowledged);
            expect(entries.map((entry) => [entry.key, text(entry.value), entry.modRevision, entry.createRevision])).toEqual(
              [...model].sort().map(([key, { value, mod, create }]) => [key, value, mod, create]),
            );
            log.controller.abort();
          },
        ),
        { numRuns: 30 },
      );
    });
  });
}

/** Cuts `whole` into pieces of `size` bytes. */
export async function* pieces(whole: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < whole.length; at += size) yield whole.subarray(at, at + size);
}
