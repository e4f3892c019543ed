import type { Deployment, ReplicaSet } from '../../api/types/apps-v1.ts';

export const REVISION = 'deployment.kubernetes.io/revision';
export const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
export const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';
const DEPRECATED_ROLLBACK = 'deprecated.deployment.rollback.to';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/** Longest revision history, in characters: about a hundred revisions. */
const MAX_HISTORY_LENGTH = 2000;

type Annotations = Readonly<Record<string, string>>;

/** Annotations of a Deployment that mean nothing on its ReplicaSets. */
const notCopied = new Set([LAST_APPLIED, REVISION, REVISION_HISTORY, DESIRED_REPLICAS, MAX_REPLICAS, DEPRECATED_ROLLBACK]);

/** Revisions are signed integers of 64 bits: some are beyond what a number holds exactly. */
const MAX_REVISION = 2n ** 63n - 1n;

/** A revision annotation; 0 when there is none, undefined when it is no such integer. */
function parseRevision(text = '0'): bigint | undefined {
  if (!/^[+-]?[0-9]{1,20}$/.test(text)) return undefined;
  const revision = BigInt(text.startsWith('+') ? text.slice(1) : text);
  return revision > MAX_REVISION || revision < -MAX_REVISION - 1n ? undefined : revision;
}

export function maxRevision(sets: readonly ReplicaSet[]): bigint {
  let max = 0n;
  for (const set of sets) {
    const revision = parseRevision(set.metadata?.annotations?.[REVISION]) ?? 0n;
    if (revision > max) max = revision;
  }
  return max;
}

/** How many replicas the Deployment wanted, or might have had, when the set was last scaled. */
export function replicasAnnotation(set: ReplicaSet, name: typeof DESIRED_REPLICAS | typeof MAX_REPLICAS): number | undefined {
  const text = set.metadata?.annotations?.[name];
  return text !== undefined && /^[+-]?[0-9]+$/.test(text) ? Number(text) : undefined;
}

/**
 * The annotations of the newest ReplicaSet: the Deployment's own copied, and its revision raised to `revision`. A set that had a revision before
 * is being rolled back to; the old number goes into its history. The same object when nothing changes.
 */
export function newSetAnnotations(deployment: Deployment, current: Annotations, revision: bigint): Annotations {
  const next: Record<string, string> = { ...current };
  let changed = false;
  for (const [key, value] of Object.entries(deployment.metadata?.annotations ?? {})) {
    if (notCopied.has(key) || next[key] === value) continue;
    next[key] = value;
    changed = true;
  }
  const oldText = current[REVISION];
  const old = parseRevision(oldText);
  if (old !== undefined && old < revision) {
    next[REVISION] = String(revision);
    changed = true;
    if (oldText !== undefined) {
      const history = withHistory(current[REVISION_HISTORY] ?? '', oldText);
      if (history !== undefined) next[REVISION_HISTORY] = history;
    }
  }
  return changed ? next : current;
}

function withHistory(history: string, revision: string): string | undefined {
  if (history === '') return revision;
  const parts = [...history.split(','), revision];
  while (parts.length > 1 && parts.join(',').length > MAX_HISTORY_LENGTH) parts.shift();
  const text = parts.join(',');
  return text.length <= MAX_HISTORY_LENGTH ? text : undefined;
}

/** With the sizes a proportional scaling later needs; the same object when they are there already. */
export function withReplicasAnnotations(current: Annotations | undefined, desired: number, max: number): Annotations {
  if (current?.[DESIRED_REPLICAS] === String(desired) && current[MAX_REPLICAS] === String(max)) return current;
  return { ...current, [DESIRED_REPLICAS]: String(desired), [MAX_REPLICAS]: String(max) };
}
