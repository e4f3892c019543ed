import { tolerates } from '../../api/groups/core/toleration.ts';
import type { Pod, Taint, Toleration } from '../../api/types/core-v1.ts';

/** How long a pod may stay on a node with these NoExecute taints: milliseconds, 0 for not at all, undefined for ever. */
export function toleratedFor(pod: Pod, taints: readonly Taint[]): number | undefined {
  const used = new Set<Toleration>();
  for (const taint of taints) {
    const toleration = (pod.spec?.tolerations ?? []).find((candidate) => tolerates(candidate, taint));
    if (toleration === undefined) return 0;
    used.add(toleration);
  }
  let least: number | undefined;
  for (const { tolerationSeconds } of used) {
    if (tolerationSeconds === undefined) continue;
    const ms = Math.max(0, tolerationSeconds) * 1000;
    if (least === undefined || ms < least) least = ms;
  }
  return least;
}

/** An eviction that is due at `at`, having been decided on at `since`. Monotonic milliseconds. */
export interface Eviction {
  readonly since: number;
  readonly at: number;
}

/**
 * What becomes of a pod's eviction when its node's NoExecute taints are these: a new one, the one that stands, or none (undefined).
 * What is under way keeps its time, whatever becomes of the tolerations, as long as they are for a time. Pure.
 */
export function planEviction(
  pod: Pod,
  taints: readonly Taint[],
  standing: Eviction | undefined,
  now: number,
): Eviction | undefined {
  if (taints.length === 0) return undefined;
  const ms = toleratedFor(pod, taints);
  if (ms === undefined) return undefined;
  if (ms === 0) return { since: now, at: now };
  return standing ?? { since: now, at: now + ms };
}

export const noExecuteTaints = (taints: readonly Taint[] | undefined): readonly Taint[] =>
  (taints ?? []).filter((taint) => taint.effect === 'NoExecute');
