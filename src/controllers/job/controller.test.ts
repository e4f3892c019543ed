import { expect, test } from 'vitest';
import { patchTypes } from '../../api/request.ts';
import type { Job, JobSpec } from '../../api/types/batch-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { events, jobs, pods } from '../../client/resource-refs.ts';
import { garbageCollector } from '../garbage-collector/controller.ts';
import { quickKubelet, readyStatus } from '../test-support/pods.ts';
import { createServerFixture, type ServerFixture } from '../test-support/server.ts';
import { jobController } from './controller.ts';

const job = (more: Partial<JobSpec> = {}): Job => ({
  metadata: { name: 'work', namespace: 'x' },
  spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'i' }] } }, ...more },
});

type Outcome = number | 'runs';

/** Pods end after a second with the exit code that `outcome` says; 'runs' goes on running. */
async function started(object: Job, outcome: (pod: Pod) => Outcome = () => 0): Promise<ServerFixture> {
  const f = await createServerFixture();
  const statusOf = (pod: Pod, now: number): Pod['status'] => {
    const exitCode = outcome(pod);
    if (exitCode === 'runs') return readyStatus(now);
    return {
      phase: exitCode === 0 ? 'Succeeded' : 'Failed',
      containerStatuses: [
        {
          name: 'main',
          image: 'i',
          imageID: 'i',
          ready: false,
          restartCount: 0,
          state: { terminated: { exitCode, finishedAt: new Date(now).toISOString() } },
        },
      ],
    };
  };
  f.start(
    jobController(),
    garbageCollector(),
    quickKubelet(() => true, 1_000, statusOf),
  );
  await f.create(jobs, object);
  await f.advance();
  return f;
}

const current = (f: ServerFixture): Job => f.find(jobs, 'x/work')!;
const conditions = (f: ServerFixture): string[] =>
  (current(f).status?.conditions ?? []).map((c) => `${c.type} ${c.status} ${c.reason}: ${c.message}`);
const told = (f: ServerFixture): string[] =>
  f.all(events, 'x').flatMap((e) => (e.involvedObject.kind === 'Job' ? [`${e.type} ${e.reason}: ${e.message}`] : []));
const indexOf = (pod: Pod): string => pod.metadata!.annotations!['batch.kubernetes.io/job-completion-index']!;
const change = async (f: ServerFixture, spec: object): Promise<unknown> =>
  await f.client.resource(jobs).patch('work', 'x', patchTypes.merge, { spec });

test('one pod, to its end: counted once, its finalizer gone, everything at rest', async () => {
  const f = await started(job());
  const [pod] = f.all(pods, 'x');
  expect(pod?.metadata).toMatchObject({
    generateName: 'work-',
    finalizers: ['batch.kubernetes.io/job-tracking'],
    ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'work', controller: true }],
  });
  expect(current(f).status).toMatchObject({ active: 1, ready: 0, terminating: 0, startTime: '2026-01-01T00:00:00Z' });
  await f.advance(2_000);
  expect(current(f).status).toMatchObject({
    succeeded: 1,
    completionTime: '2026-01-01T00:00:01Z',
    uncountedTerminatedPods: {},
  });
  expect(current(f).status?.active ?? 0).toBe(0);
  expect(conditions(f)).toEqual([
    'SuccessCriteriaMet True CompletionsReached: Reached expected number of succeeded pods',
    'Complete True CompletionsReached: Reached expected number of succeeded pods',
  ]);
  expect(f.all(pods, 'x')[0]?.metadata?.finalizers).toBeUndefined();
  expect(told(f).map((line) => line.replace(/work-\w+/, 'POD'))).toEqual([
    'Normal SuccessfulCreate: Created pod: POD',
    'Normal Completed: Job completed',
  ]);
  const before = f.writes.length;
  await f.advance(3_600_000);
  expect(f.writes.length).toBe(before);
  await f.stop();
});

test('many completions, few at a time', async () => {
  const f = await started(job({ completions: 10, parallelism: 3 }));
  let most = 0;
  f.intercept = () => {
    most = Math.max(most, f.all(pods, 'x').filter((pod) => pod.status?.phase !== 'Succeeded').length);
  };
  await f.advance(20_000);
  expect(current(f).status).toMatchObject({ succeeded: 10 });
  expect(most).toBe(3);
  expect(f.all(pods, 'x')).toHaveLength(10);
  await f.stop();
});

test('without completions the first success ends it', async () => {
  const f = await started(job({ parallelism: 3 }), () => 0);
  await f.advance(20_000);
  expect(f.all(pods, 'x')).toHaveLength(3);
  expect(conditions(f)[1]).toContain('Complete True');
  await f.stop();
});

