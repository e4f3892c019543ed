import { expect, test } from 'vitest';
import { patchTypes } from '../../api/request.ts';
import type { Deployment, DeploymentSpec, ReplicaSet } from '../../api/types/apps-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { deployments, events, pods, replicaSets } from '../../client/resource-refs.ts';
import { replicaSetController } from '../replica-set.ts';
import { quickKubelet } from '../test-support/pods.ts';
import { createServerFixture, type ServerFixture } from '../test-support/server.ts';
import { isReady } from '../workload/pod-state.ts';
import { deploymentController } from './controller.ts';

const web = (image: string, more: Partial<DeploymentSpec> = {}): Deployment => ({
  metadata: { name: 'web', namespace: 'x', annotations: { 'kubernetes.io/change-cause': image } },
  spec: {
    replicas: 10,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image }] } },
    ...more,
  },
});

async function started(deployment: Deployment, accepts?: (pod: Pod) => boolean, delayMs?: number): Promise<ServerFixture> {
  const f = await createServerFixture();
  f.start(deploymentController(), replicaSetController(), quickKubelet(accepts, delayMs));
  await f.create(deployments, deployment);
  await f.advance(5_000);
  return f;
}

const setImage = async (f: ServerFixture, image: string): Promise<unknown> =>
  await f.client.resource(deployments).patch('web', 'x', patchTypes.strategic, {
    metadata: { annotations: { 'kubernetes.io/change-cause': image } },
    spec: { template: { spec: { containers: [{ name: 'c', image }] } } },
  });

const change = async (f: ServerFixture, spec: object): Promise<unknown> =>
  await f.client.resource(deployments).patch('web', 'x', patchTypes.merge, { spec });

const current = (f: ServerFixture): Deployment => f.find(deployments, 'x/web')!;
const imageOf = (object: Pod | ReplicaSet): string | undefined => {
  const template = (object as ReplicaSet).spec?.template;
  return (template?.spec ?? (object as Pod).spec)?.containers[0]?.image;
};
const images = (f: ServerFixture): string[] => [...new Set(f.all(pods, 'x').map((pod) => imageOf(pod)!))].sort();
const sizes = (f: ServerFixture): Record<string, number> =>
  Object.fromEntries(f.all(replicaSets, 'x').map((set) => [imageOf(set)!, set.spec!.replicas!]));
const conditionOf = (f: ServerFixture, type: string) => current(f).status?.conditions?.find((c) => c.type === type);

test('a rolling update keeps within maxSurge and maxUnavailable at every write', async () => {
  const rollingUpdate = { maxSurge: 3, maxUnavailable: '20%' };
  const f = await started(web('v1', { strategy: { type: 'RollingUpdate', rollingUpdate } }), () => true, 1_000);
  let most = 0;
  let fewest = 99;
  f.intercept = () => {
    const all = f.all(pods, 'x').filter((pod) => pod.metadata?.deletionTimestamp === undefined);
    most = Math.max(most, all.length);
    fewest = Math.min(fewest, all.filter(isReady).length);
  };
  await setImage(f, 'v2');
  await f.advance(60_000);
  expect(images(f)).toEqual(['v2']);
  expect(most).toBe(13);
  expect(fewest).toBeGreaterThanOrEqual(8);
  expect(current(f).status).toMatchObject({ replicas: 10, updatedReplicas: 10, availableReplicas: 10, observedGeneration: 2 });
  const revisions = f.all(replicaSets, 'x').map((set) => {
    const { annotations = {} } = set.metadata!;
    return [imageOf(set), annotations['deployment.kubernetes.io/revision'], annotations['kubernetes.io/change-cause']];
  });
  expect(revisions.sort()).toEqual([
    ['v1', '1', 'v1'],
    ['v2', '2', 'v2'],
  ]);
  await f.stop();
});

test('minReadySeconds slows a rollout down to what is available', async () => {
  const rollingUpdate = { maxSurge: 1, maxUnavailable: 0 };
  const f = await started(web('v1', { replicas: 2, minReadySeconds: 10, strategy: { type: 'RollingUpdate', rollingUpdate } }));
  await f.advance(15_000);
  expect(conditionOf(f, 'Available')?.status).toBe('True');
  await setImage(f, 'v2');
  await f.advance(5_000);
  expect(sizes(f)).toEqual({ v1: 2, v2: 1 });
  await f.advance(8_000);
  expect(sizes(f)).toEqual({ v1: 1, v2: 2 });
  await f.advance(30_000);
  expect(sizes(f)).toEqual({ v1: 0, v2: 2 });
  await f.stop();
});

test('a deployment scaled in the middle of a stuck rollout shares the pods in proportion', async () => {
  const rollingUpdate = { maxSurge: 3, maxUnavailable: 2 };
  const f = await started(web('v1', { strategy: { type: 'RollingUpdate', rollingUpdate } }), (pod) => imageOf(pod) === 'v1');
  await setImage(f, 'bad');
  await f.advance(1_000);
  expect(sizes(f)).toEqual({ v1: 8, bad: 5 });
  await change(f, { replicas: 15 });
  await f.advance(1_000);
  // The example of the documentation: three of the five more go to the old set, two to the new one.
  expect(sizes(f)).toEqual({ v1: 11, bad: 7 });
  await f.stop();
});

