import { type FieldError, invalid, notSupported } from '../../meta/field-error.ts';
import { nameIsDNSSubdomain } from '../../meta/names.ts';
import type { CronJob, CronJobSpec, JobTemplateSpec } from '../../types/batch-v1.ts';
import { mapField, withFields, withMissing } from '../core/copy-on-change.ts';
import { prepareTemplate } from '../core/pod.ts';
import { defaultPodTemplate } from '../core/pod-defaults.ts';
import { containerCells, containersColumn, imagesColumn, selectorCell, selectorColumn } from '../core/template-cells.ts';
import { age, ageColumn, column, groupVersion, nameColumn, withGeneration } from '../define.ts';
import { nonNegative, oneOf } from '../field-checks.ts';
import { semanticEqual } from '../semantic-equal.ts';
import { podNameWarnings } from '../workload.ts';
import { parseCronSchedule, ScheduleError } from './cron-schedule.ts';
import { jobSelectorDescription, jobSpecWarnings } from './job.ts';
import { noSpec as noJobSpec, validateJobSpec } from './job-validation.ts';
import { timeZoneFault } from './time-zone.ts';

const define = groupVersion('batch', 'v1');
const noSpec: CronJobSpec = Object.freeze({ schedule: '', jobTemplate: {} });

/** The name of a job has 63 characters at most, and the controller appends a dash and ten digits. */
const maxNameLength = 52;

const concurrencyPolicies = ['Allow', 'Forbid', 'Replace'];

function defaults(object: CronJob): CronJob {
  const spec = withMissing(object.spec ?? noSpec, {
    concurrencyPolicy: 'Allow',
    suspend: false,
    successfulJobsHistoryLimit: 3,
    failedJobsHistoryLimit: 1,
  });
  return withFields(object, {
    spec: withFields(spec, { jobTemplate: mapJobPods(spec.jobTemplate ?? {}, (t) => defaultPodTemplate(t ?? {})) }),
  });
}

type PodTemplate = NonNullable<JobTemplateSpec['spec']>['template'];

function mapJobPods(template: JobTemplateSpec, change: (pods: PodTemplate) => PodTemplate): JobTemplateSpec {
  const spec = template.spec ?? noJobSpec;
  return withFields(template, { spec: withFields(spec, { template: change(spec.template) }) });
}

const prepared = (object: CronJob, old: CronJob | undefined): CronJob =>
  mapField(object, 'spec', (spec) =>
    mapField(spec, 'jobTemplate', (template) =>
      mapJobPods(template, (pods) => prepareTemplate(pods ?? {}, old?.spec?.jobTemplate?.spec?.template)),
    ),
  );

function validate(object: CronJob, old?: CronJob): readonly FieldError[] {
  const spec = object.spec ?? noSpec;
  const { schedule, startingDeadlineSeconds, timeZone, concurrencyPolicy, jobTemplate } = spec;
  const errors: FieldError[] = [
    ...validateSchedule(schedule ?? '', timeZone, old?.spec?.schedule),
    ...nonNegative('spec.startingDeadlineSeconds', startingDeadlineSeconds),
  ];
  if (old === undefined || old.spec?.timeZone !== timeZone) errors.push(...validateTimeZone(timeZone));
  errors.push(
    ...oneOf('spec.concurrencyPolicy', concurrencyPolicy, concurrencyPolicies),
    ...validateJobTemplate(jobTemplate ?? {}, old?.spec?.jobTemplate),
    ...nonNegative('spec.successfulJobsHistoryLimit', spec.successfulJobsHistoryLimit),
    ...nonNegative('spec.failedJobsHistoryLimit', spec.failedJobsHistoryLimit),
  );
  return errors;
}

