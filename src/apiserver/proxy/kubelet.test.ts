import { once } from 'node:events';
import { createServer as createHttp, type Server as HttpServer } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import type { AdmissionAttributes, RequestAttributes } from '../contract.ts';
import { createTestPki, type TestPki } from '../test-certificates.ts';
import { TestServer } from '../test-server.ts';
import { addKubeletProxy } from './kubelet.ts';

let pki: TestPki;
let api: TestServer;
let kubelet: Server;
let backend: HttpServer;
const asked: { readonly url: string; readonly peer: string; readonly headers: Record<string, unknown> }[] = [];
const admitted: AdmissionAttributes[] = [];
const authorized: RequestAttributes[] = [];

const pods = '/api/v1/namespaces/x/pods';
const container = (name: string, ports: readonly number[] = []) => ({
  name,
  image: 'i',
  ports: ports.map((containerPort) => ({ containerPort })),
});

async function createPod(name: string, nodeName: string, containers: readonly object[], podIP?: string): Promise<void> {
  const spec = { containers, ...(nodeName === '' ? {} : { nodeName }) };
  expect((await api.post(pods, { metadata: { name }, spec })).code).toBe(201);
  if (podIP === undefined) return;
  const status = { status: { podIP, podIPs: [{ ip: podIP }] } };
  expect((await api.patch(`${pods}/${name}/status`, 'application/merge-patch+json', status)).code).toBe(200);
}

