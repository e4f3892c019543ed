import { parseTime } from '../../api/meta/time.ts';
import type { Pod, PodCondition } from '../../api/types/core-v1.ts';

/** A pod that counts: neither finished nor on its way out. */
export function isActive(pod: Pod): boolean {
  const phase = pod.status?.phase;
  return phase !== 'Succeeded' && phase !== 'Failed' && pod.metadata?.deletionTimestamp === undefined;
}

export function isFinished(pod: Pod): boolean {
  const phase = pod.status?.phase;
  return phase === 'Succeeded' || phase === 'Failed';
}

/** On its way out, and not finished yet. */
export function isTerminating(pod: Pod): boolean {
  return !isFinished(pod) && pod.metadata?.deletionTimestamp !== undefined;
}

export function podCondition(pod: Pod, type: string): PodCondition | undefined {
  return pod.status?.conditions?.find((condition) => condition.type === type);
}

export function isReady(pod: Pod): boolean {
  return podCondition(pod, 'Ready')?.status === 'True';
}

/** Ready for at least `minReadySeconds`. `now` in milliseconds. */
export function isAvailable(pod: Pod, minReadySeconds: number, now: number): boolean {
  const ready = podCondition(pod, 'Ready');
  if (ready?.status !== 'True') return false;
  if (minReadySeconds === 0) return true;
  const since = parseTime(ready.lastTransitionTime);
  return since !== undefined && since + minReadySeconds * 1000 <= now;
}

/** Milliseconds until a ready pod becomes available; undefined for one that is not ready or already is. */
export function availableIn(pod: Pod, minReadySeconds: number, now: number): number | undefined {
  if (minReadySeconds === 0 || !isReady(pod) || isAvailable(pod, minReadySeconds, now)) return undefined;
  const since = parseTime(podCondition(pod, 'Ready')?.lastTransitionTime) ?? now;
  return since + minReadySeconds * 1000 - now;
}
