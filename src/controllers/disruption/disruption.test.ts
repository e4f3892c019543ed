import { expect, test } from 'vitest';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { patchTypes } from '../../api/request.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { PodDisruptionBudget, PodDisruptionBudgetSpec } from '../../api/types/policy-v1.ts';
import { deployments, events, podDisruptionBudgets, pods, replicaSets } from '../../client/resource-refs.ts';
import { deploymentController } from '../deployment/controller.ts';
import { replicaSetController } from '../replica-set.ts';
import { quickKubelet } from '../test-support/pods.ts';
import { createServerFixture, type ServerFixture } from '../test-support/server.ts';
import { podCondition } from '../workload/pod-state.ts';
import { disruptionController } from './controller.ts';
import { budgetNumbers } from './plan.ts';

const budget = (spec: Partial<PodDisruptionBudgetSpec>): PodDisruptionBudget => ({
  metadata: { name: 'pdb', namespace: 'x' },
  spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
});

test.each<[Partial<PodDisruptionBudgetSpec>, number, number | undefined, number, number]>([
  [{ minAvailable: 2 }, 5, undefined, 5, 2],
  [{ minAvailable: '50%' }, 5, 5, 5, 3],
  [{ maxUnavailable: 1 }, 4, 5, 5, 4],
  [{ maxUnavailable: '30%' }, 5, 5, 5, 3],
  [{ maxUnavailable: 10 }, 5, 5, 5, 0],
  [{}, 5, undefined, 0, 0],
])('%j of %d pods, %s wanted', (spec, pods_, count, expected, desired) => {
  const scale = count === undefined ? undefined : { count, unmanaged: [] };
  expect(budgetNumbers(budget(spec), pods_, scale)).toEqual({ expected, desired });
});

async function started(spec: Partial<PodDisruptionBudgetSpec>, replicas = 4): Promise<ServerFixture> {
  const f = await createServerFixture();
  f.start(disruptionController(), deploymentController(), replicaSetController(), quickKubelet());
  await f.create(podDisruptionBudgets, budget(spec));
  await f.create(deployments, {
    metadata: { name: 'web', namespace: 'x' },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    },
  });
  await f.advance(1_000);
  return f;
}

const status = (f: ServerFixture): PodDisruptionBudget['status'] => f.find(podDisruptionBudgets, 'x/pdb')?.status;

test('the pods that may go are counted, from what the Deployment wants', async () => {
  const f = await started({ maxUnavailable: '25%' });
  expect(status(f)).toMatchObject({
    expectedPods: 4,
    currentHealthy: 4,
    desiredHealthy: 3,
    disruptionsAllowed: 1,
    observedGeneration: 1,
    conditions: [{ type: 'DisruptionAllowed', status: 'True', reason: 'SufficientPods' }],
  });
  await f.client.resource(deployments).patch('web', 'x', patchTypes.merge, { spec: { replicas: 8 } });
  await f.advance(1_000);
  expect(status(f)).toMatchObject({ expectedPods: 8, desiredHealthy: 6, disruptionsAllowed: 2 });
  const before = f.writes.length;
  await f.advance(3_600_000);
  expect(f.writes.length).toBe(before);
  await f.stop();
});

test('an eviction that was granted counts until the pod is gone, or was not deleted after all', async () => {
  const f = await started({ minAvailable: 3 });
  const name = f.all(pods, 'x')[0]!.metadata!.name!;
  const disrupt = async (): Promise<unknown> =>
    await f.change(
      podDisruptionBudgets,
      'x/pdb',
      (b) => ({
        ...b,
        status: { ...b.status, disruptionsAllowed: 0, disruptedPods: { [name]: new Date(f.clock.now()).toISOString() } },
      }),
      'status',
    );
  await disrupt();
  await f.advance();
  expect(status(f)).toMatchObject({ currentHealthy: 3, disruptionsAllowed: 0, disruptedPods: { [name]: expect.any(String) } });
  await f.advance(125_000);
  expect(status(f)).toMatchObject({ currentHealthy: 4, disruptionsAllowed: 1 });
  expect(status(f)?.disruptedPods).toBeUndefined();
  expect(f.all(events, 'x').map((e) => e.message)).toContain("Pod was expected by PDB x/pdb to be deleted but it wasn't");
  await f.stop();
});

test('pods not healthy enough: nothing may go', async () => {
  const f = await started({ minAvailable: '100%' });
  expect(status(f)).toMatchObject({
    disruptionsAllowed: 0,
    conditions: [{ type: 'DisruptionAllowed', status: 'False', reason: 'InsufficientPods' }],
  });
  await f.stop();
});

test('pods whose controller is not known: nothing may go, and it is told', async () => {
  const f = await started({ maxUnavailable: 1 });
  await f.create(pods, {
    metadata: {
      name: 'odd',
      namespace: 'x',
      labels: { app: 'web' },
      ownerReferences: [{ apiVersion: 'example.com/v1', kind: 'Thing', name: 't', uid: 'u', controller: true }],
    },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  });
  await f.advance();
  const message = 'found no controllers for pod "odd"';
  expect(status(f)).toMatchObject({
    disruptionsAllowed: 0,
    conditions: [{ type: 'DisruptionAllowed', status: 'False', reason: 'SyncFailed', message }],
  });
  expect(f.all(events, 'x').map((e) => `${e.reason}: ${e.message}`)).toContain(
    `CalculateExpectedPodCountFailed: Failed to calculate the number of expected pods: ${message}`,
  );
  // It is not told over and over.
  const counts = (): unknown => f.all(events, 'x').map((e) => e.count);
  const counted = counts();
  await f.advance(60_000);
  expect(counts()).toEqual(counted);
  await f.client.resource(pods).delete('odd', 'x');
  await f.advance(60_000);
  expect(status(f)).toMatchObject({ disruptionsAllowed: 1 });
  await f.stop();
});

test('a pod that was to be disrupted and was not, is not to be any more', async () => {
  const f = await started({ minAvailable: 1 });
  const pod = f.all(pods, 'x')[0]!;
  const condition = {
    type: 'DisruptionTarget',
    status: 'True' as const,
    lastTransitionTime: new Date(f.clock.now()).toISOString(),
  };
  await f.change(
    pods,
    `x/${pod.metadata!.name}`,
    (p): Pod => ({ ...p, status: { ...p.status, conditions: [...(p.status?.conditions ?? []), condition] } }),
    'status',
  );
  await f.advance(125_000);
  expect(podCondition(f.find(pods, `x/${pod.metadata!.name}`)!, 'DisruptionTarget')?.status).toBe('False');
  await f.stop();
});

test('a set without a Deployment is asked itself', async () => {
  const f = await createServerFixture();
  f.start(disruptionController(), replicaSetController(), quickKubelet());
  await f.create(podDisruptionBudgets, budget({ maxUnavailable: 1 }));
  await f.create(replicaSets, {
    metadata: { name: 'web', namespace: 'x' },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    },
  } as KubernetesObject as never);
  await f.advance(1_000);
  expect(status(f)).toMatchObject({ expectedPods: 3, disruptionsAllowed: 1 });
  await f.stop();
});
