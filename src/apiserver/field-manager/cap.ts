import { union } from '../../api/apply/index.ts';
import { type Managed, type ManagedEntry, seconds, writerKey } from './entries.ts';

/** How many entries of updates an object keeps. */
export const MAX_UPDATE_ENTRIES = 10;
/** Who is said to have written what the oldest entries held. */
const ANCIENT_CHANGES = 'ancient-changes';

/**
 * Keeps the entries of updates at `MAX_UPDATE_ENTRIES` by merging the oldest ones into one entry per version. An oldest entry that is alone
 * in its version stays; entries of appliers are never merged.
 */
export function capUpdates(managed: Managed): Managed {
  const updates = [...managed].filter(([, entry]) => !entry.applied);
  if (updates.length <= MAX_UPDATE_ENTRIES) return managed;
  updates.sort(([a, x], [b, y]) => seconds(x.time) - seconds(y.time) || (a < b ? -1 : 1));
  const out = new Map(managed);
  const firsts = new Map<string, string>();
  let count = updates.length;
  for (const [key, entry] of updates) {
    if (count <= MAX_UPDATE_ENTRIES) break;
    const { apiVersion } = entry;
    const first = firsts.get(apiVersion);
    if (first === undefined) {
      firsts.set(apiVersion, key);
      continue;
    }
    const bucket = { manager: ANCIENT_CHANGES, operation: 'Update', apiVersion, subresource: '' } as const;
    const bucketKey = writerKey(bucket);
    let collected: ManagedEntry = out.get(bucketKey) ?? out.get(first)!;
    if (!out.has(bucketKey)) out.delete(first);
    // The younger entry's time is the bucket's.
    collected = { ...collected, ...bucket, set: union(entry.set, collected.set), time: entry.time, source: undefined };
    out.set(bucketKey, collected);
    out.delete(key);
    count--;
  }
  return out;
}
