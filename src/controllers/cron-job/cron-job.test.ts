import { expect, test } from 'vitest';
import { parseCronSchedule } from '../../api/groups/batch/cron-schedule.ts';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { patchTypes } from '../../api/request.ts';
import type { CronJob, CronJobSpec, Job } from '../../api/types/batch-v1.ts';
import type { Informer, InformerFactory } from '../../client/contract.ts';
import { cronJobs, events, jobs } from '../../client/resource-refs.ts';
import { createServerFixture, names, type ServerFixture } from '../test-support/server.ts';
import { cronJobController } from './controller.ts';
import { dueTimes, formatInZone, nextTime } from './next-time.ts';

const iso = (ms: number | undefined, zone = 'UTC'): string | undefined => (ms === undefined ? undefined : formatInZone(ms, zone));

test.each([
  ['*/5 * * * *', 'UTC', '2026-01-01T00:00:00Z', '2026-01-01T00:05:00Z'],
  ['0 0 * * *', 'UTC', '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'],
  ['30 8 * * 1-5', 'UTC', '2026-01-02T09:00:00Z', '2026-01-05T08:30:00Z'],
  ['0 12 1 * *', 'UTC', '2026-01-15T00:00:00Z', '2026-02-01T12:00:00Z'],
  ['0 0 29 2 *', 'UTC', '2026-01-01T00:00:00Z', '2028-02-29T00:00:00Z'],
  ['0 0 30 2 *', 'UTC', '2026-01-01T00:00:00Z', undefined],
  // Either day will do when both are restricted.
  ['0 0 13 * 5', 'UTC', '2026-01-01T12:00:00Z', '2026-01-02T00:00:00Z'],
  ['@every 90s', 'UTC', '2026-01-01T00:00:10Z', '2026-01-01T00:01:40Z'],
  ['0 9 * * *', 'Europe/Berlin', '2026-07-01T00:00:00Z', '2026-07-01T09:00:00+02:00'],
  // The clock goes from 2 to 3: half past two does not come.
  ['30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-30T02:30:00+02:00'],
  // It goes from 3 to 2: half past two comes twice.
  ['30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', '2026-10-25T02:30:00+02:00'],
  ['30 2 * * *', 'Europe/Berlin', '2026-10-25T00:30:00Z', '2026-10-25T02:30:00+01:00'],
])('%s in %s after %s', (schedule, zone, after, expected) => {
  expect(iso(nextTime(parseCronSchedule(schedule), Date.parse(after), zone), zone)).toBe(expected);
});

const at = (text: string): number => Date.parse(`2026-01-${text}Z`);

test.each([
  ['0 * * * *', '01T00:30:00', undefined, '01T00:45:00', undefined, '2026-01-01T01:00:00Z', false],
  ['0 * * * *', '01T00:30:00', undefined, '01T01:00:01', '2026-01-01T01:00:00Z', '2026-01-01T02:00:00Z', false],
  ['0 * * * *', '01T00:30:00', undefined, '01T05:30:00', '2026-01-01T05:00:00Z', '2026-01-01T06:00:00Z', false],
  ['* * * * *', '01T00:00:00', undefined, '02T00:00:30', '2026-01-02T00:00:00Z', '2026-01-02T00:01:00Z', true],
  ['0 * * * *', '01T00:30:00', '01T05:01:00', '01T05:30:00', undefined, '2026-01-01T06:00:00Z', false],
  ['@every 1h', '01T00:30:00', undefined, '01T00:45:00', undefined, '2026-01-01T01:30:00Z', false],
])('%s since %s (not before %s) at %s', (schedule, since, notBefore, now, due, next, many) => {
  const parsed = parseCronSchedule(schedule);
  const times = dueTimes(parsed, at(since), notBefore === undefined ? undefined : at(notBefore), at(now), 'UTC');
  expect([iso(times?.due), iso(times?.next), times?.tooManyMissed]).toEqual([due, next, many]);
});

const cron = (more: Partial<CronJobSpec> = {}): CronJob => ({
  metadata: { name: 'tick', namespace: 'x' },
  spec: {
    schedule: '*/10 * * * *',
    jobTemplate: {
      metadata: { labels: { a: 'b' } },
      spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } } },
    },
    ...more,
  },
});

async function started(object: CronJob): Promise<ServerFixture> {
  const f = await createServerFixture();
  f.start(cronJobController());
  await f.create(cronJobs, object);
  await f.advance();
  return f;
}

const MINUTE = 60_000;
const current = (f: ServerFixture): CronJob => f.find(cronJobs, 'x/tick')!;
const reasons = (f: ServerFixture): string[] => f.all(events, 'x').map((e) => `${e.reason}: ${e.message}`);

async function finish(f: ServerFixture, type: 'Complete' | 'Failed'): Promise<void> {
  const unfinished = f.all(jobs, 'x').filter((job) => job.status?.conditions === undefined);
  for (const { metadata } of unfinished) {
    const time = new Date(f.clock.now()).toISOString().replace('.000', '').replace('.100', '');
    const interim = type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget';
    const conditions = [interim, type].map((t) => ({ type: t, status: 'True' as const, lastTransitionTime: time }));
    await f.change(
      jobs,
      `x/${metadata!.name}`,
      (job): Job => ({
        ...job,
        status: { startTime: time, conditions, ...(type === 'Complete' ? { completionTime: time } : {}) },
      }),
      'status',
    );
  }
  await f.advance();
}

