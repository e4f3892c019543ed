import { formatTime, parseTime } from '../../api/meta/time.ts';
import type { Job, JobCondition } from '../../api/types/batch-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { findCondition } from '../conditions.ts';
import { isActive, isReady, isTerminating } from '../workload/pod-state.ts';
import { type BackoffRecord, nextBackoff } from './backoff.ts';
import { IndexSet } from './indexes.ts';
import {
  failuresBefore,
  finishedAt,
  hasLimitPerIndex,
  indexOf,
  isIndexed,
  isIndexFailed,
  isJobPodFailed,
  isTracked,
} from './job-pods.ts';
import { judgeFailure, metSuccessRule } from './policies.ts';

export interface JobObservation {
  readonly job: Job;
  /** The pods it controls. */
  readonly pods: readonly Pod[];
  /** Uids of pods whose finalizer was taken off, though the informer may not show it yet: they are in the status. */
  readonly released: ReadonlySet<string>;
  readonly backoff: BackoffRecord;
}

/** What is known of a job at one look, before anything is done. */
export interface JobAssessment {
  readonly job: Job;
  readonly pods: readonly Pod[];
  readonly released: ReadonlySet<string>;
  readonly active: readonly Pod[];
  readonly ready: number;
  readonly terminating: number;
  /** Counted in the status already, or to be. */
  readonly succeeded: number;
  readonly failed: number;
  readonly uncountedSucceeded: ReadonlySet<string>;
  readonly uncountedFailed: ReadonlySet<string>;
  /** The job's end, when it has come: SuccessCriteriaMet, FailureTarget, or Failed when that has been announced before. */
  readonly end: JobCondition | undefined;
  readonly startTime: string | undefined;
  /** Indexes in the status, and those with the ones that just succeeded; empty unless the job is Indexed. */
  readonly statusIndexes: IndexSet;
  readonly succeededIndexes: IndexSet;
  /** Undefined without a limit per index. */
  readonly failedIndexes: IndexSet | undefined;
  /** The last failed pod of indexes that have no pod now: kept until the next one goes on counting. */
  readonly lastFailed: ReadonlyMap<number, Pod>;
  readonly backoff: BackoffRecord;
  /** When the deadline will have passed, in milliseconds from now. */
  readonly deadlineIn: number | undefined;
}

export const isSuspended = (job: Job): boolean => job.spec?.suspend === true;

export function jobCondition(
  type: string,
  reason: string,
  message: string,
  now: number,
  status: 'True' | 'False' = 'True',
): JobCondition {
  const time = formatTime(now);
  return { type, status, lastProbeTime: time, lastTransitionTime: time, reason, message };
}

