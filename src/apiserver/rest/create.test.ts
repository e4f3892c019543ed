import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestServer } from '../test-server.ts';

let api: TestServer;
const maps = '/api/v1/namespaces/x/configmaps';
const named = (name: string, resourceVersion: string) => ({ metadata: { name, resourceVersion } });
const told = async (answer: Promise<{ readonly json: { code?: number; message?: string } }>): Promise<readonly unknown[]> => {
  const { code, message } = (await answer).json;
  return [code, message];
};

beforeAll(async () => {
  api = await TestServer.start();
});
afterAll(() => api.close());

describe('a new object that carries a resourceVersion', () => {
  const refused = [500, 'resourceVersion should not be set on objects to be created'];

  it('is refused when all else about it is right, also where its name is taken', async () => {
    expect(await told(api.post(maps, named('N', '5')))).toEqual([
      422,
      expect.stringContaining('metadata.name: Invalid value: "N"'),
    ]);
    expect(await told(api.post(maps, named('n', '5')))).toEqual(refused);
    await api.post(maps, { metadata: { name: 'taken' } });
    expect(await told(api.post(maps, named('taken', '5')))).toEqual(refused);
  });

  it('is taken when the version is none', async () => {
    const zero = await api.post(maps, named('zero', '0'));
    const word = await api.post(maps, named('word', 'latest'));
    expect([zero.code, word.code]).toEqual([201, 201]);
    expect(Number(word.json.metadata.resourceVersion)).toBeGreaterThan(Number(zero.json.metadata.resourceVersion));
    expect((await api.get(`${maps}/word`)).json).toEqual(word.json);
  });

  it('passes a dry run and keeps what it says', async () => {
    const dry = await api.post(`${maps}?dryRun=All`, named('dry', '5'));
    expect([dry.code, dry.json.metadata.resourceVersion]).toEqual([201, '5']);
    expect(await told(api.post(`${maps}?dryRun=All`, named('taken', '5')))).toEqual([409, 'configmaps "taken" already exists']);
  });

  it('is made by an update or an apply that may create', async () => {
    const lease = '/apis/coordination.k8s.io/v1/namespaces/x/leases/l';
    const put = await api.put(lease, named('l', '5'));
    expect([put.code, put.json.metadata.resourceVersion]).toEqual([201, expect.not.stringMatching(/^5$/)]);
  });
});

describe('a new object that is invalid', () => {
  it('is called what it is stored as', async () => {
    const events = '/apis/events.k8s.io/v1/namespaces/x/events';
    const { json } = await api.post(events, { metadata: { name: 'e' }, regarding: { namespace: 'x' } });
    expect(json.message).toMatch(/^Event "e" is invalid: /);
    expect(json.details).toMatchObject({ name: 'e', kind: 'Event' });
    expect(json.details.group).toBeUndefined();
    expect((await api.get(`${events}/e`)).json.message).toBe('events.events.k8s.io "e" not found');
  });

  it('has no policies of scaling, where it was to have its own', async () => {
    const autoscaler = (policies: unknown) => ({
      metadata: { name: 'h' },
      spec: {
        scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' },
        maxReplicas: 3,
        behavior: { scaleUp: { policies } },
      },
    });
    const autoscalers = '/apis/autoscaling/v2/namespaces/x/horizontalpodautoscalers';
    expect(await told(api.post(autoscalers, autoscaler([])))).toEqual([
      422,
      expect.stringMatching(/spec.behavior.scaleUp.policies: Required value: must specify at least one Policy$/),
    ]);
    expect((await api.post(autoscalers, autoscaler(null))).json.spec.behavior.scaleUp.policies).toHaveLength(2);
  });
});
