import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtinSchema } from '../../api/schema/builtin.ts';
import type { Schema } from '../../api/schema/schema.ts';
import { decodeProtobuf, encodeProtobuf, openProtobuf } from '../../api/wire/protobuf.ts';
import { ProtobufReader } from '../../api/wire/protobuf-reader.ts';
import { parseYaml, toYaml } from '../../api/wire/yaml.ts';
import { schemaOfObject } from '../rest/kind-schema.ts';
import { TestServer } from '../test-server.ts';

let api: TestServer;
const maps = '/api/v1/namespaces/x/configmaps';
const protobuf = 'application/vnd.kubernetes.protobuf';
const configMap = builtinSchema('io.k8s.api.core.v1.ConfigMap');
const partial = builtinSchema('io.k8s.apimachinery.pkg.apis.meta.v1.PartialObjectMetadata');

beforeAll(async () => {
  api = await TestServer.start();
  await api.post(maps, { metadata: { name: 'a', labels: { l: '1' } }, data: { k: 'v' } });
});
afterAll(() => api.close());

// biome-ignore lint/suspicious/noExplicitAny: what a test looks at is its own affair
const decoded = (schema: Schema, bytes: Uint8Array): any => decodeProtobuf(schema, openProtobuf(bytes));

describe('bodies', () => {
  it('may be YAML', async () => {
    const body = 'metadata:\n  name: yaml\ndata:\n  a: "off"\n  t: |\n    two\n    lines\n';
    const answer = await api.post(maps, body, { headers: { 'content-type': 'application/yaml' } });
    expect([answer.code, answer.json.data]).toEqual([201, { a: 'off', t: 'two\nlines\n' }]);
    const twice = await api.post(`${maps}?fieldValidation=Strict`, 'metadata: {name: t}\ndata: {a: b, a: c}\n', {
      headers: { 'content-type': 'application/yaml' },
    });
    expect(twice.json.message).toContain('key "a" already set in map');
  });

  it('may be protobuf', async () => {
    const body = Buffer.from(encodeProtobuf(configMap, { metadata: { name: 'pb' }, data: { k: 'v' } }, 'v1', 'ConfigMap'));
    const answer = await api.post(maps, body, { headers: { 'content-type': protobuf, accept: protobuf } });
    expect([answer.code, answer.headers['content-type']]).toEqual([201, protobuf]);
    expect(decoded(configMap, answer.body)).toMatchObject({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'pb', namespace: 'x' },
      data: { k: 'v' },
    });
    const other = Buffer.from(encodeProtobuf(configMap, { metadata: { name: 'pb' } }, 'v1', 'Secret'));
    const refused = await api.post(maps, other, { headers: { 'content-type': protobuf } });
    expect(refused.json.message).toMatch(/^Secret in version "v1" cannot be handled as a ConfigMap/);
    const garbage = await api.post(maps, 'nothing', { headers: { 'content-type': protobuf } });
    expect(garbage.json).toMatchObject({ code: 400, message: /does not appear to be a protobuf message/ });
  });

  it('may be protobuf for reviews, subresources and DeleteOptions', async () => {
    const review = {
      kind: 'TokenReview',
      apiVersion: 'authentication.k8s.io/v1',
    };
    expect(schemaOfObject(review)).toBeDefined();
    const pod = { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    await api.post('/api/v1/namespaces/x/pods', pod);
    const binding = { metadata: { name: 'p' }, target: { kind: 'Node', name: 'n' } };
    const body = encodeProtobuf(builtinSchema('io.k8s.api.core.v1.Binding'), binding, 'v1', 'Binding');
    const bound = await api.post('/api/v1/namespaces/x/pods/p/binding', Buffer.from(body), {
      headers: { 'content-type': protobuf, accept: protobuf },
    });
    expect(bound.code).toBe(201);
    expect(decoded(schemaOfObject({ apiVersion: 'v1', kind: 'Status' })!, bound.body)).toMatchObject({ status: 'Success' });
    const options = builtinSchema('io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions');
    const deletion = encodeProtobuf(options, { gracePeriodSeconds: 0 }, 'v1', 'DeleteOptions');
    await api.remove('/api/v1/namespaces/x/pods/p', Buffer.from(deletion), { headers: { 'content-type': protobuf } });
    expect((await api.get('/api/v1/namespaces/x/pods/p')).code).toBe(404);
  });

  it('are refused in any other form', async () => {
    const text = await api.post(maps, 'x', { headers: { 'content-type': 'text/plain' } });
    expect(text.json).toMatchObject({
      code: 415,
      reason: 'UnsupportedMediaType',
      message:
        'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf',
    });
    const patch = await api.patch(`${maps}/a`, 'text/plain', 'x');
    expect(patch.json.message).toBe(
      'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml',
    );
  });

  it('are refused when they are no JSON, empty or too large', async () => {
    expect((await api.post(maps, '{"metadata":')).json).toMatchObject({ code: 400, reason: 'BadRequest' });
    expect((await api.post(maps, '')).code).toBe(400);
    expect((await api.post(maps, '[]')).code).toBe(400);
    const large = `{"metadata":{"name":"large"},"data":{"k":"${'x'.repeat(3 * 1024 * 1024)}"}}`;
    for (const send of [api.request.bind(api), api.request2.bind(api)]) {
      expect((await send('POST', maps, { body: large })).json).toMatchObject({
        code: 413,
        reason: 'RequestEntityTooLarge',
        message: 'Request entity too large: limit is 3145728',
      });
    }
  });
});

