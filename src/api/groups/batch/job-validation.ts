import { validateDomainPrefixedPath } from '../../meta/domain-names.ts';
import {
  duplicate,
  type FieldError,
  invalid,
  notSupported,
  omitValue,
  required,
  tooLong,
  tooMany,
} from '../../meta/field-error.ts';
import { selectorHasInvalidLabelValue, validateLabelSelector } from '../../meta/label-selector-validation.ts';
import { isDNS1123Label, isQualifiedName } from '../../meta/names.ts';
import type {
  Job,
  JobSpec,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyOnPodConditionsPattern,
  PodFailurePolicyRule,
  SuccessPolicyRule,
} from '../../types/batch-v1.ts';
import type { PodTemplateSpec } from '../../types/core-v1.ts';
import { validatePodTemplateSpec } from '../core/pod-validation.ts';
import { check, nonNegative } from '../field-checks.ts';
import { selects, shownLabels, validateSelected } from '../workload.ts';
import { countIndexes, IndexesError, parseIndexes } from './completion-indexes.ts';
import { controllerUidLabel, jobNameLabel, legacyControllerUidLabel, legacyJobNameLabel } from './job-labels.ts';

/** More pods at once, or more failed indexes, the status of an Indexed job could not tell apart. */
const maxIndexed = 100_000;
/** Above so many completions a job with a limit of failures per index has narrower limits. */
const manyCompletions = 100_000;
const maxForManyCompletions = 10_000;
const maxFailureRules = 20;
const maxExitCodes = 255;
const maxConditionPatterns = 20;
const maxManagedByLength = 63;
const maxSuccessRules = 20;
const maxSucceededIndexesLength = 64 * 1024;

const failureActions = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const exitCodeOperators = ['In', 'NotIn'];
const conditionStatuses = ['False', 'True', 'Unknown'];
const replacementPolicies = ['Failed', 'TerminatingOrFailed'];
const restartPolicies = ['OnFailure', 'Never'];

/** `["a" "b"]`: a list as Go prints it with %q. */
const quotedList = (values: readonly string[]): string => `[${values.map((v) => JSON.stringify(v)).join(' ')}]`;

export const noSpec: JobSpec = Object.freeze({ template: {} });

/** Everything wrong with a job but its metadata, new or (with `old`) changed; what an update may not change is another matter. */
export function validateJob(job: Job, old?: Job): readonly FieldError[] {
  const errors = [...validateGeneratedSelector(job, old), ...validateOwnSpec(job, old)];
  const { completionMode, completions = 0 } = job.spec ?? noSpec;
  if (completionMode === 'Indexed' && completions > 0) {
    // The controller names the pods' hosts like this; it could not make them otherwise.
    const hostname = `${job.metadata?.name ?? ''}-${completions - 1}`;
    if (isDNS1123Label(hostname).length > 0) {
      const detail = `will not able to create pod with invalid DNS label: ${hostname}`;
      errors.push(invalid('metadata.name', job.metadata?.name ?? '', detail));
    }
  }
  return errors;
}

/** The spec of a job that stands by itself: its selector is there by now, and selects its own pods. */
export function validateOwnSpec(job: Job, old?: Job): readonly FieldError[] {
  const spec = job.spec ?? noSpec;
  const errors = [...validateJobSpec(spec, 'spec', old?.spec?.template)];
  if (spec.selector === undefined) errors.push(required('spec.selector'));
  else {
    const allowInvalidLabelValueInSelector = selectorHasInvalidLabelValue(old?.spec?.selector);
    errors.push(...validateLabelSelector(spec.selector, 'spec.selector', { allowInvalidLabelValueInSelector }));
  }
  return [...errors, ...validateSelected(spec.selector, spec.template?.metadata?.labels, 'spec.template.metadata.labels')];
}

