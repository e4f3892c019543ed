import { Registry } from 'prom-client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Job } from '../api/types/batch-v1.ts';
import type { Controller } from '../client/controller.ts';
import { cronJobs, jobs, nodes } from '../client/resource-refs.ts';
import { cronJobController } from './cron-job/controller.ts';
import { jobController } from './job/controller.ts';
import { nodeLifecycleController } from './node-lifecycle/controller.ts';
import { quickKubelet } from './test-support/pods.ts';
import { createServerFixture, type ServerFixture } from './test-support/server.ts';

let f: ServerFixture;
let registry: Registry;
const measured = (controller: Controller): Controller => ({
  ...controller,
  start: (context, signal) => controller.start({ ...context, metrics: registry }, signal),
});
const lines = async (pattern: RegExp): Promise<readonly string[]> =>
  (await registry.metrics()).split('\n').filter((line) => !line.startsWith('#') && pattern.test(line));
beforeEach(async () => {
  f = await createServerFixture();
  registry = new Registry();
});
afterEach(() => f.stop());

const spec: Job['spec'] = {
  backoffLimit: 0,
  template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } },
};

test('jobs that end, their pods, and passes over them', async () => {
  const ends = quickKubelet(
    () => true,
    0,
    (pod) => ({ phase: pod.metadata?.labels?.['job-name'] === 'good' ? 'Succeeded' : 'Failed' }),
  );
  f.start(measured(jobController()), ends);
  await f.create(jobs, { metadata: { name: 'good', namespace: 'x' }, spec: { ...spec, completions: 2, parallelism: 2 } });
  await f.create(jobs, { metadata: { name: 'bad', namespace: 'x' }, spec });
  await f.advance(30_000);
  const mode = 'completion_mode="NonIndexed"';
  expect([...(await lines(/^job_controller_(jobs|job_pods)_finished/))].sort()).toEqual([
    `job_controller_job_pods_finished_total{${mode},result="failed"} 1`,
    `job_controller_job_pods_finished_total{${mode},result="succeeded"} 2`,
    `job_controller_jobs_finished_total{${mode},result="failed",reason="BackoffLimitExceeded"} 1`,
    `job_controller_jobs_finished_total{${mode},result="succeeded",reason="CompletionsReached"} 1`,
  ]);
  expect(await lines(/^job_controller_job_syncs_total.*pods_created/)).toEqual([
    'job_controller_job_syncs_total{completion_mode="NonIndexed",result="success",action="pods_created"} 2',
  ]);
});

test('how late jobs of CronJobs are made', async () => {
  f.start(measured(cronJobController()));
  await f.create(cronJobs, {
    metadata: { name: 'c', namespace: 'x' },
    spec: { schedule: '* * * * *', jobTemplate: { spec } },
  });
  await f.advance(61_000);
  expect(await lines(/skew_duration_seconds_(count|bucket.*le="1")/)).toEqual([
    'cronjob_controller_job_creation_skew_duration_seconds_bucket{le="1"} 1',
    'cronjob_controller_job_creation_skew_duration_seconds_count 1',
  ]);
});

test('how zones fare, and nodes that pods are driven from', async () => {
  f.start(measured(nodeLifecycleController()));
  for (const [name, status] of [
    ['a', 'True'],
    ['b', 'False'],
  ] as const) {
    await f.create(nodes, { metadata: { name, labels: { 'topology.kubernetes.io/zone': 'z' } } });
    const lastHeartbeatTime = new Date(f.clock.now()).toISOString().replace('.000', '');
    const conditions = [{ type: 'Ready', status, lastHeartbeatTime, lastTransitionTime: lastHeartbeatTime }];
    await f.change(nodes, name, (node) => ({ ...node, status: { ...node.status, conditions } }), 'status');
  }
  await f.advance(15_000);
  const zone = 'zone=":\u0000:z"';
  expect(await lines(/^node_collector/)).toEqual(
    expect.arrayContaining([
      `node_collector_zone_size{${zone}} 2`,
      `node_collector_zone_health{${zone}} 50`,
      `node_collector_unhealthy_nodes_in_zone{${zone}} 1`,
      `node_collector_evictions_total{${zone}} 1`,
    ]),
  );
});