test('a job at every time, named after it; the status keeps track', async () => {
  const f = await started(cron());
  await f.advance(9 * MINUTE);
  expect(f.all(jobs, 'x')).toEqual([]);
  await f.advance(1.5 * MINUTE);
  const [job] = f.all(jobs, 'x');
  const minutes = Date.parse('2026-01-01T00:10:00Z') / MINUTE;
  expect(job).toMatchObject({
    metadata: {
      name: `tick-${minutes}`,
      labels: { a: 'b' },
      annotations: { 'batch.kubernetes.io/cronjob-scheduled-timestamp': '2026-01-01T00:10:00Z' },
      ownerReferences: [{ kind: 'CronJob', name: 'tick', controller: true }],
    },
  });
  expect(current(f).status).toMatchObject({ lastScheduleTime: '2026-01-01T00:10:00Z', active: [{ name: `tick-${minutes}` }] });
  await finish(f, 'Complete');
  expect(current(f).status?.active).toBeUndefined();
  expect(current(f).status?.lastSuccessfulTime).toBeDefined();
  expect(reasons(f)).toEqual([
    `SuccessfulCreate: Created job tick-${minutes}`,
    `SawCompletedJob: Saw completed job: tick-${minutes}, condition: Complete`,
  ]);
  await f.stop();
});

test('history is kept within its limits', async () => {
  const f = await started(cron({ successfulJobsHistoryLimit: 2, failedJobsHistoryLimit: 1 }));
  for (let i = 0; i < 5; i++) {
    await f.advance(10 * MINUTE);
    await f.advance(1_000);
    await finish(f, i % 2 === 0 ? 'Complete' : 'Failed');
  }
  const left = f.all(jobs, 'x').map((job) => job.status?.conditions?.at(-1)?.type);
  expect(left.sort()).toEqual(['Complete', 'Complete', 'Failed']);
  await f.stop();
});

test.each([
  ['Allow', 3, 3],
  ['Forbid', 1, 1],
  ['Replace', 1, 1],
])('%s while the last job runs', async (concurrencyPolicy, count, active) => {
  const f = await started(cron({ concurrencyPolicy } as Partial<CronJobSpec>));
  await f.advance(31 * MINUTE);
  expect(f.all(jobs, 'x')).toHaveLength(count);
  expect(current(f).status?.active).toHaveLength(active);
  const last = names(f.all(jobs, 'x')).at(-1);
  const third = `tick-${Date.parse('2026-01-01T00:30:00Z') / MINUTE}`;
  expect(last === third).toBe(concurrencyPolicy !== 'Forbid');
  if (concurrencyPolicy === 'Forbid') {
    expect(reasons(f)).toContain(
      'JobAlreadyActive: Not starting job because prior execution is running and concurrency policy is Forbid',
    );
  }
  await f.stop();
});

test('suspended it makes nothing; resumed it makes up for the last time, unless that is too long ago', async () => {
  const f = await started(cron({ suspend: true, schedule: '0 * * * *', startingDeadlineSeconds: 600 }));
  await f.advance(65 * MINUTE);
  expect(f.all(jobs, 'x')).toEqual([]);
  const resume = async (suspend: boolean): Promise<void> => {
    await f.client.resource(cronJobs).patch('tick', 'x', patchTypes.merge, { spec: { suspend } });
    await f.advance();
  };
  await resume(false);
  expect(current(f).status?.lastScheduleTime).toBe('2026-01-01T01:00:00Z');
  await resume(true);
  await f.advance(80 * MINUTE);
  await resume(false);
  expect(current(f).status?.lastScheduleTime).toBe('2026-01-01T01:00:00Z');
  await f.stop();
});

test('a schedule that is grammatical and never due is told of', async () => {
  const f = await started(cron({ schedule: '59 23 31 2 *' }));
  expect(reasons(f)).toEqual([
    'InvalidSchedule: invalid schedule: 59 23 31 2 * : time difference between two schedules is less than 1 second',
  ]);
  await f.stop();
});

test('an active job that is gone is told of', async () => {
  const f = await started(cron());
  await f.advance(11 * MINUTE);
  const { name } = f.all(jobs, 'x')[0]!.metadata!;
  await f.client.resource(jobs).delete(name!, 'x', { propagationPolicy: 'Background' });
  await f.advance();
  expect(current(f).status?.active).toBeUndefined();
  expect(reasons(f)).toContain(`MissingJob: Active job went missing: ${name}`);
  await f.stop();
});

test('a job that was made before its controller was killed is not made again', async () => {
  const f = await started(cron());
  let lost = 0;
  f.intercept = (request) => {
    if (request.resource === 'cronjobs' && request.subresource === 'status' && lost++ === 0) throw new Error('killed');
  };
  await f.advance(11 * MINUTE);
  expect(f.all(jobs, 'x')).toHaveLength(1);
  expect(current(f).status).toMatchObject({ active: [{}], lastScheduleTime: '2026-01-01T00:10:00Z' });
  await f.stop();
});

test('a job is expected that the server has in the list, though the cache has not yet', async () => {
  const f = await createServerFixture();
  const { name, start } = cronJobController();
  const behind = <T extends KubernetesObject>(informer: Informer<T>): Informer<T> =>
    new Proxy(informer, {
      get(target, property) {
        if (property === 'get') return (key: string) => ({ ...target.get(key)!, status: {} });
        const value = Reflect.get(target, property, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  const late = (informers: InformerFactory): InformerFactory => ({
    informer: (ref, options) =>
      ref.plural === 'cronjobs' ? behind(informers.informer(ref, options)) : informers.informer(ref, options),
    start: (signal) => informers.start(signal),
    synced: (signal) => informers.synced(signal),
  });
  f.start({ name, start: (context, signal) => start({ ...context, informers: late(context.informers) }, signal) });
  await f.create(cronJobs, cron());
  await f.advance(11 * MINUTE);
  expect(reasons(f)).toEqual([expect.stringContaining('SuccessfulCreate')]);
  await f.stop();
});