test('failures are tried again, ever more slowly, up to the limit', async () => {
  const f = await started(job({ backoffLimit: 2 }), () => 1);
  await f.advance(5_000);
  expect(f.all(pods, 'x')).toHaveLength(1);
  await f.advance(8_000);
  expect(f.all(pods, 'x')).toHaveLength(2);
  await f.advance(60_000);
  expect(f.all(pods, 'x')).toHaveLength(3);
  expect(current(f).status).toMatchObject({ failed: 3 });
  const message = 'BackoffLimitExceeded: Job has reached the specified backoff limit';
  expect(conditions(f)).toEqual([`FailureTarget True ${message}`, `Failed True ${message}`]);
  expect(told(f)).toContain(`Warning ${message}`);
  await f.stop();
});

test('a deadline ends it, whatever still runs', async () => {
  const f = await started(job({ parallelism: 2, completions: 2, activeDeadlineSeconds: 30 }), () => 'runs');
  await f.advance(29_000);
  expect(current(f).status).toMatchObject({ active: 2, ready: 2 });
  await f.advance(2_000);
  expect(conditions(f).at(-1)).toBe('Failed True DeadlineExceeded: Job was active longer than specified deadline');
  expect(current(f).status).toMatchObject({ failed: 2 });
  expect(f.all(pods, 'x')).toEqual([]);
  await f.stop();
});

test('suspending removes the pods uncounted, resuming starts the clock anew', async () => {
  const f = await started(job({ suspend: true, parallelism: 2, completions: 2 }), () => 'runs');
  expect(f.all(pods, 'x')).toEqual([]);
  expect(conditions(f)).toEqual(['Suspended True JobSuspended: Job suspended']);
  expect(current(f).status?.startTime).toBeUndefined();
  await f.advance(60_000);
  await change(f, { suspend: false });
  await f.advance(5_000);
  expect(current(f).status).toMatchObject({ active: 2, startTime: '2026-01-01T00:01:00Z' });
  expect(conditions(f)).toEqual(['Suspended False JobResumed: Job resumed']);
  await change(f, { suspend: true });
  await f.advance(5_000);
  expect(f.all(pods, 'x')).toEqual([]);
  expect(current(f).status?.failed ?? 0).toBe(0);
  expect(told(f)).toEqual(expect.arrayContaining(['Normal Suspended: Job suspended', 'Normal Resumed: Job resumed']));
  await f.stop();
});

test('scaling parallelism down removes pods uncounted', async () => {
  const f = await started(job({ parallelism: 4, completions: 10 }), () => 'runs');
  await f.advance(2_000);
  await change(f, { parallelism: 1 });
  await f.advance(2_000);
  expect(current(f).status).toMatchObject({ active: 1 });
  expect([f.all(pods, 'x').length, current(f).status?.failed ?? 0]).toEqual([1, 0]);
  await f.stop();
});

test('an indexed job: each index once, with its name, label and variable', async () => {
  const f = await started(job({ completionMode: 'Indexed', completions: 5, parallelism: 2 }));
  const [pod] = f.all(pods, 'x').filter((p) => indexOf(p) === '0');
  expect(pod).toMatchObject({
    metadata: { generateName: 'work-0-', labels: { 'batch.kubernetes.io/job-completion-index': '0' } },
    spec: {
      hostname: 'work-0',
      containers: [
        {
          env: [
            {
              name: 'JOB_COMPLETION_INDEX',
              valueFrom: { fieldRef: { fieldPath: "metadata.labels['batch.kubernetes.io/job-completion-index']" } },
            },
          ],
        },
      ],
    },
  });
  await f.advance(20_000);
  expect(current(f).status).toMatchObject({ succeeded: 5, completedIndexes: '0-4' });
  expect(f.all(pods, 'x').map(indexOf).sort()).toEqual(['0', '1', '2', '3', '4']);
  await f.stop();
});

test('a limit per index: an index that fails too often does not hold the others up', async () => {
  const spec = { completionMode: 'Indexed', completions: 3, parallelism: 3, backoffLimitPerIndex: 1 } as const;
  const f = await started(job(spec), (pod) => (indexOf(pod) === '1' ? 1 : 0));
  await f.advance(60_000);
  expect(current(f).status).toMatchObject({ completedIndexes: '0,2', failedIndexes: '1', succeeded: 2, failed: 2 });
  expect(conditions(f).at(-1)).toBe('Failed True FailedIndexes: Job has failed indexes');
  const counts = f
    .all(pods, 'x')
    .filter((pod) => indexOf(pod) === '1')
    .map((pod) => pod.metadata!.annotations!['batch.kubernetes.io/job-index-failure-count']);
  expect(counts.sort()).toEqual(['0', '1']);
  await f.stop();
});

