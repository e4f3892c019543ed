import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KubernetesObject, WatchEvent } from '../../api/meta/object.ts';
import { createAuthority, issueCertificate } from '../../cluster/pki.ts';
import { systemClock } from '../../util/clock.ts';
import { createTestApi, refusal, type TestApi } from '../admission/test-support.ts';
import { loopbackUser } from '../contract.ts';
import { definition, version } from './test-support.ts';

type Custom = KubernetesObject & { readonly spec?: Record<string, unknown> };
interface Review {
  readonly apiVersion: string;
  readonly request: { readonly uid: string; readonly desiredAPIVersion: string; readonly objects: readonly Custom[] };
}

/** What the webhook answers beside kind and version; v1 has `size` where v2 has `width`. */
type Reply = (review: Review) => object;

const translate: Reply = ({ request: { uid, desiredAPIVersion, objects } }) => ({
  uid,
  result: { status: 'Success' },
  convertedObjects: objects.map((object) => {
    const { size, width, ...rest } = object.spec ?? {};
    const measure = size ?? width;
    const spec = {
      ...rest,
      ...(measure === undefined ? {} : { [desiredAPIVersion.endsWith('v1') ? 'size' : 'width']: measure }),
    };
    return { ...object, apiVersion: desiredAPIVersion, spec, metadata: { ...object.metadata, labels: { by: 'webhook' } } };
  }),
});

let server: Server;
let caBundle: string;
let reply: Reply;
let received: Review[];
let api: TestApi;