/** Whether a job has ended: nothing is done about it any more. */
export const isJobFinished = (job: Job): boolean =>
  (job.status?.conditions ?? []).some(({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True');

/** Takes stock of a job. Pure. */
export function assessJob(observed: JobObservation, now: number): JobAssessment {
  const { job, pods, released } = observed;
  const { status = {} } = job;
  const active = pods.filter(isActive);
  const uncountedSucceeded = new Set(status.uncountedTerminatedPods?.succeeded ?? []);
  const uncountedFailed = new Set(status.uncountedTerminatedPods?.failed ?? []);
  const fresh = (pod: Pod, uncounted: ReadonlySet<string>): boolean => {
    const uid = pod.metadata?.uid ?? '';
    if (!isTracked(pod) || released.has(uid) || uncounted.has(uid)) return false;
    return !isIndexed(job) || indexOf(job, pod) !== undefined;
  };
  const newSucceeded = pods.filter((pod) => pod.status?.phase === 'Succeeded' && fresh(pod, uncountedSucceeded));
  const newFailed = pods.filter((pod) => isJobPodFailed(job, pod) && fresh(pod, uncountedFailed));
  const countedFailures = newFailed.filter((pod) => judgeFailure(job.spec?.podFailurePolicy, pod).counts);
  const startTime = status.startTime ?? (isSuspended(job) ? undefined : formatTime(now));
  const indexes = assessIndexes(observed, active);
  const base = {
    job,
    pods,
    released,
    active,
    ready: active.filter(isReady).length,
    terminating: pods.filter(isTerminating).length,
    succeeded: isIndexed(job)
      ? indexes.succeededIndexes.total
      : (status.succeeded ?? 0) + newSucceeded.length + uncountedSucceeded.size,
    failed: (status.failed ?? 0) + countedFailures.length + uncountedFailed.size,
    uncountedSucceeded,
    uncountedFailed,
    startTime,
    ...indexes,
    backoff: nextBackoff(observed.backoff, newSucceeded, newFailed),
  };
  const deadlineAt = deadlineOf(job, startTime);
  const end = endOf(base, deadlineAt, now);
  const deadlineIn = end === undefined && deadlineAt !== undefined ? deadlineAt - now : undefined;
  return { ...base, end, deadlineIn };
}

type Indexes = Pick<JobAssessment, 'statusIndexes' | 'succeededIndexes' | 'failedIndexes' | 'lastFailed'>;
const noIndexes: Indexes = {
  statusIndexes: IndexSet.empty,
  succeededIndexes: IndexSet.empty,
  failedIndexes: undefined,
  lastFailed: new Map(),
};

function assessIndexes({ job, pods, released }: JobObservation, active: readonly Pod[]): Indexes {
  if (!isIndexed(job)) return noIndexes;
  const completions = job.spec?.completions ?? 0;
  const statusIndexes = IndexSet.parse(job.status?.completedIndexes, completions);
  const succeeded = new Set<number>();
  const failed = new Set<number>();
  const failedPods: { readonly index: number; readonly pod: Pod }[] = [];
  const limited = hasLimitPerIndex(job);
  for (const pod of pods) {
    const index = indexOf(job, pod);
    if (index === undefined || !isTracked(pod)) continue;
    if (pod.status?.phase === 'Succeeded') succeeded.add(index);
    else if (limited && isJobPodFailed(job, pod)) {
      if (isIndexFailed(job, pod)) failed.add(index);
      if (!released.has(pod.metadata?.uid ?? '')) failedPods.push({ index, pod });
    }
  }
  const succeededIndexes = statusIndexes.union(IndexSet.of(succeeded));
  if (!limited) return { statusIndexes, succeededIndexes, failedIndexes: undefined, lastFailed: new Map() };
  const failedIndexes = IndexSet.parse(job.status?.failedIndexes, completions).union(IndexSet.of(failed));
  const activeIndexes = new Set(active.map((pod) => indexOf(job, pod)));
  const lastFailed = new Map<number, Pod>();
  for (const { index, pod } of failedPods) {
    if (succeededIndexes.has(index) || failedIndexes.has(index) || activeIndexes.has(index)) continue;
    const other = lastFailed.get(index);
    const later = other === undefined || (failuresBefore(other) <= failuresBefore(pod) && finishedAt(other) <= finishedAt(pod));
    if (later) lastFailed.set(index, pod);
  }
  return { statusIndexes, succeededIndexes, failedIndexes, lastFailed };
}

function deadlineOf(job: Job, startTime: string | undefined): number | undefined {
  const seconds = job.spec?.activeDeadlineSeconds;
  const start = parseTime(startTime);
  return seconds === undefined || start === undefined || isSuspended(job) ? undefined : start + seconds * 1000;
}

type Base = Omit<JobAssessment, 'end' | 'deadlineIn'>;

/** Whether the job's end has come, announced before or just now. */
function endOf(base: Base, deadlineAt: number | undefined, now: number): JobCondition | undefined {
  const { job, pods, failed, failedIndexes, succeededIndexes } = base;
  const { spec, status } = job;
  const announced = (type: string): JobCondition | undefined => {
    const condition = findCondition(status?.conditions, type);
    return condition?.status === 'True' ? condition : undefined;
  };
  const met = announced('SuccessCriteriaMet');
  if (met !== undefined) return met;
  const target = announced('FailureTarget');
  if (target !== undefined) return jobCondition('Failed', target.reason ?? '', target.message ?? '', now);
  const fail = (reason: string, message: string): JobCondition => jobCondition('FailureTarget', reason, message, now);
  if (spec?.podFailurePolicy !== undefined) {
    for (const pod of pods) {
      const { jobFailure } = isJobPodFailed(job, pod) ? judgeFailure(spec.podFailurePolicy, pod) : { jobFailure: undefined };
      if (jobFailure !== undefined) return fail('PodFailurePolicy', jobFailure);
    }
  }
  if (failed > (spec?.backoffLimit ?? 6) || isPastRestarts(job, pods)) {
    return fail('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  }
  if (deadlineAt !== undefined && now >= deadlineAt) {
    return fail('DeadlineExceeded', 'Job was active longer than specified deadline');
  }
  if (!isIndexed(job)) return undefined;
  const completions = spec?.completions ?? 0;
  if (failedIndexes !== undefined) {
    if (spec?.maxFailedIndexes !== undefined && failedIndexes.total > spec.maxFailedIndexes) {
      return fail('MaxFailedIndexesExceeded', 'Job has exceeded the specified maximal number of failed indexes');
    }
    if (failedIndexes.total > 0 && failedIndexes.total + succeededIndexes.total >= completions) {
      return fail('FailedIndexes', 'Job has failed indexes');
    }
  }
  const rule = metSuccessRule(spec?.successPolicy, completions, succeededIndexes);
  return rule === undefined ? undefined : jobCondition('SuccessCriteriaMet', 'SuccessPolicy', rule, now);
}

/** Containers that are restarted in place count as failures of the job. */
function isPastRestarts(job: Job, pods: readonly Pod[]): boolean {
  if (job.spec?.template.spec?.restartPolicy !== 'OnFailure') return false;
  let restarts = 0;
  for (const { status } of pods) {
    if (status?.phase !== 'Running' && status?.phase !== 'Pending') continue;
    for (const { restartCount } of status.initContainerStatuses ?? []) restarts += restartCount;
    for (const { restartCount } of status.containerStatuses ?? []) restarts += restartCount;
  }
  const limit = job.spec.backoffLimit ?? 6;
  return limit === 0 ? restarts > 0 : restarts >= limit;
}
