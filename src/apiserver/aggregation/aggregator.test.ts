import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { UserInfo } from '../../api/request.ts';
import { createTestPki, type TestPki } from '../test-certificates.ts';
import { TestServer } from '../test-server.ts';
import { addAggregation } from './aggregator.ts';

const apis = '/apis/apiregistration.k8s.io/v1/apiservices';
const user: UserInfo = { name: 'ann', groups: ['system:authenticated'] };

interface Condition {
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** A small API server behind a front proxy: it knows `greetings` of hello.example.com/v1. */
class Extension {
  readonly seen: {
    readonly method: string;
    readonly url: string;
    readonly headers: IncomingHttpHeaders;
    readonly peer: string;
  }[] = [];
  resources: readonly object[] = [
    {
      name: 'greetings',
      singularName: 'greeting',
      namespaced: true,
      kind: 'Greeting',
      verbs: ['get', 'list'],
      shortNames: ['gr'],
    },
    {
      name: 'greetings/scale',
      singularName: '',
      namespaced: true,
      group: 'autoscaling',
      version: 'v1',
      kind: 'Scale',
      verbs: ['get'],
    },
  ];
  well = true;
  readonly #server: Server;

  private constructor(pki: TestPki, frontProxyCa: string) {
    this.#server = createTlsServer({ ...pki.server, ca: frontProxyCa, requestCert: true }, (req, res) =>
      this.#answer(req, res),
    ) as unknown as Server;
    this.#server.on('upgrade', (req: IncomingMessage, socket: Socket) => {
      this.#note(req);
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
      socket.pipe(socket);
    });
  }

  static async start(pki: TestPki, frontProxyCa: string): Promise<Extension> {
    const extension = new Extension(pki, frontProxyCa);
    await new Promise<void>((resolve) => extension.#server.listen(0, '127.0.0.1', resolve));
    return extension;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #note(req: IncomingMessage): void {
    const certificate = (req.socket as unknown as { getPeerCertificate(): { subject?: { CN?: string } } }).getPeerCertificate();
    this.seen.push({
      method: req.method ?? '',
      url: req.url ?? '',
      headers: req.headers,
      peer: certificate.subject?.CN ?? '',
    });
  }

  #answer(req: IncomingMessage, res: ServerResponse): void {
    this.#note(req);
    const json = (code: number, body: object): void =>
      void res.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    const base = '/apis/hello.example.com/v1';
    const path = (req.url ?? '').split('?')[0];
    if (path === base && !this.well) json(500, {});
    else if (path === base) {
      json(200, { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: 'hello.example.com/v1', resources: this.resources });
    } else if (path === '/openapi/v3') {
      json(200, { paths: { 'apis/hello.example.com/v1': { serverRelativeURL: `/openapi/v3${base}?hash=ABC` } } });
    } else if (path === `/openapi/v3${base}`) json(200, { openapi: '3.0.0', info: { title: 'hello' } });
    else if (path === '/openapi/v2') {
      json(200, {
        paths: { [`${base}/greetings`]: {}, '/apis/': {} },
        definitions: { 'com.example.Greeting': {} },
        parameters: { 'tone-12345678': { name: 'tone', in: 'query' } },
      });
    } else if (path === `${base}/moved`) res.writeHead(302, { location: 'https://elsewhere/' }).end();
    else if (new URL(req.url ?? '', 'https://x').searchParams.get('watch') === 'true') {
      res.writeHead(200, { 'content-type': 'application/json' });
      const event = (type: string, name: string): void =>
        void res.write(`${JSON.stringify({ type, object: { metadata: { name } } })}\n`);
      event('ADDED', 'one');
      event('MODIFIED', 'one');
    } else if (req.method === 'POST') {
      req.setEncoding('utf8');
      let text = '';
      req.on('data', (chunk: string) => (text += chunk));
      req.on('end', () => json(201, { ...JSON.parse(text), made: true }));
    } else if (path?.endsWith('/greetings/none')) {
      json(404, {
        kind: 'Status',
        apiVersion: 'v1',
        status: 'Failure',
        reason: 'NotFound',
        code: 404,
        message: 'no such greeting',
      });
    } else json(200, { kind: 'GreetingList', apiVersion: 'hello.example.com/v1', items: [], asked: req.url });
  }
}

let server: TestServer;
let extension: Extension;
let pki: TestPki;

beforeEach(async () => {
  const front = await createTestPki('front-proxy-ca');
  pki = await createTestPki('test-ca', ['hello.apps.svc']);
  extension = await Extension.start(pki, front.ca);
  server = await TestServer.start({ pki });
  addAggregation(server.server, await front.client('front-proxy-client'));
  await server.post('/api/v1/namespaces', { metadata: { name: 'apps' } });
});

