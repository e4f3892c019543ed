import { formatTime } from '../../api/meta/time.ts';
import type { Job, JobCondition, JobStatus } from '../../api/types/batch-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { findCondition } from '../conditions.ts';
import { isSuspended, type JobAssessment, jobCondition } from './assess.ts';
import { IndexSet } from './indexes.ts';
import { hasLimitPerIndex, indexOf, isIndexed, isJobPodFailed, isTracked } from './job-pods.ts';
import { judgeFailure } from './policies.ts';

/** Most pods that are counted in one pass: their uids stand in the status meanwhile. */
const MAX_UNCOUNTED = 500;

/** What became of a pass's creations and deletions. */
export interface PassOutcome {
  /** The pods are as many as the plan wanted: nothing failed, and nothing was left out because the informer lags behind. */
  readonly settled: boolean;
  readonly active: number;
  readonly ready: number;
  readonly terminating: number;
  /** Whether the number of pods was looked after: only then does it say that the job is suspended or not. */
  readonly managed: boolean;
}

export interface JobNotice {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** How finished pods get into the status, exactly once each (KEP-2307): uids first, then off with the finalizers, then the numbers. */
export interface TrackingPlan {
  /** The status to be written before finalizers are taken off; undefined when it says so already. */
  readonly before: JobStatus | undefined;
  readonly status: JobStatus;
  /** The pods whose finalizers are to be taken off. */
  readonly release: readonly Pod[];
  /** The condition that ends the job, once everything is counted. */
  readonly final: JobCondition | undefined;
  readonly notices: readonly JobNotice[];
}

/** Decides what is counted now. Pure. */
export function planTracking(assessment: JobAssessment, outcome: PassOutcome, now: number): TrackingPlan {
  const { job } = assessment;
  const old = job.status ?? {};
  const notices: JobNotice[] = [];
  let end = outcome.settled ? assessment.end : undefined;
  let conditions = old.conditions ?? [];
  let { startTime } = assessment;
  if (assessment.end === undefined) {
    if (isComplete(assessment, outcome.active)) {
      const message = 'Reached expected number of succeeded pods';
      end = jobCondition('SuccessCriteriaMet', 'CompletionsReached', message, now);
    } else if (outcome.managed) {
      const suspension = planSuspension(job, conditions, now);
      if (suspension !== undefined) {
        conditions = suspension.conditions;
        notices.push(suspension.notice);
        if (!isSuspended(job)) startTime = formatTime(now);
      }
    }
  }
  const counting = countFinished(assessment, end);
  let final: JobCondition | undefined;
  if (end !== undefined) {
    const announce = end.type !== 'Failed' && findCondition(conditions, end.type)?.status !== 'True';
    if (announce) conditions = [...conditions, end];
    const success = end.type === 'SuccessCriteriaMet';
    final = jobCondition(success ? 'Complete' : 'Failed', end.reason ?? '', end.message ?? '', now);
  }
  const status: JobStatus = {
    ...old,
    ...(startTime === undefined ? {} : { startTime }),
    active: outcome.active,
    ready: outcome.ready,
    terminating: outcome.terminating,
    ...counting.status,
    ...(conditions.length === 0 ? {} : { conditions }),
  };
  return {
    before: sameStatus(status, old) ? undefined : status,
    status,
    release: counting.release,
    final: counting.more ? undefined : final,
    notices,
  };
}

function isComplete({ job, succeeded }: JobAssessment, active: number): boolean {
  const { completions } = job.spec ?? {};
  if (active > 0) return false;
  return completions === undefined ? succeeded > 0 : succeeded >= completions;
}

function planSuspension(
  job: Job,
  conditions: readonly JobCondition[],
  now: number,
): { readonly conditions: readonly JobCondition[]; readonly notice: JobNotice } | undefined {
  const suspended = isSuspended(job);
  const current = findCondition(conditions, 'Suspended');
  // A job that never was suspended does not say that it is not.
  if (current === undefined ? !suspended : (current.status === 'True') === suspended) return undefined;
  const next = suspended
    ? jobCondition('Suspended', 'JobSuspended', 'Job suspended', now)
    : jobCondition('Suspended', 'JobResumed', 'Job resumed', now, 'False');
  const notice: JobNotice = suspended
    ? { type: 'Normal', reason: 'Suspended', message: 'Job suspended' }
    : { type: 'Normal', reason: 'Resumed', message: 'Job resumed' };
  return {
    conditions:
      current === undefined ? [...conditions, next] : conditions.map((condition) => (condition === current ? next : condition)),
    notice,
  };
}

interface Counting {
  readonly status: Pick<JobStatus, 'succeeded' | 'failed' | 'completedIndexes' | 'failedIndexes' | 'uncountedTerminatedPods'>;
  readonly release: readonly Pod[];
  /** There are more pods than one pass counts. */
  readonly more: boolean;
}

/** The pods to be counted, and the status that remembers them until their finalizers are off. */
function countFinished(assessment: JobAssessment, end: JobCondition | undefined): Counting {
  const { job, uncountedFailed, uncountedSucceeded, released, statusIndexes } = assessment;
  const indexed = isIndexed(job);
  const tracked = assessment.pods.filter((pod) => isTracked(pod) && !released.has(pod.metadata?.uid ?? ''));
  const held = new Set(tracked.map((pod) => pod.metadata?.uid ?? ''));
  const settled = settleUncounted(job.status ?? {}, held);
  const succeeded = [...(settled.uncountedTerminatedPods?.succeeded ?? [])];
  const failed = [...(settled.uncountedTerminatedPods?.failed ?? [])];
  const indexes = new Set<number>();
  const release: Pod[] = [];
  let more = false;
  const ordered = indexed ? [...tracked].sort((a, b) => (indexOf(job, a) ?? -1) - (indexOf(job, b) ?? -1)) : tracked;
  for (const pod of ordered) {
    const isFailed = isJobPodFailed(job, pod);
    if (!mayRelease(assessment, pod, isFailed, end)) continue;
    release.push(pod);
    const uid = pod.metadata?.uid ?? '';
    const index = indexOf(job, pod);
    if (pod.status?.phase === 'Succeeded' && !uncountedFailed.has(uid)) {
      if (!indexed) {
        if (!uncountedSucceeded.has(uid)) succeeded.push(uid);
      } else if (index !== undefined && !statusIndexes.has(index)) indexes.add(index);
    } else if (isFailed || (end !== undefined && end.type !== 'SuccessCriteriaMet')) {
      // Once the job is over, whatever has not finished has failed.
      const known = uncountedFailed.has(uid) || (indexed && index === undefined);
      if (!known && judgeFailure(job.spec?.podFailurePolicy, pod).counts) failed.push(uid);
    }
    if (indexes.size + succeeded.length + failed.length >= MAX_UNCOUNTED) {
      more = release.length < ordered.length;
      break;
    }
  }
  const allIndexes = statusIndexes.union(IndexSet.of(indexes));
  return {
    status: {
      ...(indexed
        ? { succeeded: allIndexes.total, completedIndexes: allIndexes.toString() }
        : { succeeded: settled.succeeded ?? 0 }),
      failed: settled.failed ?? 0,
      ...(assessment.failedIndexes === undefined ? {} : { failedIndexes: assessment.failedIndexes.toString() }),
      uncountedTerminatedPods: uncounted(succeeded, failed),
    },
    release,
    more,
  };
}

function mayRelease({ job, lastFailed }: JobAssessment, pod: Pod, isFailed: boolean, end: JobCondition | undefined): boolean {
  if (job.metadata?.deletionTimestamp !== undefined || end !== undefined || pod.status?.phase === 'Succeeded') return true;
  if (!isFailed) return false;
  if (!hasLimitPerIndex(job)) return true;
  // The pod that takes its place must be able to read from it how often the index has failed.
  const index = indexOf(job, pod);
  return index === undefined || lastFailed.get(index)?.metadata?.uid !== pod.metadata?.uid;
}

const uncounted = (succeeded: readonly string[], failed: readonly string[]): JobStatus['uncountedTerminatedPods'] => ({
  ...(failed.length === 0 ? {} : { failed }),
  ...(succeeded.length === 0 ? {} : { succeeded }),
});

/** Moves the uids of pods without a finalizer into the numbers; the same status when there are none. `held`: uids that still have it. */
export function settleUncounted(status: JobStatus, held: ReadonlySet<string>): JobStatus {
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {};
  const stillSucceeded = succeeded.filter((uid) => held.has(uid));
  const stillFailed = failed.filter((uid) => held.has(uid));
  if (stillSucceeded.length === succeeded.length && stillFailed.length === failed.length) return status;
  return {
    ...status,
    succeeded: (status.succeeded ?? 0) + succeeded.length - stillSucceeded.length,
    failed: (status.failed ?? 0) + failed.length - stillFailed.length,
    uncountedTerminatedPods: uncounted(stillSucceeded, stillFailed),
  };
}

/** The status of a job whose end has come, once every pod is counted and none is left terminating; else the same. */
export function conclude(status: JobStatus, final: JobCondition | undefined): JobStatus {
  if (final === undefined || (status.terminating ?? 0) > 0) return status;
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {};
  if (succeeded.length + failed.length > 0) return status;
  return {
    ...status,
    ...(final.type === 'Complete' ? { completionTime: final.lastTransitionTime! } : {}),
    conditions: [...(status.conditions ?? []).filter(({ type }) => type !== final.type), final],
  };
}

function sameStatus(a: JobStatus, b: JobStatus): boolean {
  const number = (value: number | undefined): number => value ?? 0;
  const list = (value: readonly string[] | undefined): string => (value ?? []).join();
  return (
    a.startTime === b.startTime &&
    number(a.active) === number(b.active) &&
    a.ready === b.ready &&
    a.terminating === b.terminating &&
    number(a.succeeded) === number(b.succeeded) &&
    number(a.failed) === number(b.failed) &&
    (a.completedIndexes ?? '') === (b.completedIndexes ?? '') &&
    a.failedIndexes === b.failedIndexes &&
    list(a.uncountedTerminatedPods?.succeeded) === list(b.uncountedTerminatedPods?.succeeded) &&
    list(a.uncountedTerminatedPods?.failed) === list(b.uncountedTerminatedPods?.failed) &&
    (a.conditions ?? b.conditions) === (b.conditions ?? a.conditions)
  );
}