beforeAll(async () => {
  const authority = await createAuthority('conversions', systemClock);
  const { cert, key } = await issueCertificate(
    authority,
    { commonName: 'conversion', names: ['127.0.0.1'], usage: 'server' },
    systemClock,
  );
  caBundle = Buffer.from(authority.cert).toString('base64');
  server = createServer({ cert, key }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const review = JSON.parse(Buffer.concat(chunks).toString()) as Review;
      received.push(review);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ kind: 'ConversionReview', apiVersion: review.apiVersion, response: reply(review) }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(
  () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
);

beforeEach(async () => {
  reply = translate;
  received = [];
  api = await createTestApi();
  const width = { ...version('v2', { width: { type: 'integer' } }), storage: true, subresources: { status: {} } };
  const made = definition(
    {},
    { ...version('v1'), storage: false },
    { ...width, selectableFields: [{ jsonPath: '.spec.width' }] },
  );
  const { port } = server.address() as AddressInfo;
  const clientConfig = { url: `https://127.0.0.1:${port}/convert`, caBundle };
  const conversion = { strategy: 'Webhook', webhook: { conversionReviewVersions: ['v1'], clientConfig } };
  await api.create('customresourcedefinitions', { ...made, spec: { ...made.spec, conversion } });
  while (api.server.registry.find('example.com', 'v1', 'widgets') === undefined) await new Promise((r) => setImmediate(r));
});
afterEach(() => api.close());

const request = (v: string, verb: 'get' | 'list' | 'create' | 'update' | 'delete', more: object = {}) =>
  api.server.handle(
    { verb, group: 'example.com', version: v, resource: 'widgets', namespace: 'x', name: '', options: {}, ...more },
    loopbackUser,
  );
const widget = (v: string, name: string, spec: object): object => ({
  apiVersion: `example.com/${v}`,
  kind: 'Widget',
  metadata: { name, namespace: 'x' },
  spec,
});

describe('a conversion webhook', () => {
  it('converts on the way in and out', async () => {
    const made = (await request('v1', 'create', { body: widget('v1', 'a', { size: 3 }) })).object as Custom;
    expect(made).toMatchObject({ apiVersion: 'example.com/v1', spec: { size: 3 }, metadata: { labels: { by: 'webhook' } } });
    const stored = (await request('v2', 'get', { name: 'a' })).object as Custom;
    expect(stored).toMatchObject({ apiVersion: 'example.com/v2', spec: { width: 3 } });
    expect(stored.metadata?.uid).toBe(made.metadata?.uid);
    expect(received[0]).toMatchObject({
      apiVersion: 'apiextensions.k8s.io/v1',
      request: { desiredAPIVersion: 'example.com/v2', objects: [{ apiVersion: 'example.com/v1', spec: { size: 3 } }] },
    });
    const updated = (await request('v1', 'update', { name: 'a', body: { ...made, spec: { size: 4 } } })).object as Custom;
    expect(updated).toMatchObject({ spec: { size: 4 }, metadata: { generation: 2 } });
  });

  it('is asked once for a list', async () => {
    for (const name of ['a', 'b', 'c']) await request('v2', 'create', { body: widget('v2', name, { width: 1 }) });
    received = [];
    const list = (await request('v1', 'list')).object as unknown as { items: readonly Custom[] };
    expect(list.items.map((i) => i.spec?.['size'])).toEqual([1, 1, 1]);
    expect(received.map((r) => r.request.objects.length)).toEqual([3]);
    await request('v1', 'list');
    expect(received).toHaveLength(1);
  });

  it('keeps the events of a watch in their order', async () => {
    await request('v2', 'create', { body: widget('v2', 'a', { width: 1 }) });
    const events: WatchEvent<Custom>[] = [];
    const end = new AbortController();
    const watching = (async () => {
      const watch = {
        verb: 'watch',
        group: 'example.com',
        version: 'v1',
        resource: 'widgets',
        namespace: 'x',
        name: '',
      } as const;
      const options = { resourceVersion: '0' };
      for await (const event of api.server.watch({ ...watch, options, signal: end.signal }, loopbackUser)) {
        events.push(event as WatchEvent<Custom>);
        if (events.length === 4) return;
      }
    })();
    while (events.length === 0) await new Promise((r) => setImmediate(r));
    const b = (await request('v2', 'create', { body: widget('v2', 'b', { width: 2 }) })).object as Custom;
    await request('v2', 'update', { name: 'b', body: { ...b, spec: { width: 3 } } });
    await request('v2', 'delete', { name: 'b' });
    await watching;
    end.abort();
    expect(events.map((e) => [e.type, e.object.metadata?.name, e.object.spec?.['size']])).toEqual([
      ['ADDED', 'a', 1],
      ['ADDED', 'b', 2],
      ['MODIFIED', 'b', 3],
      ['DELETED', 'b', 3],
    ]);
  });

  it.each<[string, Reply, string]>([
    ['refuses', ({ request: r }) => ({ uid: r.uid, result: { status: 'Failure', message: 'no way' } }), 'failed: no way'],
    ['answers somebody else', () => ({ uid: 'other', result: { status: 'Success' } }), 'failed: expected response.uid='],
    [
      'loses objects',
      ({ request: r }) => ({ uid: r.uid, result: { status: 'Success' }, convertedObjects: [] }),
      'returned 0 objects, expected 1',
    ],
    [
      'answers another version',
      ({ request: r }) => ({ uid: r.uid, result: { status: 'Success' }, convertedObjects: r.objects }),
      'returned invalid converted object at index 0: invalid groupVersion (expected example.com/v1, received example.com/v2)',
    ],
    [
      'renames',
      (review) => {
        const good = translate(review) as { convertedObjects: Custom[] };
        return {
          ...good,
          convertedObjects: good.convertedObjects.map((o) => ({ ...o, metadata: { ...o.metadata, name: 'z' } })),
        };
      },
      'returned invalid converted object at index 0: must have the same name: a != z',
    ],
  ])('that %s is an error', async (_what, answer, message) => {
    await request('v2', 'create', { body: widget('v2', 'a', { width: 1 }) });
    reply = answer;
    const refused = await refusal(request('v1', 'get', { name: 'a' }));
    expect(refused.code).toBe(500);
    expect(refused.message).toContain(`conversion webhook for example.com/v2, Kind=Widget ${message}`);
  });
});