afterEach(async () => {
  await server.close();
  await extension.close();
});

/** Waits until the Available condition has a reason. */
async function becomes(name: string, reason: string): Promise<Condition> {
  const list = await server.get(`${apis}?fieldSelector=metadata.name%3D${name}`);
  const now = list.json.items[0]?.status?.conditions?.[0];
  if (now?.reason === reason) return now;
  const from = list.json.metadata.resourceVersion;
  const watching = await server.watch(`${apis}?watch=1&resourceVersion=${from}&fieldSelector=metadata.name%3D${name}`);
  for (;;) {
    const found = (await watching.next())?.object?.status?.conditions?.[0];
    if (found?.reason !== reason) continue;
    watching.stop();
    return found;
  }
}

const apiService = (more: object = {}): object => ({
  metadata: { name: 'v1.hello.example.com' },
  spec: {
    group: 'hello.example.com',
    version: 'v1',
    groupPriorityMinimum: 2000,
    versionPriority: 10,
    service: { namespace: 'apps', name: 'hello', port: 443 },
    caBundle: Buffer.from(pki.ca).toString('base64'),
    ...more,
  },
});

async function makeService(): Promise<void> {
  const ports = [{ name: 'https', port: 443 }];
  expect((await server.post('/api/v1/namespaces/apps/services', { metadata: { name: 'hello' }, spec: { ports } })).code).toBe(
    201,
  );
}

/** Straight into the store: validation lets nobody name this machine's own addresses. */
async function makeEndpoints(): Promise<void> {
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'hello-1', namespace: 'apps', uid: '1', labels: { 'kubernetes.io/service-name': 'hello' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
    ports: [{ name: 'https', port: extension.port, protocol: 'TCP' }],
  };
  const value = Buffer.from(JSON.stringify(slice));
  await server.store.commit([{ type: 'put', key: '/registry/endpointslices/apps/hello-1', value }]);
}

async function makeAvailable(more: object = {}): Promise<void> {
  await makeService();
  await makeEndpoints();
  expect((await server.post(apis, apiService(more))).code).toBe(201);
  await becomes('v1.hello.example.com', 'Passed');
}

