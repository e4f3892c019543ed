import { deepEqual } from '../../api/groups/define.ts';
import type { PodCondition, PodStatus } from '../../api/types/core-v1.ts';
import { ownConditions, passingConditions } from './pod-conditions.ts';

/**
 * The strategic merge patch that turns the status `from`, as the API has it, into `to`; undefined when they are the same. Conditions are
 * told one by one, by type, so that those of others are never touched. Merged lists are replaced whole.
 */
export function statusPatch(uid: string, from: PodStatus | undefined, to: PodStatus): object | undefined {
  const before = (from ?? {}) as Readonly<Record<string, unknown>>;
  const after = to as Readonly<Record<string, unknown>>;
  const status: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (key === 'conditions' || theirs.has(key) || deepEqual(before[key], after[key])) continue;
    if (after[key] === undefined) status[key] = null;
    else if (merged.has(key)) status[key] = [{ $patch: 'replace' }, ...(after[key] as readonly unknown[])];
    else status[key] = after[key];
  }
  const conditions = changedConditions(from?.conditions ?? [], to.conditions ?? []);
  if (conditions.length > 0) status['conditions'] = conditions;
  return Object.keys(status).length === 0 ? undefined : { metadata: { uid }, status };
}

/** Fields of the status that others write. */
const theirs: ReadonlySet<string> = new Set([
  'nominatedNodeName',
  'resourceClaimStatuses',
  'extendedResourceClaimStatus',
  'nodeAllocatableResourceClaimStatuses',
  'resize',
]);
/** Lists that a strategic merge would merge by address. */
const merged: ReadonlySet<string> = new Set(['podIPs', 'hostIPs']);

function changedConditions(before: readonly PodCondition[], after: readonly PodCondition[]): readonly object[] {
  const over = before
    .filter((b) => passingConditions.has(b.type) && !after.some((c) => c.type === b.type))
    .map((b) => ({ $patch: 'delete', type: b.type }));
  const changed = after
    .filter(
      (c) =>
        (ownConditions.has(c.type) || c.type === 'DisruptionTarget') &&
        !deepEqual(
          c,
          before.find((b) => b.type === c.type),
        ),
    )
    .map((c) => {
      const old = before.find((b) => b.type === c.type);
      // What is no longer said must be taken away by name.
      return {
        ...(old?.reason !== undefined ? { reason: null } : {}),
        ...(old?.message !== undefined ? { message: null } : {}),
        ...c,
      };
    });
  return [...changed, ...over];
}
