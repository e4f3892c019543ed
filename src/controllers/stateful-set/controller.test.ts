import { expect, test } from 'vitest';
import { patchTypes } from '../../api/request.ts';
import type { StatefulSet, StatefulSetSpec } from '../../api/types/apps-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { controllerRevisions, events, persistentVolumeClaims, pods, statefulSets } from '../../client/resource-refs.ts';
import { garbageCollector } from '../garbage-collector/controller.ts';
import { quickKubelet } from '../test-support/pods.ts';
import { createServerFixture, names, type ServerFixture } from '../test-support/server.ts';
import { statefulSetController } from './controller.ts';

const set = (more: Partial<StatefulSetSpec> = {}): StatefulSet => ({
  metadata: { name: 'web', namespace: 'x' },
  spec: {
    serviceName: 'peers',
    replicas: 3,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'v1' }] } },
    ...more,
  },
});

const disk = {
  metadata: { name: 'data' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
} as const;

async function started(
  object: StatefulSet,
  accepts: (pod: Pod) => boolean = () => true,
  delayMs = 1_000,
): Promise<ServerFixture> {
  const f = await createServerFixture();
  f.start(statefulSetController(), garbageCollector(), quickKubelet(accepts, delayMs));
  await f.create(statefulSets, object);
  return f;
}

const podNames = (f: ServerFixture): readonly string[] => names(f.all(pods, 'x'));
const claimNames = (f: ServerFixture): readonly string[] => names(f.all(persistentVolumeClaims, 'x'));
const images = (f: ServerFixture): string[] =>
  [...f.all(pods, 'x')]
    .sort((a, b) => (a.metadata!.name! < b.metadata!.name! ? -1 : 1))
    .map((pod) => pod.spec!.containers[0]!.image!);
const status = (f: ServerFixture): StatefulSet['status'] => f.find(statefulSets, 'x/web')?.status;
const change = async (f: ServerFixture, spec: object): Promise<unknown> =>
  await f.client.resource(statefulSets).patch('web', 'x', patchTypes.merge, { spec });
const setImage = async (f: ServerFixture, image: string): Promise<unknown> =>
  await change(f, { template: { spec: { containers: [{ name: 'c', image }] } } });

test('pods come in order, each with its name, its labels and its claim', async () => {
  const f = await started(set({ volumeClaimTemplates: [disk], ordinals: { start: 1 } }));
  await f.advance();
  expect(podNames(f)).toEqual(['web-1']);
  await f.advance(1_000);
  expect(podNames(f)).toEqual(['web-1', 'web-2']);
  await f.advance(5_000);
  expect(podNames(f)).toEqual(['web-1', 'web-2', 'web-3']);
  expect(claimNames(f)).toEqual(['data-web-1', 'data-web-2', 'data-web-3']);
  const revision = f.all(controllerRevisions, 'x')[0]!;
  expect(f.find(pods, 'x/web-2')).toMatchObject({
    metadata: {
      labels: {
        app: 'web',
        'statefulset.kubernetes.io/pod-name': 'web-2',
        'apps.kubernetes.io/pod-index': '2',
        'controller-revision-hash': revision.metadata!.name,
      },
      ownerReferences: [{ kind: 'StatefulSet', name: 'web', controller: true }],
    },
    spec: {
      hostname: 'web-2',
      subdomain: 'peers',
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data-web-2' } }],
    },
  });
  expect(status(f)).toMatchObject({
    replicas: 3,
    readyReplicas: 3,
    availableReplicas: 3,
    currentReplicas: 3,
    updatedReplicas: 3,
    currentRevision: revision.metadata!.name,
    updateRevision: revision.metadata!.name,
    collisionCount: 0,
    observedGeneration: 1,
  });
  const told = f.all(events, 'x').map((e) => `${e.reason}: ${e.message}`);
  expect(told).toContain('SuccessfulCreate: create Claim data-web-1 Pod web-1 in StatefulSet web success');
  expect(told).toContain('SuccessfulCreate: create Pod web-1 in StatefulSet web successful');
  const before = f.writes.length;
  await f.advance(3_600_000);
  expect(f.writes.length).toBe(before);
  await f.stop();
});

test('scaling down takes the highest first, one at a time; claims stay', async () => {
  const f = await started(set({ volumeClaimTemplates: [disk] }));
  await f.advance(10_000);
  const gone: string[] = [];
  f.intercept = (request) => {
    if (request.verb === 'delete' && request.resource === 'pods' && !gone.includes(request.name)) gone.push(request.name);
  };
  await change(f, { replicas: 1 });
  await f.advance(10_000);
  expect([podNames(f), gone]).toEqual([['web-0'], ['web-2', 'web-1']]);
  expect(claimNames(f)).toEqual(['data-web-0', 'data-web-1', 'data-web-2']);
  await f.stop();
});

test('Parallel sets do not wait', async () => {
  const f = await started(set({ podManagementPolicy: 'Parallel', replicas: 5 }), () => false);
  await f.advance();
  expect(podNames(f)).toHaveLength(5);
  await change(f, { replicas: 1 });
  await f.advance();
  expect(podNames(f)).toEqual(['web-0']);
  await f.stop();
});

test('a rolling update goes from the highest to the lowest, waiting for each', async () => {
  const f = await started(set());
  await f.advance(10_000);
  await setImage(f, 'v2');
  await f.advance(500);
  expect(images(f)).toEqual(['v1', 'v1', 'v2']);
  expect(status(f)).toMatchObject({ currentReplicas: 2, updatedReplicas: 1, readyReplicas: 2 });
  await f.advance(1_000);
  expect(images(f)).toEqual(['v1', 'v2', 'v2']);
  await f.advance(10_000);
  expect(images(f)).toEqual(['v2', 'v2', 'v2']);
  const { currentRevision, updateRevision } = status(f)!;
  expect(currentRevision).toBe(updateRevision);
  expect(f.all(controllerRevisions, 'x').map((r) => r.revision)).toEqual(expect.arrayContaining([1, 2]));
  // Back again: the first revision is the newest now.
  await setImage(f, 'v1');
  await f.advance(10_000);
  expect(images(f)).toEqual(['v1', 'v1', 'v1']);
  expect(
    f
      .all(controllerRevisions, 'x')
      .map((r) => r.revision)
      .sort(),
  ).toEqual([2, 3]);
  await f.stop();
});

test('below the partition pods stay, and come back, as they were', async () => {
  const f = await started(set({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } }));
  await f.advance(10_000);
  await setImage(f, 'v2');
  await f.advance(10_000);
  expect(images(f)).toEqual(['v1', 'v1', 'v2']);
  for (const name of ['web-0', 'web-2']) await f.client.resource(pods).delete(name, 'x');
  await f.advance(10_000);
  expect(images(f)).toEqual(['v1', 'v1', 'v2']);
  await f.stop();
});

