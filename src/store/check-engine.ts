import { MAX_FAULTS, type StoreCheck } from './contract.ts';
import { type Engine, type EngineMeta, revisionOf, SLOTS_PER_REVISION } from './engine.ts';

/** Records looked at between turns of the event loop. */
const STEP = 256;

/**
 * Holds an engine to what `LogStore` relies on: each living key has its record, each remembered change has the one it replaced, nothing is
 * left over before the compacted revision, the counters are right. `turn` lets others work between steps; each step sees one state.
 */
export async function checkEngine(engine: Engine, turn: () => Promise<void>): Promise<StoreCheck> {
  const faults: string[] = [];
  const fault = (text: string): void => {
    if (faults.length < MAX_FAULTS) faults.push(text);
  };
  const before = engine.meta();
  const living = await checkHeads(engine, turn, fault);
  const history = await checkLog(engine, turn, fault);
  const meta = engine.meta();
  // Under writing, the counters are those of another moment.
  if (sameMeta(before, meta) && (history.records !== meta.historyRecords || history.bytes !== meta.historyBytes)) {
    fault(
      `history is counted as ${meta.historyRecords} records of ${meta.historyBytes} bytes, and has ${history.records} of ${history.bytes}`,
    );
  }
  const { revision, compactedRevision, historyRecords } = meta;
  return { revision, compactedRevision, ...living, history: historyRecords, faults };
}

type Fault = (text: string) => void;

async function checkHeads(engine: Engine, turn: () => Promise<void>, fault: Fault): Promise<{ keys: number; bytes: number }> {
  let keys = 0;
  let bytes = 0;
  for (let from = ''; ; ) {
    await turn();
    const heads = engine.heads(from, '\x7f', STEP);
    for (const [key, head] of heads) {
      keys++;
      const record = engine.record(head.slot);
      if (record === undefined) fault(`${key} is in the index at revision ${revisionOf(head.slot)}, where the log has nothing`);
      else if (record.value === undefined || record.key !== key) {
        fault(`${key} is in the index at revision ${revisionOf(head.slot)}, where the log has something else`);
      } else {
        bytes += record.value.length;
        if (record.createRevision !== head.createRevision || record.expiresAt !== head.expiresAt)
          fault(`index and log differ about ${key}`);
      }
    }
    if (heads.length < STEP) return { keys, bytes };
    from = `${heads.at(-1)![0]} `;
  }
}

async function checkLog(
  engine: Engine,
  turn: () => Promise<void>,
  fault: Fault,
): Promise<{ readonly records: number; readonly bytes: number }> {
  let records = 0;
  let bytes = 0;
  // What stood at the compacted revision and does no more, until the change that replaced it is met. No more than history has records.
  const replaced = new Map<number, string>();
  for (let from = 0; ; ) {
    await turn();
    const { revision, compactedRevision } = engine.meta();
    const end = (revision + 1) * SLOTS_PER_REVISION;
    const found = engine.records(from, end, STEP);
    for (const { slot, key, value, previousSlot } of found) {
      const at = revisionOf(slot);
      if (at > compactedRevision) {
        records++;
        bytes += key.length + (value?.length ?? 0);
        if (previousSlot !== 0 && engine.record(previousSlot) === undefined)
          fault(`${key} at revision ${at} has lost what it replaced`);
        replaced.delete(previousSlot);
      } else if (engine.head(key)?.slot !== slot) replaced.set(slot, key);
    }
    if (found.length < STEP) {
      for (const [slot, key] of replaced) {
        // It may have gone meanwhile.
        if (engine.record(slot) !== undefined)
          fault(`${key} at revision ${revisionOf(slot)} is left over from before the last compaction`);
      }
      if (engine.records(end, Number.MAX_SAFE_INTEGER, 1).length > 0)
        fault(`the log goes on after its newest revision ${revision}`);
      return { records, bytes };
    }
    from = found.at(-1)!.slot + 1;
  }
}

const sameMeta = (a: EngineMeta, b: EngineMeta): boolean =>
  a.revision === b.revision && a.compactedRevision === b.compactedRevision;