describe('APIServices of what is served here', () => {
  it('are registered at the start, available, with upstream’s labels and priorities', async () => {
    expect(await becomes('v1.apps', 'Local')).toMatchObject({
      status: 'True',
      message: 'Local APIServices are always available',
    });
    expect((await server.get(`${apis}/v1.apps`)).json).toMatchObject({
      metadata: { labels: { 'kube-aggregator.kubernetes.io/automanaged': 'onstart' } },
      spec: { group: 'apps', version: 'v1', groupPriorityMinimum: 17800, versionPriority: 15 },
    });
    expect((await server.get(`${apis}/v1.`)).json.spec).toEqual({
      version: 'v1',
      groupPriorityMinimum: 18000,
      versionPriority: 1,
    });
    expect((await server.get(`${apis}/v1.apiregistration.k8s.io`)).code).toBe(404);
  });

  it('come and go with custom resources, and come back when they are deleted', async () => {
    const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    const definition = {
      metadata: { name: 'widgets.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Namespaced',
        names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    };
    expect((await server.post(crds, definition)).code).toBe(201);
    await becomes('v1.example.com', 'Local');
    const { json: first } = await server.get(`${apis}/v1.example.com`);
    expect(first).toMatchObject({
      metadata: { labels: { 'kube-aggregator.kubernetes.io/automanaged': 'true' } },
      spec: { groupPriorityMinimum: 1000, versionPriority: 100 },
    });
    const watching = await server.watch(`${apis}?watch=1&resourceVersion=${first.metadata.resourceVersion}`);
    const next = async (type: string): Promise<void> => {
      for (;;) {
        const event = await watching.next();
        if (event.type === type && event.object.metadata.name === 'v1.example.com') return;
      }
    };
    await server.remove(`${apis}/v1.example.com`);
    await next('DELETED');
    await next('ADDED');
    await server.remove(`${crds}/widgets.example.com`);
    await next('DELETED');
    watching.stop();
  });
});

describe('availability', () => {
  it('says what is missing, one thing after another, and what has passed', async () => {
    expect((await server.post(apis, apiService())).code).toBe(201);
    const name = 'v1.hello.example.com';
    expect(await becomes(name, 'ServiceNotFound')).toMatchObject({
      status: 'False',
      message: 'service/hello in "apps" is not present',
    });
    await makeService();
    expect(await becomes(name, 'EndpointsNotFound')).toMatchObject({
      message: 'cannot find endpointslices for service/hello in "apps"',
    });
    extension.well = false;
    await makeEndpoints();
    const failed = await becomes(name, 'FailedDiscoveryCheck');
    const url = `https://127.0.0.1:${extension.port}/apis/hello.example.com/v1`;
    expect(failed.message).toBe(`failing or missing response from ${url}: bad status from ${url}: 500`);
    extension.well = true;
    expect(await becomes(name, 'Passed')).toMatchObject({ status: 'True', message: 'all checks passed' });
    const metrics = (await server.get('/metrics')).body.toString();
    expect(metrics).toContain('aggregator_unavailable_apiservice{name="v1.hello.example.com"} 0\n');
    expect(metrics).toContain(
      'aggregator_unavailable_apiservice_total{name="v1.hello.example.com",reason="ServiceNotFound"} 1\n',
    );
  });

  it('is a 503 in plain text where it is not given', async () => {
    expect((await server.post(apis, apiService())).code).toBe(201);
    await becomes('v1.hello.example.com', 'ServiceNotFound');
    const answer = await server.get('/apis/hello.example.com/v1/greetings');
    expect([answer.code, answer.headers['content-type'], answer.body.toString()]).toEqual([
      503,
      'text/plain; charset=utf-8',
      'service unavailable\n',
    ]);
    await expect(server.server.raw('/apis/hello.example.com/v1', user)).rejects.toMatchObject({ code: 503 });
    // What is served here does not suffer.
    expect((await server.get('/apis/apps/v1/deployments')).code).toBe(200);
  });
});

describe('requests for another server', () => {
  beforeEach(() => makeAvailable());

  it('go there with the user and the front proxy’s certificate, and without the client’s credentials', async () => {
    const headers = { 'x-remote-user': 'root', 'x-custom': 'kept' };
    const answer = await server.get('/apis/hello.example.com/v1/namespaces/a/greetings?limit=5', { headers, as: 'ann' });
    expect([answer.code, answer.json.asked]).toEqual([200, '/apis/hello.example.com/v1/namespaces/a/greetings?limit=5']);
    const seen = extension.seen.findLast(({ url }) => url.includes('limit=5'))!;
    expect(seen.peer).toBe('front-proxy-client');
    expect(seen.headers).toMatchObject({
      'x-remote-user': 'ann',
      'x-remote-group': 'system:authenticated',
      'x-custom': 'kept',
    });
    expect(seen.headers.authorization).toBeUndefined();
    const made = await server.post('/apis/hello.example.com/v1/namespaces/a/greetings', { kind: 'Greeting' });
    expect([made.code, made.json]).toEqual([201, { kind: 'Greeting', made: true }]);
    const other = await server.request2('POST', '/apis/hello.example.com/v1/namespaces/a/greetings', { body: { over: 2 } });
    expect([other.code, other.json]).toEqual([201, { over: 2, made: true }]);
  });

  it('are not redirected', async () => {
    const answer = await server.get('/apis/hello.example.com/v1/moved');
    expect([answer.code, answer.body.toString()]).toEqual([
      502,
      'the backend attempted to redirect this request, which is not permitted\n',
    ]);
  });

  it('may be upgraded', async () => {
    const socket = connect({ host: '127.0.0.1', port: server.port, ca: pki.ca, servername: 'localhost' });
    const lines = ['GET /apis/hello.example.com/v1/stream HTTP/1.1', 'Host: x', 'Connection: Upgrade', 'Upgrade: echo'];
    socket.write(`${[...lines, 'Authorization: Bearer ann'].join('\r\n')}\r\n\r\n`);
    let text = '';
    socket.setEncoding('utf8');
    const until = (end: string): Promise<void> =>
      new Promise((resolve) => {
        const look = (chunk: string): void => {
          text += chunk;
          if (!text.endsWith(end)) return;
          socket.off('data', look);
          resolve();
        };
        socket.on('data', look);
      });
    await until('\r\n\r\n');
    expect(text).toContain('101 Switching Protocols');
    const echo = until('hello');
    socket.write('hello');
    await echo;
    socket.destroy();
    const seen = extension.seen.findLast(({ url }) => url.endsWith('/stream'))!;
    expect([seen.headers['x-remote-user'], seen.headers.authorization, seen.peer]).toEqual([
      'ann',
      undefined,
      'front-proxy-client',
    ]);
  });

  it('may come from this process', async () => {
    const request = { group: 'hello.example.com', version: 'v1', resource: 'greetings', namespace: 'a', options: {} } as const;
    const list = await server.server.handle({ ...request, verb: 'list', name: '' }, user);
    expect([list.code, list.object.kind]).toEqual([200, 'GreetingList']);
    const missing = server.server.handle({ ...request, verb: 'get', name: 'none' }, user);
    await expect(missing).rejects.toMatchObject({ code: 404, reason: 'NotFound' });
    expect(await server.server.raw('/apis/hello.example.com/v1', user)).toMatchObject({ kind: 'APIResourceList' });
    const stop = new AbortController();
    const types: string[] = [];
    for await (const { type } of server.server.watch({ ...request, verb: 'watch', name: '', signal: stop.signal }, user)) {
      types.push(type);
      if (types.length === 2) stop.abort();
    }
    expect(types).toEqual(['ADDED', 'MODIFIED']);
  });

  it('end when the certificate is not the service’s', async () => {
    const other = Buffer.from((await createTestPki('other-ca')).ca).toString('base64');
    const { json } = await server.get(`${apis}/v1.hello.example.com`);
    const changed = await server.put(`${apis}/v1.hello.example.com`, { ...json, spec: { ...json.spec, caBundle: other } });
    expect(changed.code).toBe(200);
    const answer = await server.get('/apis/hello.example.com/v1/greetings');
    expect([answer.code, answer.body.toString()]).toEqual([503, expect.stringContaining('error trying to reach service: ')]);
  });
});

describe('documents', () => {
  it('name what others serve', async () => {
    await makeAvailable();
    const { json: groups } = await server.get('/apis');
    const names = groups.groups.map((g: { name: string }) => g.name);
    expect(names[0]).toBe('apiregistration.k8s.io');
    expect(names.at(-1)).toBe('hello.example.com');
    const highest = { spec: { groupPriorityMinimum: 20_000 } };
    await server.patch(`${apis}/v1.hello.example.com`, 'application/merge-patch+json', highest);
    const { json: again } = await server.get('/apis');
    expect(again.groups.slice(0, 2).map((g: { name: string }) => g.name)).toEqual([
      'apiregistration.k8s.io',
      'hello.example.com',
    ]);
    expect((await server.get('/apis/hello.example.com')).json.preferredVersion).toEqual({
      groupVersion: 'hello.example.com/v1',
      version: 'v1',
    });
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    const aggregated = async (): Promise<object> =>
      (await server.get('/apis', { headers: { accept } })).json.items.find(
        (g: { metadata: { name: string } }) => g.metadata.name === 'hello.example.com',
      );
    const version = {
      version: 'v1',
      resources: [
        {
          resource: 'greetings',
          responseKind: { group: 'hello.example.com', version: 'v1', kind: 'Greeting' },
          scope: 'Namespaced',
          singularResource: 'greeting',
          verbs: ['get', 'list'],
          shortNames: ['gr'],
          subresources: [
            { subresource: 'scale', responseKind: { group: 'autoscaling', version: 'v1', kind: 'Scale' }, verbs: ['get'] },
          ],
        },
      ],
    };
    expect(await aggregated()).toMatchObject({ versions: [{ ...version, freshness: 'Current' }] });
    await server.remove('/api/v1/namespaces/apps/services/hello');
    await becomes('v1.hello.example.com', 'ServiceNotFound');
    expect(await aggregated()).toMatchObject({ versions: [{ ...version, freshness: 'Stale' }] });
    await server.remove(`${apis}/v1.hello.example.com`);
    expect(await aggregated()).toBeUndefined();
    expect((await server.get('/apis/hello.example.com/v1')).code).toBe(404);
  });

  it('hold what others say of their types', async () => {
    await makeAvailable();
    const index = async (): Promise<Record<string, { serverRelativeURL: string }>> =>
      (await server.get('/openapi/v3')).json.paths;
    // It is read beside the check.
    while ((await index())['apis/hello.example.com/v1'] === undefined) await new Promise((resolve) => setImmediate(resolve));
    const { serverRelativeURL } = (await index())['apis/hello.example.com/v1']!;
    expect(serverRelativeURL).toBe('/openapi/v3/apis/hello.example.com/v1?hash=ABC');
    expect((await server.get(serverRelativeURL)).json).toEqual({ openapi: '3.0.0', info: { title: 'hello' } });
    const { paths, definitions, parameters } = (await server.get('/openapi/v2')).json;
    expect(Object.keys(paths).filter((path) => path.startsWith('/apis/hello'))).toEqual(['/apis/hello.example.com/v1/greetings']);
    expect(paths['/apis/'].get.operationId).toBe('getAPIVersions');
    expect(definitions['com.example.Greeting']).toEqual({});
    expect(parameters['tone-12345678']).toEqual({ name: 'tone', in: 'query' });
  });
});
