import type { Pod } from '../../api/types/core-v1.ts';
import { isTerminating } from '../workload/pod-state.ts';
import { isSuspended, type JobAssessment } from './assess.ts';
import { backoffLeft, indexBackoffLeft } from './backoff.ts';
import { IndexSet } from './indexes.ts';
import { hasLimitPerIndex, indexOf, isIndexed, podsToRemove } from './job-pods.ts';
import { replacesOnlyFailed } from './policies.ts';

/** Most pods created or deleted in one pass. */
const MAX_PODS_PER_PASS = 500;

export type JobPlan =
  /** The job is over: its active pods are deleted; they keep their finalizers until they are counted. */
  | { readonly action: 'end'; readonly pods: readonly Pod[] }
  /** Too many pods, or a suspended job: these go uncounted. */
  | { readonly action: 'remove'; readonly pods: readonly Pod[] }
  /** Indexes of new pods; undefined for pods of a job without. */
  | { readonly action: 'create'; readonly indexes: readonly (number | undefined)[] }
  | { readonly action: 'wait'; readonly ms: number }
  | { readonly action: 'none' };

const nothing: JobPlan = { action: 'none' };

/** Decides how many pods there should be. Creates or deletes in one pass, never both: deletions first. Pure. */
export function planJob(assessment: JobAssessment, now: number): JobPlan {
  const { job, active, end, succeeded } = assessment;
  if (end !== undefined) return { action: 'end', pods: active };
  if (job.metadata?.deletionTimestamp !== undefined) return nothing;
  if (isSuspended(job)) return active.length === 0 ? nothing : { action: 'remove', pods: active };
  const { completions, parallelism = 1 } = job.spec ?? {};
  let wanted: number;
  // Without a number of completions the first success ends it: what runs may finish, nothing new begins.
  if (completions === undefined) wanted = succeeded > 0 ? active.length : parallelism;
  else wanted = Math.max(0, Math.min(parallelism, completions - succeeded));
  const excess = podsToRemove(job, active, Math.max(0, active.length - wanted), now);
  if (excess.length > 0) return { action: 'remove', pods: excess.slice(0, MAX_PODS_PER_PASS) };
  const pending = replacesOnlyFailed(job) ? assessment.terminating : 0;
  const missing = wanted - pending - active.length;
  return missing <= 0 ? nothing : planCreation(assessment, Math.min(missing, MAX_PODS_PER_PASS), now);
}

function planCreation(assessment: JobAssessment, count: number, now: number): JobPlan {
  const { job, lastFailed } = assessment;
  const perIndex = hasLimitPerIndex(job);
  if (!perIndex) {
    const ms = backoffLeft(assessment.backoff, now);
    if (ms > 0) return { action: 'wait', ms };
  }
  if (!isIndexed(job)) return { action: 'create', indexes: Array.from({ length: count }) };
  const free = freeIndexes(assessment, count);
  if (!perIndex) return free.length === 0 ? nothing : { action: 'create', indexes: free };
  let least: number | undefined;
  const now_ = free.filter((index) => {
    const ms = indexBackoffLeft(lastFailed.get(index), now);
    if (ms > 0 && (least === undefined || ms < least)) least = ms;
    return ms === 0;
  });
  if (now_.length > 0) return { action: 'create', indexes: now_ };
  return least === undefined ? nothing : { action: 'wait', ms: least };
}

/** The first indexes that neither have ended nor have a pod. */
function freeIndexes(assessment: JobAssessment, count: number): readonly number[] {
  const { job, active, pods, succeededIndexes, failedIndexes } = assessment;
  const occupied = new Set<number>();
  const occupy = (pod: Pod): void => {
    const index = indexOf(job, pod);
    if (index !== undefined) occupied.add(index);
  };
  active.forEach(occupy);
  if (replacesOnlyFailed(job)) pods.filter(isTerminating).forEach(occupy);
  const taken = succeededIndexes.union(IndexSet.of(occupied)).union(failedIndexes ?? IndexSet.empty);
  return taken.firstMissing(count, job.spec?.completions ?? 0);
}
