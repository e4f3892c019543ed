import { CompactedError, type StoreEntry } from './contract.ts';
import { type Engine, type Head, type LogRecord, revisionOf, SLOTS_PER_REVISION } from './engine.ts';

/** Later changes read at once while the past is put together. */
const UNDO_STEP = 1024;

/** The newest state of a key. */
export function readEntry(engine: Engine, key: string): StoreEntry | undefined {
  const head = engine.head(key);
  return head === undefined ? undefined : loadEntry(engine, key, head);
}

function loadEntry(engine: Engine, key: string, head: Head): StoreEntry {
  return entryOf(living(engine, key, head.slot));
}

/** A record with a value. */
type LivingRecord = LogRecord & { readonly value: Uint8Array };

function living(engine: Engine, key: string, slot: number): LivingRecord {
  const record = engine.record(slot);
  if (record?.value === undefined) throw new Error(`store is damaged: ${key} has no record at revision ${revisionOf(slot)}`);
  return record as LivingRecord;
}

function entryOf(record: LivingRecord): StoreEntry {
  return { key: record.key, value: record.value, createRevision: record.createRevision, modRevision: revisionOf(record.slot) };
}

/**
 * Reads entries under a prefix as they were at one revision, in pieces. Changes after that revision are undone: the first later change of
 * a key names the record it replaced. Costs what has changed since. Each piece is read in one turn of the event loop.
 */
export class ListAtRevision {
  readonly #engine: Engine;
  readonly #prefix: string;
  readonly #end: string;
  readonly #revision: number;
  /** State at the revision, by record, of keys that have changed since; 0: did not exist. */
  readonly #undo = new Map<string, number>();
  #undoneTo: number;
  #from: string;
  done = false;

  constructor(engine: Engine, prefix: string, revision: number, from: string | undefined) {
    this.#engine = engine;
    this.#prefix = prefix;
    this.#end = `${prefix}\x7f`;
    this.#revision = revision;
    this.#undoneTo = (revision + 1) * SLOTS_PER_REVISION;
    this.#from = from !== undefined && from > prefix ? from : prefix;
  }

  /** Up to about `limit` more entries; none only when there are no more. */
  read(limit: number): readonly StoreEntry[] {
    return this.readRecords(limit).map(entryOf);
  }

  /** As `read`, with all that is stored of each. */
  readRecords(limit: number): readonly LivingRecord[] {
    const meta = this.#engine.meta();
    if (this.#revision < meta.compactedRevision) throw new CompactedError(meta.compactedRevision);
    this.#extendUndo((meta.revision + 1) * SLOTS_PER_REVISION);
    const out: LivingRecord[] = [];
    while (out.length < limit && !this.done) {
      const heads = this.#engine.heads(this.#from, this.#end, limit - out.length);
      this.done = heads.length < limit - out.length;
      // The smallest key that may follow: no character of a key is below the space.
      const next = this.done ? this.#end : `${heads.at(-1)![0]} `;
      this.#merge(heads, next, out);
      this.#from = next;
    }
    return out;
  }

  /** Adds the living `heads` of the range from `#from` to `next`, with later changes undone. */
  #merge(heads: readonly (readonly [string, Head])[], next: string, out: LivingRecord[]): void {
    if (this.#undo.size === 0) {
      for (const [key, head] of heads) out.push(living(this.#engine, key, head.slot));
      return;
    }
    const found: LivingRecord[] = [];
    for (const [key, head] of heads) if (!this.#undo.has(key)) found.push(living(this.#engine, key, head.slot));
    for (const [key, slot] of this.#undo) {
      if (slot !== 0 && key >= this.#from && key < next) found.push(living(this.#engine, key, slot));
    }
    found.sort((a, b) => (a.key < b.key ? -1 : 1));
    for (const record of found) out.push(record);
  }

  #extendUndo(to: number): void {
    for (;;) {
      if (this.#undoneTo >= to) return;
      const records: readonly LogRecord[] = this.#engine.records(this.#undoneTo, to, UNDO_STEP);
      for (const record of records) {
        if (record.key.startsWith(this.#prefix) && !this.#undo.has(record.key)) this.#undo.set(record.key, record.previousSlot);
      }
      if (records.length < UNDO_STEP) {
        this.#undoneTo = to;
        return;
      }
      this.#undoneTo = records.at(-1)!.slot + 1;
    }
  }
}
