import { describe, expect, test } from 'vitest';
import type { Pod } from '../../api/types/core-v1.ts';
import type { Device, DeviceClass, DeviceRequest, ResourceClaim, ResourceSlice } from '../../api/types/resource-v1.ts';
import { allocateDevices } from '../device-allocator.ts';
import { TestCluster } from '../test-support/cluster.ts';
import { makeNode, makePod } from '../test-support/objects.ts';
import { dynamicResources } from './dynamic-resources.ts';

const DRIVER = 'gpu.example.com';
const nodes = [makeNode('a', { labels: { rack: 'r1' } }), makeNode('b', { labels: { rack: 'r2' } })];
const gpu: DeviceClass = {
  metadata: { name: 'gpu' },
  spec: {
    selectors: [{ cel: { expression: `device.driver == "${DRIVER}"` } }],
    config: [{ opaque: { driver: DRIVER, parameters: { mode: 'shared' } } }],
  },
};
const device = (name: string, model: string, memory: string, more: Partial<Device> = {}): Device => ({
  name,
  attributes: { model: { string: model }, index: { int: Number(name.replace(/\D/g, '')) }, 'numa.example.com/node': { int: 0 } },
  capacity: { memory: { value: memory } },
  ...more,
});
const slice = (
  name: string,
  devices: readonly Device[],
  where: Partial<ResourceSlice['spec']> = { nodeName: name },
): ResourceSlice => ({
  metadata: { name },
  spec: { driver: DRIVER, pool: { name, generation: 1, resourceSliceCount: 1 }, devices, ...where },
});
const slices = [
  slice('a', [device('gpu0', 'small', '10Gi'), device('gpu1', 'small', '10Gi')]),
  slice('b', [device('gpu0', 'large', '80Gi')]),
];
const wants = (name: string, more: Partial<DeviceRequest['exactly']> = {}): DeviceRequest => ({
  name,
  exactly: { deviceClassName: 'gpu', ...more },
});
const claim = (requests: readonly DeviceRequest[], more: Partial<ResourceClaim['spec']['devices']> = {}): ResourceClaim => ({
  metadata: { name: 'c', namespace: 'default', uid: 'c' },
  spec: { devices: { requests, ...more } },
});
const by = (expression: string) => ({ selectors: [{ cel: { expression } }] });
const pod: Pod = makePod('p', { spec: { resourceClaims: [{ name: 'x', resourceClaimName: 'c' }] } });
const NONE = 'cannot allocate all claims';

