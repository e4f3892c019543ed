import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import { defaultAdmission, ensurePriorityClasses } from './index.ts';
import { createTestApi, refusal, type TestApi, testPod } from './test-support.ts';

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi(...defaultAdmission({ authorizer: { authorize: () => ({ decision: 'allow' }) } }));
});
afterEach(() => api.close());

describe('DefaultTolerationSeconds', () => {
  it('lets pods stay five minutes on a node that is gone', async () => {
    const pod = await api.create<Pod>('pods', testPod('p'));
    expect(pod.spec?.tolerations).toEqual([
      { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
      { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
    ]);
  });
  it('leaves alone what the pod says itself', async () => {
    const all = [{ operator: 'Exists' }];
    const pod = await api.create<Pod>('pods', testPod('p', { tolerations: all }));
    expect(pod.spec?.tolerations).toEqual(all);
    const some = [{ key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' }];
    const other = await api.create<Pod>('pods', testPod('q', { tolerations: some }));
    expect(other.spec?.tolerations?.map((t) => t.key)).toEqual([
      'node.kubernetes.io/unreachable',
      'node.kubernetes.io/not-ready',
    ]);
  });
});

describe('TaintNodesByCondition', () => {
  it('taints new nodes once', async () => {
    const taint = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };
    expect((await api.create<Node>('nodes', { metadata: { name: 'n' } })).spec?.taints).toEqual([taint]);
    const own = { metadata: { name: 'm' }, spec: { taints: [taint] } } as Node;
    expect((await api.create<Node>('nodes', own)).spec?.taints).toEqual([taint]);
  });
});

describe('Priority', () => {
  const priorityClass = (name: string, value: number, more: object = {}): object => ({ metadata: { name }, value, ...more });

  it('gives pods without a class none, and preemption', async () => {
    const { spec } = await api.create<Pod>('pods', testPod('p'));
    expect(spec).toMatchObject({ priority: 0, preemptionPolicy: 'PreemptLowerPriority' });
    expect(spec?.priorityClassName).toBeUndefined();
  });
  it('resolves the class that a pod names', async () => {
    await api.create('priorityclasses', priorityClass('high', 1000, { preemptionPolicy: 'Never' }));
    const { spec } = await api.create<Pod>('pods', testPod('p', { priorityClassName: 'high' }));
    expect(spec).toMatchObject({ priority: 1000, preemptionPolicy: 'Never', priorityClassName: 'high' });
  });
  it('gives the default class to pods that name none', async () => {
    await api.create('pods', testPod('before'));
    await api.create('priorityclasses', priorityClass('usual', 7, { globalDefault: true }));
    expect((await api.create<Pod>('pods', testPod('p'))).spec).toMatchObject({ priority: 7, priorityClassName: 'usual' });
    const second = api.create('priorityclasses', priorityClass('other', 8, { globalDefault: true }));
    expect((await refusal(second)).message).toBe(
      'priorityclasses.scheduling.k8s.io "other" is forbidden: PriorityClass usual is already marked as default. Only one default can exist',
    );
    await api.update('priorityclasses', { ...api.get('priorityclasses', '', 'usual'), description: 'x' });
    await api.remove('priorityclasses', '', 'usual');
    expect((await api.create<Pod>('pods', testPod('q'))).spec?.priority).toBe(0);
  });
  it('refuses a class that is not there, and a number that is not the class’s', async () => {
    expect((await refusal(api.create('pods', testPod('p', { priorityClassName: 'no' })))).message).toBe(
      'pods "p" is forbidden: no PriorityClass with name no was found',
    );
    expect((await refusal(api.create('pods', testPod('p', { priority: 5 })))).message).toBe(
      'pods "p" is forbidden: the integer value of priority (5) must not be provided in pod spec; priority admission controller computed 0 from the given PriorityClass name',
    );
    expect((await refusal(api.create('pods', testPod('p', { preemptionPolicy: 'Never' })))).message).toContain(
      'the string value of PreemptionPolicy (Never) must not be provided in pod spec; priority admission controller computed PreemptLowerPriority',
    );
  });
  it('keeps the resolved fields in an update that leaves them out', async () => {
    const pod = await api.create<Pod>('pods', testPod('p'));
    const { priority: _p, preemptionPolicy: _q, ...spec } = pod.spec!;
    const updated = await api.update<Pod>('pods', { ...pod, metadata: { ...pod.metadata, labels: { a: 'b' } }, spec });
    expect(updated.spec).toMatchObject({ priority: 0, preemptionPolicy: 'PreemptLowerPriority' });
  });
  it('makes the system classes, once', async () => {
    await ensurePriorityClasses(api.server.access);
    await ensurePriorityClasses(api.server.access);
    const { spec } = await api.create<Pod>('pods', testPod('p', { priorityClassName: 'system-node-critical' }));
    expect(spec?.priority).toBe(2_000_001_000);
    expect(api.get('priorityclasses', '', 'system-cluster-critical')).toMatchObject({ value: 2_000_000_000 });
  });
});
