import { parseTime } from '../../api/meta/time.ts';
import type { Job } from '../../api/types/batch-v1.ts';
import type { Container, EnvVar, Pod, PodTemplateSpec } from '../../api/types/core-v1.ts';
import { controllerRef } from '../workload/controller-ref.ts';
import { podFromTemplate } from '../workload/pod-control.ts';
import { inDeletionOrder } from '../workload/pod-ranking.ts';
import { podCondition } from '../workload/pod-state.ts';
import { judgeFailure, replacesOnlyFailed } from './policies.ts';

export const TRACKING = 'batch.kubernetes.io/job-tracking';
const COMPLETION_INDEX = 'batch.kubernetes.io/job-completion-index';
const FAILURE_COUNT = 'batch.kubernetes.io/job-index-failure-count';
const IGNORED_COUNT = 'batch.kubernetes.io/job-index-ignored-failure-count';
const INDEX_ENV = 'JOB_COMPLETION_INDEX';
/** Longest prefix of a generated name. */
const MAX_PREFIX = 58;

export const isIndexed = (job: Job): boolean => job.spec?.completionMode === 'Indexed';
export const hasLimitPerIndex = (job: Job): boolean => isIndexed(job) && job.spec?.backoffLimitPerIndex !== undefined;
export const isTracked = (pod: Pod): boolean => pod.metadata?.finalizers?.includes(TRACKING) === true;
export const jobRef = (job: Job) => controllerRef(job, 'batch/v1', 'Job');

/** The completion index of a pod of a job; undefined when it has none, or one that the job does not have. */
export function indexOf(job: Job, pod: Pod): number | undefined {
  const text = pod.metadata?.annotations?.[COMPLETION_INDEX];
  if (text === undefined || !/^[0-9]+$/.test(text)) return undefined;
  const index = Number(text);
  return index < (job.spec?.completions ?? 0) ? index : undefined;
}

/** A pod that failed, or that is being deleted and so never will succeed, where the job does not wait for that. */
export function isJobPodFailed(job: Job, pod: Pod): boolean {
  if (pod.status?.phase === 'Failed') return true;
  if (replacesOnlyFailed(job)) return false;
  return pod.metadata?.deletionTimestamp !== undefined && pod.status?.phase !== 'Succeeded';
}

const countIn = (pod: Pod | undefined, annotation: string): number => {
  const text = pod?.metadata?.annotations?.[annotation] ?? '0';
  return /^[0-9]+$/.test(text) ? Number(text) : 0;
};

/** Failures of an index before this pod, all told. */
export const failuresBefore = (pod: Pod): number => countIn(pod, FAILURE_COUNT) + countIn(pod, IGNORED_COUNT);

/** Whether with this failed pod its index has failed for good (KEP-3850). */
export function isIndexFailed(job: Job, pod: Pod): boolean {
  if (judgeFailure(job.spec?.podFailurePolicy, pod).action === 'FailIndex') return true;
  return countIn(pod, FAILURE_COUNT) >= (job.spec?.backoffLimitPerIndex ?? Number.POSITIVE_INFINITY);
}

/** When a pod finished, milliseconds since the epoch, by the best that is known. */
export function finishedAt(pod: Pod): number {
  const statuses = pod.status?.containerStatuses ?? [];
  const times = statuses.map(({ state }) => parseTime(state?.terminated?.finishedAt));
  if (times.length > 0 && times.every((time) => time !== undefined)) return Math.max(...times);
  const ready = podCondition(pod, 'Ready');
  if (ready?.status === 'False') {
    const since = parseTime(ready.lastTransitionTime);
    if (since !== undefined) return since;
  }
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, creationTimestamp } = pod.metadata ?? {};
  const deletion = parseTime(deletionTimestamp);
  if (deletion !== undefined) return deletion - deletionGracePeriodSeconds * 1000;
  return parseTime(creationTimestamp) ?? 0;
}

/** A pod of the job; `replaced` is the failed pod of its index whose failures it goes on counting. */
export function newJobPod(job: Job, index: number | undefined, replaced: Pod | undefined): Pod {
  const template = job.spec!.template;
  const finalizers = template.metadata?.finalizers ?? [];
  const tracked = finalizers.includes(TRACKING) ? finalizers : [...finalizers, TRACKING];
  const own: PodTemplateSpec = { ...template, metadata: { ...template.metadata, finalizers: tracked } };
  const pod = podFromTemplate(own, job, jobRef(job));
  if (index === undefined) return pod;
  const { name } = job.metadata!;
  const { spec = { containers: [] } } = pod;
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      generateName: `${`${name}-${index}`.slice(0, MAX_PREFIX - 1)}-`,
      labels: { ...pod.metadata?.labels, [COMPLETION_INDEX]: String(index) },
      annotations: {
        ...pod.metadata?.annotations,
        [COMPLETION_INDEX]: String(index),
        ...(hasLimitPerIndex(job) ? failureCounts(job, replaced) : {}),
      },
    },
    spec: {
      ...spec,
      hostname: `${name}-${index}`,
      containers: spec.containers.map(withIndexEnv),
      ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(withIndexEnv) }),
    },
  };
}

function failureCounts(job: Job, replaced: Pod | undefined): Readonly<Record<string, string>> {
  let failures = countIn(replaced, FAILURE_COUNT);
  let ignored = countIn(replaced, IGNORED_COUNT);
  if (replaced !== undefined) {
    if (judgeFailure(job.spec?.podFailurePolicy, replaced).counts) failures++;
    else ignored++;
  }
  return { [FAILURE_COUNT]: String(failures), ...(ignored > 0 ? { [IGNORED_COUNT]: String(ignored) } : {}) };
}

const indexEnv: EnvVar = {
  name: INDEX_ENV,
  valueFrom: { fieldRef: { fieldPath: `metadata.labels['${COMPLETION_INDEX}']` } },
};

function withIndexEnv(container: Container): Container {
  if (container.env?.some(({ name }) => name === INDEX_ENV) === true) return container;
  return { ...container, env: [...(container.env ?? []), indexEnv] };
}

/** The active pods to be removed: those of no or a doubled index, and as many more as `atLeast` asks, the least far on first. */
export function podsToRemove(job: Job, active: readonly Pod[], atLeast: number, now: number): readonly Pod[] {
  const order = (pods: readonly Pod[]): readonly Pod[] => inDeletionOrder(pods, () => 0, now);
  const removed: Pod[] = [];
  let left = active;
  if (isIndexed(job)) {
    const byIndex = new Map<number, Pod[]>();
    for (const pod of active) {
      const index = indexOf(job, pod);
      if (index === undefined) removed.push(pod);
      else byIndex.set(index, [...(byIndex.get(index) ?? []), pod]);
    }
    // Of several the one that is furthest on stays.
    for (const pods of byIndex.values()) removed.push(...order(pods).slice(0, -1));
    const gone = new Set(removed);
    left = active.filter((pod) => !gone.has(pod));
  }
  if (removed.length < atLeast) removed.push(...order(left).slice(0, atLeast - removed.length));
  return removed;
}
