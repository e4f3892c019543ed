import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Pod, Toleration } from '../../api/types/core-v1.ts';
import { mergeTolerations } from './merge-tolerations.ts';
import { podTopologyLabels } from './pod-topology-labels.ts';
import { runtimeClass } from './runtime-class.ts';
import { createTestApi, refusal, type TestApi, testPod } from './test-support.ts';

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi(runtimeClass(), podTopologyLabels());
});
afterEach(() => api.close());

describe('RuntimeClass', () => {
  const gpu = { key: 'gpu', operator: 'Exists', effect: 'NoSchedule' };
  beforeEach(() =>
    api.create('runtimeclasses', {
      metadata: { name: 'kata' },
      handler: 'kata',
      overhead: { podFixed: { cpu: '100m', memory: '64Mi' } },
      scheduling: { nodeSelector: { kata: 'yes' }, tolerations: [gpu] },
    }),
  );
  const kata = (more: object = {}): object => testPod('p', { runtimeClassName: 'kata', ...more });

  it('gives its pods their overhead and place', async () => {
    const own = { key: 'gpu', operator: 'Equal', value: 'a', effect: 'NoSchedule' };
    const { spec } = await api.create<Pod>('pods', kata({ nodeSelector: { a: 'b' }, tolerations: [own] }));
    expect(spec?.overhead).toEqual({ cpu: '100m', memory: '64Mi' });
    expect(spec?.nodeSelector).toEqual({ a: 'b', kata: 'yes' });
    expect(spec?.tolerations).toEqual([gpu]);
  });
  it('admits an overhead that says the same', async () => {
    await api.create('pods', kata({ overhead: { cpu: '0.1', memory: '65536Ki' } }));
  });
  it.each([
    [{ runtimeClassName: 'no' }, 'pod rejected: RuntimeClass "no" not found'],
    [
      { runtimeClassName: 'kata', overhead: { cpu: '1' } },
      "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
    ],
    [{ overhead: { cpu: '1' } }, 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead'],
    [
      { runtimeClassName: 'kata', nodeSelector: { kata: 'no' } },
      'conflict: runtimeClass.scheduling.nodeSelector[kata] = yes; pod.spec.nodeSelector[kata] = no',
    ],
  ])('refuses %j', async (more, cause) => {
    expect((await refusal(api.create('pods', testPod('p', more)))).message).toBe(`pods "p" is forbidden: ${cause}`);
  });
});

describe('mergeTolerations', () => {
  const all: Toleration = { operator: 'Exists' };
  const a: Toleration = { key: 'a', operator: 'Exists' };
  const aNoExecute: Toleration = { key: 'a', operator: 'Exists', effect: 'NoExecute' };
  const aMinute: Toleration = { ...aNoExecute, tolerationSeconds: 60 };
  const aIsB: Toleration = { key: 'a', operator: 'Equal', value: 'b' };
  it.each([
    [[a], [a], [a]],
    [[a], [all], [all]],
    [[all], [a, aIsB], [all]],
    [[aMinute], [aNoExecute], [aNoExecute]],
    [[aIsB], [aNoExecute], [aIsB, aNoExecute]],
    [[], [aIsB], [aIsB]],
  ])('%j and %j', (first, second, expected) => expect(mergeTolerations(first, second)).toEqual(expected));
});

describe('PodTopologyLabels', () => {
  const zone = { 'topology.kubernetes.io/zone': 'z', 'topology.kubernetes.io/region': 'r' };
  beforeEach(() => api.create('nodes', { metadata: { name: 'n', labels: { ...zone, other: 'x' } } }));
  it('labels a pod when it is bound', async () => {
    await api.create('pods', testPod('p', {}, { labels: { a: 'b', 'topology.kubernetes.io/zone': 'old' } }));
    await api.create('pods/binding', { metadata: { name: 'p', namespace: 'x' }, target: { kind: 'Node', name: 'n' } });
    expect(api.get('pods', 'x', 'p')?.metadata?.labels).toEqual({ a: 'b', ...zone });
  });
  it('labels a pod that is made on a node', async () => {
    expect((await api.create('pods', testPod('p', { nodeName: 'n' }))).metadata?.labels).toEqual(zone);
    expect((await api.create('pods', testPod('q', { nodeName: 'unknown' }))).metadata?.labels).toBeUndefined();
  });
});
