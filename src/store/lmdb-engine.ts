import { closeSync, existsSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { releaseMapped } from '../util/native-memory.ts';
import { turn } from '../util/slice.ts';
import { StoreUnavailableError } from './contract.ts';
import type { Engine, EngineBatch, EngineMeta, Head, LogRecord, TrailMark } from './engine.ts';
import { decodeHead, decodeRecord, decodeTrail, encodeHead, encodeRecord } from './log-record.ts';

/** The format of the files. Another one is refused: nothing is converted silently. */
export const FORMAT_VERSION = 1;
const DATA_FILE = 'data.mdb';
/** Values of the usual 2 to 4 KB then fit into one page; with pages of 4 KB, each would take two for itself. */
const PAGE_SIZE = 8_192;
/**
 * Room in the address space for the file, of which nothing is taken until it is used. Where it does not suffice, the library maps the file once
 * more, twice as large, and keeps the smaller mappings: with its default of 128 KB, each page would count for several in the end.
 */
const MAP_SIZE = 16 * 1024 ** 3;
/** A file up to this size, in bytes, may stay in memory as a whole. */
const SMALL_FILE = 16 * 1024 * 1024;
/** Bytes of the file that are let go in one turn of the event loop. */
const RELEASE_STEP = 64 * 1024 * 1024;

const FIRST_META: EngineMeta = { revision: 1, compactedRevision: 1, historyRecords: 0, historyBytes: 0 };

/**
 * The engine on LMDB. Writes go through one asynchronous transaction per step, synced before it shows (`overlappingSync` is off for that:
 * with it, readers could see what a power cut takes back). A crash leaves the last synced state; there is nothing to repair or replay.
 */
export class LmdbEngine implements Engine {
  readonly #directory: string;
  readonly #root: RootDatabase<Buffer, string>;
  readonly #meta: Database<EngineMeta | number, string>;
  readonly #index: Database<Buffer, string>;
  readonly #log: Database<Buffer, number>;
  readonly #expiry: Database<string, [number, number]>;
  #closed = false;

  /** Opens or makes the files in `directory`, which exists and is locked by the caller. */
  constructor(directory: string) {
    this.#directory = directory;
    assertDataFile(join(directory, DATA_FILE));
    this.#root = open<Buffer, string>({
      path: join(directory, DATA_FILE),
      noSubdir: true,
      encoding: 'binary',
      overlappingSync: false,
      eventTurnBatching: false,
      pageSize: PAGE_SIZE,
      mapSize: MAP_SIZE,
      // Not in lmdb's types: the mode of new files.
      ...{ permissionsMode: 0o600 },
    });
    this.#meta = this.#root.openDB<EngineMeta | number, string>({ name: 'meta', encoding: 'json' });
    const format = this.#meta.get('format');
    if (format !== undefined && format !== FORMAT_VERSION) {
      void this.#root.close();
      throw new StoreUnavailableError(
        `${directory} is in store format ${String(format)}, this version of k8ts reads format ${FORMAT_VERSION}: ` +
          'use the version that wrote it, take a snapshot with it and restore that into a new directory',
      );
    }
    this.#index = this.#root.openDB<Buffer, string>({ name: 'index', encoding: 'binary' });
    this.#log = this.#root.openDB<Buffer, number>({ name: 'log', encoding: 'binary' });
    this.#expiry = this.#root.openDB<string, [number, number]>({ name: 'expiry', encoding: 'string' });
    if (format === undefined) {
      this.#root.transactionSync(() => {
        this.#meta.putSync('format', FORMAT_VERSION);
        this.#meta.putSync('state', FIRST_META);
      });
    }
  }

  meta(): EngineMeta {
    return this.#meta.get('state') as EngineMeta;
  }

  head(key: string): Head | undefined {
    const bytes = this.#index.get(key);
    return bytes === undefined ? undefined : decodeHead(bytes);
  }

  record(slot: number): LogRecord | undefined {
    const bytes = this.#log.get(slot);
    return bytes === undefined ? undefined : decodeRecord(slot, bytes);
  }

  heads(from: string, to: string, limit: number): readonly (readonly [string, Head])[] {
    const out: [string, Head][] = [];
    for (const { key, value } of this.#index.getRange({ start: from === '' ? ' ' : from, end: to, limit })) {
      out.push([key, decodeHead(value)]);
    }
    return out;
  }

  records(from: number, to: number, limit: number): readonly LogRecord[] {
    const out: LogRecord[] = [];
    for (const { key, value } of this.#log.getRange({ start: from, end: to, limit })) out.push(decodeRecord(key, value));
    return out;
  }

  trail(from: number, to: number, limit: number): readonly TrailMark[] {
    const out: TrailMark[] = [];
    for (const slot of this.#log.getKeys({ start: from, end: to, limit })) {
      // A view that lives until the next read: no copy of the value is made.
      const bytes = this.#log.getBinaryFast(slot);
      if (bytes !== undefined) out.push(decodeTrail(slot, bytes));
    }
    return out;
  }

  expired(now: number, limit: number): readonly { readonly key: string; readonly slot: number }[] {
    const out: { key: string; slot: number }[] = [];
    for (const { key, value } of this.#expiry.getRange({ end: [now + 1, 0], limit })) out.push({ key: value, slot: key[1] });
    return out;
  }

  nextExpiry(): number | undefined {
    for (const key of this.#expiry.getKeys({ limit: 1 })) return key[0];
    return undefined;
  }

  async apply(batch: EngineBatch): Promise<void> {
    try {
      await this.#root.batch(() => this.#write(batch));
    } catch (error) {
      throw await writeError(error, this.#directory);
    }
    // What follows in this turn must see the new state.
    this.#root.resetReadTxn();
  }

  #write(batch: EngineBatch): void {
    for (const record of batch.records) {
      void this.#log.put(record.slot, encodeRecord(record));
      if (record.value === undefined) void this.#index.remove(record.key);
      else void this.#index.put(record.key, encodeHead(record));
      if (record.expiresAt !== 0) void this.#expiry.put([record.expiresAt, record.slot], record.key);
    }
    for (const { expiresAt, slot } of batch.endedExpiries) void this.#expiry.remove([expiresAt, slot]);
    for (const slot of batch.droppedSlots) void this.#log.remove(slot);
    void this.#meta.put('state', batch.meta);
  }

  /** The pages that were looked at, and those around them, would otherwise stay with the process: the whole file in the course of time. */
  async rest(): Promise<void> {
    const file = realpathSync(join(this.#directory, DATA_FILE));
    const { size } = statSync(file);
    if (size < SMALL_FILE) return;
    for (let from = 0; from < size && !this.#closed; from += RELEASE_STEP) {
      releaseMapped(file, from, RELEASE_STEP);
      await turn();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#root.close();
  }
}

/** Where LMDB's first page carries its mark, and the mark. */
const MAGIC_OFFSET = 24;
const MAGIC = 0xbeefc0de;

/** The library does not survive a file that is not its own, so it must not see one. */
function assertDataFile(path: string): void {
  if (!existsSync(path)) return;
  const file = openSync(path, 'r');
  try {
    const start = Buffer.alloc(MAGIC_OFFSET + 4);
    const read = readSync(file, start, 0, start.length, 0);
    if (read !== 0 && (read < start.length || start.readUInt32LE(MAGIC_OFFSET) !== MAGIC))
      throw new Error(`${path} is no LMDB file`);
  } finally {
    closeSync(file);
  }
}

/** Less room than this, in bytes, and a write that failed has failed for that. */
const NO_ROOM_BYTES = 1024 * 1024;

/** What the library rejects with carries the cause in a promise of its own. */
async function writeError(error: unknown, directory: string): Promise<Error> {
  const cause = (error as { commitError?: Promise<never> }).commitError;
  const reason: unknown = cause === undefined ? error : await cause.catch((inner: unknown) => inner);
  const message = reason instanceof Error ? reason.message : String(reason);
  // LMDB calls a write that found room for a part only an input/output error.
  const full = /no space|ENOSPC|disk quota/i.test(message) || (await roomIn(directory)) < NO_ROOM_BYTES;
  if (full) {
    return new StoreUnavailableError('the disk is full: nothing was written; make room, then writes go on by themselves', {
      cause: reason,
    });
  }
  return new StoreUnavailableError(`the store could not write (${message}); check the disk and the directory's permissions`, {
    cause: reason,
  });
}

async function roomIn(directory: string): Promise<number> {
  return statfs(directory).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => Number.POSITIVE_INFINITY,
  );
}
