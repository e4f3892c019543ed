import { expect, test } from 'vitest';
import { jobs } from '../client/resource-refs.ts';
import { createFixture } from '../client/test-support/fixture.ts';
import { ttlAfterFinishedController } from './ttl-after-finished.ts';

const template = { spec: { containers: [] } };
const finished = (time: string) => ({
  conditions: [{ type: 'Complete', status: 'True' as const, lastTransitionTime: time }],
});

test('finished jobs go when their time is up, and no others', async () => {
  const f = createFixture();
  f.start(ttlAfterFinishedController());
  const seed = async (name: string, spec: object, status: object): Promise<void> =>
    void (await f.api.seed(jobs, { metadata: { name, namespace: 'x' }, spec: { template, ...spec }, status }));
  await seed('soon', { ttlSecondsAfterFinished: 60 }, finished('2026-01-01T00:00:00Z'));
  await seed('at-once', { ttlSecondsAfterFinished: 0 }, finished('2026-01-01T00:00:00Z'));
  await seed('kept', {}, finished('2026-01-01T00:00:00Z'));
  await seed('running', { ttlSecondsAfterFinished: 0 }, {});
  await seed('extended', { ttlSecondsAfterFinished: 60 }, finished('2026-01-01T00:00:00Z'));
  const going = (): unknown[] =>
    f.api.all(jobs).flatMap((job) => (job.metadata?.deletionTimestamp === undefined ? [] : [job.metadata.name]));
  await f.advance(59_000);
  expect(going()).toEqual(['at-once']);
  f.api.change(jobs, 'x/extended', (job) => ({ ...job, spec: { ...job.spec!, ttlSecondsAfterFinished: 600 } }));
  await f.advance(2_000);
  // Deleted in the foreground: it waits for its pods.
  expect(f.api.find(jobs, 'x/soon')?.metadata?.finalizers).toEqual(['foregroundDeletion']);
  expect(going().sort()).toEqual(['at-once', 'soon']);
  f.stop();
});
