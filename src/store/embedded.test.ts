import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmdirSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { open as lmdb } from 'lmdb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../util/clock.ts';
import { silentLogger } from '../util/logger.ts';
import { SeededRandom } from '../util/random.ts';
import { type Store, type StoreCommit, StoreUnavailableError } from './contract.ts';
import { bytes, describeStore, text, WatchLog } from './contract-test.ts';
import { openEmbeddedStore } from './embedded.ts';
import type { HistoryLimits } from './log-store.ts';

const WRITER = fileURLToPath(new URL('./embedded-test-writer.ts', import.meta.url));

describeStore('embedded', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'k8ts-store-'));
  const clock = new VirtualClock();
  const open = (name: string): Promise<Store> => openEmbeddedStore({ path: join(directory, name), clock, logger: silentLogger });
  let store = await open('one');
  return {
    store,
    clock,
    reopen: async () => {
      await store.close();
      store = await open('one');
      return store;
    },
    empty: () => open('two'),
    dispose: async () => {
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
});

describe('embedded store', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'k8ts-store-'));
  });
  afterEach(async () => {
    await rm(directory, { recursive: true, force: true });
  });
  const open = (path = directory, history?: Partial<HistoryLimits>): Promise<Store> =>
    openEmbeddedStore({ path, clock: new VirtualClock(), logger: silentLogger, ...(history === undefined ? {} : { history }) });

  it('refuses a directory that another has open, and takes it once it is free', async () => {
    const store = await open();
    await expect(open()).rejects.toThrow(/in use by another process; stop that one/);
    await store.close();
    await (await open()).close();
  });

  it('refuses another format with a sentence that says what to do', async () => {
    await (await open()).close();
    const raw = lmdb({ path: join(directory, 'data.mdb'), noSubdir: true, encoding: 'binary', overlappingSync: false });
    await raw.openDB({ name: 'meta', encoding: 'json' }).put('format', 99);
    await raw.close();
    const error = await open().catch((fault: unknown) => fault);
    expect(error).toBeInstanceOf(StoreUnavailableError);
    expect((error as Error).message).toMatch(
      /is in store format 99, this version of k8ts reads format 1: use the version that wrote it/,
    );
    // And lets go of it.
    await expect(open()).rejects.toThrow(/format 99/);
  });

  it('refuses a place where it cannot write, and files that are no store', async () => {
    const file = join(directory, 'file');
    await writeFile(file, 'x');
    await expect(open(join(file, 'below'))).rejects.toThrow(/cannot be written .*choose another one/);
    await mkdir(join(directory, 'junk'));
    await writeFile(join(directory, 'junk', 'data.mdb'), 'not a database'.repeat(10_000));
    const error = await open(join(directory, 'junk')).catch((fault: unknown) => fault);
    expect(error).toBeInstanceOf(StoreUnavailableError);
    expect((error as Error).message).toMatch(/restore a snapshot/);
  });

  it('keeps its files to its user', async () => {
    const path = join(directory, 'deep', 'store');
    const store = await open(path);
    await store.close();
    expect((await stat(path)).mode & 0o077).toBe(0);
    for (const name of await readdir(path)) expect([name, (await stat(join(path, name))).mode & 0o077]).toEqual([name, 0]);
  });

  it.each([
    ['many', { maxRecords: 500 }],
    ['large', { maxBytes: 1_000_000 }],
  ])('does not grow by updates of one key when they are %s', async (_how, history) => {
    const store = await open(directory, history);
    const value = Buffer.alloc(2000, 'x');
    const update = async (rounds: number): Promise<number> => {
      for (let i = 0; i < rounds; i++) {
        await Promise.all(Array.from({ length: 100 }, () => store.commit([{ type: 'put', key: '/a/1', value }])));
      }
      return (await stat(join(directory, 'data.mdb'))).size;
    };
    const early = await update(60);
    const late = await update(240);
    expect(late).toBeLessThan(early * 1.5);
    expect(store.revision - store.compactedRevision).toBeLessThan(2000);
    expect((await store.check()).faults).toEqual([]);
    await store.close();
  });

  it.runIf(process.platform === 'linux')('lets go of the pages of its file now and then', async () => {
    const clock = new VirtualClock();
    const store = await openEmbeddedStore({ path: directory, clock, logger: silentLogger });
    const value = Buffer.alloc(10_000, 'x');
    for (let i = 0; i < 40; i++) {
      await Promise.all(Array.from({ length: 100 }, (_, j) => store.commit([{ type: 'put', key: `/a/${i * 100 + j}`, value }])));
    }
    expect((await store.list('/a/')).entries).toHaveLength(4000);
    const read = residentBytes(join(directory, 'data.mdb'));
    await clock.advance(31_000);
    expect(residentBytes(join(directory, 'data.mdb'))).toBeLessThan(read / 4);
    expect((await store.list('/a/')).entries).toHaveLength(4000);
    expect((await store.check()).faults).toEqual([]);
    await store.close();
  });

  it('forgets history by age', async () => {
    const clock = new VirtualClock();
    const store = await openEmbeddedStore({ path: directory, clock, logger: silentLogger });
    const { revision } = await store.commit([{ type: 'put', key: '/a/1', value: bytes('x') }]);
    await clock.advance(60_000);
    await store.commit([{ type: 'put', key: '/a/1', value: bytes('y') }]);
    await clock.advance(299_000);
    await store.compact(store.compactedRevision);
    expect((await store.list('/', { revision })).entries).toHaveLength(1);
    await clock.advance(120_000);
    // The next commit comes after the compaction step.
    await store.commit([{ type: 'put', key: '/a/1', value: bytes('z') }]);
    expect(store.compactedRevision).toBeGreaterThan(revision);
    await store.close();
  });

  const small = tmpfs('3m');
  it.skipIf(small === undefined)('fails on a full disk without losing anything, and goes on when there is room', async () => {
    const { path, unmount } = small!();
    try {
      const store = await open(join(path, 'store'));
      const ballast = join(path, 'ballast');
      await writeFile(ballast, Buffer.alloc(1_000_000));
      const value = Buffer.alloc(4000, 'x');
      const put = (key: string): Promise<StoreCommit> => store.commit([{ type: 'put', key, value }]);
      let written = 0;
      let error: unknown;
      while (error === undefined && written < 5000) {
        await put(`/a/${written}`).then(
          () => written++,
          (fault: unknown) => {
            error = fault;
          },
        );
      }
      expect(error).toBeInstanceOf(StoreUnavailableError);
      expect((error as Error).message).toMatch(/disk is full.*make room/);
      const { revision } = store;
      const refused = await Promise.allSettled([put('/b/1'), put('/b/2'), put('/b/1')]);
      expect(refused.map((result) => result.status)).toEqual(['rejected', 'rejected', 'rejected']);
      expect(store.revision).toBe(revision);
      expect((await store.list('/')).entries).toHaveLength(written);
      await rm(ballast);
      expect((await put('/c/1')).revision).toBeGreaterThan(revision);
      await store.close();
      const again = await open(join(path, 'store'));
      expect((await again.list('/')).entries).toHaveLength(written + 1);
      await again.close();
    } finally {
      unmount();
    }
  });

  it('loses no acknowledged write and gives no revision twice when killed at any moment', { timeout: 60_000 }, async () => {
    const random = new SeededRandom(7);
    const acknowledged = new Map<string, { revision: number; value: string }>();
    const revisions = new Map<number, string>();
    for (let run = 0; run < 10; run++) {
      const child = spawn(process.execPath, [WRITER, directory, String(run)], { stdio: ['ignore', 'pipe', 'inherit'] });
      let output = '';
      const enough = 50 + random.int(3000);
      let lines = 0;
      for await (const chunk of child.stdout) {
        output += chunk;
        lines += String(chunk).split('\n').length - 1;
        if (lines >= enough) child.kill('SIGKILL');
      }
      // A line cut short by the kill is no acknowledgement.
      for (const line of output.slice(0, output.lastIndexOf('\n')).split('\n')) {
        const [key, at, value] = line.split(' ') as [string, string, string];
        const revision = Number(at);
        expect(revisions.get(revision)).toBeUndefined();
        revisions.set(revision, value);
        if (revision > (acknowledged.get(key)?.revision ?? 0)) acknowledged.set(key, { revision, value });
      }
      const store = await open();
      expect(store.revision).toBeGreaterThanOrEqual(Math.max(...revisions.keys()));
      const entries = new Map((await store.list('/k/')).entries.map((entry) => [entry.key, entry]));
      for (const [key, { revision, value }] of acknowledged) {
        const entry = entries.get(key);
        expect(entry?.modRevision).toBeGreaterThanOrEqual(revision);
        if (entry?.modRevision === revision) expect(text(entry.value)).toBe(value.padEnd(600, '.'));
      }
      const log = new WatchLog(store, '/', store.compactedRevision);
      await log.until(() => log.progress >= store.revision);
      expect(log.revisions).toEqual(
        Array.from({ length: store.revision - store.compactedRevision }, (_, i) => store.compactedRevision + 1 + i),
      );
      await store.close();
    }
  });
});

/** Makes a small file system of its own; undefined where that is not allowed. */
function tmpfs(size: string): (() => { readonly path: string; unmount(): void }) | undefined {
  const mount = (): { readonly path: string; unmount(): void } => {
    const path = mkdtempSync(join(tmpdir(), 'k8ts-full-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path], { stdio: 'ignore' });
    } catch (error) {
      rmdirSync(path);
      throw error;
    }
    return {
      path,
      unmount: () => {
        execFileSync('umount', [path]);
        rmdirSync(path);
      },
    };
  };
  try {
    mount().unmount();
    return mount;
  } catch {
    return undefined;
  }
}

/** How much of a mapped file is in this process's memory. */
function residentBytes(file: string): number {
  let mine = false;
  let kilobytes = 0;
  for (const line of readFileSync('/proc/self/smaps', 'utf8').split('\n')) {
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) mine = line.endsWith(` ${file}`);
    else if (mine && line.startsWith('Rss:')) kilobytes += Number(/\d+/.exec(line)?.[0]);
  }
  return kilobytes * 1024;
}
