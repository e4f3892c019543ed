import { expect, test } from 'vitest';
import { patchTypes } from '../api/request.ts';
import type { Pod } from '../api/types/core-v1.ts';
import { configMaps, customResourceDefinitions, pods, resourceQuotas } from '../client/resource-refs.ts';
import { resourceQuotaController } from './resource-quota.ts';
import { createServerFixture, type ServerFixture } from './test-support/server.ts';

const pod = (name: string, cpu: string): Pod => ({
  metadata: { name, namespace: 'x' },
  spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu } } }] },
});

const used = (f: ServerFixture): unknown => f.find(resourceQuotas, 'x/q')?.status?.used;

test('a new quota is counted, a freed one counted anew, a changed one too', async () => {
  const f = await createServerFixture();
  f.start(resourceQuotaController());
  await f.create(pods, pod('a', '500m'));
  await f.create(pods, pod('b', '1'));
  await f.create(configMaps, { metadata: { name: 'c', namespace: 'x' } });
  const hard = { pods: '10', 'requests.cpu': '4', 'count/configmaps': '5' };
  await f.create(resourceQuotas, { metadata: { name: 'q', namespace: 'x' }, spec: { hard } });
  await f.advance();
  expect(f.find(resourceQuotas, 'x/q')?.status).toEqual({
    hard,
    used: { pods: '2', 'requests.cpu': '1500m', 'count/configmaps': '1' },
  });
  await f.client.resource(pods).delete('a', 'x', { gracePeriodSeconds: 0 });
  await f.advance();
  expect(used(f)).toMatchObject({ pods: '1', 'requests.cpu': '1' });
  await f.change(pods, 'x/b', (p) => ({ ...p, status: { ...p.status, phase: 'Succeeded' as const } }), 'status');
  await f.client.resource(configMaps).delete('c', 'x');
  await f.advance();
  expect(used(f)).toEqual({ pods: '0', 'requests.cpu': '0', 'count/configmaps': '0' });
  await f.client.resource(resourceQuotas).patch('q', 'x', patchTypes.merge, { spec: { hard: { pods: '20' } } });
  await f.advance();
  expect(f.find(resourceQuotas, 'x/q')?.status?.hard).toMatchObject({ pods: '20' });
  const before = f.writes.length;
  await f.advance(3_600_000);
  expect(f.writes.length).toBe(before);
  await f.stop();
});

test('objects of custom types are counted, also those of a type that comes later', async () => {
  const f = await createServerFixture();
  f.start(resourceQuotaController());
  const hard = { 'count/widgets.example.com': '5' };
  await f.create(resourceQuotas, { metadata: { name: 'q', namespace: 'x' }, spec: { hard } });
  await f.advance();
  expect(used(f)).toEqual({ 'count/widgets.example.com': '0' });
  const schema = { openAPIV3Schema: { type: 'object' } };
  await f.create(customResourceDefinitions, {
    metadata: { name: 'widgets.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  });
  const widgets = { group: 'example.com', version: 'v1', kind: 'Widget', plural: 'widgets', namespaced: true };
  await f.advance(5_000);
  for (const name of ['a', 'b']) await f.create(widgets, { metadata: { name, namespace: 'x' } });
  // The fixture has no admission to charge for them.
  await f.advance(301_000);
  expect(used(f)).toEqual({ 'count/widgets.example.com': '2' });
  await f.client.resource(widgets).delete('a', 'x');
  await f.advance(1_000);
  expect(used(f)).toEqual({ 'count/widgets.example.com': '1' });
  await f.client.resource(customResourceDefinitions).delete('widgets.example.com', '');
  await f.advance(5_000);
  expect(used(f)).toEqual({ 'count/widgets.example.com': '0' });
  await f.stop();
});

test('what was missed is found at the next count', async () => {
  const f = await createServerFixture();
  f.start(resourceQuotaController());
  await f.create(resourceQuotas, { metadata: { name: 'q', namespace: 'x' }, spec: { hard: { pods: '10' } } });
  await f.advance();
  await f.create(pods, pod('a', '1'));
  await f.advance(301_000);
  expect(used(f)).toEqual({ pods: '1' });
  await f.stop();
});
