import { expect, test } from 'vitest';
import { events, nodes } from '../../client/resource-refs.ts';
import { createServerFixture } from '../test-support/server.ts';
import { CidrSet } from './cidr-set.ts';
import { nodeIpamController } from './controller.ts';

test('parts are given out in turn, none twice, and come back when released', () => {
  const set = new CidrSet('10.244.0.0/22', 24);
  expect([set.allocate(), set.allocate()]).toEqual(['10.244.0.0/24', '10.244.1.0/24']);
  expect(set.occupy('10.244.2.0/24')).toBe(true);
  expect(set.allocate()).toBe('10.244.3.0/24');
  expect(set.allocate()).toBeUndefined();
  set.release('10.244.1.0/24');
  expect(set.allocate()).toBe('10.244.1.0/24');
});

test('what covers several parts takes them all; what lies elsewhere none', () => {
  const set = new CidrSet('10.0.0.0/16', 24);
  expect(set.occupy('10.0.0.0/17')).toBe(true);
  expect(set.occupy('192.168.0.0/16')).toBe(false);
  expect(set.occupy('fd00::/64')).toBe(false);
  expect(set.allocate()).toBe('10.0.128.0/24');
});

test('IPv6, and ranges that cannot be cut', () => {
  const set = new CidrSet('fd00:1::/56', 64);
  expect([set.isIPv6, set.allocate(), set.allocate()]).toEqual([true, 'fd00:1::/64', 'fd00:1:0:1::/64']);
  expect(() => new CidrSet('10.0.0.0/25', 24)).toThrow('does not fit');
  expect(() => new CidrSet('10.0.0.0/8', 28)).toThrow('does not fit');
});

test('every node gets a part of each family; what nodes have is kept, also by a new controller', async () => {
  const f = await createServerFixture();
  const options = { clusterCidrs: ['10.244.0.0/16', 'fd00::/56'], serviceCidrs: ['10.244.0.0/24'] };
  await f.create(nodes, {
    metadata: { name: 'old' },
    spec: { podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24', 'fd00::/64'] },
  });
  f.start(nodeIpamController(options));
  await f.create(nodes, { metadata: { name: 'new' } });
  await f.advance();
  expect(f.find(nodes, 'new')?.spec).toMatchObject({ podCIDR: '10.244.2.0/24', podCIDRs: ['10.244.2.0/24', 'fd00:0:0:1::/64'] });
  await f.stop();
});

test('when all parts are gone it is told, and a node waits for another to leave', async () => {
  const f = await createServerFixture();
  f.start(nodeIpamController({ clusterCidrs: ['10.244.0.0/24'] }));
  await f.create(nodes, { metadata: { name: 'a' } });
  await f.advance();
  await f.create(nodes, { metadata: { name: 'b' } });
  await f.advance();
  expect(f.find(nodes, 'a')?.spec?.podCIDR).toBe('10.244.0.0/24');
  expect(f.find(nodes, 'b')?.spec?.podCIDR).toBeUndefined();
  expect(f.all(events).map((e) => [e.reason, e.message])).toEqual([
    ['CIDRNotAvailable', 'Node b status is now: CIDRNotAvailable'],
  ]);
  await f.client.resource(nodes).delete('a', '');
  await f.advance(1_000);
  expect(f.find(nodes, 'b')?.spec?.podCIDR).toBe('10.244.0.0/24');
  await f.stop();
});
