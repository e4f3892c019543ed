import { expect, test } from 'vitest';
import { patchTypes } from '../../api/request.ts';
import type { HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec } from '../../api/types/autoscaling-v2.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { deployments, events, horizontalPodAutoscalers, pods } from '../../client/resource-refs.ts';
import { deploymentController } from '../deployment/controller.ts';
import { replicaSetController } from '../replica-set.ts';
import { quickKubelet, readyStatus } from '../test-support/pods.ts';
import { createServerFixture, type ServerFixture } from '../test-support/server.ts';
import { restrain, ScaleHistory } from './behavior.ts';
import { horizontalPodAutoscalerController } from './controller.ts';
import type { MetricsClient, PodMetric } from './metrics-client.ts';
import { byShare, byUtilization, byValue } from './replica-math.ts';

const now = Date.UTC(2026, 0, 1, 1);
const tolerance = { up: 0.1, down: 0.1 };

const pod = (i: number, more: Partial<NonNullable<Pod['status']>> = {}): Pod => ({
  metadata: { name: `p${i}` },
  spec: { containers: [{ name: 'c', resources: { requests: { cpu: '1' } } }] },
  status: {
    phase: 'Running',
    startTime: '2026-01-01T00:00:00Z',
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:10Z' }],
    ...more,
  },
});

const metricsOf = (values: readonly (number | undefined)[]): Map<string, PodMetric> =>
  new Map(values.flatMap((milli, i) => (milli === undefined ? [] : [[`p${i}`, { milli, timestamp: now, windowMs: 60_000 }]])));

const pending = { phase: 'Pending' as const };

test.each<[string, number, (number | undefined)[], Pod[], number, number]>([
  ['up', 30, [300, 500, 700], [pod(0), pod(1), pod(2)], 5, 50],
  ['within the tolerance', 50, [520, 540], [pod(0), pod(1)], 2, 53],
  ['down', 50, [100, 300, 500, 250, 250], [0, 1, 2, 3, 4].map((i) => pod(i)), 3, 28],
  ['up, one not ready taken for idle', 25, [500, 500, undefined], [pod(0), pod(1), pod(2, pending)], 4, 50],
  ['up, one unknown taken for idle', 25, [500, 500, undefined], [pod(0), pod(1), pod(2)], 4, 50],
  ['down, one unknown taken for busy', 100, [100, 100, undefined], [pod(0), pod(1), pod(2)], 2, 10],
  ['an unknown pod turns it round: nothing is done', 50, [400, 400, undefined], [pod(0), pod(1), pod(2)], 3, 40],
])('utilization: %s', (_, target, values, list, replicas, utilization) => {
  const proposal = byUtilization(list.length, target, 'cpu', undefined, list, metricsOf(values), tolerance, now);
  expect([proposal.replicas, proposal.utilization]).toEqual([replicas, utilization]);
});

test('a pod that does not request what is measured is an error', () => {
  const bare: Pod = { ...pod(0), spec: { containers: [{ name: 'c' }] } };
  expect(() => byUtilization(1, 50, 'cpu', undefined, [bare], metricsOf([1]), tolerance, now)).toThrow(
    'missing request for cpu in container c of Pod p0',
  );
});

test('values that are not of the pods', () => {
  expect([byValue(3, 20_000, 10_000, [pod(0), pod(1), pod(2)], tolerance), byValue(0, 15_000, 10_000, [], tolerance)]).toEqual([
    6, 2,
  ]);
  expect([byShare(3, 45_000, 10_000, tolerance), byShare(3, 31_000, 10_000, tolerance)]).toEqual([5, 3]);
});

const autoscaler = (spec: Partial<HorizontalPodAutoscalerSpec> = {}): HorizontalPodAutoscaler => ({
  metadata: { name: 'web', namespace: 'x' },
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    minReplicas: 1,
    maxReplicas: 20,
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } }],
    ...spec,
  },
});

test('without a behavior it doubles at most, and keeps the highest recommendation of five minutes', () => {
  const history = new ScaleHistory();
  const at = (current: number, desired: number, minute: number) => {
    const { replicas, able, limited } = restrain(autoscaler(), history, current, desired, minute * 60_000);
    return [replicas, able.reason, limited.reason];
  };
  expect(at(3, 15, 0)).toEqual([6, 'ReadyForNewScale', 'ScaleUpLimit']);
  expect(at(6, 4, 1)).toEqual([12, 'ScaleDownStabilized', 'ScaleUpLimit']);
  expect(at(12, 4, 7)).toEqual([4, 'ReadyForNewScale', 'DesiredWithinRange']);
  expect(at(4, 40, 8)).toEqual([8, 'ReadyForNewScale', 'ScaleUpLimit']);
  expect(at(15, 40, 9)).toEqual([20, 'ReadyForNewScale', 'TooManyReplicas']);
  expect(at(4, 0, 20)).toEqual([1, 'ReadyForNewScale', 'TooFewReplicas']);
});

