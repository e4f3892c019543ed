import { nameIsDNSSubdomain } from '../../meta/names.ts';
import { parseTime } from '../../meta/time.ts';
import type { Job, JobSpec, PodFailurePolicyRule } from '../../types/batch-v1.ts';
import { mapField, mapListField, withFields, withMissing, withUnset } from '../core/copy-on-change.ts';
import { defaultPodTemplate } from '../core/pod-defaults.ts';
import { containerCells, containersColumn, imagesColumn, selectorCell, selectorColumn } from '../core/template-cells.ts';
import { age, ageColumn, column, groupVersion, humanDuration, nameColumn } from '../define.ts';
import { podNameWarnings, templateWarnings, workloadStrategy } from '../workload.ts';
import { controllerUidLabel, jobNameLabel, legacyControllerUidLabel, legacyJobNameLabel } from './job-labels.ts';
import { hasCondition, validateJobStatusUpdate } from './job-status-validation.ts';
import { validateJobUpdate } from './job-update.ts';
import { noSpec, validateJob } from './job-validation.ts';

const define = groupVersion('batch', 'v1');
const maxInt32 = 2 ** 31 - 1;
const defaultBackoffLimit = 6;

/** SetDefaults_Job. The template in a CronJob gets none of it but those of its pods. */
function defaults(object: Job): Job {
  let spec: JobSpec = object.spec ?? noSpec;
  if (spec.completions === undefined && spec.parallelism === undefined) spec = { ...spec, completions: 1 };
  spec = withUnset(spec, {
    parallelism: 1,
    // Per index, a job has no other limit unless it wants one.
    backoffLimit: spec.backoffLimitPerIndex === undefined ? defaultBackoffLimit : maxInt32,
    completionMode: 'NonIndexed',
    suspend: false,
    manualSelector: false,
    podReplacementPolicy: spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed',
  });
  spec = mapField(spec, 'podFailurePolicy', (policy) => mapListField(policy, 'rules', defaultRule));
  spec = withFields(spec, { template: defaultPodTemplate(spec.template ?? {}) });
  const labels = spec.template.metadata?.labels;
  const labelled = labels === undefined || Object.keys(object.metadata?.labels ?? {}).length > 0;
  return withFields(object, { spec, ...(labelled ? {} : { metadata: { ...object.metadata, labels } }) });
}

const defaultRule = (rule: PodFailurePolicyRule): PodFailurePolicyRule =>
  mapListField(rule, 'onPodConditions', (pattern) => withMissing(pattern, { status: 'True' }));

/** Selects the job's pods by its uid, and labels them so. Labels that are there already stay: validation refuses wrong ones. */
function withGeneratedSelector(job: Job): Job {
  const spec = job.spec ?? noSpec;
  if (spec.manualSelector === true) return job;
  const { name = '', uid = '' } = job.metadata ?? {};
  const labels = {
    [legacyJobNameLabel]: name,
    [jobNameLabel]: name,
    [legacyControllerUidLabel]: uid,
    [controllerUidLabel]: uid,
    ...spec.template?.metadata?.labels,
  };
  const template = { ...spec.template, metadata: { ...spec.template?.metadata, labels } };
  // A job without labels has those of its template, and so what is added to them, too.
  const own = job.metadata?.labels;
  const labelled = own === undefined || own === spec.template?.metadata?.labels;
  const metadata = labelled ? { ...job.metadata, labels } : job.metadata;
  const matchLabels = { [controllerUidLabel]: uid, ...spec.selector?.matchLabels };
  return {
    ...job,
    ...(metadata === undefined ? {} : { metadata }),
    spec: { ...spec, template, selector: { ...spec.selector, matchLabels } },
  };
}

/** More indexes than a status can list, run by more pods than it can keep up with. */
const manyCompletions = 100_000;
const muchParallelism = 10_000;

/** Warnings about a job's spec at path `at`, in a job or in a CronJob. */
export function jobSpecWarnings(spec: JobSpec, old: JobSpec | undefined, at: string): readonly string[] {
  const { completionMode, completions = 0, parallelism = 0, template } = spec;
  const tooMany = completionMode === 'Indexed' && completions > manyCompletions && parallelism > muchParallelism;
  return [
    ...(tooMany
      ? [
          `${at}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail`,
        ]
      : []),
    ...templateWarnings(template, old?.template, `${at}.template`),
  ];
}

function statusCell(job: Job): string {
  for (const type of ['Complete', 'Failed']) if (hasCondition(job.status, type)) return type;
  if (job.metadata?.deletionTimestamp !== undefined) return 'Terminating';
  for (const type of ['Suspended', 'FailureTarget', 'SuccessCriteriaMet']) if (hasCondition(job.status, type)) return type;
  return 'Running';
}

/** `1/3`; of a job without a number of completions, which is done when one pod succeeded, `0/1 of 5`. */
function completionsCell({ spec = noSpec, status = {} }: Job): string {
  const { completions, parallelism = 0 } = spec;
  const succeeded = status.succeeded ?? 0;
  if (completions !== undefined) return `${succeeded}/${completions}`;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function durationCell(job: Job, now: number): string {
  const start = parseTime(job.status?.startTime);
  return start === undefined ? '' : humanDuration((parseTime(job.status?.completionTime) ?? now) - start);
}

/** What a table says of the selector of a job. */
export const jobSelectorDescription =
  'A label query over pods that should match the pod count. Normally, the system sets this field for you. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors';

/** Pods that run to their end. */
export const job = define<Job>({
  kind: 'Job',
  plural: 'jobs',
  namespaced: true,
  categories: ['all'],
  status: true,
  defaults,
  strategy: workloadStrategy<JobSpec, Job>({
    specType: 'io.k8s.api.batch.v1.JobSpec',
    emptyStatus: {},
    onCreate: withGeneratedSelector,
  }),
  validate: (object) => validateJob(object),
  validateUpdate: validateJobUpdate,
  validateStatusUpdate: validateJobStatusUpdate,
  validateName: nameIsDNSSubdomain,
  columns: [
    nameColumn,
    column('Status', 'string', 'Status of the job.'),
    column(
      'Completions',
      'string',
      'The number of pods which reached phase Succeeded. The value increases monotonically for a given spec. However, it may decrease in reaction to scale down of elastic indexed jobs.',
    ),
    column('Duration', 'string', 'Time required to complete the job.'),
    ageColumn,
    containersColumn,
    imagesColumn,
    selectorColumn(jobSelectorDescription),
  ],
  row: (object, now) => [
    object.metadata?.name ?? '',
    statusCell(object),
    completionsCell(object),
    durationCell(object, now),
    age(object.metadata?.creationTimestamp, now),
    ...containerCells(object.spec?.template?.spec?.containers),
    selectorCell(object.spec?.selector),
  ],
  fieldSelectors: { 'status.successful': (object) => String(object.status?.succeeded ?? 0) },
  warnings: (object, old) => {
    const spec = object.spec ?? noSpec;
    if (old === undefined) return [...podNameWarnings(object.metadata?.name ?? ''), ...jobSpecWarnings(spec, undefined, 'spec')];
    return object.metadata?.generation === old.metadata?.generation ? [] : jobSpecWarnings(spec, old.spec, 'spec');
  },
});
