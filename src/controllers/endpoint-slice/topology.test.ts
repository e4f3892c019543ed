import { describe, expect, it, test } from 'vitest';
import type { Node } from '../../api/types/core-v1.ts';
import type { Endpoint, EndpointSlice } from '../../api/types/discovery-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { isOverloaded, wantsTopologyHints, withTopologyHints, zoneRatios } from './topology.ts';

const node = (
  name: string,
  zone: string,
  cpu: string,
  more: Partial<NonNullable<Node['metadata']>> = {},
  ready = 'True',
): Node => ({
  metadata: { name, labels: { 'topology.kubernetes.io/zone': zone, ...more.labels } },
  status: { allocatable: { cpu }, conditions: [{ type: 'Ready', status: ready as 'True' }] },
});
const controlPlane = { labels: { 'node-role.kubernetes.io/control-plane': '' } };
const endpoints = (...zones: readonly string[]): Endpoint[] =>
  zones.map((zone, i) => ({ addresses: [`10.0.0.${i + 1}`], conditions: { ready: true }, ...(zone === '' ? {} : { zone }) }));
const slice = (name: string, list: readonly Endpoint[]): EndpointSlice =>
  deepFreeze({ metadata: { name }, addressType: 'IPv4', endpoints: list });
const zonesOf = (slices: readonly EndpointSlice[]): unknown[] =>
  slices.map((s) => s.endpoints?.map((e) => e.hints?.forZones?.map((z) => z.name).join('+') ?? '').join(' '));

test.each<[string, Node[], unknown]>([
  [
    'two zones',
    [node('a', 'za', '3'), node('b', 'zb', '1')],
    [
      ['za', 0.75],
      ['zb', 0.25],
    ],
  ],
  [
    'the control plane and nodes not ready are left out',
    [node('a', 'za', '1'), node('b', 'zb', '1'), node('m', 'zc', '8', controlPlane), node('d', 'zc', '8', {}, 'False')],
    [
      ['za', 0.5],
      ['zb', 0.5],
    ],
  ],
  ['one zone is none', [node('a', 'za', '3'), node('b', 'za', '1')], undefined],
  ['a node without a zone spoils it', [node('a', 'za', '3'), node('b', '', '1'), node('c', 'zc', '1')], undefined],
  ['a node without CPUs spoils it', [node('a', 'za', '3'), node('b', 'zb', '0')], undefined],
])('ratios: %s', (_, nodes, expected) => {
  const ratios = zoneRatios(deepFreeze(nodes));
  expect(ratios === undefined ? undefined : [...ratios]).toEqual(expected);
});

test.each([
  [{ 'service.kubernetes.io/topology-mode': 'Auto' }, true],
  [{ 'service.kubernetes.io/topology-mode': 'auto' }, true],
  [{ 'service.kubernetes.io/topology-mode': 'Disabled' }, false],
  [{ 'service.kubernetes.io/topology-aware-hints': 'Disabled', 'service.kubernetes.io/topology-mode': 'Auto' }, false],
  [{}, false],
])('the annotation %o', (annotations, expected) => {
  expect(wantsTopologyHints({ metadata: { annotations } })).toBe(expected);
});

describe('hints', () => {
  const half = new Map([
    ['za', 0.5],
    ['zb', 0.5],
  ]);
  const none = { create: [], update: [], unchanged: [] };
  it("are each endpoint's own zone where that is fair", () => {
    const { create, counts } = withTopologyHints({ ...none, create: [slice('s', endpoints('za', 'zb'))] }, half);
    expect([zonesOf(create), [...counts!]]).toEqual([
      ['za zb'],
      [
        ['za', 1],
        ['zb', 1],
      ],
    ]);
  });
  it('move endpoints from zones that have too many', () => {
    const { create, counts } = withTopologyHints(
      { ...none, create: [slice('s', endpoints('za', 'za', 'za', 'za', 'za', 'zb'))] },
      half,
    );
    expect([zonesOf(create), counts!.get('za'), counts!.get('zb')]).toEqual([['zb zb za za za zb'], 3, 3]);
  });
  it('that may stay are not written again', () => {
    const done = withTopologyHints({ ...none, create: [slice('s', endpoints('za', 'za', 'zb'))] }, half).create;
    const again = withTopologyHints({ ...none, unchanged: done }, half);
    expect([again.create, again.update]).toEqual([[], []]);
    const bare = withTopologyHints({ ...none, unchanged: [slice('s', endpoints('za', 'zb'))] }, half);
    expect(zonesOf(bare.update)).toEqual(['za zb']);
  });
  it('leave out endpoints that are not ready', () => {
    const list = [...endpoints('za', 'zb'), { addresses: ['10.0.0.9'], conditions: { ready: false } }];
    expect(zonesOf(withTopologyHints({ ...none, create: [slice('s', list)] }, half).create)).toEqual(['za zb ']);
  });
  it.each<[string, Endpoint[], Parameters<typeof withTopologyHints>[1], string]>([
    [
      'nodes that do not tell',
      endpoints('za', 'zb'),
      undefined,
      'Insufficient Node information: allocatable CPU or zone not specified on one or more nodes',
    ],
    ['too few', endpoints('za'), half, 'Insufficient number of endpoints (1 endpoints, 2 zones)'],
    ['an endpoint without a zone', endpoints('za', ''), half, 'One or more endpoints do not have a zone specified'],
    [
      'shares that cannot be fair',
      endpoints('za', 'zb', 'zc'),
      new Map([
        ['za', 0.45],
        ['zb', 0.45],
        ['zc', 0.1],
      ]),
      'Unable to allocate minimum required endpoints to each zone without exceeding overload threshold (3 endpoints, 3 zones)',
    ],
  ])('are none with %s', (_, list, ratios, problem) => {
    const hinted = list.map((e) => ({ ...e, hints: { forZones: [{ name: 'za' }] } }));
    const result = withTopologyHints({ ...none, unchanged: [slice('s', hinted)] }, ratios);
    expect([zonesOf(result.update), result.counts, result.problem]).toEqual([[list.map(() => '').join(' ')], undefined, problem]);
  });
});

test('a zone is overloaded when it has too few endpoints for its CPUs', () => {
  const ratios = new Map([
    ['za', 0.5],
    ['zb', 0.5],
  ]);
  expect(
    isOverloaded(
      new Map([
        ['za', 3],
        ['zb', 2],
      ]),
      ratios,
    ),
  ).toBe(true);
  expect(
    isOverloaded(
      new Map([
        ['za', 5],
        ['zb', 5],
      ]),
      ratios,
    ),
  ).toBe(false);
  expect(isOverloaded(new Map([['za', 5]]), ratios)).toBe(true);
  expect(isOverloaded(new Map([['za', 5]]), undefined)).toBe(true);
  expect(isOverloaded(new Map(), undefined)).toBe(false);
});
