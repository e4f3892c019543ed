import { expect, test } from 'vitest';
import type { IPAddress, ServiceCIDR } from '../api/types/networking-v1.ts';
import { fieldManager } from '../apiserver/field-manager/index.ts';
import { ipAddresses, serviceCidrs } from '../client/resource-refs.ts';
import { deepFreeze } from '../util/deep-freeze.ts';
import { mayDelete, serviceCidrController } from './service-cidr.ts';
import { createServerFixture } from './test-support/server.ts';

const cidr = (name: string, ...cidrs: readonly string[]): ServiceCIDR => ({ metadata: { name }, spec: { cidrs } });
const address = (name: string): IPAddress => ({
  metadata: { name, labels: { 'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io' } },
  spec: { parentRef: { resource: 'services', name: 's', namespace: 'x' } },
});

test.each<[string, ServiceCIDR[], IPAddress[], boolean]>([
  ['nothing is taken', [cidr('a', '10.0.0.0/24')], [], true],
  ['an address is taken', [cidr('a', '10.0.0.0/24')], [address('10.0.0.7')], false],
  ['an address of another range', [cidr('a', '10.0.0.0/24')], [address('10.0.1.7')], true],
  ['an address that another covers', [cidr('a', '10.0.0.0/24'), cidr('b', '10.0.0.0/28')], [address('10.0.0.7')], true],
  ['a larger range covers it all', [cidr('a', '10.0.0.0/24'), cidr('b', '10.0.0.0/16')], [address('10.0.0.7')], true],
  ['both families, one covered', [cidr('a', '10.0.0.0/24', 'fd00::/112'), cidr('b', '10.0.0.0/16')], [address('fd00::5')], false],
])('a range may go or not: %s', (_, all, addresses, expected) => {
  expect(mayDelete(deepFreeze(all[0]!), deepFreeze(all), deepFreeze(addresses))).toBe(expected);
});

test('a range becomes ready, and goes when its addresses are free and who gives them out has heard', async () => {
  const f = await createServerFixture({ fieldManager: fieldManager() });
  f.start(serviceCidrController());
  await f.create(serviceCidrs, cidr('a', '10.0.0.0/24'));
  await f.create(ipAddresses, address('10.0.0.7'));
  await f.advance();
  const ready = (): unknown => f.find(serviceCidrs, 'a')?.status?.conditions?.map(({ status, reason }) => [status, reason]);
  expect([ready(), f.find(serviceCidrs, 'a')?.metadata?.finalizers]).toEqual([
    [['True', '']],
    ['networking.k8s.io/service-cidr-finalizer'],
  ]);
  await f.client.resource(serviceCidrs).delete('a', '');
  await f.advance();
  expect(ready()).toEqual([['False', 'Terminating']]);
  await f.client.resource(ipAddresses).delete('10.0.0.7', '');
  await f.advance(1_000);
  expect(f.find(serviceCidrs, 'a')).toBeDefined();
  await f.advance(10_000);
  expect(f.find(serviceCidrs, 'a')).toBeUndefined();
  await f.stop();
});