test('a failure policy ignores, or fails the job at once', async () => {
  const podFailurePolicy = {
    rules: [
      { action: 'Ignore', onExitCodes: { operator: 'In', values: [3] } },
      { action: 'FailJob', onExitCodes: { operator: 'In', values: [42] } },
    ],
  } as const;
  const codes = [3, 3, 42];
  const f = await started(job({ backoffLimit: 1, podFailurePolicy }), () => codes.shift() ?? 0);
  await f.advance(120_000);
  expect(current(f).status).toMatchObject({ failed: 1 });
  expect(conditions(f).at(-1)).toMatch(
    /^Failed True PodFailurePolicy: Container main for pod x\/work-\w+ failed with exit code 42 matching FailJob rule at index 1$/,
  );
  expect(f.all(pods, 'x')).toHaveLength(3);
  await f.stop();
});

test('a success policy ends the job and removes what still runs', async () => {
  const successPolicy = { rules: [{ succeededIndexes: '0' }] };
  const spec = { completionMode: 'Indexed', completions: 3, parallelism: 3, successPolicy } as const;
  const f = await started(job(spec), (pod) => (indexOf(pod) === '0' ? 0 : 'runs'));
  await f.advance(5_000);
  expect(conditions(f)).toEqual([
    'SuccessCriteriaMet True SuccessPolicy: Matched rules at index 0',
    'Complete True SuccessPolicy: Matched rules at index 0',
  ]);
  expect(current(f).status).toMatchObject({ succeeded: 1, completedIndexes: '0' });
  expect(current(f).status?.failed ?? 0).toBe(0);
  await f.stop();
});

test('pods that are deleted count as failed, and are replaced', async () => {
  const f = await started(job({ backoffLimit: 6 }), () => 'runs');
  await f.advance(2_000);
  await f.client.resource(pods).delete(f.all(pods, 'x')[0]!.metadata!.name!, 'x');
  await f.advance(30_000);
  expect(current(f).status).toMatchObject({ active: 1, failed: 1 });
  await f.stop();
});

test('where the policy says so a pod is replaced only once it has failed', async () => {
  const f = await started(job({ podReplacementPolicy: 'Failed' }), () => 'runs');
  await f.advance(2_000);
  const { name } = f.all(pods, 'x')[0]!.metadata!;
  await f.client.resource(pods).delete(name!, 'x');
  await f.advance(60_000);
  // Its finalizer holds it: it is still to be counted.
  expect(f.all(pods, 'x').map((pod) => pod.metadata?.name)).toEqual([name]);
  expect(current(f).status).toMatchObject({ terminating: 1 });
  expect([current(f).status?.active ?? 0, current(f).status?.failed ?? 0]).toEqual([0, 0]);
  await f.change(pods, `x/${name}`, (pod): Pod => ({ ...pod, status: { ...pod.status, phase: 'Failed' } }), 'status');
  await f.advance(30_000);
  expect(current(f).status).toMatchObject({ active: 1, failed: 1, terminating: 0 });
  expect(f.find(pods, `x/${name}`)).toBeUndefined();
  await f.stop();
});

test('jobs of another manager are left alone; pods of a job that is gone lose their finalizers', async () => {
  const f = await started(job({ managedBy: 'example.com/other' }));
  await f.advance(5_000);
  expect([f.all(pods, 'x').length, current(f).status]).toEqual([0, {}]);
  await f.stop();
  const g = await started(job({ parallelism: 3, completions: 3 }), () => 'runs');
  await g.advance(2_000);
  await g.client.resource(jobs).delete('work', 'x', { propagationPolicy: 'Background' });
  await g.advance(2_000);
  expect(g.all(pods, 'x')).toEqual([]);
  await g.stop();
});

test('more pods at once than are counted in one pass are counted exactly', async () => {
  const f = await started(job({ completions: 700, parallelism: 700 }));
  await f.advance(10_000);
  expect(current(f).status).toMatchObject({ succeeded: 700, uncountedTerminatedPods: {} });
  expect(f.all(pods, 'x')).toHaveLength(700);
  await f.stop();
});

test('a controller that is killed between its writes counts nothing twice', async () => {
  const f = await started(job({ completions: 6, parallelism: 3 }));
  let calls = 0;
  f.intercept = (request) => {
    const ours = request.resource === 'jobs' || (request.resource === 'pods' && request.verb === 'patch');
    if (ours && ++calls % 3 === 0) throw new Error('connection lost');
  };
  await f.advance(60_000);
  expect(current(f).status).toMatchObject({ succeeded: 6 });
  expect(f.all(pods, 'x')).toHaveLength(6);
  await f.stop();
});
