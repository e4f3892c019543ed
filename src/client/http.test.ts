import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { isConflict, isExpired, StatusError, staleConflict } from '../api/meta/status.ts';
import { patchTypes } from '../api/request.ts';
import { jsonLines } from '../util/json-lines.ts';
import { createClient } from './client.ts';
import { type HttpTransport, httpTransport } from './http.ts';
import { deployments, nodes, pods } from './resource-refs.ts';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

let server: http.Server | undefined;
let transport: HttpTransport | undefined;
afterEach(() => {
  transport?.close();
  server?.closeAllConnections();
  server?.close();
});

async function serve(answer: (seen: Seen, response: http.ServerResponse) => void): Promise<Seen[]> {
  const seen: Seen[] = [];
  server = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const one = { method: request.method!, url: request.url!, headers: request.headers, body };
    seen.push(one);
    answer(one, response);
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  transport = httpTransport({ server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: 't0' });
  return seen;
}

const json = (response: http.ServerResponse, code: number, object: unknown, headers: http.OutgoingHttpHeaders = {}): void => {
  response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(object));
};

test('requests are written as the API server reads them', async () => {
  const seen = await serve((_, response) => json(response, 200, { kind: 'Pod', apiVersion: 'v1', metadata: {} }));
  const client = createClient(transport!);
  await client.resource(pods).create({ metadata: { name: 'a', namespace: 'x' }, spec: { containers: [] } }, { dryRun: ['All'] });
  await client.resource(deployments).patch('d', 'x', patchTypes.merge, { a: 1 }, { subresource: 'status', fieldManager: 'me' });
  await client.resource(nodes).delete('n', '', { propagationPolicy: 'Foreground', preconditions: { uid: 'u' } });
  await client.resource(pods).list('', { labelSelector: 'a=b,c', limit: 5 });
  expect(seen.map((s) => `${s.method} ${s.url}`)).toEqual([
    'POST /api/v1/namespaces/x/pods?dryRun=All',
    'PATCH /apis/apps/v1/namespaces/x/deployments/d/status?fieldManager=me',
    'DELETE /api/v1/nodes/n',
    'GET /api/v1/pods?labelSelector=a%3Db%2Cc&limit=5',
  ]);
  expect(seen[1]!.headers).toMatchObject({ 'content-type': 'application/merge-patch+json', authorization: 'Bearer t0' });
  expect(JSON.parse(seen[2]!.body)).toMatchObject({ kind: 'DeleteOptions', propagationPolicy: 'Foreground' });
  expect(JSON.parse(seen[0]!.body)).toMatchObject({ kind: 'Pod', apiVersion: 'v1' });
});

test('errors come as the Status the server sent, and Retry-After is waited for', async () => {
  let calls = 0;
  await serve((seen, response) => {
    if (seen.method === 'PUT') return json(response, 409, staleConflict({ group: '', resource: 'pods' }, 'a').status);
    if (++calls === 1) return json(response, 429, { message: 'slow down' }, { 'retry-after': '0' });
    if (calls === 2)
      return json(response, 200, { kind: 'Pod', metadata: { name: 'a' } }, { warning: '299 - "be \\"careful\\"", 299 - "two"' });
    response.writeHead(502).end('bad gateway page');
  });
  const client = createClient(transport!);
  expect((await client.resource(pods).get('a', 'x')).metadata?.name).toBe('a');
  expect(calls).toBe(2);
  const error = await client
    .resource(pods)
    .get('a', 'x')
    .catch((err: unknown) => err);
  expect(error).toBeInstanceOf(StatusError);
  expect((error as StatusError).code).toBe(502);
  const update = await client
    .resource(pods)
    .update({ metadata: { name: 'a', namespace: 'x' } })
    .catch((err: unknown) => err);
  expect(isConflict(update)).toBe(true);
});

test('warnings are given with the answer', async () => {
  await serve((_, response) => json(response, 200, { kind: 'Pod' }, { warning: '299 - "be \\"careful\\"", 299 - "two"' }));
  const request = { verb: 'get', group: '', version: 'v1', resource: 'pods', namespace: 'x', name: 'a', options: {} } as const;
  expect((await transport!.request(request)).warnings).toEqual(['be "careful"', 'two']);
});

test('a watch gives events as they come, ends with the server, throws its errors, and stops with the signal', async () => {
  const line = (type: string, object: unknown): string => `${JSON.stringify({ type, object })}\n`;
  let mode = 'end';
  const seen = await serve((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const first = line('ADDED', { metadata: { name: 'ä' } });
    const bytes = Buffer.from(first + line('BOOKMARK', { metadata: { resourceVersion: '9' } }));
    response.write(bytes.subarray(0, 40));
    setImmediate(() => {
      response.write(bytes.subarray(40));
      if (mode === 'end') response.end();
      if (mode === 'error') response.end(line('ERROR', { kind: 'Status', reason: 'Expired', code: 410, message: 'old' }));
    });
  });
  const client = createClient(transport!);
  const read = async (signal?: AbortSignal, stop?: AbortController): Promise<string[]> => {
    const types: string[] = [];
    for await (const event of client
      .resource(pods)
      .watch('x', { resourceVersion: '3', ...(signal === undefined ? {} : { signal }) })) {
      types.push(event.type);
      if (types.length === 2) stop?.abort(new Error('enough'));
    }
    return types;
  };
  expect(await read()).toEqual(['ADDED', 'BOOKMARK']);
  expect(seen[0]!.url).toBe('/api/v1/namespaces/x/pods?watch=true&resourceVersion=3');
  mode = 'error';
  expect(isExpired(await read().catch((err: unknown) => err))).toBe(true);
  mode = 'hang';
  const stop = new AbortController();
  await expect(read(stop.signal, stop)).rejects.toThrow('enough');
});

test('lines are found across chunks, and one that is too long is refused', async () => {
  async function* chunks(...texts: string[]): AsyncGenerator<Buffer> {
    for (const text of texts) yield Buffer.from(text);
  }
  const values: unknown[] = [];
  for await (const value of jsonLines(chunks('{"a"', ':1}\n{"b":2}\n\n[', '1]'), 100)) values.push(value);
  expect(values).toEqual([{ a: 1 }, { b: 2 }, [1]]);
  await expect(async () => {
    for await (const _ of jsonLines(chunks('x'.repeat(60), 'x'.repeat(60)), 100));
  }).rejects.toThrow('longer than 100 bytes');
});

test('metadata is asked for where it will do, and the whole where the server has no less', async () => {
  const seen = await serve((_, response) => json(response, 200, { kind: 'PartialObjectMetadataList', metadata: {}, items: [] }));
  const client = createClient(transport!).resource(pods);
  await client.list('', { metadataOnly: true });
  await client.get('p', 'x', { metadataOnly: true });
  await client.list('');
  expect(seen.map((s) => s.headers.accept)).toEqual([
    'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json',
    'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json',
    'application/json',
  ]);
  expect(seen[0]?.url).toBe('/api/v1/pods');
});
