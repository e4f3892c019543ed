import { parseCronSchedule, ScheduleError } from '../../api/groups/batch/cron-schedule.ts';
import { timeZoneFault } from '../../api/groups/batch/time-zone.ts';
import { formatTime, parseTime } from '../../api/meta/time.ts';
import type { CronJob, CronJobStatus, Job } from '../../api/types/batch-v1.ts';
import type { ObjectReference } from '../../api/types/core-v1.ts';
import { controllerRef } from '../workload/controller-ref.ts';
import { type DueTimes, dueTimes, formatInZone } from './next-time.ts';

const SCHEDULED_TIME = 'batch.kubernetes.io/cronjob-scheduled-timestamp';
/** Looked at a little late, so that a clock that is corrected backwards does not make it early. */
const PADDING_MS = 100;

export interface CronObservation {
  readonly cronJob: CronJob;
  /** The jobs it controls. */
  readonly jobs: readonly Job[];
  /** Uids in its list of active jobs that do not exist any more, the server says so. */
  readonly missing: ReadonlySet<string>;
  /** The zone of schedules that name none. */
  readonly defaultTimeZone: string;
}

export interface CronNotice {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export interface CronPlan {
  readonly notices: readonly CronNotice[];
  /** What is known before anything is done. */
  readonly status: CronJobStatus;
  /** Finished jobs beyond the limits. */
  readonly prune: readonly Job[];
  /** Active jobs that make room for the next (Replace). */
  readonly replace: readonly ObjectReference[];
  readonly create: { readonly job: Job; readonly scheduledTime: number } | undefined;
  readonly requeueAfterMs: number | undefined;
}

/** The condition that ended a job. */
export function endOf(job: Job): 'Complete' | 'Failed' | undefined {
  for (const { type, status } of job.status?.conditions ?? []) {
    if ((type === 'Complete' || type === 'Failed') && status === 'True') return type;
  }
  return undefined;
}

/** Decides what a CronJob does now. Pure. */
export function planCronJob(observed: CronObservation, now: number): CronPlan {
  const notices: CronNotice[] = [];
  const note = (type: CronNotice['type'], reason: string, message: string): void => void notices.push({ type, reason, message });
  const status = accountFor(observed, note);
  const prune = excessJobs(observed.cronJob, observed.jobs);
  const idle = { notices, status, prune, replace: [], create: undefined, requeueAfterMs: undefined };
  const { cronJob, defaultTimeZone } = observed;
  const { spec, metadata } = cronJob;
  if (spec === undefined || metadata?.deletionTimestamp !== undefined) return idle;
  const fault = spec.timeZone === undefined ? undefined : timeZoneFault(spec.timeZone);
  if (fault !== undefined) {
    note('Warning', 'UnknownTimeZone', `invalid timeZone: ${JSON.stringify(spec.timeZone)}: ${fault}`);
    return idle;
  }
  if (spec.suspend === true) return idle;
  const zone = spec.timeZone ?? defaultTimeZone;
  const times = readTimes(cronJob, zone, now, note);
  if (times === undefined) return idle;
  if (times.tooManyMissed) {
    const message = 'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew';
    note('Warning', 'TooManyMissedTimes', message);
  }
  const requeueAfterMs = times.next === undefined ? undefined : Math.max(0, times.next - now) + PADDING_MS;
  const waiting = { ...idle, requeueAfterMs };
  const { due } = times;
  if (due === undefined) return waiting;
  const deadline = spec.startingDeadlineSeconds;
  if (deadline !== undefined && due + deadline * 1000 < now) {
    note('Warning', 'MissSchedule', `Missed scheduled time to start a job: ${rfc1123(due)}`);
    return waiting;
  }
  const job = jobFor(cronJob, due, zone);
  const done =
    status.active?.some(({ name }) => name === job.metadata!.name) === true || parseTime(status.lastScheduleTime) === due;
  if (done) return waiting;
  const active = status.active ?? [];
  if (spec.concurrencyPolicy === 'Forbid' && active.length > 0) {
    const message = 'Not starting job because prior execution is running and concurrency policy is Forbid';
    note('Normal', 'JobAlreadyActive', message);
    return waiting;
  }
  const replace = spec.concurrencyPolicy === 'Replace' ? active : [];
  return { ...waiting, replace, create: { job, scheduledTime: due } };
}

type Note = (type: CronNotice['type'], reason: string, message: string) => void;

/** The status with active jobs, and the last success, as the jobs tell. */
function accountFor({ cronJob, jobs, missing }: CronObservation, note: Note): CronJobStatus {
  const { status = {} } = cronJob;
  let active = status.active ?? [];
  let { lastSuccessfulTime } = status;
  for (const job of jobs) {
    const { uid, name } = job.metadata!;
    const end = endOf(job);
    const listed = active.some((ref) => ref.uid === uid);
    if (!listed && end === undefined) {
      note('Warning', 'UnexpectedJob', `Saw a job that the controller did not create or forgot: ${name}`);
    } else if (listed && end !== undefined) {
      active = active.filter((ref) => ref.uid !== uid);
      note('Normal', 'SawCompletedJob', `Saw completed job: ${name}, condition: ${end}`);
    }
    const completed = end === 'Complete' ? job.status?.completionTime : undefined;
    if (completed !== undefined && (parseTime(completed) ?? 0) > (parseTime(lastSuccessfulTime) ?? 0))
      lastSuccessfulTime = completed;
  }
  for (const ref of active) {
    if (!missing.has(ref.uid ?? '')) continue;
    active = active.filter((other) => other !== ref);
    note('Normal', 'MissingJob', `Active job went missing: ${ref.name}`);
  }
  const { active: _, lastSuccessfulTime: __, ...rest } = status;
  return {
    ...rest,
    ...(active.length === 0 ? {} : { active }),
    ...(lastSuccessfulTime === undefined ? {} : { lastSuccessfulTime }),
  };
}

function readTimes(cronJob: CronJob, zone: string, now: number, note: Note): DueTimes | undefined {
  const { schedule: text, startingDeadlineSeconds } = cronJob.spec!;
  const since = parseTime(cronJob.status?.lastScheduleTime) ?? parseTime(cronJob.metadata?.creationTimestamp) ?? now;
  const notBefore = startingDeadlineSeconds === undefined ? undefined : now - startingDeadlineSeconds * 1000;
  try {
    const schedule = parseCronSchedule(text);
    if (schedule.timeZone !== undefined) {
      const message = `CRON_TZ or TZ used in schedule ${JSON.stringify(text)} is not officially supported, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details`;
      note('Warning', 'UnsupportedSchedule', message);
    }
    const times = dueTimes(schedule, since, notBefore, now, zone);
    if (times === undefined) {
      const message = `invalid schedule: ${text} : time difference between two schedules is less than 1 second`;
      note('Warning', 'InvalidSchedule', message);
    }
    return times;
  } catch (err) {
    if (!(err instanceof ScheduleError)) throw err;
    note('Warning', 'UnparseableSchedule', `unparseable schedule: ${JSON.stringify(text)} : ${err.message}`);
    return undefined;
  }
}

/** The job of one time. Its name tells the time: made twice it is one. */
export function jobFor(cronJob: CronJob, scheduledTime: number, zone: string): Job {
  const { jobTemplate } = cronJob.spec!;
  const { labels, annotations } = jobTemplate.metadata ?? {};
  const { name, namespace } = cronJob.metadata!;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: `${name}-${Math.floor(scheduledTime / 60_000)}`,
      namespace: namespace!,
      ...(labels === undefined ? {} : { labels }),
      annotations: { ...annotations, [SCHEDULED_TIME]: formatInZone(scheduledTime, zone) },
      ownerReferences: [controllerRef(cronJob, 'batch/v1', 'CronJob')],
    },
    ...(jobTemplate.spec === undefined ? {} : { spec: jobTemplate.spec }),
  };
}