describe('DynamicResources', () => {
  const cases: readonly [string, ResourceClaim | undefined, Readonly<Record<string, string>> | string][] = [
    ['no such claim', undefined, 'resourceclaim "c" not found!'],
    ['any device', claim([wants('r')]), { a: 'ok', b: 'ok' }],
    ['two devices', claim([wants('r', { count: 2 })]), { a: 'ok', b: NONE }],
    ['two requests', claim([wants('r'), wants('s')]), { a: 'ok', b: NONE }],
    ['by attribute', claim([wants('r', by(`device.attributes["${DRIVER}"].model == "large"`))]), { a: NONE, b: 'ok' }],
    [
      'by capacity',
      claim([wants('r', by(`device.capacity["${DRIVER}"].memory.compareTo(quantity("40Gi")) >= 0`))]),
      { a: NONE, b: 'ok' },
    ],
    [
      'by an attribute of another domain',
      claim([wants('r', by('device.attributes["numa.example.com"].node == 0'))]),
      { a: 'ok', b: 'ok' },
    ],
    [
      'by a domain that nothing is in',
      claim([wants('r', by('"x" in device.attributes["no.example.com"]'))]),
      { a: NONE, b: NONE },
    ],
    ['all there are', claim([wants('r', { allocationMode: 'All' })]), { a: 'ok', b: 'ok' }],
    [
      'the same model for two',
      claim([wants('r', { count: 2 })], { constraints: [{ matchAttribute: `${DRIVER}/model` }] }),
      { a: 'ok', b: NONE },
    ],
    [
      'the same index for two',
      claim([wants('r', { count: 2 })], { constraints: [{ matchAttribute: `${DRIVER}/index` }] }),
      { a: NONE, b: NONE },
    ],
    [
      'different indexes for two',
      claim([wants('r', { count: 2 })], { constraints: [{ distinctAttribute: `${DRIVER}/index` }] }),
      { a: 'ok', b: NONE },
    ],
    [
      'the first of several ways',
      claim([
        {
          name: 'r',
          firstAvailable: [
            { name: 'big', deviceClassName: 'gpu', ...by(`device.attributes["${DRIVER}"].model == "large"`) },
            { name: 'two', deviceClassName: 'gpu', count: 2 },
          ],
        },
      ]),
      { a: 'ok', b: 'ok' },
    ],
    [
      'a class that does not exist',
      claim([{ name: 'r', exactly: { deviceClassName: 'fpga' } }]),
      'request r: device class fpga does not exist!',
    ],
    [
      'devices it has already',
      {
        ...claim([wants('r')]),
        status: {
          allocation: {
            nodeSelector: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'rack', operator: 'In', values: ['r2'] }] }] },
          },
        },
      },
      { a: 'resourceclaim not available on the node', b: 'ok' },
    ],
    [
      'a claim that is going',
      { ...claim([wants('r')]), metadata: { name: 'c', namespace: 'default', deletionTimestamp: '2026-01-01T00:00:00Z' } },
      'resourceclaim "c" is being deleted!',
    ],
  ];
  test.each(cases)('%s', (_, c, verdict) => {
    const cluster = new TestCluster({ nodes, slices, deviceClasses: [gpu], resourceClaims: c === undefined ? [] : [c] });
    expect(cluster.filter(dynamicResources, pod)).toEqual(verdict);
  });

  test('devices of other claims are taken, tainted ones are for those who tolerate it', () => {
    const other: ResourceClaim = {
      metadata: { name: 'other', namespace: 'default', uid: 'other' },
      spec: {},
      status: { allocation: { devices: { results: [{ request: 'r', driver: DRIVER, pool: 'b', device: 'gpu0' }] } } },
    };
    const parts = { nodes, slices, deviceClasses: [gpu] };
    expect(new TestCluster({ ...parts, resourceClaims: [claim([wants('r')]), other] }).filter(dynamicResources, pod)).toEqual({
      a: 'ok',
      b: NONE,
    });
    const looking = claim([wants('r', { adminAccess: true })]);
    expect(new TestCluster({ ...parts, resourceClaims: [looking, other] }).filter(dynamicResources, pod)).toEqual({
      a: 'ok',
      b: 'ok',
    });
    const tainted = [slice('a', [device('gpu0', 'm', '1Gi', { taints: [{ key: 'broken', effect: 'NoSchedule' }] })])];
    const judge = (c: ResourceClaim) =>
      new TestCluster({ ...parts, slices: tainted, resourceClaims: [c] }).filter(dynamicResources, pod);
    expect(judge(claim([wants('r')]))).toEqual({ a: NONE, b: NONE });
    expect(judge(claim([wants('r', { tolerations: [{ key: 'broken', operator: 'Exists' }] })]))).toEqual({ a: 'ok', b: NONE });
  });

  test('pools: shared ones, those that are not complete, and the newest generation', () => {
    const shared = slice('net', [device('nic0', 'x', '1')], {
      nodeSelector: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'rack', operator: 'In', values: ['r2'] }] }] },
    });
    const judge = (all: readonly ResourceSlice[]) =>
      new TestCluster({ nodes, slices: all, deviceClasses: [gpu], resourceClaims: [claim([wants('r')])] }).filter(
        dynamicResources,
        pod,
      );
    expect(judge([shared])).toEqual({ a: NONE, b: 'ok' });
    expect(judge([slice('all', [device('nic0', 'x', '1')], { allNodes: true })])).toEqual({ a: 'ok', b: 'ok' });
    const half = slice('a', [device('gpu0', 'x', '1')], {
      nodeName: 'a',
      pool: { name: 'a', generation: 1, resourceSliceCount: 2 },
    });
    expect(judge([half])).toEqual({ a: NONE, b: NONE });
    const emptied = {
      ...slice('a2', [], { nodeName: 'a' }),
      spec: { ...slice('a', []).spec, pool: { name: 'a', generation: 2, resourceSliceCount: 1 } },
    };
    expect(judge([slices[0]!, emptied])).toEqual({ a: NONE, b: NONE });
  });

  test('parts of a device use up what they share', () => {
    const part = (name: string): Device =>
      device(name, 'part', '1Gi', { consumesCounters: [{ counterSet: 'card', counters: { memory: { value: '30Gi' } } }] });
    const card = slice('a', [part('p0'), part('p1'), part('p2')], {
      nodeName: 'a',
      sharedCounters: [{ name: 'card', counters: { memory: { value: '70Gi' } } }],
    });
    const judge = (count: number) =>
      new TestCluster({ nodes, slices: [card], deviceClasses: [gpu], resourceClaims: [claim([wants('r', { count })])] }).filter(
        dynamicResources,
        pod,
      );
    expect([judge(2), judge(3)]).toEqual([
      { a: 'ok', b: NONE },
      { a: NONE, b: NONE },
    ]);
  });
});

test('an allocation names devices, configuration and nodes', () => {
  const cluster = new TestCluster({ nodes, slices, deviceClasses: [gpu] });
  const { claims } = cluster.view;
  const allocate = (c: ResourceClaim) =>
    allocateDevices({
      claims: [c],
      devices: claims.devicesFor(cluster.cache.node('b')!),
      selectors: claims.selectors,
      deviceClass: (name) => claims.deviceClass(name),
      taken: () => false,
    });
  expect(allocate(claim([wants('r')], { config: [{ requests: ['r'], opaque: { driver: DRIVER, parameters: {} } }] }))).toEqual([
    {
      devices: {
        results: [{ request: 'r', driver: DRIVER, pool: 'b', device: 'gpu0' }],
        config: [
          { source: 'FromClass', requests: ['r'], opaque: { driver: DRIVER, parameters: { mode: 'shared' } } },
          { source: 'FromClaim', requests: ['r'], opaque: { driver: DRIVER, parameters: {} } },
        ],
      },
      nodeSelector: { nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['b'] }] }] },
    },
  ]);
  expect(() => allocate(claim([wants('r', by('device.attributes["x"].missing == 1'))]))).toThrow(
    'request r: selector #1: CEL runtime error: no such key: missing',
  );
});