/** A zone inside the schedule was never meant to work (KEP-3140): only who has it already may keep it. */
function validateSchedule(schedule: string, timeZone: string | undefined, old: string | undefined): readonly FieldError[] {
  const at = 'spec.schedule';
  if (schedule === '') return [{ type: 'FieldValueRequired', path: at, detail: '' }];
  const errors: FieldError[] = [];
  try {
    parseCronSchedule(schedule);
  } catch (err) {
    if (!(err instanceof ScheduleError)) throw err;
    errors.push(invalid(at, schedule, err.message));
  }
  if (!schedule.includes('TZ')) return errors;
  if (old?.includes('TZ') !== true) {
    errors.push(invalid(at, schedule, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead'));
  } else if (timeZone !== undefined) {
    errors.push(invalid(at, schedule, 'cannot use both timeZone field and TZ or CRON_TZ in schedule'));
  }
  return errors;
}

/** The parts of a name in the IANA database, and those that have always been tolerated. */
const zonePart = /^[A-Za-z.\-_0-9+]{1,14}$/;

function validateTimeZone(timeZone: string | undefined): readonly FieldError[] {
  const at = 'spec.timeZone';
  if (timeZone === undefined) return [];
  if (timeZone === '') return [invalid(at, timeZone, 'timeZone must be nil or non-empty string')];
  for (const part of timeZone.split('/')) {
    if (part === '.' || part === '..' || part.startsWith('-') || !zonePart.test(part)) {
      return [invalid(at, timeZone, `unknown time zone ${timeZone}`)];
    }
  }
  const errors: FieldError[] = [];
  if (timeZone.toLowerCase() === 'local') {
    errors.push(invalid(at, timeZone, 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones'));
  }
  const fault = timeZoneFault(timeZone);
  if (fault !== undefined) errors.push(invalid(at, timeZone, fault));
  return errors;
}

function validateJobTemplate(template: JobTemplateSpec, old: JobTemplateSpec | undefined): readonly FieldError[] {
  const at = 'spec.jobTemplate.spec';
  const spec = template.spec ?? noJobSpec;
  const errors = [...validateJobSpec(spec, at, old?.spec?.template)];
  if (spec.selector !== undefined) errors.push(invalid(`${at}.selector`, spec.selector, '`selector` will be auto-generated'));
  if (spec.manualSelector === true) errors.push(notSupported(`${at}.manualSelector`, true, ['nil', 'false']));
  return errors;
}

/** Jobs that are made again and again. */
export const cronJob = define<CronJob>({
  kind: 'CronJob',
  plural: 'cronjobs',
  namespaced: true,
  shortNames: ['cj'],
  categories: ['all'],
  status: true,
  defaults,
  strategy: {
    prepareForCreate: (object) => withGeneration(prepared(withFields(object, { status: {} }), undefined), 1),
    prepareForUpdate: (object, old) => {
      const kept = prepared(withFields(object, { status: old.status }), old);
      const before = old.metadata?.generation ?? 0;
      const same = semanticEqual('io.k8s.api.batch.v1.CronJobSpec', kept.spec, old.spec);
      return withGeneration(kept, same ? before : before + 1);
    },
  },
  validate: (object) => {
    const name = object.metadata?.name ?? '';
    const tooLong = name.length > maxNameLength ? [invalid('metadata.name', name, 'must be no more than 52 characters')] : [];
    return [...validate(object), ...tooLong];
  },
  // Names from before there was a limit may stay.
  validateUpdate: (object, old) => validate(object, old),
  validateName: nameIsDNSSubdomain,
  columns: [
    nameColumn,
    column('Schedule', 'string', 'The schedule in Cron format, see https://en.wikipedia.org/wiki/Cron.'),
    column(
      'Timezone',
      'string',
      'The time zone name for the given schedule, see https://en.wikipedia.org/wiki/List_of_tz_database_time_zones. If not specified, this will default to the time zone of the kube-controller-manager process. The set of valid time zone names and the time zone offset is loaded from the system-wide time zone database by the API server during CronJob validation and the controller manager during execution. If no system-wide time zone database can be found a bundled version of the database is used instead. If the time zone name becomes invalid during the lifetime of a CronJob or due to a change in host configuration, the controller will stop creating new new Jobs and will create a system event with the reason UnknownTimeZone. More information can be found in https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#time-zones',
    ),
    column(
      'Suspend',
      'boolean',
      'This flag tells the controller to suspend subsequent executions, it does not apply to already started executions.  Defaults to false.',
    ),
    column('Active', 'integer', 'A list of pointers to currently running jobs.'),
    column('Last Schedule', 'string', 'Information when was the last time the job was successfully scheduled.'),
    ageColumn,
    containersColumn,
    imagesColumn,
    selectorColumn(jobSelectorDescription),
  ],
  row: (object, now) => {
    const { schedule = '', timeZone, suspend, jobTemplate } = object.spec ?? noSpec;
    const { active = [], lastScheduleTime } = object.status ?? {};
    return [
      object.metadata?.name ?? '',
      schedule,
      timeZone ?? '<none>',
      suspend === undefined ? '<unset>' : suspend ? 'True' : 'False',
      active.length,
      lastScheduleTime === undefined ? '<none>' : age(lastScheduleTime, now),
      age(object.metadata?.creationTimestamp, now),
      ...containerCells(jobTemplate?.spec?.template?.spec?.containers),
      selectorCell(jobTemplate?.spec?.selector),
    ];
  },
  warnings: (object, old) => {
    const spec = object.spec ?? noSpec;
    const template = spec.jobTemplate?.spec ?? noJobSpec;
    const at = 'spec.jobTemplate.spec';
    if (old === undefined) return [...podNameWarnings(object.metadata?.name ?? ''), ...jobSpecWarnings(template, undefined, at)];
    const changed = object.metadata?.generation !== old.metadata?.generation;
    return [
      ...(changed ? jobSpecWarnings(template, old.spec?.jobTemplate?.spec, at) : []),
      ...(spec.schedule?.includes('TZ')
        ? [
            'cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details',
          ]
        : []),
    ];
  },
});