beforeAll(async () => {
  pki = await createTestPki();
  kubelet = createServer({ ...pki.server, ca: pki.ca, requestCert: true, rejectUnauthorized: true }, (req, res) => {
    const peer = String((req.socket as TLSSocket).getPeerCertificate().subject.CN);
    asked.push({ url: req.url ?? '', peer, headers: req.headers });
    const url = new URL(req.url ?? '/', 'https://kubelet');
    if (url.pathname.endsWith('/broken')) {
      res
        .writeHead(400, { 'content-type': 'text/plain' })
        .end('container "broken" in pod "web" is waiting to start: ContainerCreating');
    } else if (url.pathname.endsWith('/silent')) res.writeHead(200, { 'content-type': 'text/plain' }).flushHeaders();
    else if (url.pathname.endsWith('/gone')) res.writeHead(404).end('nothing');
    else if (url.searchParams.get('follow') === 'true') {
      res.writeHead(200, { 'content-type': 'text/plain' });
      res.write('first\n');
      req.socket.once('close', () => kubelet.emit('left'));
    } else res.writeHead(200, { 'content-type': 'text/plain' }).end(`log of ${url.pathname}\n`);
  });
  kubelet.on('upgrade', (req, socket: Duplex) => {
    asked.push({ url: req.url ?? '', peer: '', headers: req.headers });
    socket.on('error', () => socket.destroy());
    if (req.url?.includes('refused') === true) {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
      return;
    }
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${req.headers.upgrade}\r\n\r\nhello `);
    socket.on('data', (chunk: Buffer) => socket.write(chunk.toString().toUpperCase()));
    socket.on('end', () => socket.end());
  });
  await once(kubelet.listen(0, '127.0.0.1'), 'listening');
  backend = createHttp((req, res) => {
    if (req.url === '/page') {
      res.writeHead(200, { 'content-type': 'text/html' });
      res.end(`<html><a class="x" href="/a?b">l</a><img src='rel.png'><a href="http://other/z">o</a></html>`);
    } else if (req.url === '/go') res.writeHead(302, { location: '/there' }).end();
    else {
      res.writeHead(200, { 'x-path': req.url ?? '' });
      req.pipe(res);
    }
  });
  backend.on('upgrade', (_req, socket: Duplex) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
    socket.pipe(socket);
  });
  await once(backend.listen(0, '127.0.0.1'), 'listening');
  api = await TestServer.start({
    pki,
    authorizer: {
      authorize: (attributes) => {
        authorized.push(attributes);
        const refused = attributes.user.name === 'reader' && attributes.verb !== 'get';
        return { decision: refused ? 'no-opinion' : 'allow' };
      },
    },
    admission: [
      {
        name: 'Recorder',
        handles: ({ operation }) => operation === 'CONNECT',
        validate: (attributes) => void admitted.push(attributes),
      },
    ],
  });
  const client = await pki.client('kube-apiserver-kubelet-client');
  addKubeletProxy(api.server, { ca: pki.ca, ...client, mayProxy: (ip) => ip === '127.0.0.1' });
  const { port } = kubelet.address() as AddressInfo;
  await api.post('/api/v1/nodes', { metadata: { name: 'n' } });
  const status = {
    addresses: [
      { type: 'Hostname', address: 'nowhere.invalid' },
      { type: 'InternalIP', address: '127.0.0.1' },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
  };
  await api.patch('/api/v1/nodes/n/status', 'application/merge-patch+json', { status });
  await api.post('/api/v1/nodes', { metadata: { name: 'empty' } });
  const http = (backend.address() as AddressInfo).port;
  await createPod('web', 'n', [container('a', [http]), container('b')], '127.0.0.1');
  await createPod('one', 'n', [container('only')]);
  await createPod('lost', 'missing', [container('only')]);
  await createPod('homeless', 'empty', [container('only')]);
  await createPod('pending', '', [container('only')]);
  const service = { metadata: { name: 'svc' }, spec: { ports: [{ name: 'web', port: 80, targetPort: http }] } };
  await api.post('/api/v1/namespaces/x/services', service);
  await api.post('/api/v1/namespaces/x/services', { ...service, metadata: { name: 'idle' } });
  const subset = {
    addresses: [{ ip: '127.0.0.1', targetRef: { kind: 'Pod', namespace: 'x', name: 'web' } }],
    ports: [{ name: 'web', port: http }],
  };
  // Validation refuses loopback addresses, where the backend of this test is.
  const key = api.server.registry.find('', 'v1', 'endpoints')!.key('x', 'svc');
  const endpoints = { kind: 'Endpoints', apiVersion: 'v1', metadata: { name: 'svc', namespace: 'x' }, subsets: [subset] };
  await api.store.commit([{ type: 'put', key, value: Buffer.from(JSON.stringify(endpoints)) }]);
  await api.post('/api/v1/namespaces/x/endpoints', { metadata: { name: 'idle' } });
});

afterAll(async () => {
  await api.close();
  kubelet.closeAllConnections();
  kubelet.close();
  backend.closeAllConnections();
  backend.close();
});

/** Sends an upgrade request and gives the connection. */
async function upgrade(path: string, headers: Record<string, string> = {}, method = 'POST', as = 'admin'): Promise<TLSSocket> {
  const socket = connectTls({ host: '127.0.0.1', port: api.port, ca: pki.ca, servername: 'localhost' });
  await once(socket, 'secureConnect');
  const all = { Host: 'localhost', Authorization: `Bearer ${as}`, Connection: 'Upgrade', Upgrade: 'SPDY/3.1', ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
  return socket;
}

async function readUntil(socket: Duplex, end: string): Promise<string> {
  let text = '';
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    text += chunk.toString();
    if (text.includes(end)) break;
  }
  return text;
}

describe('pods/log', () => {
  it('gives what the kubelet gives, asked with its own parameters and the client certificate', async () => {
    const answer = await api.get(`${pods}/one/log?tailLines=3&sinceSeconds=5&timestamps=true&previous=1&limitBytes=9`);
    expect(answer.code).toBe(200);
    expect(answer.headers['content-type']).toBe('text/plain');
    expect(answer.body.toString()).toBe('log of /containerLogs/x/one/only\n');
    const { url, peer, headers } = asked.at(-1)!;
    expect(url).toBe('/containerLogs/x/one/only?previous=true&timestamps=true&sinceSeconds=5&tailLines=3&limitBytes=9');
    expect(peer).toBe('kube-apiserver-kubelet-client');
    expect(headers['authorization']).toBeUndefined();
  });

  it('streams, and stops when the client goes', async () => {
    const answer = await api.open('GET', `${pods}/one/log?follow=true`);
    const [first] = (await once(answer, 'data')) as [Buffer];
    expect(first.toString()).toBe('first\n');
    const left = once(kubelet, 'left');
    answer.destroy();
    await left;
  });

  it('tells that it is connected before there is a line', async () => {
    await createPod('quiet', 'n', [container('silent')]);
    const answer = await api.open('GET', `${pods}/quiet/log?follow=true`);
    expect(answer.statusCode).toBe(200);
    answer.destroy();
  });

  it('is served over HTTP/2 too', async () => {
    expect((await api.request2('GET', `${pods}/one/log`)).body.toString()).toBe('log of /containerLogs/x/one/only\n');
  });

  it('is served as messages of a WebSocket', async () => {
    const socket = new WebSocket(`wss://localhost:${api.port}${pods}/one/log`, ['base64.binary.k8s.io'], {
      ca: pki.ca,
      headers: { authorization: 'Bearer admin' },
    });
    const [message] = (await once(socket, 'message')) as [Buffer];
    expect(Buffer.from(message.toString(), 'base64').toString()).toBe('log of /containerLogs/x/one/only\n');
    await once(socket, 'close');
  });

  it.each([
    ['web/log', 400, 'a container name must be specified for pod web, choose one of: [a b]'],
    ['web/log?container=z', 400, 'container z is not valid for pod web'],
    ['none/log', 404, 'pods "none" not found'],
    ['lost/log', 404, 'nodes "missing" not found'],
    ['homeless/log', 500, 'Internal error occurred: no preferred addresses found; known addresses: []'],
    ['one/log?tailLines=x', 400, 'strconv.ParseInt: parsing "x": invalid syntax'],
    [
      'one/log?tailLines=-1',
      422,
      'PodLogOptions "one" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0',
    ],
    ['one/log?limitBytes=0', 422, 'PodLogOptions "one" is invalid: limitBytes: Invalid value: 0: must be greater than 0'],
  ])('%s is refused as upstream does it', async (path, code, message) => {
    const answer = await api.get(`${pods}/${path}`);
    expect(answer.json).toMatchObject({ kind: 'Status', code, message });
    expect(answer.code).toBe(code);
  });

  it('gives nothing for a pod that is nowhere yet', async () => {
    const answer = await api.get(`${pods}/pending/log`);
    expect([answer.code, answer.body.length]).toEqual([200, 0]);
  });

  it('tells the errors of the kubelet', async () => {
    await createPod('sick', 'n', [container('broken'), container('gone')]);
    const bad = await api.get(`${pods}/sick/log?container=broken`);
    expect(bad.json).toMatchObject({ code: 400, reason: 'BadRequest', message: /^container "broken" in pod/ });
    const gone = await api.get(`${pods}/sick/log?container=gone`);
    expect(gone.json).toMatchObject({
      code: 404,
      reason: 'NotFound',
      message: 'the server could not find the requested resource ( pods/log sick)',
      details: { causes: [{ reason: 'UnexpectedServerResponse', message: 'nothing' }] },
    });
  });

  it('does not take a certificate of another authority', async () => {
    const other = await createTestPki();
    const second = await TestServer.start({ pki, store: api.store });
    addKubeletProxy(second.server, { ca: other.ca, ...(await other.client('x')) });
    const answer = await second.get(`${pods}/one/log`);
    expect(answer.code).toBe(500);
    expect(answer.json.message).toMatch(
      /^Get "https:\/\/127\.0\.0\.1:\d+\/containerLogs\/x\/one\/only": tls: failed to verify certificate: x509: certificate signed by unknown authority$/,
    );
    await second.server.close(0);
  });
});

