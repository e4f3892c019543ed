import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestServer } from '../test-server.ts';

let api: TestServer;
beforeAll(async () => {
  api = await TestServer.start({ flags: { 'secure-port': '6443', 'authorization-mode': 'Node,RBAC' } });
});
afterAll(() => api.close());

const as = (kind: string, version = 'v1beta1'): { headers: Record<string, string> } => ({
  headers: { accept: `application/json;as=${kind};v=${version};g=config.k8s.io` },
});

describe('/statusz', () => {
  it('is text for everybody', async () => {
    const { body, headers } = await api.get('/statusz');
    expect(headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(body.toString()).toMatch(
      /^\nkube-apiserver statusz\nWarning: .*\n\nStarted: \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d UTC \d{4}\nUp: 0 hr 00 min \d\d sec\nGo version: v.*\nBinary version: 1\.36\nEmulation version: 1\.36\nPaths: \/flagz \/healthz /,
    );
  });

  it('is an object for those who ask for it', async () => {
    expect((await api.get('/statusz', as('Statusz'))).json).toMatchObject({
      kind: 'Statusz',
      apiVersion: 'config.k8s.io/v1beta1',
      metadata: { name: 'kube-apiserver' },
      binaryVersion: '1.36',
      paths: ['/flagz', '/healthz', '/livez', '/metrics', '/readyz', '/statusz', '/version'],
    });
    const old = await api.get('/statusz', as('Statusz', 'v1alpha1'));
    expect(old.headers.warning).toBe('299 - "This version of the statusz endpoint is deprecated. Please use a newer version."');
    expect((await api.get('/statusz', { headers: { accept: 'application/json' } })).code).toBe(406);
  });
});

describe('/flagz', () => {
  it('tells what the server was started with', async () => {
    expect((await api.get('/flagz')).body.toString()).toMatch(/\nauthorization-mode=Node,RBAC\nsecure-port=6443\n$/);
    expect((await api.get('/flagz', as('Flagz'))).json.flags).toEqual({
      'authorization-mode': 'Node,RBAC',
      'secure-port': '6443',
    });
  });
});

describe('health', () => {
  it('is one word for a check that is well', async () => {
    const one = await api.get('/livez/etcd');
    expect([one.code, one.body.toString(), one.headers['x-content-type-options']]).toEqual([200, 'ok', 'nosniff']);
  });

  it('is counted', async () => {
    await api.get('/livez');
    await api.get('/readyz');
    const text = (await api.get('/metrics/slis')).body.toString();
    expect(text).toContain('kubernetes_healthcheck{name="etcd",type="livez"} 1');
    expect(text).toContain('kubernetes_healthchecks_total{name="ping",status="success",type="readyz"} 1');
  });
});

describe('/metrics', () => {
  it('tells of objects, access, admission and deprecated types', async () => {
    await api.post('/api/v1/namespaces', { metadata: { name: 'm' } });
    await api.get('/api/v1/endpoints');
    await api.get('/api/v1/pods', { headers: { authorization: 'Basic x' } });
    const text = (await api.get('/metrics')).body.toString();
    expect(text).toContain('apiserver_resource_objects{group="",resource="namespaces"} 1\n');
    expect(text).toContain('apiserver_storage_objects{resource="deployments.apps"} 0\n');
    expect(text).toMatch(/^authentication_attempts\{result="failure"\} 1$/m);
    expect(text).toMatch(/^authorization_attempts_total\{result="allowed"\} \d+$/m);
    expect(text).toContain(
      'apiserver_requested_deprecated_apis{group="",removed_release="",resource="endpoints",subresource="",version="v1"} 1',
    );
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map((m) => m[1]);
    expect(new Set(names).size).toBe(names.length);
  });
});
