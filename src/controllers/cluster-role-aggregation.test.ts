import { expect, test } from 'vitest';
import { clusterRoles, nodes } from '../client/resource-refs.ts';
import { clusterRoleAggregationController } from './cluster-role-aggregation.ts';
import { nodeTtlController, ttlStep } from './node-ttl.ts';
import { createServerFixture } from './test-support/server.ts';

const rule = (resource: string) => ({ apiGroups: [''], resources: [resource], verbs: ['get'] });
const labels = { 'rbac.example.com/aggregate': 'true' };

test('an aggregated role has the rules of the roles it selects, each once', async () => {
  const f = await createServerFixture();
  f.start(clusterRoleAggregationController());
  await f.create(clusterRoles, {
    metadata: { name: 'all', labels },
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: labels }] },
    rules: [rule('own')],
  });
  await f.create(clusterRoles, { metadata: { name: 'b', labels }, rules: [rule('pods'), rule('nodes')] });
  await f.create(clusterRoles, { metadata: { name: 'a', labels }, rules: [rule('secrets'), rule('pods')] });
  await f.create(clusterRoles, { metadata: { name: 'c' }, rules: [rule('other')] });
  await f.advance();
  const resources = (): unknown => f.find(clusterRoles, 'all')?.rules?.map((r) => r.resources?.[0]);
  expect(resources()).toEqual(['secrets', 'pods', 'nodes']);
  await f.client.resource(clusterRoles).delete('a', '');
  await f.change(clusterRoles, 'c', (role) => ({ ...role, metadata: { ...role.metadata, labels } }));
  await f.advance();
  expect(resources()).toEqual(['pods', 'nodes', 'other']);
  const before = f.writes.length;
  await f.advance(60_000);
  expect(f.writes.length).toBe(before);
  await f.stop();
});

test.each([
  [0, 100, 0],
  [0, 101, 1],
  [1, 95, 1],
  [1, 89, 0],
  [0, 6000, 4],
  [5, 10, 0],
])('from step %d, %d nodes make step %d', (from, count, step) => {
  expect(ttlStep(from, count)).toBe(step);
});

test('nodes are told how long they may keep what they read', async () => {
  const f = await createServerFixture();
  f.start(nodeTtlController());
  for (let i = 0; i < 101; i++) await f.create(nodes, { metadata: { name: `n${i}` } });
  await f.advance();
  const ttls = (): Set<unknown> => new Set(f.all(nodes).map((n) => n.metadata?.annotations?.['node.alpha.kubernetes.io/ttl']));
  expect(ttls()).toEqual(new Set(['15']));
  for (let i = 0; i < 20; i++) await f.client.resource(nodes).delete(`n${i}`, '');
  await f.advance();
  expect(ttls()).toEqual(new Set(['0']));
  await f.stop();
});
