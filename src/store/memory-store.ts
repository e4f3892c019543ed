import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { Store } from './contract.ts';
import type { Engine, EngineBatch, EngineMeta, Expiry, Head, LogRecord, TrailMark } from './engine.ts';
import { type HistoryLimits, LogStore } from './log-store.ts';
import { compareKeys, SortedMap } from './sorted-map.ts';

export interface MemoryStoreOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly history?: Partial<HistoryLimits>;
}

/** A store that is gone with the process: for tests and throw-away clusters. All promises but durability hold. */
export function createMemoryStore(options: MemoryStoreOptions): Store {
  return new LogStore({ ...options, engine: new MemoryEngine(), schedule: queueMicrotask });
}

export class MemoryEngine implements Engine {
  #meta: EngineMeta = { revision: 1, compactedRevision: 1, historyRecords: 0, historyBytes: 0 };
  readonly #index = new SortedMap<string, Head>(undefined, compareKeys);
  readonly #log = new SortedMap<number, LogRecord>(undefined, (a, b) => a - b);
  readonly #expiry = new SortedMap<Expiry, string>(undefined, (a, b) => a.expiresAt - b.expiresAt || a.slot - b.slot);

  meta(): EngineMeta {
    return this.#meta;
  }

  head(key: string): Head | undefined {
    return this.#index.get(key);
  }

  record(slot: number): LogRecord | undefined {
    return this.#log.get(slot);
  }

  heads(from: string, to: string, limit: number): readonly (readonly [string, Head])[] {
    const out: (readonly [string, Head])[] = [];
    if (limit <= 0) return out;
    for (const [key, head] of this.#index.entries(from)) {
      if (key >= to) break;
      out.push([key, head]);
      if (out.length >= limit) break;
    }
    return out;
  }

  records(from: number, to: number, limit: number): readonly LogRecord[] {
    const out: LogRecord[] = [];
    for (const [slot, record] of this.#log.entries(from)) {
      if (slot >= to || out.length >= limit) break;
      out.push(record);
    }
    return out;
  }

  trail(from: number, to: number, limit: number): readonly TrailMark[] {
    return this.records(from, to, limit).map(({ slot, previousSlot, key, value }) => ({
      slot,
      previousSlot,
      isDelete: value === undefined,
      bytes: key.length + (value?.length ?? 0),
    }));
  }

  expired(now: number, limit: number): readonly { readonly key: string; readonly slot: number }[] {
    const out: { key: string; slot: number }[] = [];
    for (const [{ expiresAt, slot }, key] of this.#expiry.entries()) {
      if (expiresAt > now || out.length >= limit) break;
      out.push({ key, slot });
    }
    return out;
  }

  nextExpiry(): number | undefined {
    return this.#expiry.minKey()?.expiresAt;
  }

  apply(batch: EngineBatch): Promise<void> {
    for (const record of batch.records) {
      this.#log.set(record.slot, record);
      if (record.value === undefined) this.#index.delete(record.key);
      else this.#index.set(record.key, record);
      if (record.expiresAt !== 0) this.#expiry.set({ expiresAt: record.expiresAt, slot: record.slot }, record.key);
    }
    for (const expiry of batch.endedExpiries) this.#expiry.delete(expiry);
    for (const slot of batch.droppedSlots) this.#log.delete(slot);
    this.#meta = batch.meta;
    return Promise.resolve();
  }

  rest(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
