import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestServer } from '../test-server.ts';
import { addComponentStatuses } from './component-status.ts';

let api: TestServer;
let ill = false;
beforeAll(async () => {
  api = await TestServer.start();
  addComponentStatuses(api.server, [
    { name: 'etcd-0', check: () => {} },
    {
      name: 'scheduler',
      check: async () => {
        if (ill) throw new Error('waits for its first lists');
      },
    },
  ]);
});
afterAll(() => api.close());

it('tells how components are at the moment', async () => {
  const path = '/api/v1/componentstatuses';
  const list = await api.get(path);
  expect(list.headers['warning']).toBe('299 - "v1 ComponentStatus is deprecated in v1.19+"');
  expect(list.json).toMatchObject({
    kind: 'ComponentStatusList',
    items: [
      { metadata: { name: 'etcd-0' }, conditions: [{ type: 'Healthy', status: 'True', message: 'ok' }] },
      { metadata: { name: 'scheduler' }, conditions: [{ type: 'Healthy', status: 'True', message: 'ok' }] },
    ],
  });
  ill = true;
  expect((await api.get(`${path}/scheduler`)).json.conditions).toEqual([
    { type: 'Healthy', status: 'False', message: 'waits for its first lists' },
  ]);
  const table = { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } };
  const { rows } = (await api.get(path, table)).json;
  expect(rows.map((row: { cells: unknown[] }) => row.cells)).toEqual([
    ['etcd-0', 'Healthy', 'ok', ''],
    ['scheduler', 'Unhealthy', 'waits for its first lists', ''],
  ]);
  expect((await api.get(`${path}/nothing`)).code).toBe(404);
  expect((await api.get('/api/v1/componentstatuses?watch=1')).code).toBe(405);
});
