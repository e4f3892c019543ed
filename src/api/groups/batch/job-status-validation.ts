import { duplicate, type FieldError, invalid, omitValue, required } from '../../meta/field-error.ts';
import { parseTime } from '../../meta/time.ts';
import type { Job, JobStatus } from '../../types/batch-v1.ts';
import { deepEqual } from '../define.ts';
import { nonNegative } from '../field-checks.ts';
import { firstCommonIndex, IndexesError, parseIndexes } from './completion-indexes.ts';
import { noSpec } from './job-validation.ts';

const noStatus: JobStatus = Object.freeze({});
const at = 'status';

/** Whether a condition of the job says so; `status` is 'True' unless told. */
export const hasCondition = (status: JobStatus | undefined, type: string, is = 'True'): boolean =>
  status?.conditions?.some((c) => c.type === type && c.status === is) ?? false;

const isFinished = (status: JobStatus): boolean => hasCondition(status, 'Complete') || hasCondition(status, 'Failed');

/**
 * Everything wrong with a job's new status. Who manages a job need not be our controller (KEP-4368), so that the rules its status follows
 * are held up here. A rule is asked of what changed only: what was stored stays updatable.
 */
export function validateJobStatusUpdate(job: Job, old: Job): readonly FieldError[] {
  const status = job.status ?? noStatus;
  const before = old.status ?? noStatus;
  return [
    ...validateCounts(status),
    ...validateOutcome(status, before),
    ...validateEnd(job, status, before),
    ...validateIndexes(job, status, before),
    ...validateRunning(status, before),
    ...validateSuccessCriteria(job, status),
    ...validateTransition(job, status, before),
  ];
}

function validateCounts(status: JobStatus): readonly FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ['active', 'succeeded', 'failed', 'ready', 'terminating'] as const) {
    errors.push(...nonNegative(`${at}.${field}`, status[field]));
  }
  const seen = new Set<string>();
  for (const list of ['succeeded', 'failed'] as const) {
    status.uncountedTerminatedPods?.[list]?.forEach((uid, i) => {
      const here = `${at}.uncountedTerminatedPods.${list}[${i}]`;
      if (uid === '') errors.push(invalid(here, uid, 'must not be empty'));
      else if (seen.has(uid)) errors.push(duplicate(here, uid));
      seen.add(uid);
    });
  }
  return errors;
}

const conditionsFault = (detail: string): FieldError => invalid(`${at}.conditions`, omitValue, detail);

/** Whether one of these conditions, or one of these fields, is not as it was. */
function changed(
  status: JobStatus,
  before: JobStatus,
  conditions: readonly string[],
  fields: readonly (keyof JobStatus)[] = [],
): boolean {
  return (
    conditions.some((type) => hasCondition(status, type) !== hasCondition(before, type)) ||
    fields.some((field) => !deepEqual(status[field], before[field]))
  );
}

/** A job completes or fails, not both; and what it is to become is said before. */
function validateOutcome(status: JobStatus, before: JobStatus): readonly FieldError[] {
  const errors: FieldError[] = [];
  const complete = hasCondition(status, 'Complete');
  const { completionTime, startTime } = status;
  if (complete && hasCondition(status, 'Failed') && changed(status, before, ['Complete', 'Failed'])) {
    errors.push(conditionsFault('cannot set Complete=True and Failed=true conditions'));
  }
  if (complete && hasCondition(status, 'FailureTarget') && changed(status, before, ['Complete', 'FailureTarget'])) {
    errors.push(conditionsFault('cannot set Complete=True and FailureTarget=true conditions'));
  }
  if (changed(status, before, ['Complete'], ['completionTime'])) {
    if (completionTime !== undefined && !complete) {
      const detail = 'cannot set completionTime when there is no Complete=True condition';
      errors.push(invalid(`${at}.completionTime`, completionTime, detail));
    }
    if (completionTime === undefined && complete) {
      errors.push(required(`${at}.completionTime`, 'completionTime is required for Complete jobs'));
    }
  }
  if (changed(status, before, [], ['startTime', 'completionTime'])) {
    const [start, end] = [parseTime(startTime), parseTime(completionTime)];
    if (start !== undefined && end !== undefined && end < start) {
      errors.push(invalid(`${at}.completionTime`, completionTime, 'completionTime cannot be set before startTime'));
    }
  }
  for (const [end, target] of [
    ['Failed', 'FailureTarget'],
    ['Complete', 'SuccessCriteriaMet'],
  ] as const) {
    if (hasCondition(status, end) && !hasCondition(status, target) && changed(status, before, [end, target])) {
      errors.push(conditionsFault(`cannot set ${end}=True condition without the ${target}=true condition`));
    }
  }
  return errors;
}

/** A finished job has begun, and nothing of it runs or waits to be counted. */
function validateEnd(job: Job, status: JobStatus, before: JobStatus): readonly FieldError[] {
  if (!isFinished(status)) return [];
  const errors: FieldError[] = [];
  const ended = !isFinished(before);
  const { suspend, completions } = job.spec ?? noSpec;
  const { active = 0, startTime, uncountedTerminatedPods: uncounted } = status;
  if (active > 0 && (ended || active !== (before.active ?? 0))) {
    errors.push(invalid(`${at}.active`, active, 'active>0 is invalid for finished job'));
  }
  // Suspended, and nothing to do: it is complete without having begun.
  const neverBegins = suspend === true && completions === 0;
  if (startTime === undefined && !neverBegins && (ended || startTime !== before.startTime)) {
    errors.push(required(`${at}.startTime`, 'startTime is required for finished job'));
  }
  const waiting = (uncounted?.failed?.length ?? 0) + (uncounted?.succeeded?.length ?? 0);
  if (waiting > 0 && (ended || !deepEqual(uncounted, before.uncountedTerminatedPods))) {
    const detail = 'uncountedTerminatedPods needs to be empty for finished job';
    errors.push(invalid(`${at}.uncountedTerminatedPods`, uncounted, detail));
  }
  return errors;
}