/** Labels that the server makes itself must have come out as it makes them: a user may have set the same ones. */
function validateGeneratedSelector(job: Job, old: Job | undefined): readonly FieldError[] {
  const { manualSelector, selector, template } = job.spec ?? noSpec;
  if (manualSelector === true || selector === undefined) return [];
  const { uid = '', name = '' } = job.metadata ?? {};
  const expected: Record<string, string> = { [legacyControllerUidLabel]: uid, [legacyJobNameLabel]: name };
  // Jobs from before v1.27 have not got the labels with a domain.
  const before = old?.spec?.template?.metadata?.labels;
  if (old === undefined || (before !== undefined && jobNameLabel in before && controllerUidLabel in before)) {
    expected[controllerUidLabel] = uid;
    expected[jobNameLabel] = name;
  }
  const errors: FieldError[] = uid === '' ? [required('metadata.uid')] : [];
  const labels = template?.metadata?.labels;
  for (const [key, value] of Object.entries(expected)) {
    const at = `spec.template.metadata.labels[${key}]`;
    const actual = labels?.[key];
    if (actual === undefined) errors.push(required(at, `must be '${value}'`));
    else if (actual !== value) errors.push(invalid(at, shownLabels(labels), `must be '${value}'`));
  }
  if (selects(selector, expected) === false) errors.push(invalid('spec.selector', selector, '`selector` not auto-generated'));
  return errors;
}

