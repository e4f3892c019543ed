import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Resource } from '../../api/resource.ts';
import { fieldManager } from '../field-manager/index.ts';
import { ObjectCodec } from '../rest/codec.ts';
import { type Answer, TestServer } from '../test-server.ts';
import { definition, version } from './test-support.ts';

const LARGEST = '9223372036854775807';
const SMALLEST = '-9223372036854775808';
const widgets = '/apis/example.com/v1/namespaces/default/widgets';

let api: TestServer;
beforeEach(async () => {
  api = await TestServer.start({ fieldManager: fieldManager() });
  const properties = {
    num: { type: 'integer', format: 'int64' },
    least: { type: 'integer', minimum: 2 ** 60, multipleOf: 7 },
    keyed: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['id'],
      items: { type: 'object', required: ['id'], properties: { id: { type: 'integer' }, text: { type: 'string' } } },
    },
  } as const;
  const rules = [{ rule: '!has(self.num) || self.num != 9223372036854775806', message: 'that one not' }];
  await api.post(
    '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    definition({}, version('v1', properties, { 'x-kubernetes-validations': rules })),
  );
  while ((await api.get(widgets)).code === 404) await new Promise((resolve) => setImmediate(resolve));
});
afterEach(() => api.close());

const widget = (spec: string, name = 'a'): string =>
  `{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"${name}"},"spec":${spec}}`;
const post = (spec: string, name?: string): Promise<Answer> =>
  api.post(widgets, widget(spec, name), { headers: { 'content-type': 'application/json' } });
const text = (answer: Answer): string => answer.body.toString();

it('keeps the digits of an int64 through writes, patches, reads and watches', async () => {
  const made = await post(`{"num":${LARGEST},"open":{"deep":[${SMALLEST},9007199254740993,18446744073709551615,1]}}`);
  expect(text(made)).toContain(`"num":${LARGEST}`);
  expect(made.code).toBe(201);
  expect(text(made)).toContain(`[${SMALLEST},9007199254740993,18446744073709552000,1]`);
  const watch = await api.watch(`${widgets}?watch=true&resourceVersion=0`);
  const { resourceVersion } = made.json.metadata;

  const patch = (type: string, body: string): Promise<Answer> => api.patch(`${widgets}/a`, `application/${type}`, body);
  const same = await patch('merge-patch+json', `{"spec":{"num":${LARGEST}}}`);
  expect(same.json.metadata.resourceVersion).toBe(resourceVersion);
  const merged = await patch('merge-patch+json', '{"spec":{"size":3}}');
  expect(text(merged)).toContain(`"num":${LARGEST}`);
  expect(merged.json.spec.size).toBe(3);
  const replaced = await patch(
    'json-patch+json',
    `[{"op":"test","path":"/spec/num","value":${LARGEST}},{"op":"replace","path":"/spec/num","value":${SMALLEST}}]`,
  );
  expect(text(replaced)).toContain(`"num":${SMALLEST}`);
  const path = `${widgets}/a?fieldManager=m&force=true`;
  const applied = await api.patch(
    path,
    'application/apply-patch+yaml',
    widget(`{"num":9007199254740995,"keyed":[{"id":${LARGEST},"text":"x"}]}`),
  );
  expect(text(applied)).toContain('"num":9007199254740995');
  const again = await api.patch(
    path,
    'application/apply-patch+yaml',
    widget(`{"num":9007199254740995,"keyed":[{"id":${LARGEST},"text":"y"}]}`),
  );
  expect(text(again)).toContain(`"keyed":[{"id":${LARGEST},"text":"y"}]`);
  expect(JSON.stringify(again.json.metadata.managedFields)).toContain(`k:{\\"id\\":${LARGEST}}`);

  expect(text(await api.get(`${widgets}/a`))).toBe(text(again));
  expect(text(await api.get(widgets))).toContain(`"id":${LARGEST}`);
  watch.stop();
});

it('validates them by their schema and its rules', async () => {
  expect((await post('{"num":9223372036854775806}')).json.message).toContain('that one not');
  expect((await post(`{"size":${LARGEST}}`)).json.message).toContain(
    `spec.size: Invalid value: ${LARGEST}: spec.size in body should be less than or equal to 10`,
  );
  expect((await post(`{"least":${LARGEST}}`)).code).toBe(201);
  expect((await post('{"least":9223372036854775806}', 'b')).json.message).toContain('should be a multiple of 7');
  expect((await post(`{"least":${SMALLEST}}`, 'b')).json.message).toContain('greater than or equal to');
  expect((await post(`{"color":${LARGEST}}`, 'b')).json.message).toContain('must be of type string: "integer"');
});

it('reads them back from the bytes in the store', () => {
  const codec = new ObjectCodec(
    { group: 'example.com', version: 'v1', kind: 'Widget' } satisfies Partial<Resource>,
    (o) => o,
    true,
  );
  const object = {
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    metadata: { name: 'a' },
    spec: { num: BigInt(LARGEST), small: 5 },
  };
  const read = codec.decode(codec.encode(object), 7);
  expect(read).toMatchObject({ spec: object.spec });
  expect(codec.wire(read).toString()).toContain(`"num":${LARGEST},"small":5`);
});