function validateIndexes(job: Job, status: JobStatus, before: JobStatus): readonly FieldError[] {
  const errors: FieldError[] = [];
  const { completions, backoffLimitPerIndex, completionMode } = job.spec ?? noSpec;
  const { completedIndexes = '', failedIndexes } = status;
  const completedChanged = completedIndexes !== (before.completedIndexes ?? '');
  const failedChanged = failedIndexes !== before.failedIndexes;
  const parse = (field: 'completedIndexes' | 'failedIndexes', text: string): void => {
    try {
      parseIndexes(text, completions ?? 0);
    } catch (err) {
      if (!(err instanceof IndexesError)) throw err;
      errors.push(invalid(`${at}.${field}`, text, `error parsing ${field}: ${err.message}`));
    }
  };
  if (completedChanged && completions !== undefined) parse('completedIndexes', completedIndexes);
  if (failedChanged && completions !== undefined && backoffLimitPerIndex !== undefined && failedIndexes !== undefined) {
    parse('failedIndexes', failedIndexes);
  }
  if (completedChanged && completedIndexes !== '' && completionMode !== 'Indexed') {
    const detail = 'cannot set non-empty completedIndexes when non-indexed completion mode';
    errors.push(invalid(`${at}.completedIndexes`, completedIndexes, detail));
  }
  if (failedChanged && failedIndexes !== undefined && backoffLimitPerIndex === undefined) {
    const detail = 'cannot set non-null failedIndexes when backoffLimitPerIndex is null';
    errors.push(invalid(`${at}.failedIndexes`, failedIndexes, detail));
  }
  if ((failedChanged || completedChanged) && completions !== undefined && failedIndexes !== undefined) {
    const common = firstCommonIndex(completedIndexes, failedIndexes, completions);
    if (common !== undefined) {
      const detail = `failedIndexes and completedIndexes overlap at index: ${common}`;
      errors.push(invalid(`${at}.failedIndexes`, failedIndexes, detail));
    }
  }
  return errors;
}

function validateRunning(status: JobStatus, before: JobStatus): readonly FieldError[] {
  const errors: FieldError[] = [];
  const { terminating, ready, active = 0 } = status;
  const ended = isFinished(status) !== isFinished(before);
  if ((terminating ?? 0) > 0 && isFinished(status) && (ended || terminating !== before.terminating)) {
    errors.push(invalid(`${at}.terminating`, terminating, 'terminating>0 is invalid for finished job'));
  }
  if (ready !== undefined && ready > active && (ready !== before.ready || active !== (before.active ?? 0))) {
    errors.push(invalid(`${at}.ready`, ready, 'cannot set more ready pods than active'));
  }
  return errors;
}

function validateSuccessCriteria(job: Job, status: JobStatus): readonly FieldError[] {
  const met = hasCondition(status, 'SuccessCriteriaMet');
  const errors: FieldError[] = [];
  for (const type of ['Failed', 'FailureTarget']) {
    if (met && hasCondition(status, type)) {
      errors.push(conditionsFault(`cannot set SuccessCriteriaMet=True and ${type}=true conditions`));
    }
  }
  if (job.spec?.successPolicy !== undefined && !met && hasCondition(status, 'Complete')) {
    errors.push(conditionsFault('cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True'));
  }
  return errors;
}

/** What may not go back once it was said. */
function validateTransition(job: Job, status: JobStatus, before: JobStatus): readonly FieldError[] {
  const errors: FieldError[] = [];
  const spec = job.spec ?? noSpec;
  for (const type of ['Failed', 'Complete', 'FailureTarget']) {
    if (hasCondition(before, type) && !hasCondition(status, type)) {
      errors.push(conditionsFault(`cannot disable the terminal ${type}=True condition`));
    }
  }
  const { failed = 0, succeeded = 0 } = status;
  if (failed < (before.failed ?? 0)) errors.push(invalid(`${at}.failed`, failed, 'cannot decrease the failed counter'));
  // A job whose completions follow its parallelism can be scaled down.
  const scales = spec.completionMode === 'Indexed' && spec.completions === spec.parallelism;
  if (!scales && succeeded < (before.succeeded ?? 0)) {
    errors.push(invalid(`${at}.succeeded`, succeeded, 'cannot decrease the succeeded counter'));
  }
  const { completionTime, startTime } = status;
  if (completionTime !== undefined && before.completionTime !== undefined && completionTime !== before.completionTime) {
    errors.push(invalid(`${at}.completionTime`, completionTime, 'completionTime cannot be mutated'));
  }
  // A job that goes on after a suspension begins anew.
  const resumes = hasCondition(before, 'Suspended') && hasCondition(status, 'Suspended', 'False');
  if (before.startTime !== undefined && startTime !== before.startTime && spec.suspend !== true && !resumes) {
    errors.push(required(`${at}.startTime`, 'startTime cannot be removed for unsuspended job'));
  }
  const met = hasCondition(status, 'SuccessCriteriaMet');
  const wasMet = hasCondition(before, 'SuccessCriteriaMet');
  if (wasMet && !met) errors.push(conditionsFault('cannot disable the SuccessCriteriaMet=True condition'));
  if (hasCondition(before, 'Complete') && !wasMet && met) {
    errors.push(conditionsFault('cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions'));
  }
  return errors;
}