/** What is asked of a job's spec in a job and in the template of a CronJob alike. `oldTemplate`, in an update, was stored already. */
export function validateJobSpec(spec: JobSpec, at: string, oldTemplate: PodTemplateSpec | undefined): readonly FieldError[] {
  const errors: FieldError[] = [];
  for (const field of [
    'parallelism',
    'completions',
    'activeDeadlineSeconds',
    'backoffLimit',
    'ttlSecondsAfterFinished',
    'backoffLimitPerIndex',
    'maxFailedIndexes',
  ] as const) {
    errors.push(...nonNegative(`${at}.${field}`, spec[field]));
  }
  if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined) {
    errors.push(required(`${at}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified'));
  }
  if (spec.managedBy !== undefined) {
    errors.push(...validateDomainPrefixedPath(`${at}.managedBy`, spec.managedBy));
    if (Buffer.byteLength(spec.managedBy) > maxManagedByLength) errors.push(tooLong(`${at}.managedBy`, maxManagedByLength));
  }
  errors.push(...validateCompletionMode(spec, at));
  if (spec.podFailurePolicy !== undefined) errors.push(...validateFailurePolicy(spec, `${at}.podFailurePolicy`));
  if (spec.successPolicy !== undefined) {
    const here = `${at}.successPolicy`;
    if (spec.completionMode === 'Indexed') errors.push(...validateSuccessPolicy(spec, here));
    else errors.push(invalid(here, spec.successPolicy, 'requires indexed completion mode'));
  }
  const { podReplacementPolicy } = spec;
  if (podReplacementPolicy !== undefined) {
    const supported = spec.podFailurePolicy === undefined ? replacementPolicies : ['Failed'];
    if (!supported.includes(podReplacementPolicy)) {
      errors.push(notSupported(`${at}.podReplacementPolicy`, podReplacementPolicy, supported));
    }
  }
  errors.push(...validatePodTemplateSpec(spec.template ?? {}, `${at}.template`, oldTemplate));
  errors.push(...validateRestartPolicy(spec, `${at}.template.spec.restartPolicy`));
  return errors;
}

function validateCompletionMode(spec: JobSpec, at: string): readonly FieldError[] {
  const { completionMode, completions, parallelism = 0, backoffLimitPerIndex, maxFailedIndexes } = spec;
  const errors: FieldError[] = [];
  const atMost = (field: string, value: number, limit: number, when = ''): void => {
    if (value > limit) errors.push(invalid(`${at}.${field}`, value, `must be less than or equal to ${limit}${when}`));
  };
  if (completionMode !== undefined && completionMode !== 'NonIndexed' && completionMode !== 'Indexed') {
    return [notSupported(`${at}.completionMode`, completionMode, ['NonIndexed', 'Indexed'])];
  }
  if (completionMode !== 'Indexed') {
    for (const field of ['backoffLimitPerIndex', 'maxFailedIndexes'] as const) {
      const value = spec[field];
      if (value !== undefined) errors.push(invalid(`${at}.${field}`, value, 'requires indexed completion mode'));
    }
    return errors;
  }
  if (completions === undefined) errors.push(required(`${at}.completions`, 'when completion mode is Indexed'));
  atMost('parallelism', parallelism, maxIndexed, ' when completion mode is Indexed');
  if (maxFailedIndexes !== undefined) {
    if (completions !== undefined && maxFailedIndexes > completions) {
      errors.push(invalid(`${at}.maxFailedIndexes`, maxFailedIndexes, 'must be less than or equal to completions'));
    }
    atMost('maxFailedIndexes', maxFailedIndexes, maxIndexed);
  }
  if ((completions ?? 0) > manyCompletions && backoffLimitPerIndex !== undefined) {
    if (maxFailedIndexes === undefined) {
      errors.push(required(`${at}.maxFailedIndexes`, `must be specified when completions is above ${manyCompletions}`));
    }
    const when = ` when completions are above ${manyCompletions} and used with backoff limit per index`;
    atMost('parallelism', parallelism, maxForManyCompletions, when);
    atMost('maxFailedIndexes', maxFailedIndexes ?? 0, maxForManyCompletions, when);
  }
  return errors;
}

/** Pods of a job end some time. What is left out has been defaulted to Always by now. */
function validateRestartPolicy(spec: JobSpec, at: string): readonly FieldError[] {
  const policy = spec.template?.spec?.restartPolicy ?? '';
  if (policy === '' || policy === 'Always') return [required(at, 'valid values: "OnFailure", "Never"')];
  if (!restartPolicies.includes(policy)) return [notSupported(at, policy, restartPolicies)];
  return spec.podFailurePolicy !== undefined && policy !== 'Never'
    ? [invalid(at, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    : [];
}

function validateFailurePolicy(spec: JobSpec, at: string): readonly FieldError[] {
  const rules = spec.podFailurePolicy?.rules ?? [];
  const errors: FieldError[] = [];
  if (rules.length > maxFailureRules) errors.push(tooMany(`${at}.rules`, rules.length, maxFailureRules));
  const { containers = [], initContainers = [] } = spec.template?.spec ?? {};
  const names = new Set([...containers, ...initContainers].map((c) => c.name));
  rules.forEach((rule, i) => {
    errors.push(...validateFailureRule(spec, rule, names, `${at}.rules[${i}]`));
  });
  return errors;
}

function validateFailureRule(
  spec: JobSpec,
  rule: PodFailurePolicyRule,
  containers: ReadonlySet<string>,
  at: string,
): readonly FieldError[] {
  const errors: FieldError[] = [];
  const { action, onExitCodes, onPodConditions = [] } = rule;
  if (!action) errors.push(required(`${at}.action`, `valid values: ${quotedList(failureActions)}`));
  else if (action === 'FailIndex') {
    if (spec.backoffLimitPerIndex === undefined) {
      errors.push(invalid(`${at}.action`, action, 'requires the backoffLimitPerIndex to be set'));
    }
  } else if (!failureActions.includes(action)) errors.push(notSupported(`${at}.action`, action, failureActions));
  if (onExitCodes !== undefined) errors.push(...validateExitCodes(onExitCodes, containers, `${at}.onExitCodes`));
  if (onPodConditions.length > 0) errors.push(...validateConditions(onPodConditions, `${at}.onPodConditions`));
  if (onExitCodes !== undefined && onPodConditions.length > 0) {
    errors.push(invalid(at, omitValue, 'specifying both OnExitCodes and OnPodConditions is not supported'));
  }
  if (onExitCodes === undefined && onPodConditions.length === 0) {
    errors.push(invalid(at, omitValue, 'specifying one of OnExitCodes and OnPodConditions is required'));
  }
  return errors;
}

function validateConditions(patterns: readonly PodFailurePolicyOnPodConditionsPattern[], at: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (patterns.length > maxConditionPatterns) errors.push(tooMany(at, patterns.length, maxConditionPatterns));
  patterns.forEach(({ type, status }, i) => {
    errors.push(...check(`${at}[${i}].type`, type ?? '', isQualifiedName));
    if (!status) errors.push(required(`${at}[${i}].status`, `valid values: ${quotedList(conditionStatuses)}`));
    else if (!conditionStatuses.includes(status)) {
      errors.push(notSupported(`${at}[${i}].status`, status, conditionStatuses));
    }
  });
  return errors;
}

function validateExitCodes(
  { operator, containerName, values: given }: PodFailurePolicyOnExitCodesRequirement,
  containers: ReadonlySet<string>,
  at: string,
): readonly FieldError[] {
  const values = given ?? [];
  const errors: FieldError[] = [];
  if (!operator) errors.push(required(`${at}.operator`, `valid values: ${quotedList(exitCodeOperators)}`));
  else if (!exitCodeOperators.includes(operator)) errors.push(notSupported(`${at}.operator`, operator, exitCodeOperators));
  if (containerName !== undefined && !containers.has(containerName)) {
    const detail = 'must be one of the container or initContainer names in the pod template';
    errors.push(invalid(`${at}.containerName`, containerName, detail));
  }
  if (values.length === 0) errors.push(invalid(`${at}.values`, given, 'at least one value is required'));
  else if (values.length > maxExitCodes) errors.push(tooMany(`${at}.values`, values.length, maxExitCodes));
  let ordered = true;
  const seen = new Set<number>();
  values.forEach((value, i) => {
    if (operator === 'In' && value === 0) {
      errors.push(invalid(`${at}.values[${i}]`, value, 'must not be 0 for the In operator'));
    }
    if (seen.has(value)) errors.push(duplicate(`${at}.values[${i}]`, value));
    seen.add(value);
    if (i > 0 && values[i - 1]! > value) ordered = false;
  });
  if (!ordered) errors.push(invalid(`${at}.values`, values, 'must be ordered'));
  return errors;
}

function validateSuccessPolicy(spec: JobSpec, at: string): readonly FieldError[] {
  const rules = spec.successPolicy?.rules ?? [];
  const errors: FieldError[] = [];
  if (rules.length === 0) {
    errors.push(required(`${at}.rules`, 'at least one rules must be specified when the successPolicy is specified'));
  }
  if (rules.length > maxSuccessRules) errors.push(tooMany(`${at}.rules`, rules.length, maxSuccessRules));
  rules.forEach((rule, i) => {
    errors.push(...validateSuccessRule(rule, spec.completions ?? 0, `${at}.rules[${i}]`));
  });
  return errors;
}

function validateSuccessRule(
  { succeededCount, succeededIndexes }: SuccessPolicyRule,
  completions: number,
  at: string,
): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (succeededCount === undefined && succeededIndexes === undefined) {
    errors.push(required(at, 'at least one of succeededCount or succeededIndexes must be specified'));
  }
  let total = 0;
  if (succeededIndexes !== undefined) {
    const here = `${at}.succeededIndexes`;
    if (Buffer.byteLength(succeededIndexes) > maxSucceededIndexesLength) errors.push(tooLong(here, maxSucceededIndexesLength));
    try {
      total = countIndexes(parseIndexes(succeededIndexes, completions));
    } catch (err) {
      if (!(err instanceof IndexesError)) throw err;
      errors.push(invalid(here, succeededIndexes, `error parsing succeededIndexes: ${err.message}`));
    }
  }
  if (succeededCount === undefined) return errors;
  const here = `${at}.succeededCount`;
  errors.push(...nonNegative(here, succeededCount));
  const limits: readonly (readonly [limit: number | undefined, of: string])[] = [
    [completions, 'the number of specified completions'],
    [succeededIndexes === undefined ? undefined : total, 'the number of indexes in the specified succeededIndexes field'],
  ];
  for (const [limit, of] of limits) {
    if (limit !== undefined && succeededCount > limit) {
      errors.push(invalid(here, succeededCount, `must be less than or equal to ${limit} (${of})`));
    }
  }
  return errors;
}
