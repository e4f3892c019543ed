import { expect, test } from 'vitest';
import { forbiddenError } from '../../api/meta/status.ts';
import type { Deployment, DeploymentSpec } from '../../api/types/apps-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { deployments, events, pods, replicaSets } from '../../client/resource-refs.ts';
import { createFixture, type Fixture } from '../../client/test-support/fixture.ts';
import { replicaSetController } from '../replica-set.ts';
import { instantKubelet } from '../test-support/pods.ts';
import { deploymentController } from './controller.ts';

const web = (image: string, more: Partial<DeploymentSpec> = {}): Deployment => ({
  metadata: { name: 'web', namespace: 'x' },
  spec: {
    replicas: 3,
    progressDeadlineSeconds: 600,
    revisionHistoryLimit: 10,
    selector: { matchLabels: { app: 'web' } },
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image }] } },
    ...more,
  },
});

async function started(deployment: Deployment, accepts?: (pod: Pod) => boolean): Promise<Fixture> {
  const f = createFixture();
  f.start(deploymentController(), replicaSetController(), instantKubelet(f, accepts));
  await f.client.resource(deployments).create(deployment);
  await f.advance(1000);
  return f;
}

const setImage = (f: Fixture, image: string): unknown =>
  f.api.change(deployments, 'x/web', (d) => ({
    ...d,
    metadata: { ...d.metadata, generation: d.metadata!.generation! + 1 },
    spec: { ...d.spec!, template: { ...d.spec!.template, spec: { containers: [{ name: 'c', image }] } } },
  }));

const conditionsOf = (f: Fixture): Record<string, string> =>
  Object.fromEntries(f.api.find(deployments, 'x/web')!.status!.conditions!.map((c) => [c.type, `${c.status} ${c.reason}`]));

const scalingEvents = (f: Fixture): string[] =>
  f.api
    .all(events)
    .filter((e) => e.reason === 'ScalingReplicaSet')
    .map((e) => e.message!.replace(/web-\w+/, 'RS'));

test('a first rollout', async () => {
  const f = await started(web('v1'));
  const [set] = f.api.all(replicaSets);
  expect(set?.metadata?.name).toMatch(/^web-[bcdfghjklmnpqrstvwxz2456789]{6,10}$/);
  expect(set?.metadata?.annotations).toEqual({
    'deployment.kubernetes.io/revision': '1',
    'deployment.kubernetes.io/desired-replicas': '3',
    'deployment.kubernetes.io/max-replicas': '4',
  });
  const hash = set!.metadata!.labels!['pod-template-hash'];
  expect(set?.spec?.selector?.matchLabels).toEqual({ app: 'web', 'pod-template-hash': hash });
  expect(f.api.all(pods).every((p) => p.metadata?.labels?.['pod-template-hash'] === hash)).toBe(true);
  const deployment = f.api.find(deployments, 'x/web')!;
  expect(deployment.metadata?.annotations).toMatchObject({ 'deployment.kubernetes.io/revision': '1' });
  expect(deployment.status).toMatchObject({
    observedGeneration: 1,
    replicas: 3,
    updatedReplicas: 3,
    readyReplicas: 3,
    availableReplicas: 3,
    unavailableReplicas: 0,
  });
  expect(conditionsOf(f)).toEqual({ Available: 'True MinimumReplicasAvailable', Progressing: 'True NewReplicaSetAvailable' });
  expect(deployment.status?.conditions?.find((c) => c.type === 'Progressing')?.message).toBe(
    `ReplicaSet "${set?.metadata?.name}" has successfully progressed.`,
  );
  expect(scalingEvents(f)).toEqual(['Scaled up replica set RS from 0 to 3']);
  const before = f.api.requests.length;
  await f.advance(299_000);
  expect(f.api.requests.slice(before)).toEqual([]);
  f.stop();
});

test('a rolling update never has too many pods or too few, and can be rolled back to', async () => {
  const f = await started(web('v1'));
  let most = 0;
  let fewest = 99;
  f.api.intercept = () => {
    const all = f.api.all(pods);
    most = Math.max(most, all.length);
    fewest = Math.min(fewest, all.filter((p) => p.status?.phase === 'Running').length);
  };
  setImage(f, 'v2');
  await f.advance(1000);
  expect(most).toBe(4);
  expect(fewest).toBeGreaterThanOrEqual(3);
  expect(f.api.all(pods).map((p) => p.spec?.containers[0]?.image)).toEqual(['v2', 'v2', 'v2']);
  expect(conditionsOf(f)['Progressing']).toBe('True NewReplicaSetAvailable');
  expect(scalingEvents(f)).toEqual([
    'Scaled up replica set RS from 0 to 3',
    'Scaled up replica set RS from 0 to 1',
    'Scaled down replica set RS from 3 to 2',
    'Scaled up replica set RS from 1 to 2',
    'Scaled down replica set RS from 2 to 1',
    'Scaled up replica set RS from 2 to 3',
    'Scaled down replica set RS from 1 to 0',
  ]);
  setImage(f, 'v1');
  await f.advance(1000);
  const sets = f.api.all(replicaSets);
  expect(sets).toHaveLength(2);
  const back = sets.find((s) => s.spec?.replicas === 3)!;
  expect(back.metadata?.annotations).toMatchObject({
    'deployment.kubernetes.io/revision': '3',
    'deployment.kubernetes.io/revision-history': '1',
  });
  expect(f.api.find(deployments, 'x/web')?.metadata?.annotations).toMatchObject({ 'deployment.kubernetes.io/revision': '3' });
  f.stop();
});

