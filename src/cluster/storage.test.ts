import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../util/clock.ts';
import { silentLogger } from '../util/logger.ts';
import { systemRandom } from '../util/random.ts';
import { layoutOf, UserError } from './layout.ts';
import { etcdEndpoints, openStore, restoreEmbedded, rewriteEmbedded, type StorageOptions, snapshotTo } from './storage.ts';

describe('etcd addresses', () => {
  it('are URLs, all over TLS or none', () => {
    expect(etcdEndpoints(['https://10.0.0.1:2379', 'https://[fd00::1]:2379'])).toEqual({
      endpoints: ['10.0.0.1:2379', '[fd00::1]:2379'],
      secure: true,
    });
    expect(etcdEndpoints(['http://etcd:2379/'])).toEqual({ endpoints: ['etcd:2379'], secure: false });
    expect(() => etcdEndpoints(['10.0.0.1:2379'])).toThrow('10.0.0.1:2379 is no address of an etcd server');
    expect(() => etcdEndpoints(['http://a:1', 'https://b:1'])).toThrow('over https, or none');
  });
});

describe('the embedded store of a stopped cluster', () => {
  let root: string;
  let options: StorageOptions;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'k8ts-storage-'));
    options = {
      etcd: undefined,
      layout: layoutOf(root),
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
    };
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const put = async (value: string): Promise<number> => {
    const store = await openStore(options);
    const { revision } = await store.commit([{ type: 'put', key: '/registry/a', value: Buffer.from(value) }]);
    await store.close();
    return revision;
  };
  const read = async (): Promise<string | undefined> => {
    const store = await openStore(options);
    const entry = await store.get('/registry/a');
    await store.close();
    return entry === undefined ? undefined : Buffer.from(entry.value).toString();
  };
  const save = async (): Promise<string> => {
    const file = join(root, 'snapshot');
    const store = await openStore(options);
    await snapshotTo(store, file);
    await store.close();
    return file;
  };

  it('is put back, kept beside, and goes on where no client has been', async () => {
    await put('old');
    const file = await save();
    const last = await put('new');
    const kept = await restoreEmbedded(options, file);
    expect(await read()).toBe('old');
    expect(existsSync(kept!)).toBe(true);
    expect(await put('newer')).toBeGreaterThan(last + 100_000_000);
    expect(readdirSync(root).filter((name) => /^store\.(new|ready)/.test(name))).toEqual([]);
  });

  it('is replaced also when it cannot be read any more, but not by what is no snapshot, nor while it is used', async () => {
    await put('old');
    const file = await save();
    const bad = join(root, 'bad');
    writeFileSync(bad, 'x'.repeat(100));
    await expect(restoreEmbedded(options, bad)).rejects.toThrow(/not a whole snapshot/);
    expect(await read()).toBe('old');
    await expect(restoreEmbedded(options, join(root, 'none'))).rejects.toBeInstanceOf(UserError);
    const open = await openStore(options);
    await expect(restoreEmbedded(options, file)).rejects.toThrow(/in use by another process/);
    await open.close();
    writeFileSync(join(options.layout.store, 'data.mdb'), 'damaged'.repeat(10_000));
    await restoreEmbedded(options, file);
    expect(await read()).toBe('old');
  });

  it('is the new one when the replacement was cut off after the old one had gone', async () => {
    await put('whole');
    renameSync(options.layout.store, `${options.layout.store}.ready`);
    expect(await read()).toBe('whole');
  });

  it('is written anew without history', async () => {
    for (let i = 0; i < 50; i++) await put(String(i).repeat(2000));
    const { before, after } = await rewriteEmbedded(options);
    expect(after).toBeLessThan(before);
    expect(await read()).toBe('49'.repeat(2000));
    expect(readdirSync(root)).not.toContain('store.old');
  });
});
