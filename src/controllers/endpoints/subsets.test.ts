import { expect, test } from 'vitest';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { countAddresses, packSubsets, type ReadyAddress, truncateSubsets } from './subsets.ts';

const entry = (ip: string, ready: boolean, ...ports: number[]): ReadyAddress => ({
  address: { ip },
  ready,
  ports: ports.map((port) => ({ port, protocol: 'TCP' })),
});

test('ports that the same addresses serve share a subset', () => {
  const packed = packSubsets(deepFreeze([entry('10.0.0.2', true, 80, 443), entry('10.0.0.1', true, 80, 443)]));
  expect(packed).toEqual([
    {
      addresses: [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }],
      ports: [
        { port: 443, protocol: 'TCP' },
        { port: 80, protocol: 'TCP' },
      ],
    },
  ]);
});

test('not ready beats ready for a port, and subsets part where ports do', () => {
  const packed = packSubsets(
    deepFreeze([entry('10.0.0.1', true, 80), entry('10.0.0.1', false, 80), entry('10.0.0.2', true, 81)]),
  );
  expect(packed).toEqual([
    { notReadyAddresses: [{ ip: '10.0.0.1' }], ports: [{ port: 80, protocol: 'TCP' }] },
    { addresses: [{ ip: '10.0.0.2' }], ports: [{ port: 81, protocol: 'TCP' }] },
  ]);
});

test('addresses without ports are kept', () => {
  expect(packSubsets([entry('10.0.0.1', true)])).toEqual([{ addresses: [{ ip: '10.0.0.1' }] }]);
});

const block = (n: number, ready: boolean, port: number, net: number): ReadyAddress[] =>
  Array.from({ length: n }, (_, i) => entry(`10.${net}.${i >> 8}.${i & 255}`, ready, port));

test.each([
  ['within the limit', [...block(600, true, 80, 1), ...block(400, false, 80, 2)], [600, 400]],
  ['not ready ones go first', [...block(900, true, 80, 1), ...block(400, false, 80, 2)], [900, 100]],
  ['then ready ones, in proportion', [...block(1500, true, 80, 1), ...block(500, true, 81, 2)], [750, 0, 250, 0]],
])('truncation: %s', (_, list, sizes) => {
  const truncated = truncateSubsets(deepFreeze(packSubsets(list)));
  expect(countAddresses(truncated)).toBe(1000);
  expect(truncated.flatMap(({ addresses = [], notReadyAddresses = [] }) => [addresses.length, notReadyAddresses.length])).toEqual(
    sizes,
  );
});