/** The status once a job was started. */
export function withStarted(status: CronJobStatus, job: Job, scheduledTime: number): CronJobStatus {
  const { name, namespace, uid, resourceVersion } = job.metadata!;
  const reference: ObjectReference = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    name: name!,
    namespace: namespace!,
    uid: uid!,
    resourceVersion: resourceVersion!,
  };
  return { ...status, active: [...(status.active ?? []), reference], lastScheduleTime: formatTime(scheduledTime) };
}

/** Finished jobs beyond the limits, oldest first. */
function excessJobs(cronJob: CronJob, jobs: readonly Job[]): readonly Job[] {
  const { successfulJobsHistoryLimit, failedJobsHistoryLimit } = cronJob.spec ?? {};
  const excess = (end: 'Complete' | 'Failed', limit: number | undefined): readonly Job[] => {
    if (limit === undefined) return [];
    const ended = jobs.filter((job) => endOf(job) === end && job.metadata?.deletionTimestamp === undefined);
    const key = (job: Job): string => `${job.status?.startTime ?? '~'} ${job.metadata?.name ?? ''}`;
    return ended.sort((a, b) => (key(a) < key(b) ? -1 : 1)).slice(0, Math.max(0, ended.length - limit));
  };
  return [...excess('Complete', successfulJobsHistoryLimit), ...excess('Failed', failedJobsHistoryLimit)];
}

/** `Thu, 01 Jan 2026 00:00:00 +0000`. */
function rfc1123(ms: number): string {
  const time = Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO('UTC');
  const two = (value: number): string => String(value).padStart(2, '0');
  const days = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
  const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
  const clock = `${two(time.hour)}:${two(time.minute)}:${two(time.second)}`;
  const date = `${days[time.dayOfWeek - 1]}, ${two(time.day)} ${months[time.month - 1]} ${time.year}`;
  return `${date} ${clock} +0000`;
}