test('one pod is updated at a time, also where they come in parallel and none is well', async () => {
  const f = await started(set({ podManagementPolicy: 'Parallel' }), (pod) => pod.spec!.containers[0]!.image !== 'v1');
  await f.advance(10_000);
  expect(images(f)).toEqual(['v1', 'v1', 'v1']);
  await setImage(f, 'v2');
  await f.advance(500);
  expect(images(f)).toEqual(['v1', 'v1', 'v2']);
  await f.advance(10_000);
  expect(images(f)).toEqual(['v2', 'v2', 'v2']);
  await f.stop();
});

test('OnDelete updates what the user deletes', async () => {
  const f = await started(set({ updateStrategy: { type: 'OnDelete' } }));
  await f.advance(10_000);
  await setImage(f, 'v2');
  await f.advance(10_000);
  expect(images(f)).toEqual(['v1', 'v1', 'v1']);
  await f.client.resource(pods).delete('web-1', 'x');
  await f.advance(10_000);
  expect(images(f)).toEqual(['v1', 'v2', 'v1']);
  await f.stop();
});

test('a pod that failed is made anew under its name', async () => {
  const f = await started(set({ replicas: 1 }));
  await f.advance(5_000);
  const { uid } = f.find(pods, 'x/web-0')!.metadata!;
  await f.change(pods, 'x/web-0', (pod) => ({ ...pod, status: { ...pod.status, phase: 'Failed' as const } }), 'status');
  await f.advance(5_000);
  expect(f.all(events, 'x').map(({ reason, message }) => `${reason}: ${message}`)).toContain(
    'RecreatingFailedPod: StatefulSet x/web is recreating failed Pod web-0',
  );
  expect(f.find(pods, 'x/web-0')?.metadata?.uid).not.toBe(uid);
  expect(f.find(pods, 'x/web-0')?.status?.phase).toBe('Running');
  await f.stop();
});

test('claims go with a pod that is scaled away, or with the set, where the policy says so', async () => {
  const policy = { whenScaled: 'Delete', whenDeleted: 'Delete' } as const;
  const f = await started(set({ volumeClaimTemplates: [disk], persistentVolumeClaimRetentionPolicy: policy }));
  await f.advance(10_000);
  expect(f.find(persistentVolumeClaims, 'x/data-web-0')?.metadata?.ownerReferences).toMatchObject([{ kind: 'StatefulSet' }]);
  await change(f, { replicas: 2 });
  await f.advance(10_000);
  expect(claimNames(f)).toEqual(['data-web-0', 'data-web-1']);
  await f.client.resource(statefulSets).delete('web', 'x');
  await f.advance(10_000);
  expect([podNames(f), claimNames(f)]).toEqual([[], []]);
  await f.stop();
});

test('minReadySeconds holds the next pod back', async () => {
  const f = await started(set({ minReadySeconds: 10 }), () => true, 0);
  await f.advance(5_000);
  expect(podNames(f)).toEqual(['web-0']);
  expect(status(f)).toMatchObject({ readyReplicas: 1, availableReplicas: 0 });
  await f.advance(8_000);
  expect(podNames(f)).toEqual(['web-0', 'web-1']);
  await f.advance(40_000);
  expect(status(f)).toMatchObject({ readyReplicas: 3, availableReplicas: 3 });
  await f.stop();
});

test('history is kept within its limit', async () => {
  const f = await started(set({ replicas: 1, revisionHistoryLimit: 1 }));
  for (const image of ['v2', 'v3', 'v4']) {
    await f.advance(5_000);
    await setImage(f, image);
  }
  await f.advance(5_000);
  expect(
    f
      .all(controllerRevisions, 'x')
      .map((r) => r.revision)
      .sort(),
  ).toEqual([3, 4]);
  await f.stop();
});
