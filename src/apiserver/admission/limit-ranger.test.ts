import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Pod } from '../../api/types/core-v1.ts';
import { limitRanger } from './limit-ranger.ts';
import { createTestApi, refusal, type TestApi, testPod } from './test-support.ts';

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi(limitRanger());
});
afterEach(() => api.close());

const range = (...limits: readonly object[]): Promise<unknown> =>
  api.create('limitranges', { metadata: { name: 'l', namespace: 'x' }, spec: { limits } });
const resources = (requests: object, limits: object = {}): object => ({
  containers: [{ name: 'c', image: 'i', resources: { requests, limits } }],
});
const cause = async (pod: object): Promise<string> =>
  (await refusal(api.create('pods', pod))).message.replace('pods "p" is forbidden: ', '');

describe('LimitRanger', () => {
  it('fills in what containers do not say', async () => {
    await api.create('pods', testPod('before'));
    await range({ type: 'Container', default: { cpu: '1', memory: '1Gi' }, defaultRequest: { cpu: '100m' } });
    const initContainers = [{ name: 'i', image: 'i', resources: { limits: { cpu: '2' } } }];
    const pod = await api.create<Pod>('pods', testPod('p', { initContainers }));
    expect(pod.spec?.containers[0]?.resources).toEqual({
      limits: { cpu: '1', memory: '1Gi' },
      requests: { cpu: '100m', memory: '1Gi' },
    });
    expect(pod.spec?.initContainers?.[0]?.resources).toEqual({
      limits: { cpu: '2', memory: '1Gi' },
      requests: { cpu: '2', memory: '1Gi' },
    });
    expect(pod.metadata?.annotations?.['kubernetes.io/limit-ranger']).toBe(
      'LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c; ' +
        'memory request for init container i; memory limit for init container i',
    );
  });
  it('keeps containers within bounds', async () => {
    await range({
      type: 'Container',
      min: { cpu: '100m' },
      max: { cpu: '1' },
      default: { cpu: '1' },
      defaultRequest: { cpu: '1' },
    });
    expect(await cause(testPod('p', resources({ cpu: '50m' }, { cpu: '1' })))).toBe(
      'minimum cpu usage per Container is 100m, but request is 50m',
    );
    expect(await cause(testPod('p', resources({ cpu: '1' }, { cpu: '2' })))).toBe(
      'maximum cpu usage per Container is 1, but limit is 2',
    );
    expect(await cause(testPod('p', resources({ cpu: '50m' }, { cpu: '2' })))).toBe(
      '[minimum cpu usage per Container is 100m, but request is 50m, maximum cpu usage per Container is 1, but limit is 2]',
    );
    await api.create('pods', testPod('p', resources({ cpu: '500m' }, { cpu: '1' })));
  });
  it('keeps the ratio of limit and request', async () => {
    await range({ type: 'Container', maxLimitRequestRatio: { memory: '2' } });
    expect(await cause(testPod('p', resources({ memory: '1Gi' }, { memory: '3Gi' })))).toBe(
      'memory max limit to request ratio per Container is 2, but provided ratio is 3.000000',
    );
    expect(await cause(testPod('p'))).toBe(
      'memory max limit to request ratio per Container is 2, but no request is specified or request is 0',
    );
  });
  it('counts all containers of a pod', async () => {
    await range({ type: 'Pod', max: { cpu: '1' } });
    const containers = ['a', 'b'].map((name) => ({ name, image: 'i', resources: { limits: { cpu: '600m' } } }));
    expect(await cause(testPod('p', { containers }))).toBe('maximum cpu usage per Pod is 1, but limit is 1200m');
    expect(await cause(testPod('p'))).toBe('maximum cpu usage per Pod is 1.  No limit is specified');
  });
  it('bounds claims', async () => {
    await range({ type: 'PersistentVolumeClaim', min: { storage: '1Gi' }, max: { storage: '10Gi' } });
    const claim = (storage: string): object => ({
      metadata: { name: 'c', namespace: 'x' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } },
    });
    expect((await refusal(api.create('persistentvolumeclaims', claim('11Gi')))).message).toBe(
      'persistentvolumeclaims "c" is forbidden: maximum storage usage per PersistentVolumeClaim is 10Gi, but request is 11Gi',
    );
    expect((await refusal(api.create('persistentvolumeclaims', claim('1Mi')))).message).toContain('minimum storage usage');
    await api.create('persistentvolumeclaims', claim('5Gi'));
  });
  it('forgets a range that is gone', async () => {
    await range({ type: 'Container', default: { cpu: '1' } });
    await api.create('pods', testPod('p'));
    await api.remove('limitranges', 'x', 'l');
    expect((await api.create<Pod>('pods', testPod('q'))).spec?.containers[0]?.resources).toEqual({});
  });
});
