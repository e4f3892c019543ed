import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ResourceQuota } from '../../../api/types/core-v1.ts';
import { createTestApi, refusal, type TestApi, testPod } from '../test-support.ts';
import { resourceQuota } from './resource-quota.ts';

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi(resourceQuota());
});
afterEach(() => api.close());

const quota = (name: string, hard: object, spec: object = {}): Promise<unknown> =>
  api.create('resourcequotas', { metadata: { name, namespace: 'x' }, spec: { hard, ...spec } });
const used = (name: string): object | undefined => api.get<ResourceQuota>('resourcequotas', 'x', name)?.status?.used;
const cpu = (requests: string, limits: string): object => ({
  containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: requests }, limits: { cpu: limits } } }],
});

describe('ResourceQuota', () => {
  it('counts what is there, and what comes', async () => {
    await api.create('pods', testPod('a'));
    await quota('q', { pods: '2' });
    await api.create('pods', testPod('b'));
    expect(used('q')).toEqual({ pods: '2' });
    const { code, message } = await refusal(api.create('pods', testPod('c')));
    expect(code).toBe(403);
    expect(message).toBe('pods "c" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2');
  });
  it('tells of everything that is exceeded', async () => {
    await quota('q', { 'requests.cpu': '1', 'limits.cpu': '2', pods: '5' });
    await api.create('pods', testPod('a', cpu('500m', '1')));
    expect((await refusal(api.create('pods', testPod('b', cpu('600m', '1500m'))))).message).toBe(
      'pods "b" is forbidden: exceeded quota: q, requested: limits.cpu=1500m,requests.cpu=600m, used: limits.cpu=1,requests.cpu=500m, limited: limits.cpu=2,requests.cpu=1',
    );
    expect((await refusal(api.create('pods', testPod('c')))).message).toBe(
      'pods "c" is forbidden: failed quota: q: must specify limits.cpu for: c; requests.cpu for: c',
    );
  });
  it('never gives the same share to two', async () => {
    await quota('q', { pods: '25', 'count/pods': '20' });
    const outcomes = await Promise.allSettled(Array.from({ length: 60 }, (_, i) => api.create('pods', testPod(`p${i}`))));
    expect(outcomes.filter((o) => o.status === 'fulfilled')).toHaveLength(20);
    expect(used('q')).toEqual({ pods: '20', 'count/pods': '20' });
  });
  it('is charged beside others who write its status', async () => {
    await quota('q', { pods: '100' });
    await api.create('pods', testPod('first'));
    const create = Array.from({ length: 10 }, (_, i) => api.create('pods', testPod(`p${i}`)));
    const disturb = Array.from({ length: 3 }, (_, i) =>
      api.patch('resourcequotas', 'x', 'q', { metadata: { labels: { n: String(i) } } }),
    );
    await Promise.all([...create, ...disturb]);
    expect(used('q')).toEqual({ pods: '11' });
  });
  it('counts only what is in its scopes', async () => {
    await quota('q', { pods: '1' }, { scopes: ['Terminating'] });
    await quota(
      'high',
      { pods: '0' },
      {
        scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }] },
      },
    );
    await api.create('pods', testPod('a'));
    await api.create('pods', testPod('b', { activeDeadlineSeconds: 10 }));
    expect((await refusal(api.create('pods', testPod('c', { activeDeadlineSeconds: 10 })))).message).toContain(
      'exceeded quota: q',
    );
    expect((await refusal(api.create('pods', testPod('d', { priorityClassName: 'high' })))).message).toContain(
      'exceeded quota: high',
    );
  });
  it('charges the difference when a Service changes', async () => {
    await quota('q', { services: '1', 'services.nodeports': '1' });
    const service = { metadata: { name: 's', namespace: 'x' }, spec: { ports: [{ port: 80 }] } };
    await api.create('services', service);
    expect(used('q')).toEqual({ services: '1', 'services.nodeports': '0' });
    await api.patch('services', 'x', 's', { spec: { type: 'NodePort' } });
    expect(used('q')).toEqual({ services: '1', 'services.nodeports': '1' });
    const more = api.patch('services', 'x', 's', {
      spec: {
        ports: [
          { name: 'a', port: 80 },
          { name: 'b', port: 81 },
        ],
      },
    });
    expect((await refusal(more)).message).toContain('requested: services.nodeports=1, used: services.nodeports=1');
  });
  it('counts objects of any type', async () => {
    await quota('q', { 'count/leases.coordination.k8s.io': '1', configmaps: '1' });
    const object = (name: string): object => ({ metadata: { name, namespace: 'x' } });
    await api.create('leases', object('a'));
    await api.create('configmaps', object('a'));
    for (const type of ['leases', 'configmaps']) {
      expect((await refusal(api.create(type, object('b')))).message).toContain('exceeded quota: q');
    }
  });
  it('charges nothing for a dry run, but refuses it', async () => {
    await quota('q', { pods: '1' });
    await api.create('pods', testPod('a'), { dryRun: ['All'] });
    await api.create('pods', testPod('a'));
    expect((await refusal(api.create('pods', testPod('b'), { dryRun: ['All'] }))).message).toContain('exceeded quota');
  });
  it('limits nothing once it is gone', async () => {
    await quota('q', { pods: '0' });
    await refusal(api.create('pods', testPod('a')));
    await api.remove('resourcequotas', 'x', 'q');
    await api.create('pods', testPod('a'));
  });
});