test('a behavior limits how fast it goes', () => {
  const behavior = {
    scaleUp: { stabilizationWindowSeconds: 0, policies: [{ type: 'Pods', value: 2, periodSeconds: 60 }] },
    scaleDown: { stabilizationWindowSeconds: 0, policies: [{ type: 'Percent', value: 50, periodSeconds: 60 }] },
  };
  const history = new ScaleHistory();
  const step = (current: number, desired: number, second: number): unknown[] => {
    const verdict = restrain(autoscaler({ behavior }), history, current, desired, second * 1000);
    history.scaled(current, verdict.replicas, second * 1000);
    return [verdict.replicas, verdict.limited.reason];
  };
  expect(step(2, 10, 100)).toEqual([4, 'ScaleUpLimit']);
  expect(step(4, 10, 130)).toEqual([4, 'ScaleUpLimit']);
  expect(step(4, 10, 161)).toEqual([6, 'ScaleUpLimit']);
  expect(step(6, 1, 300)).toEqual([3, 'ScaleDownLimit']);
  expect(step(3, 1, 310)).toEqual([3, 'ScaleDownLimit']);
  const disabled = autoscaler({ behavior: { ...behavior, scaleDown: { ...behavior.scaleDown, selectPolicy: 'Disabled' } } });
  expect(restrain(disabled, history, 6, 1, 900_000).replicas).toBe(6);
});

/** Metrics as the test says: use of CPU in thousandths by pod. */
function fakeMetrics(f: () => ServerFixture, use: () => number | undefined): MetricsClient {
  const refuse = (): Promise<never> => Promise.reject(new Error('not served'));
  return {
    async resource() {
      const milli = use();
      if (milli === undefined) throw new Error('no metrics returned from resource metrics API');
      const timestamp = f().clock.now();
      return new Map(
        f()
          .all(pods, 'x')
          .map((p) => [p.metadata!.name!, { milli, timestamp, windowMs: 15_000 }]),
      );
    },
    pods: refuse,
    object: refuse,
    external: async () => [12_000, 8_000],
  };
}

async function started(object: HorizontalPodAutoscaler, use: () => number | undefined): Promise<ServerFixture> {
  const f: ServerFixture = await createServerFixture();
  const status = (_: Pod, at: number): Pod['status'] => ({ ...readyStatus(at), startTime: '2025-12-31T00:00:00Z' });
  f.start(
    deploymentController(),
    replicaSetController(),
    quickKubelet(() => true, 0, status),
    horizontalPodAutoscalerController({ metrics: fakeMetrics(() => f, use) }),
  );
  await f.create(deployments, {
    metadata: { name: 'web', namespace: 'x' },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '1' } } }] },
      },
    },
  });
  await f.advance(60_000);
  await f.create(horizontalPodAutoscalers, object);
  await f.advance(1_000);
  return f;
}

const replicas = (f: ServerFixture): number | undefined => f.find(deployments, 'x/web')?.spec?.replicas;
const conditions = (f: ServerFixture): Record<string, string> =>
  Object.fromEntries(
    (f.find(horizontalPodAutoscalers, 'x/web')?.status?.conditions ?? []).map((c) => [c.type, `${c.status} ${c.reason}`]),
  );

test('a Deployment follows the use of its pods up and, after a while, down', async () => {
  let use: number | undefined = 900;
  const f = await started(autoscaler(), () => use);
  expect(replicas(f)).toBe(4);
  expect(f.find(horizontalPodAutoscalers, 'x/web')?.status).toMatchObject({
    currentReplicas: 2,
    desiredReplicas: 4,
    currentMetrics: [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 90, averageValue: '900m' } } }],
  });
  expect(conditions(f)).toEqual({
    AbleToScale: 'True SucceededRescale',
    ScalingActive: 'True ValidMetricFound',
    ScalingLimited: 'False DesiredWithinRange',
  });
  expect(f.all(events, 'x').map((e) => `${e.reason}: ${e.message}`)).toContain(
    'SuccessfulRescale: New size: 4; reason: cpu resource utilization (percentage of request) above target',
  );
  use = 250;
  await f.advance(60_000);
  expect(replicas(f)).toBe(4);
  expect(conditions(f)['AbleToScale']).toBe('True ScaleDownStabilized');
  await f.advance(360_000);
  expect(replicas(f)).toBe(2);
  await f.stop();
});

test('bounds hold whatever is measured; without numbers nothing is done, and it is told', async () => {
  const f = await started(autoscaler({ minReplicas: 3 }), () => undefined);
  expect(replicas(f)).toBe(3);
  await f.advance(20_000);
  expect(replicas(f)).toBe(3);
  expect(conditions(f)['ScalingActive']).toBe('False FailedGetResourceMetric');
  expect(f.all(events, 'x').map((e) => e.reason)).toEqual(
    expect.arrayContaining(['FailedGetResourceMetric', 'FailedComputeMetricsReplicas']),
  );
  await f.client.resource(deployments).patch('web', 'x', patchTypes.merge, { spec: { replicas: 0 } });
  await f.advance(20_000);
  expect([replicas(f), conditions(f)['ScalingActive']]).toEqual([0, 'False ScalingDisabled']);
  await f.stop();
});

test('a metric from outside is shared among the pods', async () => {
  const metric = { name: 'queue' };
  const f = await started(
    autoscaler({ metrics: [{ type: 'External', external: { metric, target: { type: 'AverageValue', averageValue: '5' } } }] }),
    () => undefined,
  );
  expect(replicas(f)).toBe(4);
  await f.stop();
});

test('a target that is not there is told of', async () => {
  const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'none' };
  const f = await started(autoscaler({ scaleTargetRef }), () => 500);
  expect(conditions(f)).toEqual({ AbleToScale: 'False FailedGetScale' });
  await f.stop();
});