describe('answers', () => {
  it('are what the client accepts', async () => {
    const yaml = await api.get(`${maps}/a`, { headers: { accept: 'application/yaml' } });
    expect([yaml.headers['content-type'], yaml.body.toString().split('\n')[0]]).toEqual(['application/yaml', 'apiVersion: v1']);
    const best = await api.get(`${maps}/a`, { headers: { accept: 'application/json;q=0.5,application/yaml' } });
    expect(best.headers['content-type']).toBe('application/yaml');
    expect((await api.get(`${maps}/a`, { headers: { accept: 'text/html,*/*;q=0.1' } })).headers['content-type']).toBe(
      'application/json',
    );
    const none = await api.get(`${maps}/a`, { headers: { accept: 'text/html' } });
    expect([none.code, none.json]).toMatchObject([
      406,
      {
        reason: 'NotAcceptable',
        message:
          'only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf',
      },
    ]);
  });

  it('are protobuf, lists and errors too', async () => {
    const accept = { headers: { accept: `${protobuf},application/json` } };
    const one = await api.get(`${maps}/a`, accept);
    expect(decoded(configMap, one.body)).toMatchObject({ metadata: { name: 'a', labels: { l: '1' } }, data: { k: 'v' } });
    const list = await api.get(`${maps}?limit=1`, accept);
    expect(decoded(builtinSchema('io.k8s.api.core.v1.ConfigMapList'), list.body)).toMatchObject({
      kind: 'ConfigMapList',
      metadata: { resourceVersion: expect.any(String), continue: expect.any(String) },
      items: [{ metadata: { name: 'a' } }],
    });
    const missing = await api.get(`${maps}/none`, accept);
    expect([missing.code, missing.headers['content-type']]).toEqual([404, protobuf]);
    expect(decoded(schemaOfObject({ apiVersion: 'v1', kind: 'Status' })!, missing.body)).toMatchObject({
      reason: 'NotFound',
      code: 404,
    });
  });

  it('are protobuf for every built-in type', async () => {
    for (const endpoint of api.server.registry.endpoints()) {
      const { group, version, plural, verbs, listKind, kind } = endpoint.resource;
      if (!verbs.includes('list')) continue;
      const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
      const answer = await api.get(`${root}/${plural}`, { headers: { accept: protobuf } });
      expect([kind, answer.code, openProtobuf(answer.body).kind]).toEqual([kind, 200, listKind]);
    }
  });

  it('are the metadata alone when that is asked for', async () => {
    const as = (what: string, type = 'application/json') => ({ headers: { accept: `${type};as=${what};g=meta.k8s.io;v=v1` } });
    expect((await api.get(`${maps}/a`, as('PartialObjectMetadata'))).json).toMatchObject({
      kind: 'PartialObjectMetadata',
      apiVersion: 'meta.k8s.io/v1',
      metadata: { name: 'a', labels: { l: '1' } },
    });
    const list = (await api.get(maps, as('PartialObjectMetadataList'))).json;
    expect(list).toMatchObject({ kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1' });
    expect(list.items[0]).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'a' } });
    expect(list.items[0].data).toBeUndefined();
    const one = await api.get(`${maps}/a`, as('PartialObjectMetadata', protobuf));
    expect(decoded(partial, one.body)).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'a' } });
    const old = { headers: { accept: `${protobuf};as=PartialObjectMetadata;g=meta.k8s.io;v=v1beta1` } };
    expect(openProtobuf((await api.get(`${maps}/a`, old)).body)).toMatchObject({
      apiVersion: 'meta.k8s.io/v1beta1',
      kind: 'PartialObjectMetadata',
    });
    const many = await api.get(maps, as('PartialObjectMetadataList', protobuf));
    expect(
      decoded(builtinSchema('io.k8s.apimachinery.pkg.apis.meta.v1.PartialObjectMetadataList'), many.body).items[0],
    ).toMatchObject({ metadata: { name: 'a' } });
    expect((await api.get(maps, as('PartialObjectMetadata'))).code).toBe(406);
    expect((await api.get(`${maps}/a`, as('PartialObjectMetadataList'))).code).toBe(406);
    expect((await api.get(`${maps}/a`, as('Table', protobuf))).code).toBe(406);
  });

  it('are tables when that is asked for', async () => {
    const table = { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' } };
    const { json } = await api.get(maps, table);
    expect(json).toMatchObject({
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1',
      metadata: { resourceVersion: expect.any(String) },
    });
    expect(json.columnDefinitions.map((c: { name: string }) => c.name)).toEqual(['Name', 'Data', 'Age']);
    expect(json.rows[0]).toMatchObject({ cells: ['a', 1, expect.any(String)], object: { kind: 'PartialObjectMetadata' } });
    expect((await api.get(`${maps}/a?includeObject=Object`, table)).json.rows[0].object.data).toEqual({ k: 'v' });
    expect((await api.get(`${maps}/a?includeObject=None`, table)).json.rows[0].object).toBeNull();
    expect((await api.get(`${maps}/a?includeObject=Odd`, table)).json).toMatchObject({ code: 400 });
    for (const endpoint of api.server.registry.endpoints()) {
      const { group, version, plural, verbs } = endpoint.resource;
      if (!verbs.includes('list')) continue;
      const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
      expect((await api.get(`${root}/${plural}`, table)).json.kind).toBe('Table');
    }
  });

  it('are compressed when large and the client can take it', async () => {
    await api.post(maps, { metadata: { name: 'big' }, data: { k: 'x'.repeat(200_000) } });
    const answer = await api.get(`${maps}/big`, { headers: { 'accept-encoding': 'gzip' } });
    expect(answer.headers['content-encoding']).toBe('gzip');
    expect(JSON.parse(gunzipSync(answer.body).toString()).data.k).toHaveLength(200_000);
    expect((await api.get(`${maps}/big`)).headers['content-encoding']).toBeUndefined();
    expect((await api.get(`${maps}/a`, { headers: { 'accept-encoding': 'gzip' } })).headers['content-encoding']).toBeUndefined();
  });

  it('are streamed when there are many, in every form', async () => {
    const many = '/api/v1/namespaces/many/configmaps';
    await Promise.all(Array.from({ length: 1_200 }, (_, i) => api.post(many, { metadata: { name: `m${i}` } })));
    expect((await api.get(many)).json.items).toHaveLength(1_200);
    expect((await api.request2('GET', many)).json.items).toHaveLength(1_200);
    const table = await api.get(many, { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } });
    expect(table.json.rows).toHaveLength(1_200);
    const binary = await api.get(many, { headers: { accept: protobuf } });
    expect(decoded(builtinSchema('io.k8s.api.core.v1.ConfigMapList'), binary.body).items).toHaveLength(1_200);
    const yaml = parseYaml((await api.get(many, { headers: { accept: 'application/yaml' } })).body.toString()).value;
    expect(yaml).toEqual((await api.get(many)).json);
    expect((await api.get(`${many}?pretty=true`)).json).toEqual((await api.get(many)).json);
    const zipped = await api.get(many, { headers: { 'accept-encoding': 'gzip' } });
    expect(JSON.parse(gunzipSync(zipped.body).toString()).items).toHaveLength(1_200);
  });

  it('are indented for eyes', async () => {
    expect((await api.get(`${maps}/a?pretty=true`)).body.toString()).toContain('\n  "kind": "ConfigMap"');
    expect((await api.get(`${maps}/a`, { headers: { 'user-agent': 'curl/8' } })).body.toString()).toContain('\n  ');
  });

  it('are the same lists in every form', async () => {
    for (const path of ['/api/v1/namespaces/none/configmaps', `${maps}?limit=1`]) {
      const list = (await api.get(path)).json;
      expect(JSON.parse((await api.get(`${path}${path.includes('?') ? '&' : '?'}pretty=1`)).body.toString())).toEqual(list);
      const pretty = (await api.get(path, { headers: { 'user-agent': 'curl/8' } })).body.toString();
      // The same indentation, whatever comes first.
      expect(pretty).toBe(`${JSON.stringify(JSON.parse(pretty), null, 2)}\n`);
      const yaml = (await api.get(path, { headers: { accept: 'application/yaml' } })).body.toString();
      expect(yaml).toBe(toYaml(list));
    }
  });

  it('have an audit id, and no body for HEAD, which resources do not know', async () => {
    expect((await api.get(`${maps}/a`)).headers['audit-id']).toMatch(/^[0-9a-f-]{36}$/);
    expect((await api.get(`${maps}/a`, { headers: { 'audit-id': 'mine' } })).headers['audit-id']).toBe('mine');
    const head = await api.request('HEAD', '/version');
    expect([head.code, head.body.length]).toEqual([200, 0]);
    expect(Number(head.headers['content-length'])).toBeGreaterThan(0);
    for (const method of ['HEAD', 'OPTIONS', 'PROPFIND']) expect((await api.request(method, `${maps}/a`)).code).toBe(405);
    expect((await api.request('HEAD', '/api/v1/nothings')).code).toBe(404);
  });

  it('find objects only where these are', async () => {
    await api.post('/api/v1/namespaces', { metadata: { name: 'found' } });
    expect((await api.get('/api/v1/namespaces/found')).code).toBe(200);
    expect((await api.get('/api/v1/configmaps')).code).toBe(200);
    const codes = [];
    for (const [method, path] of [
      ['GET', '/api/v1/namespaces/x/nodes'],
      ['GET', '/api/v1/namespaces/x/nodes?watch=true'],
      ['DELETE', '/apis/rbac.authorization.k8s.io/v1/namespaces/x/clusterroles/view'],
      ['GET', '/api/v1/configmaps/a'],
      ['PUT', '/api/v1/pods/a/status'],
      ['POST', '/api/v1/configmaps'],
      ['DELETE', '/api/v1/configmaps'],
    ] as const) {
      codes.push((await api.request(method, path, { body: method === 'GET' ? undefined : {} })).code);
    }
    expect(codes).toEqual([404, 404, 404, 404, 404, 405, 405]);
  });

  it('are a page where nobody is, a Status in a group version that there is', async () => {
    for (const path of ['/nothing', '/apis/apps/v1beta1/deployments', '/api/v2/pods', '/apis/nothing.io/v1/things']) {
      const { code, body, headers } = await api.get(path);
      expect([path, code, body.toString(), headers['content-type']]).toEqual([
        path,
        404,
        '404 page not found\n',
        'text/plain; charset=utf-8',
      ]);
    }
    expect((await api.get('/apis/apps/v1/things')).json).toMatchObject({ kind: 'Status', reason: 'NotFound', code: 404 });
  });
});

