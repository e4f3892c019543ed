import { expect, test } from 'vitest';
import { forbiddenError } from '../api/meta/status.ts';
import type { ReplicaSet } from '../api/types/apps-v1.ts';
import type { Pod } from '../api/types/core-v1.ts';
import { events, pods, replicaSets, replicationControllers } from '../client/resource-refs.ts';
import { createFixture, type Fixture } from '../client/test-support/fixture.ts';
import { replicaSetController, replicationControllerController } from './replica-set.ts';

const set = (replicas: number, more: Partial<ReplicaSet['spec']> = {}): ReplicaSet => ({
  metadata: { name: 'web', namespace: 'x' },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c' }] } },
    ...more,
  },
});

function makeReady(f: Fixture, pod: Pod): void {
  f.api.change(
    pods,
    `x/${pod.metadata?.name}`,
    (p): Pod => ({
      ...p,
      status: {
        phase: 'Running',
        conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: new Date(f.clock.now()).toISOString() }],
      },
    }),
  );
}

test('creates, counts, scales down and cleans its status', async () => {
  const f = createFixture();
  f.start(replicaSetController());
  await f.client.resource(replicaSets).create(set(7, { minReadySeconds: 10 }));
  await f.advance();
  const made = f.api.all(pods);
  expect(made).toHaveLength(7);
  expect(made[0]?.metadata).toMatchObject({
    generateName: 'web-',
    labels: { app: 'web' },
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', controller: true, blockOwnerDeletion: true }],
  });
  expect(f.api.all(events).every((e) => e.reason === 'SuccessfulCreate' && /^Created pod: web-\w{5}$/.test(e.message!))).toBe(
    true,
  );
  for (const pod of made.slice(0, 3)) makeReady(f, pod);
  await f.advance();
  expect(f.api.find(replicaSets, 'x/web')?.status).toMatchObject({
    replicas: 7,
    readyReplicas: 3,
    availableReplicas: 0,
    observedGeneration: 1,
  });
  await f.advance(12_000);
  expect(f.api.find(replicaSets, 'x/web')?.status).toMatchObject({ availableReplicas: 3, terminatingReplicas: 0 });

  f.api.change(replicaSets, 'x/web', (s) => ({ ...s, spec: { ...s.spec!, replicas: 3 } }));
  await f.advance();
  expect(
    f.api
      .all(pods)
      .map((p) => p.metadata?.name)
      .sort(),
  ).toEqual(
    made
      .slice(0, 3)
      .map((p) => p.metadata?.name)
      .sort(),
  );
  const requests = f.api.requests.length;
  await f.advance(3_600_000);
  expect(f.api.requests.filter((r) => r.verb !== 'watch').length).toBe(
    f.api.requests.slice(0, requests).filter((r) => r.verb !== 'watch').length,
  );
  f.stop();
});

test('adopts matching orphans, releases what no longer matches, replaces what is deleted', async () => {
  const f = createFixture();
  f.start(replicaSetController());
  await f.api.seed(pods, { metadata: { name: 'orphan', namespace: 'x', labels: { app: 'web' } }, spec: { containers: [] } });
  await f.api.seed(pods, { metadata: { name: 'other', namespace: 'x', labels: { app: 'db' } }, spec: { containers: [] } });
  await f.client.resource(replicaSets).create(set(2));
  await f.advance();
  const owned = (): readonly Pod[] => f.api.all(pods).filter((p) => (p.metadata?.ownerReferences ?? []).length > 0);
  expect(owned()).toHaveLength(2);
  expect(f.api.find(pods, 'x/orphan')?.metadata?.ownerReferences?.[0]?.name).toBe('web');
  expect(f.api.find(pods, 'x/other')?.metadata?.ownerReferences).toBeUndefined();
  await f.client.resource(pods).delete('orphan', 'x');
  await f.advance();
  expect(owned()).toHaveLength(2);
  f.stop();
});

test('a refused create stops the burst, is told in a condition, and is retried', async () => {
  const f = createFixture();
  let refuse = true;
  let creates = 0;
  f.api.intercept = (request) => {
    if (request.verb === 'create' && request.resource === 'pods') {
      creates++;
      if (refuse) throw forbiddenError({ group: '', resource: 'pods' }, 'web-', 'exceeded quota');
    }
  };
  f.start(replicaSetController());
  await f.client.resource(replicaSets).create(set(50));
  await f.advance();
  expect(creates).toBeLessThan(5);
  expect(f.api.find(replicaSets, 'x/web')?.status?.conditions?.[0]).toMatchObject({
    type: 'ReplicaFailure',
    status: 'True',
    reason: 'FailedCreate',
    message: 'pods "web-" is forbidden: exceeded quota',
  });
  expect(f.api.all(events)[0]).toMatchObject({ type: 'Warning', reason: 'FailedCreate' });
  refuse = false;
  await f.advance(60_000);
  expect(f.api.all(pods)).toHaveLength(50);
  expect(f.api.find(replicaSets, 'x/web')?.status?.conditions ?? []).toEqual([]);
  f.stop();
});

test('the same engine serves replication controllers', async () => {
  const f = createFixture();
  f.start(replicationControllerController());
  await f.client.resource(replicationControllers).create({
    metadata: { name: 'rc', namespace: 'x' },
    spec: { replicas: 2, selector: { a: 'b' }, template: { metadata: { labels: { a: 'b' } }, spec: { containers: [] } } },
  });
  await f.advance();
  expect(f.api.all(pods)).toHaveLength(2);
  expect(f.api.find(replicationControllers, 'x/rc')?.status).toMatchObject({ replicas: 2, fullyLabeledReplicas: 2 });
  f.stop();
});