describe('exec, attach and portforward', () => {
  it('carry bytes both ways', async () => {
    admitted.length = 0;
    const socket = await upgrade(`${pods}/web/exec?container=a&command=ls&command=-l&stdin=true&stdout=1&tty=true`, {
      'X-Stream-Protocol-Version': 'v4.channel.k8s.io',
    });
    expect(await readUntil(socket, 'hello ').catch(() => '')).toMatch(/^HTTP\/1\.1 101 .*Upgrade: SPDY\/3\.1.*hello $/s);
    const { url, headers } = asked.at(-1)!;
    expect(url).toBe('/exec/x/web/a?input=1&output=1&tty=1&command=ls&command=-l');
    expect(headers).toMatchObject({ 'x-stream-protocol-version': 'v4.channel.k8s.io', upgrade: 'SPDY/3.1' });
    expect(headers['authorization']).toBeUndefined();
    expect(admitted[0]).toMatchObject({
      operation: 'CONNECT',
      subresource: 'exec',
      name: 'web',
      object: { kind: 'PodExecOptions', container: 'a', command: ['ls', '-l'], stdin: true, stdout: true, tty: true },
    });
    socket.destroy();
  });

  it('echo what the client writes', async () => {
    const socket = await upgrade(`${pods}/one/attach?stdout=true`);
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.endsWith('hello ')) socket.write('abc');
      if (text.endsWith('ABC')) socket.end();
    });
    await once(socket, 'close');
    expect(text.endsWith('hello ABC')).toBe(true);
  });

  it('ask the kubelet for ports', async () => {
    const socket = await upgrade(`${pods}/one/portforward?ports=80&ports=81`);
    await readUntil(socket, 'hello ');
    expect(asked.at(-1)!.url).toBe('/portForward/x/one?port=80%2C81');
  });

  it('take SPDY out of a WebSocket for port forwarding', async () => {
    const socket = await upgrade(
      `${pods}/one/portforward`,
      {
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64'),
        'Sec-WebSocket-Protocol': 'SPDY/3.1+portforward.k8s.io',
      },
      'GET',
    );
    // A binary frame of three bytes with a mask of zeros.
    socket.write(Buffer.from([0x82, 0x83, 0, 0, 0, 0, ...Buffer.from('abc')]));
    const text = await readUntil(socket, 'ABC');
    expect(text).toContain('Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io');
    expect(text).toContain('\u0006hello ');
    expect(text.endsWith('\u0003ABC')).toBe(true);
    expect(asked.at(-1)!.headers).toMatchObject({ upgrade: 'SPDY/3.1', 'x-stream-protocol-version': 'portforward.k8s.io' });
  });

  it('need the permission to create also when they come by GET', async () => {
    const socket = await upgrade(`${pods}/one/exec?command=ls`, { Upgrade: 'websocket' }, 'GET', 'reader');
    const text = await readUntil(socket, '}');
    expect(text).toMatch(/^HTTP\/1\.1 403 /);
    expect(text).toContain('User \\"reader\\" cannot create resource \\"pods/exec\\"');
  });

  it('refuse what is no upgrade, and pods that run nowhere', async () => {
    expect((await api.post(`${pods}/one/exec?command=ls`, {})).json).toMatchObject({
      code: 400,
      message: 'Upgrade request required',
    });
    const socket = await upgrade(`${pods}/pending/exec?command=ls`);
    expect(await readUntil(socket, '}')).toContain('pod pending does not have a host assigned');
  });

  it('hand on a refusal of the kubelet', async () => {
    await createPod('refused', 'n', [container('only')]);
    const socket = await upgrade(`${pods}/refused/exec?command=ls`);
    expect(await readUntil(socket, 'no')).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n.*no$/s);
  });

  it('say that the kubelet cannot be reached', async () => {
    const closed = createHttp();
    await once(closed.listen(0, '127.0.0.1'), 'listening');
    const { port } = closed.address() as AddressInfo;
    closed.close();
    await api.post('/api/v1/nodes', { metadata: { name: 'down' } });
    const status = {
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      daemonEndpoints: { kubeletEndpoint: { Port: port } },
    };
    await api.patch('/api/v1/nodes/down/status', 'application/merge-patch+json', { status });
    await createPod('cut', 'down', [container('only')]);
    const socket = await upgrade(`${pods}/cut/exec?command=ls`);
    expect(await readUntil(socket, '}')).toContain(
      `"message":"error dialing backend: dial tcp 127.0.0.1:${port}: connect: connection refused"`,
    );
  });
});

