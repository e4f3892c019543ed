import { createHash } from 'node:crypto';
import { StoreUnavailableError } from './contract.ts';
import { type Engine, type LogRecord, revisionOf } from './engine.ts';
import { ListAtRevision } from './list-at-revision.ts';
import { decodeRecord, encodeRecord } from './log-record.ts';

/**
 * The snapshot format: a magic line, f64 revision, then records each led by u32 length and f64 slot, a zero length, and the SHA-256 of
 * everything before it.
 */
const MAGIC = Buffer.from('k8ts-snapshot 1\n');
const FRAME_BYTES = 12;
const DIGEST_BYTES = 32;
/** Entries read at once. */
const STEP = 256;
/** No record is longer: a damaged length must not ask for the whole memory. */
const MAX_RECORD_BYTES = 64 * 1024 * 1024;

/** All living entries as of `revision`. */
export async function* writeSnapshot(engine: Engine, revision: number): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  const head = Buffer.alloc(MAGIC.length + 8);
  MAGIC.copy(head);
  head.writeDoubleLE(revision, MAGIC.length);
  hash.update(head);
  yield head;
  const reader = new ListAtRevision(engine, '', revision, undefined);
  while (!reader.done) {
    const parts: Buffer[] = [];
    for (const record of reader.readRecords(STEP)) {
      const bytes = encodeRecord({ ...record, previousSlot: 0 });
      const frame = Buffer.alloc(FRAME_BYTES);
      frame.writeUInt32LE(bytes.length, 0);
      frame.writeDoubleLE(record.slot, 4);
      parts.push(frame, bytes);
    }
    const chunk = Buffer.concat(parts);
    hash.update(chunk);
    yield chunk;
  }
  const end = Buffer.alloc(4);
  hash.update(end);
  yield Buffer.concat([end, hash.digest()]);
}

/** Puts a snapshot into an empty engine, in one step: all of it, checked to its end, or nothing. The newest revision is `skip` after its own. */
export async function readSnapshot(engine: Engine, source: AsyncIterable<Uint8Array>, skip: number): Promise<void> {
  const hash = createHash('sha256');
  const input = new Reader(source);
  const head = await input.take(MAGIC.length + 8);
  if (!head.subarray(0, MAGIC.length).equals(MAGIC)) throw damaged('it does not begin as one');
  hash.update(head);
  const revision = head.readDoubleLE(MAGIC.length);
  if (!Number.isSafeInteger(revision) || revision < 1) throw damaged('its revision is no number');
  const records: LogRecord[] = [];
  for (;;) {
    const length = await input.take(4);
    hash.update(length);
    const size = length.readUInt32LE(0);
    if (size === 0) break;
    if (size > MAX_RECORD_BYTES) throw damaged('a record is too long');
    const rest = await input.take(FRAME_BYTES - 4 + size);
    hash.update(rest);
    const slot = rest.readDoubleLE(0);
    if (revisionOf(slot) > revision) throw damaged('a record is newer than the snapshot');
    records.push(decodeRecord(slot, rest.subarray(FRAME_BYTES - 4)));
  }
  if (!(await input.take(DIGEST_BYTES)).equals(hash.digest())) throw damaged('its checksum does not match');
  const newest = revision + skip;
  const meta = { revision: newest, compactedRevision: newest, historyRecords: 0, historyBytes: 0 };
  await engine.apply({ meta, records, endedExpiries: [], droppedSlots: [] });
}

const damaged = (what: string): StoreUnavailableError =>
  new StoreUnavailableError(`this is not a whole snapshot (${what}); take it again, or use another`);

/** Takes exact lengths from a stream of chunks. */
class Reader {
  readonly #source: AsyncIterator<Uint8Array>;
  #rest = Buffer.alloc(0);
  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }
  async take(length: number): Promise<Buffer> {
    if (this.#rest.length < length) {
      const parts: Uint8Array[] = [this.#rest];
      let have = this.#rest.length;
      while (have < length) {
        const next = await this.#source.next();
        if (next.done === true) throw damaged('it ends too early');
        parts.push(next.value);
        have += next.value.length;
      }
      this.#rest = Buffer.concat(parts);
    }
    const out = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return out;
  }
}