test('a rollout that is stuck is told of after its deadline, and heals', async () => {
  let healthy = false;
  const f = await started(web('v1', { replicas: 1, progressDeadlineSeconds: 30 }), (pod) => imageOf(pod) === 'v1' || healthy);
  await setImage(f, 'v2');
  await f.advance(35_000);
  const set = f.all(replicaSets, 'x').find((s) => imageOf(s) === 'v2')!.metadata!.name;
  expect(conditionOf(f, 'Progressing')).toMatchObject({
    status: 'False',
    reason: 'ProgressDeadlineExceeded',
    message: `ReplicaSet "${set}" has timed out progressing.`,
  });
  expect(conditionOf(f, 'Available')).toMatchObject({ status: 'True', message: 'Deployment has minimum availability.' });
  healthy = true;
  await f.client.resource(pods).delete(f.all(pods, 'x').find((pod) => imageOf(pod) === 'v2')!.metadata!.name!, 'x');
  await f.advance(5_000);
  expect(conditionOf(f, 'Progressing')).toMatchObject({
    status: 'True',
    reason: 'NewReplicaSetAvailable',
    message: `ReplicaSet "${set}" has successfully progressed.`,
  });
  await f.stop();
});

test('undo is a template put back: the old set comes up again under a new revision', async () => {
  const f = await started(web('v1', { replicas: 2 }));
  await setImage(f, 'v2');
  await f.advance(5_000);
  const old = f.all(replicaSets, 'x').find((s) => imageOf(s) === 'v1')!;
  const { 'pod-template-hash': _, ...labels } = old.spec!.template!.metadata!.labels!;
  const template = { ...old.spec!.template!, metadata: { ...old.spec!.template!.metadata, labels } };
  await f.client
    .resource(deployments)
    .patch('web', 'x', patchTypes.json, [{ op: 'replace', path: '/spec/template', value: template }]);
  await f.advance(5_000);
  expect(images(f)).toEqual(['v1']);
  expect(f.all(replicaSets, 'x')).toHaveLength(2);
  expect(f.all(replicaSets, 'x').find((s) => imageOf(s) === 'v1')?.metadata?.annotations).toMatchObject({
    'deployment.kubernetes.io/revision': '3',
    'deployment.kubernetes.io/revision-history': '1',
  });
  expect(current(f).metadata?.annotations).toMatchObject({ 'deployment.kubernetes.io/revision': '3' });
  await f.stop();
});

test('revisions are counted exactly, however high an adopted set is', async () => {
  const f = await started(web('v1', { replicas: 1 }));
  await f.client.resource(replicaSets).patch(f.all(replicaSets, 'x')[0]!.metadata!.name!, 'x', patchTypes.merge, {
    metadata: { annotations: { 'deployment.kubernetes.io/revision': '3546343826724305832' } },
  });
  await setImage(f, 'v2');
  await f.advance(5_000);
  expect(current(f).metadata?.annotations).toMatchObject({ 'deployment.kubernetes.io/revision': '3546343826724305833' });
  await f.stop();
});

test('scaling is told of with names and numbers', async () => {
  const f = await started(web('v1', { replicas: 1 }));
  await change(f, { replicas: 3 });
  await f.advance(1_000);
  await change(f, { replicas: 0 });
  await f.advance(1_000);
  const name = f.all(replicaSets, 'x')[0]!.metadata!.name!;
  expect(f.all(events, 'x').flatMap((e) => (e.reason === 'ScalingReplicaSet' ? [e.message] : []))).toEqual([
    `Scaled up replica set ${name} from 0 to 1`,
    `Scaled up replica set ${name} from 1 to 3`,
    `Scaled down replica set ${name} from 3 to 0`,
  ]);
  expect(f.all(replicaSets, 'x')[0]?.metadata?.annotations).toMatchObject({
    'deployment.kubernetes.io/desired-replicas': '0',
    'deployment.kubernetes.io/max-replicas': '0',
  });
  await f.stop();
});

test('a history limit of 0 keeps no old set', async () => {
  const f = await started(web('v1', { replicas: 1, revisionHistoryLimit: 0 }));
  await setImage(f, 'v2');
  await f.advance(5_000);
  expect(f.all(replicaSets, 'x').map(imageOf)).toEqual(['v2']);
  await f.stop();
});

test('a set of the right labels that nobody owns is adopted, one that no longer matches is let go', async () => {
  const f = await started(web('v1', { replicas: 1 }));
  const [set] = f.all(replicaSets, 'x');
  const name = set!.metadata!.name!;
  await f.change(replicaSets, `x/${name}`, (s) => ({ ...s, metadata: { ...s.metadata, ownerReferences: [] } }));
  await f.advance(1_000);
  expect(f.find(replicaSets, `x/${name}`)?.metadata?.ownerReferences).toMatchObject([{ kind: 'Deployment', name: 'web' }]);
  expect(f.all(replicaSets, 'x')).toHaveLength(1);
  await f.change(replicaSets, `x/${name}`, (s) => ({ ...s, metadata: { ...s.metadata, labels: { app: 'other' } } }));
  await f.advance(1_000);
  expect(f.find(replicaSets, `x/${name}`)?.metadata?.ownerReferences ?? []).toEqual([]);
  await f.stop();
});