describe('proxies', () => {
  it('hand requests on to a pod, path, query and body', async () => {
    const answer = await api.post(`${pods}/web/proxy/a/b%2Fc?d=e`, { hello: 1 });
    expect(answer.headers['x-path']).toBe('/a/b%2Fc?d=e');
    expect(answer.json).toEqual({ hello: 1 });
    expect((await api.get(`${pods}/web/proxy/a/../../../secret`)).headers['x-path']).toBe('/secret');
  });

  it('rewrite pages and redirects', async () => {
    const base = `${pods}/web/proxy`;
    expect((await api.get(`${base}/page`)).body.toString()).toBe(
      `<html><a class="x" href="${base}/a?b">l</a><img src="rel.png"><a href="http://other/z">o</a></html>`,
    );
    expect((await api.get(`${base}/go`)).headers.location).toBe(`${base}/there`);
    const bare = await api.get(`${base}?x=y`);
    expect([bare.code, bare.headers.location]).toEqual([301, `${base}/?x=y`]);
  });

  it('find services by name, port name and port number', async () => {
    const services = '/api/v1/namespaces/x/services';
    for (const id of ['svc:web', 'svc:80', 'http:svc:web']) {
      expect((await api.get(`${services}/${id}/proxy/p`)).headers['x-path']).toBe('/p');
    }
    const refusal = async (id: string) => (await api.get(`${services}/${id}/proxy/`)).json;
    expect(await refusal('svc:81')).toMatchObject({ code: 503, message: 'no service port 81 found for service "svc"' });
    expect(await refusal('svc:other')).toMatchObject({ code: 503, message: 'no endpoints available for service "svc:other"' });
    expect(await refusal('idle')).toMatchObject({ code: 503, message: 'no endpoints available for service "idle"' });
    expect(await refusal('ftp:svc:web')).toMatchObject({ code: 400, message: 'invalid service request "ftp:svc:web"' });
  });

  it('reach the kubelet itself', async () => {
    expect((await api.get('/api/v1/nodes/n/proxy/healthz')).body.toString()).toBe('log of /healthz\n');
    expect((await api.get('/api/v1/nodes/none/proxy/healthz')).code).toBe(404);
  });

  it('do not go to addresses that are no pods’', async () => {
    await createPod('inside', 'n', [container('a', [80])], '169.254.169.254');
    expect((await api.get(`${pods}/inside/proxy/`)).json).toMatchObject({ code: 400, message: 'address not allowed' });
  });

  it('carry upgrades', async () => {
    const socket = await upgrade(`${pods}/web/proxy/chat`, { Upgrade: 'x' }, 'GET');
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.endsWith('\r\n\r\n')) socket.write('ping');
      if (text.endsWith('ping')) socket.destroy();
    });
    await once(socket, 'close');
    expect(text.endsWith('ping')).toBe(true);
  });
});