test('Recreate lets every old pod go before it makes a new one', async () => {
  const f = await started(web('v1', { strategy: { type: 'Recreate' } }));
  let together = false;
  f.api.intercept = () => {
    together ||= new Set(f.api.all(pods).map((p) => p.spec?.containers[0]?.image)).size > 1;
  };
  setImage(f, 'v2');
  await f.advance(1000);
  expect(together).toBe(false);
  expect(f.api.all(pods).map((p) => p.spec?.containers[0]?.image)).toEqual(['v2', 'v2', 'v2']);
  f.stop();
});

test('a rollout that does not progress runs into its deadline', async () => {
  const f = await started(web('bad', { progressDeadlineSeconds: 60 }), () => false);
  expect(conditionsOf(f)).toMatchObject({ Available: 'False MinimumReplicasUnavailable', Progressing: 'True ReplicaSetUpdated' });
  await f.advance(65_000);
  expect(conditionsOf(f)['Progressing']).toBe('False ProgressDeadlineExceeded');
  f.stop();
});

test('a paused Deployment scales but does not roll; resuming rolls', async () => {
  const f = await started(web('v1'));
  f.api.change(deployments, 'x/web', (d) => ({ ...d, spec: { ...d.spec!, paused: true, replicas: 5 } }));
  setImage(f, 'v2');
  await f.advance(1000);
  expect(f.api.all(pods).map((p) => p.spec?.containers[0]?.image)).toEqual(['v1', 'v1', 'v1', 'v1', 'v1']);
  expect(conditionsOf(f)['Progressing']).toBe('Unknown DeploymentPaused');
  f.api.change(deployments, 'x/web', (d) => ({ ...d, spec: { ...d.spec!, paused: false } }));
  await f.advance(1000);
  expect(new Set(f.api.all(pods).map((p) => p.spec?.containers[0]?.image))).toEqual(new Set(['v2']));
  expect(f.api.all(pods)).toHaveLength(5);
  expect(conditionsOf(f)['Progressing']).toBe('True NewReplicaSetAvailable');
  f.stop();
});

test('old sets beyond the history limit are deleted', async () => {
  const f = await started(web('v1', { revisionHistoryLimit: 1 }));
  for (const image of ['v2', 'v3', 'v4']) {
    setImage(f, image);
    await f.advance(2000);
  }
  expect(
    f.api
      .all(replicaSets)
      .map((s) => s.spec?.template?.spec?.containers[0]?.image)
      .sort(),
  ).toEqual(['v3', 'v4']);
  f.stop();
});

test('a ReplicaSet that cannot be created is told of', async () => {
  const f = createFixture();
  f.api.intercept = (request) => {
    if (request.verb === 'create' && request.resource === 'replicasets') {
      throw forbiddenError({ group: 'apps', resource: 'replicasets' }, 'web', 'exceeded quota');
    }
  };
  f.start(deploymentController());
  await f.client.resource(deployments).create(web('v1'));
  await f.advance(100);
  expect(conditionsOf(f)['Progressing']).toBe('False ReplicaSetCreateError');
  expect(f.api.all(events)[0]).toMatchObject({ type: 'Warning', reason: 'ReplicaSetCreateError' });
  f.stop();
});

test('a hash collision is got around', async () => {
  const f = await started(web('v1'));
  const [set] = f.api.all(replicaSets);
  const g = createFixture();
  await g.api.seed(replicaSets, {
    metadata: { name: set!.metadata!.name!, namespace: 'x', labels: { other: 'one' } },
    spec: { replicas: 0 },
  });
  g.start(deploymentController(), replicaSetController());
  await g.client.resource(deployments).create(web('v1'));
  await g.advance(1000);
  expect(g.api.find(deployments, 'x/web')?.status?.collisionCount).toBe(1);
  expect(g.api.all(replicaSets)).toHaveLength(2);
  f.stop();
  g.stop();
});
