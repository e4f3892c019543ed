import { describe, expect, it } from 'vitest';
import { checkEngine } from './check-engine.ts';
import { type EngineMeta, type LogRecord, SLOTS_PER_REVISION } from './engine.ts';
import { MemoryEngine } from './memory-store.ts';

const record = (revision: number, key: string, more: Partial<LogRecord> = {}): LogRecord => ({
  slot: revision * SLOTS_PER_REVISION,
  key,
  value: Buffer.from('x'),
  createRevision: revision,
  previousSlot: 0,
  expiresAt: 0,
  ...more,
});

async function faultsOf(records: readonly LogRecord[], meta: Partial<EngineMeta>, dropped: readonly number[] = []) {
  const engine = new MemoryEngine();
  await engine.apply({
    meta: { revision: 9, compactedRevision: 1, historyRecords: 0, historyBytes: 0, ...meta },
    records,
    endedExpiries: [],
    droppedSlots: dropped,
  });
  return (await checkEngine(engine, () => Promise.resolve())).faults;
}

describe('checkEngine', () => {
  it('finds nothing wrong with what is right', async () => {
    const second = record(3, '/a', { createRevision: 2, previousSlot: 2 * SLOTS_PER_REVISION });
    expect(await faultsOf([record(2, '/a'), second], { historyRecords: 2, historyBytes: 6 })).toEqual([]);
  });

  it('misses the record of a living key, and what a change replaced', async () => {
    expect(await faultsOf([record(2, '/a')], {}, [2 * SLOTS_PER_REVISION])).toEqual([
      '/a is in the index at revision 2, where the log has nothing',
    ]);
    const lost = record(3, '/a', { previousSlot: 2 * SLOTS_PER_REVISION });
    expect(await faultsOf([lost], { historyRecords: 1, historyBytes: 3 })).toEqual([
      '/a at revision 3 has lost what it replaced',
    ]);
  });

  it('finds what compaction forgot, what is newer than it should be, and wrong counters', async () => {
    const second = record(3, '/a', { createRevision: 2, previousSlot: 2 * SLOTS_PER_REVISION });
    expect(await faultsOf([record(2, '/a'), second], { compactedRevision: 5 })).toEqual([
      '/a at revision 2 is left over from before the last compaction',
    ]);
    expect(await faultsOf([record(12, '/a')], {})).toEqual(['the log goes on after its newest revision 9']);
    expect(await faultsOf([record(2, '/a')], { historyRecords: 7, historyBytes: 1 })).toEqual([
      'history is counted as 7 records of 1 bytes, and has 1 of 3',
    ]);
  });
});
