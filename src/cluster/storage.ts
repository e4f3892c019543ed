import { randomUUID } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Store, type StoreCheck, StoreUnavailableError } from '../store/contract.ts';
import { openEmbeddedStore } from '../store/embedded.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { Random } from '../util/random.ts';
import type { EtcdConfig } from './config.ts';
import { type Layout, UserError } from './layout.ts';

/** What opening a store needs. */
export interface StorageOptions {
  /** Undefined: the embedded store in the data directory. */
  readonly etcd: EtcdConfig | undefined;
  readonly layout: Layout;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Opens the cluster's store. Throws `UserError` when it cannot be had. */
export async function openStore(options: StorageOptions): Promise<Store> {
  const { etcd, layout, clock, logger } = options;
  try {
    if (etcd !== undefined) return await openEtcd(etcd, options);
    await finishReplacement(layout);
    return await openEmbeddedStore({ path: layout.store, clock, logger });
  } catch (err) {
    throw toUserError(err);
  }
}

/** The gRPC library is loaded only by those who use it. */
async function openEtcd(etcd: EtcdConfig, { clock, random, logger }: StorageOptions): Promise<Store> {
  const [{ openEtcdStore }, { prefixedStore }, { compactPeriodically }] = await Promise.all([
    import('../store/etcd.ts'),
    import('../store/prefixed-store.ts'),
    import('../store/periodic-compaction.ts'),
  ]);
  const { endpoints, secure } = etcdEndpoints(etcd.servers);
  const read = async (file: string | undefined): Promise<Buffer | undefined> => {
    if (file === undefined) return undefined;
    return readFile(file).catch((err: Error) => {
      throw new UserError(`The file ${file} for etcd cannot be read (${err.message}).`);
    });
  };
  const [ca, cert, key] = await Promise.all([read(etcd.caFile), read(etcd.certFile), read(etcd.keyFile)]);
  if (secure && ca === undefined)
    throw new UserError('etcd over https needs --etcd-cacert, the file of its certificate authority.');
  const tls =
    secure && ca !== undefined
      ? { ca, ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }) }
      : undefined;
  const store = await openEtcdStore({ endpoints, clock, random, logger, ...(tls === undefined ? {} : { tls }) });
  const stop = new AbortController();
  compactPeriodically(store, clock, logger, stop.signal);
  const prefixed = prefixedStore(store, etcd.prefix);
  const close = prefixed.close.bind(prefixed);
  prefixed.close = () => {
    stop.abort();
    return close();
  };
  return prefixed;
}

/** `host:port` of each URL, and whether they speak TLS. Throws `UserError` for what is no etcd URL. */
export function etcdEndpoints(servers: readonly string[]): { readonly endpoints: readonly string[]; readonly secure: boolean } {
  const urls = servers.map((server) => {
    const url = URL.canParse(server) ? new URL(server) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol) || url.hostname === '' || url.pathname.length > 1) {
      throw new UserError(`${server} is no address of an etcd server; one looks like https://10.0.0.1:2379`);
    }
    return url;
  });
  const secure = urls[0]?.protocol === 'https:';
  if (urls.some((url) => (url.protocol === 'https:') !== secure)) {
    throw new UserError('Either all etcd servers are spoken to over https, or none.');
  }
  return { endpoints: urls.map((url) => `${url.hostname}:${url.port || (secure ? '443' : '80')}`), secure };
}

/**
 * A restored cluster goes on so many revisions later (etcd's own advice, --bump-revision): no client has seen any of them, so none can take
 * what comes for what it knows from before.
 */
const RESTORE_SKIP = 1_000_000_000;

/** What a snapshot came to. */
export interface SnapshotInfo {
  readonly revision: number;
  readonly bytes: number;
}

/** Writes a snapshot to a file that is there whole or not at all. Rejects with `UserError` when it cannot be written. */
export async function snapshotTo(store: Store, file: string): Promise<SnapshotInfo> {
  const temporary = join(dirname(file), `.${randomUUID()}.k8ts.tmp`);
  const { revision } = store;
  let bytes = 0;
  try {
    const out = await open(temporary, 'wx', 0o600);
    try {
      for await (const chunk of store.snapshot()) {
        bytes += chunk.length;
        await out.writeFile(chunk);
      }
      await out.sync();
    } finally {
      await out.close();
    }
    await rename(temporary, file);
    await syncDirectory(dirname(file));
  } catch (err) {
    await rm(temporary, { force: true });
    throw new UserError(`The snapshot ${file} could not be written: ${(err as Error).message}.`);
  }
  return { revision, bytes };
}

