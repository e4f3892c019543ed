import { describe, expect, it } from 'vitest';
import { cells, created, createFaults, type Draft, resourceOf, updated, updateFaults } from '../resource.fixture.ts';

const cronJobs = resourceOf('batch/v1/cronjobs');
const jobTemplate = { spec: { template: { spec: { restartPolicy: 'OnFailure', containers: [{ name: 'c', image: 'i' }] } } } };
const cronJobOf = (spec: Draft = {}): Draft => ({
  metadata: { name: 'tick', namespace: 'default' },
  spec: { schedule: '*/5 * * * *', jobTemplate, ...spec },
});

describe('a new CronJob', () => {
  it('is completed with defaults; its job only with those of the pods', () => {
    const { spec, metadata, status } = created(cronJobs, cronJobOf());
    const { jobTemplate: template, ...rest } = spec;
    expect(rest).toEqual({
      schedule: '*/5 * * * *',
      concurrencyPolicy: 'Allow',
      suspend: false,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
    });
    expect(Object.keys(template.spec)).toEqual(['template']);
    expect(template.spec.template.spec.dnsPolicy).toBe('ClusterFirst');
    expect(metadata.generation).toBe(1);
    expect(status).toEqual({});
  });

  it.each<[string, Draft, readonly string[]]>([
    ['is content', cronJobOf({ timeZone: 'Europe/Berlin' }), []],
    ['wants a schedule', cronJobOf({ schedule: '' }), ['spec.schedule: Required value']],
    [
      'wants one that can be read',
      cronJobOf({ schedule: 'error' }),
      ['spec.schedule: Invalid value: "error": expected exactly 5 fields, found 1: [error]'],
    ],
    [
      'wants no zone in it',
      cronJobOf({ schedule: 'TZ=UTC 0 * * * *', timeZone: 'UTC' }),
      ['spec.schedule: Invalid value: "TZ=UTC 0 * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead'],
    ],
    ['wants a zone', cronJobOf({ timeZone: '' }), ['spec.timeZone: Invalid value: "": timeZone must be nil or non-empty string']],
    [
      'wants a zone that there is',
      cronJobOf({ timeZone: 'Europe/Berlim' }),
      ['spec.timeZone: Invalid value: "Europe/Berlim": unknown time zone Europe/Berlim'],
    ],
    [
      'wants one by its name',
      cronJobOf({ timeZone: 'Local' }),
      [
        'spec.timeZone: Invalid value: "Local": timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones',
      ],
    ],
    [
      'wants sense in the rest',
      cronJobOf({
        startingDeadlineSeconds: -1,
        concurrencyPolicy: 'Sometimes',
        successfulJobsHistoryLimit: -1,
        failedJobsHistoryLimit: -2,
        jobTemplate: { spec: { ...jobTemplate.spec, manualSelector: true, selector: {}, parallelism: -1 } },
      }),
      [
        'spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0',
        'spec.concurrencyPolicy: Unsupported value: "Sometimes": supported values: "Allow", "Forbid", "Replace"',
        'spec.jobTemplate.spec.parallelism: Invalid value: -1: must be greater than or equal to 0',
        'spec.jobTemplate.spec.selector: Invalid value: {}: `selector` will be auto-generated',
        'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"',
        'spec.successfulJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0',
        'spec.failedJobsHistoryLimit: Invalid value: -2: must be greater than or equal to 0',
      ],
    ],
    [
      'wants a name that leaves place for a time',
      { ...cronJobOf(), metadata: { name: 'a'.repeat(53) } },
      [`metadata.name: Invalid value: "${'a'.repeat(53)}": must be no more than 52 characters`],
    ],
  ])('%s', (_what, draft, faults) => {
    expect(createFaults(cronJobs, draft)).toEqual(faults);
  });
});

describe('an update of a CronJob', () => {
  const old = created(cronJobs, cronJobOf());

  it('may change everything', () => {
    expect(
      updateFaults(cronJobs, old, (c) => {
        c.spec.schedule = '@daily';
        c.spec.jobTemplate.spec.template.spec.containers[0].image = 'j';
        c.spec.jobTemplate.spec.completions = 4;
      }),
    ).toEqual([]);
    expect(updated(cronJobs, old, (c) => void (c.spec.suspend = true)).metadata.generation).toBe(2);
  });

  it('keeps a zone in the schedule that was there', () => {
    const legacy = { ...old, spec: { ...old.spec, schedule: 'CRON_TZ=UTC 0 * * * *' } };
    expect(updateFaults(cronJobs, legacy, (c) => void (c.spec.suspend = true))).toEqual([]);
    expect(updateFaults(cronJobs, legacy, (c) => void (c.spec.timeZone = 'UTC'))).toEqual([
      'spec.schedule: Invalid value: "CRON_TZ=UTC 0 * * * *": cannot use both timeZone field and TZ or CRON_TZ in schedule',
    ]);
    expect(
      cronJobs.warnings?.(
        updated(cronJobs, legacy, () => {}),
        legacy,
      ),
    ).toEqual([
      'cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details',
    ]);
  });

  it('keeps a long name and an unknown zone that were there', () => {
    const legacy = { ...old, metadata: { ...old.metadata, name: 'a'.repeat(60) }, spec: { ...old.spec, timeZone: 'No/Where' } };
    expect(updateFaults(cronJobs, legacy, (c) => void (c.spec.suspend = true))).toEqual([]);
  });
});

describe('a row of a CronJob', () => {
  it('shows when it ran', () => {
    const object = {
      metadata: { name: 'tick', creationTimestamp: '2025-12-31T00:00:00Z' },
      spec: { schedule: '@daily', timeZone: 'UTC', suspend: true, jobTemplate },
      status: { active: [{ name: 'a' }], lastScheduleTime: '2025-12-31T23:50:00Z' },
    };
    expect(cells(cronJobs, object)).toEqual({
      Name: 'tick',
      Schedule: '@daily',
      Timezone: 'UTC',
      Suspend: 'True',
      Active: 1,
      'Last Schedule': '10m',
      Age: '24h',
      Containers: 'c',
      Images: 'i',
      Selector: '<none>',
    });
  });

  it('shows what is not there', () => {
    expect(cells(cronJobs, {})).toMatchObject({ Timezone: '<none>', Suspend: '<unset>', Active: 0, 'Last Schedule': '<none>' });
  });
});
