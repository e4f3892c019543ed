import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, TestServer } from '../test-server.ts';
import { fieldManager } from './index.ts';

const maps = '/api/v1/namespaces/x/configmaps';
let api: TestServer;
beforeAll(async () => {
  api = await TestServer.start({ fieldManager: fieldManager() });
});
afterAll(() => api.close());

const yaml = (value: string, name = 'm'): Buffer =>
  Buffer.from(`apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n  a: "${value}"\n`);
const apply = (query: string, body: unknown, name = 'm'): Promise<Answer> =>
  api.patch(`${maps}/${name}?${query}`, 'application/apply-patch+yaml', body);
const managers = (answer: Answer): readonly string[] =>
  answer.json.metadata.managedFields.map((e: { manager: string; operation: string }) => `${e.manager} ${e.operation}`);

describe('over HTTP', () => {
  it('the manager is the program that asks, unless it names one', async () => {
    const ask = (agent: string) => ({ headers: { 'user-agent': agent } });
    const plain = await api.post(maps, { metadata: { name: 'a' }, data: { k: 'v' } }, ask('kubectl/v1.36.0 (linux/amd64)'));
    expect(managers(plain)).toEqual(['kubectl Update']);
    const named = await api.post(
      `${maps}?fieldManager=me`,
      { metadata: { name: 'b' }, data: { k: 'v' } },
      ask('kubectl/v1.36.0'),
    );
    expect(managers(named)).toEqual(['me Update']);
    const long = await api.post(maps, { metadata: { name: 'c' }, data: { k: 'v' } }, ask('x'.repeat(200)));
    expect(managers(long)).toEqual([`${'x'.repeat(128)} Update`]);
  });

  it('apply takes YAML, creates, and answers a conflict', async () => {
    expect(await apply('fieldManager=one', yaml('1'))).toMatchObject({ code: 201, json: { data: { a: '1' } } });
    expect(await apply('fieldManager=one', yaml('1'))).toMatchObject({ code: 200 });
    expect(await apply('fieldManager=two', yaml('2'))).toMatchObject({
      code: 409,
      json: { reason: 'Conflict', message: 'Apply failed with 1 conflict: conflict with "one": .data.a' },
    });
    const forced = await apply('fieldManager=two&force=true', yaml('2'));
    expect(forced.code).toBe(200);
    expect(managers(forced)).toEqual(['two Apply']);
  });

  it('writes fieldsV1 as upstream does, byte for byte', async () => {
    await apply('fieldManager=one', yaml('1', 'bytes'), 'bytes');
    const { body } = await api.get(`${maps}/bytes`);
    expect(body.toString()).toContain('"fieldsType":"FieldsV1","fieldsV1":{"f:data":{"f:a":{}}}');
  });

  it('apply needs a manager', async () => {
    const message = 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch';
    expect((await apply('', yaml('1'))).json).toMatchObject({ code: 422, message });
    expect((await apply('fieldManager=', yaml('1'))).json).toMatchObject({ code: 422, message });
  });

  it('apply needs an object', async () => {
    expect((await apply('fieldManager=x', Buffer.from('- 1\n'))).json).toMatchObject({
      code: 400,
      message:
        'error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type map[string]interface {}',
    });
  });
});