/** Forgets all history; gives the revision that is now the oldest. */
export async function forgetHistory(store: Store): Promise<number> {
  const { revision } = store;
  await store.compact(revision);
  return revision;
}

/**
 * Puts a snapshot in place of the embedded store of a stopped cluster. What was there is kept beside it; its directory is given, undefined when
 * there was nothing. A crash on the way leaves the old one or the new one, whole. Throws `UserError` when the snapshot is no good.
 */
export async function restoreEmbedded(options: StorageOptions, file: string): Promise<string | undefined> {
  const { layout, clock } = options;
  await finishReplacement(layout);
  if (!existsSync(file)) throw new UserError(`There is no file ${file}.`);
  const kept = existsSync(layout.store)
    ? `${layout.store}.before-restore-${new Date(clock.now()).toISOString().replaceAll(/[:.]/g, '-')}`
    : undefined;
  // Nobody may use it now: it is locked until it has another name.
  const current = kept === undefined ? undefined : await openEmbedded(options, layout.store, true);
  try {
    await replaceStore(options, createReadStream(file), kept, RESTORE_SKIP);
  } finally {
    await current?.close();
  }
  return kept;
}

/** Writes the embedded store of a stopped cluster anew: without history, and without the room that it does not need any more. Gives its sizes in bytes. */
export async function rewriteEmbedded(options: StorageOptions): Promise<{ readonly before: number; readonly after: number }> {
  const { layout } = options;
  const data = join(layout.store, 'data.mdb');
  await finishReplacement(layout);
  const current = await openEmbedded(options, layout.store);
  const before = (await stat(data)).size;
  const old = `${layout.store}.old`;
  try {
    await forgetHistory(current);
    await rm(old, { recursive: true, force: true });
    await replaceStore(options, current.snapshot(), old, 0);
  } finally {
    await current.close();
  }
  await rm(old, { recursive: true, force: true });
  return { before, after: (await stat(data)).size };
}

/** A whole new store, before it takes the old one's place. */
const readyStore = (layout: Layout): string => `${layout.store}.ready`;

async function replaceStore(
  options: StorageOptions,
  source: AsyncIterable<Uint8Array>,
  kept: string | undefined,
  skip: number,
): Promise<void> {
  const { layout } = options;
  const fresh = `${layout.store}.new`;
  const ready = readyStore(layout);
  try {
    for (const left of [fresh, ready]) await rm(left, { recursive: true, force: true });
    const store = await openEmbedded(options, fresh);
    try {
      await store.restore(source, skip);
    } finally {
      await store.close();
    }
  } catch (err) {
    await rm(fresh, { recursive: true, force: true });
    throw toUserError(err);
  }
  await rename(fresh, ready);
  if (kept !== undefined) await rename(layout.store, kept);
  await finishReplacement(layout);
}

/** The last step of a replacement; also of one that was cut off before it, when the old store has gone and the new one is whole. */
async function finishReplacement(layout: Layout): Promise<void> {
  if (existsSync(layout.store) || !existsSync(readyStore(layout))) return;
  await rename(readyStore(layout), layout.store);
  await syncDirectory(dirname(layout.store));
}

/** A store that cannot be opened for its contents is no obstacle to one who wants it replaced; one in use is. */
async function openEmbedded({ clock, logger }: StorageOptions, path: string): Promise<Store>;
async function openEmbedded({ clock, logger }: StorageOptions, path: string, orDamaged: true): Promise<Store | undefined>;
async function openEmbedded({ clock, logger }: StorageOptions, path: string, orDamaged = false): Promise<Store | undefined> {
  try {
    return await openEmbeddedStore({ path, clock, logger });
  } catch (err) {
    if (orDamaged && err instanceof StoreUnavailableError && !/in use/.test(err.message)) return undefined;
    throw toUserError(err);
  }
}

/** Makes new names last through a power cut. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function toUserError(err: unknown): unknown {
  if (!(err instanceof StoreUnavailableError)) return err;
  const { message } = err;
  return new UserError(`${message.charAt(0).toUpperCase()}${message.slice(1)}.`);
}

/** What a check found, as people read it. */
export function describeCheck(check: StoreCheck): string {
  const { keys, bytes, revision, compactedRevision, history } = check;
  const past = history === undefined ? '' : `, ${history} changes of history since revision ${compactedRevision}`;
  return `${keys} keys with ${bytes} bytes at revision ${revision}${past}`;
}
