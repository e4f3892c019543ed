import { scaledValue } from '../../api/meta/int-or-string.ts';
import type { Deployment, ReplicaSet } from '../../api/types/apps-v1.ts';
import { MAX_REPLICAS, replicasAnnotation } from './annotations.ts';

/** The numbers of a rolling update. */
export interface Bounds {
  readonly replicas: number;
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

export const isRolling = (deployment: Deployment): boolean =>
  (deployment.spec?.strategy?.type ?? 'RollingUpdate') === 'RollingUpdate';
export const sizeOf = (set: ReplicaSet): number => set.spec?.replicas ?? 1;
export const totalSize = (sets: readonly ReplicaSet[]): number => sets.reduce((sum, set) => sum + sizeOf(set), 0);

/**
 * Surge and unavailability in pods: surge rounds up, unavailability down, and when both come to zero one pod may be unavailable, for a quota may
 * forbid the surge that would be needed. Recreate has neither.
 */
export function boundsOf(deployment: Deployment): Bounds {
  const replicas = deployment.spec?.replicas ?? 1;
  if (!isRolling(deployment)) return { replicas, maxSurge: 0, maxUnavailable: 0 };
  const { maxSurge = 0, maxUnavailable = 0 } = deployment.spec?.strategy?.rollingUpdate ?? {};
  const surge = scaledValue(maxSurge, replicas, true);
  let unavailable = scaledValue(maxUnavailable, replicas, false);
  if (surge === 0 && unavailable === 0) unavailable = 1;
  return { replicas, maxSurge: surge, maxUnavailable: replicas === 0 ? 0 : Math.min(unavailable, replicas) };
}

/** How large the new set may be now: all pods together never more than wanted and surge. */
export function newSetSize(deployment: Deployment, all: readonly ReplicaSet[], newSize: number): number {
  const { replicas, maxSurge } = boundsOf(deployment);
  if (!isRolling(deployment)) return replicas;
  const room = replicas + maxSurge - totalSize(all);
  return room <= 0 ? newSize : newSize + Math.min(room, replicas - newSize);
}

/** How many pods of the old sets may go without falling below the minimum, counting new pods that are not available against it. */
export function maxScaledDown(deployment: Deployment, all: readonly ReplicaSet[], newSet: ReplicaSet): number {
  const { replicas, maxUnavailable } = boundsOf(deployment);
  const newUnavailable = sizeOf(newSet) - (newSet.status?.availableReplicas ?? 0);
  return totalSize(all) - (replicas - maxUnavailable) - newUnavailable;
}

/**
 * The size each active set gets when a Deployment is scaled in the middle of a rollout: the difference is shared in proportion to the sizes,
 * larger sets first, leftovers to the largest.
 */
export function proportionalSizes(deployment: Deployment, active: readonly ReplicaSet[]): ReadonlyMap<ReplicaSet, number> {
  const { replicas, maxSurge } = boundsOf(deployment);
  const toAdd = (replicas > 0 ? replicas + maxSurge : 0) - totalSize(active);
  const sizes = new Map<ReplicaSet, number>();
  const ordered = bySize(active, toAdd > 0);
  let added = 0;
  for (const set of ordered) {
    const share = toAdd === 0 ? 0 : proportion(deployment, set, toAdd, added);
    sizes.set(set, sizeOf(set) + share);
    added += share;
  }
  const [largest] = ordered;
  if (largest !== undefined && toAdd !== 0) sizes.set(largest, Math.max(0, sizes.get(largest)! + toAdd - added));
  return sizes;
}

function proportion(deployment: Deployment, set: ReplicaSet, toAdd: number, added: number): number {
  if (sizeOf(set) === 0 || toAdd === added) return 0;
  const share = fraction(deployment, set);
  const allowed = toAdd - added;
  return toAdd > 0 ? Math.min(share, allowed) : Math.max(share, allowed);
}

function fraction(deployment: Deployment, set: ReplicaSet): number {
  const { replicas, maxSurge } = boundsOf(deployment);
  const size = sizeOf(set);
  if (replicas === 0) return -size;
  const before = replicasAnnotation(set, MAX_REPLICAS) || (deployment.status?.replicas ?? 0);
  if (before === 0) return 0;
  return Math.round((size * (replicas + maxSurge)) / before) - size;
}

const created = (set: ReplicaSet): string => set.metadata?.creationTimestamp ?? '';

/** Oldest first; names decide between equals. */
export function byAge(sets: readonly ReplicaSet[]): readonly ReplicaSet[] {
  return [...sets].sort(
    (a, b) => compareText(created(a), created(b)) || compareText(a.metadata?.name ?? '', b.metadata?.name ?? ''),
  );
}

/** Largest first; of equals the newer first when growing, the older first when shrinking. */
function bySize(sets: readonly ReplicaSet[], growing: boolean): readonly ReplicaSet[] {
  const aged = byAge(sets);
  const ordered = growing ? [...aged].reverse() : [...aged];
  return ordered.sort((a, b) => sizeOf(b) - sizeOf(a));
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