describe('watches', () => {
  /** The frames of a protobuf watch: as many as asked for. */
  async function frames(path: string, accept: string, count: number): Promise<{ type: string; object: Uint8Array }[]> {
    const answer = await api.open('GET', path, { headers: { accept } });
    expect(answer.headers['content-type']).toBe(`${protobuf};stream=watch`);
    const found: { type: string; object: Uint8Array }[] = [];
    let rest = Buffer.alloc(0);
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE(0)) {
        const length = rest.readUInt32BE(0);
        const [type, object] = fieldsOf(rest.subarray(4, 4 + length));
        // metav1.WatchEvent: the type, and a RawExtension around the object.
        found.push({ type: Buffer.from(type!).toString(), object: fieldsOf(object!)[0]! });
        rest = rest.subarray(4 + length);
      }
      if (found.length >= count) break;
    }
    return found;
  }

  it('are protobuf, each event after its length', async () => {
    const query = `watch=true&fieldSelector=metadata.name%3Da&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`;
    const events = await frames(`${maps}?${query}`, `${protobuf};stream=watch`, 2);
    expect(events.map((e) => e.type)).toEqual(['ADDED', 'BOOKMARK']);
    expect(decoded(configMap, events[0]!.object)).toMatchObject({ kind: 'ConfigMap', metadata: { name: 'a' } });
    expect(decoded(configMap, events[1]!.object).metadata.annotations).toEqual({ 'k8s.io/initial-events-end': 'true' });
  });

  it('are metadata alone, bookmarks too', async () => {
    const query = `watch=true&fieldSelector=metadata.name%3Da&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`;
    const accept = `${protobuf};as=PartialObjectMetadata;g=meta.k8s.io;v=v1`;
    const events = await frames(`${maps}?${query}`, accept, 2);
    for (const { object } of events) expect(openProtobuf(object).kind).toBe('PartialObjectMetadata');
    const json = await api.watch(`${maps}?${query}`, {
      headers: { accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1' },
    });
    expect((await json.take(2)).map((e) => (e as { object: { kind: string } }).object.kind)).toEqual([
      'PartialObjectMetadata',
      'PartialObjectMetadata',
    ]);
    json.stop();
  });

  it('are tables, with the columns once', async () => {
    const watch = await api.watch(`${maps}?watch=true&labelSelector=l%3D1`, {
      headers: { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' },
    });
    const first = await watch.next();
    expect(first.object).toMatchObject({
      kind: 'Table',
      columnDefinitions: expect.any(Array),
      rows: [{ cells: ['a', 1, expect.any(String)] }],
    });
    await api.patch(`${maps}/a`, 'application/merge-patch+json', { data: { second: '2' } });
    const second = await watch.next();
    expect([second.type, second.object.columnDefinitions, second.object.rows[0].cells[1]]).toEqual(['MODIFIED', null, 2]);
    watch.stop();
  });

  it('have no YAML', async () => {
    expect((await api.get(`${maps}?watch=true`, { headers: { accept: 'application/yaml' } })).code).toBe(406);
  });
});

/** The fields of a message that has nothing but bytes, in their order. */
function fieldsOf(message: Uint8Array): Uint8Array[] {
  const reader = new ProtobufReader(message);
  const out: Uint8Array[] = [];
  while (!reader.done) {
    reader.unsigned();
    out.push(reader.bytes());
  }
  return out;
}
