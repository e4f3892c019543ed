import { expect, test } from 'vitest';
import type { Pod, Service, ServiceSpec } from '../../api/types/core-v1.ts';
import type { EndpointSlice } from '../../api/types/discovery-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { planEndpointSlices } from './plan.ts';

const service = (spec: Partial<ServiceSpec> = {}): Service => ({
  metadata: { name: 'web', namespace: 'x', uid: 'svc', labels: { tier: 'a' } },
  spec: {
    clusterIP: '10.0.0.1',
    ipFamilies: ['IPv4'],
    selector: { app: 'web' },
    ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }],
    ...spec,
  },
});

const pod = (n: number, more: { ready?: boolean; terminating?: boolean; node?: string; ips?: string[] } = {}): Pod => ({
  metadata: {
    name: `p${n}`,
    namespace: 'x',
    uid: `uid${n}`,
    labels: { app: 'web' },
    ...(more.terminating === true ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
  },
  spec: { nodeName: more.node ?? 'n1', containers: [{ name: 'c', ports: [{ name: 'named', containerPort: 9000 + n }] }] },
  status: {
    podIP: '10.1.0.1',
    podIPs: (more.ips ?? [`10.1.${n >> 8}.${n & 255}`]).map((ip) => ({ ip })),
    conditions: [{ type: 'Ready', status: more.ready === false ? 'False' : 'True' }],
  },
});

const zones: Readonly<Record<string, string>> = { n1: 'za', n2: 'zb' };
const node = (name: string) =>
  zones[name] === undefined ? undefined : { metadata: { name, labels: { 'topology.kubernetes.io/zone': zones[name]! } } };

const plan = (svc: Service, pods: readonly Pod[], slices: readonly EndpointSlice[] = [], maxEndpointsPerSlice = 3) =>
  planEndpointSlices(deepFreeze({ service: svc, pods, slices, node, maxEndpointsPerSlice }));

/** The slices as they stand after a plan. */
function after(slices: readonly EndpointSlice[], done: ReturnType<typeof plan>): EndpointSlice[] {
  const gone = new Set(done.delete.map((slice) => slice.metadata?.name));
  const updated = new Map(done.update.map((slice) => [slice.metadata?.name, slice]));
  const made = done.create.map((slice, i) => ({ ...slice, metadata: { ...slice.metadata, name: `s${slices.length + i}` } }));
  return [...slices.filter((s) => !gone.has(s.metadata?.name)).map((s) => updated.get(s.metadata?.name) ?? s), ...made];
}

const start = (svc: Service, pods: readonly Pod[]): EndpointSlice[] => after([], plan(svc, pods));
const podsIn = (slice: EndpointSlice): string[] => (slice.endpoints ?? []).map((endpoint) => endpoint.targetRef!.name!);
const many = (n: number): Pod[] => Array.from({ length: n }, (_, i) => pod(i));

test('a slice of a ready pod', () => {
  const { create } = plan(service(), [pod(1)]);
  expect(create).toEqual([
    {
      metadata: {
        generateName: 'web-',
        namespace: 'x',
        labels: {
          tier: 'a',
          'kubernetes.io/service-name': 'web',
          'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
        },
        ownerReferences: [
          { apiVersion: 'v1', kind: 'Service', name: 'web', uid: 'svc', controller: true, blockOwnerDeletion: true },
        ],
      },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      endpoints: [
        {
          addresses: ['10.1.0.1'],
          conditions: { ready: true, serving: true, terminating: false },
          targetRef: { kind: 'Pod', namespace: 'x', name: 'p1', uid: 'uid1' },
          nodeName: 'n1',
          zone: 'za',
        },
      ],
    },
  ]);
});

test.each([
  ['ready', {}, {}, [true, true, false]],
  ['not ready', { ready: false }, {}, [false, false, false]],
  ['terminating', { terminating: true }, {}, [false, true, true]],
  ['terminating and not ready', { terminating: true, ready: false }, {}, [false, false, true]],
  ['published anyway', { ready: false }, { publishNotReadyAddresses: true }, [true, false, false]],
])('conditions: %s', (_, how, spec, [ready, serving, terminating]) => {
  expect(plan(service(spec), [pod(1, how)]).create[0]?.endpoints?.[0]?.conditions).toEqual({ ready, serving, terminating });
});

test('finished pods and pods without an address are no endpoints; a service without any has a placeholder', () => {
  const finished: Pod = { ...pod(1), status: { ...pod(1).status, phase: 'Succeeded' } };
  const { create } = plan(service(), [finished, { ...pod(2), status: {} }]);
  expect(create).toHaveLength(1);
  expect(create[0]).toMatchObject({ endpoints: [], ports: [] });
  const standing = after([], plan(service(), [finished, { ...pod(2), status: {} }]));
  expect(plan(service(), [], standing)).toMatchObject({ create: [], update: [], delete: [], problems: [] });
  // The first endpoint takes the placeholder's place.
  const next = plan(service(), [pod(1)], standing);
  expect([next.create.length, next.update[0]?.metadata?.name, next.delete.length]).toEqual([0, 's0', 0]);
});

test('nothing to do when nothing changed', () => {
  const slices = start(service(), many(7));
  expect(slices.map((slice) => podsIn(slice).length)).toEqual([3, 3, 1]);
  expect(plan(service(), many(7), slices)).toMatchObject({ create: [], update: [], delete: [], problems: [] });
});

test('one pod more goes into the slice it fits best; one less changes one slice; a replaced one stays in one slice', () => {
  const slices = start(service(), many(5));
  expect(slices.map(podsIn)).toEqual([
    ['p0', 'p1', 'p2'],
    ['p3', 'p4'],
  ]);
  const more = plan(service(), many(6), slices);
  expect([more.create, more.delete, more.update.map(podsIn)]).toEqual([[], [], [['p3', 'p4', 'p5']]]);
  const less = plan(service(), many(5).slice(1), slices);
  expect([less.create, less.delete, less.update.map(podsIn)]).toEqual([[], [], [['p1', 'p2']]]);
  const replaced = plan(service(), [...many(5).slice(1), pod(9)], slices);
  expect([replaced.create, replaced.delete, replaced.update.map(podsIn)]).toEqual([[], [], [['p1', 'p2', 'p9']]]);
  const emptied = plan(service(), many(3), slices);
  expect([emptied.create, emptied.update, emptied.delete.map(podsIn)]).toEqual([[], [], [['p3', 'p4']]]);
});

test('labels follow the service', () => {
  const slices = start(service(), many(1));
  const relabelled = { ...service(), metadata: { ...service().metadata, labels: { tier: 'b' } } };
  expect(plan(relabelled, many(1), slices).update[0]?.metadata?.labels).toMatchObject({ tier: 'b' });
});

test('a named target port is looked up in each pod', () => {
  const named = service({ ports: [{ port: 80, targetPort: 'named', protocol: 'TCP' }] });
  const { create } = plan(named, [pod(1), pod(2)]);
  expect(create.map((slice) => [slice.ports?.[0]?.port, podsIn(slice)])).toEqual([
    [9001, ['p1']],
    [9002, ['p2']],
  ]);
});

test('families: one slice for each, and those no longer wanted go', () => {
  const dual = service({ ipFamilies: ['IPv4', 'IPv6'] });
  const pods = [pod(1, { ips: ['10.1.0.1', 'FD00::1'] })];
  const slices = start(dual, pods);
  expect(slices.map((slice) => [slice.addressType, slice.endpoints?.[0]?.addresses])).toEqual([
    ['IPv4', ['10.1.0.1']],
    ['IPv6', ['fd00::1']],
  ]);
  expect(plan(service(), pods, slices).delete.map((slice) => slice.addressType)).toEqual(['IPv6']);
});

test('headless services say so, and may have no ports', () => {
  const { create } = plan(service({ clusterIP: 'None', ports: [] }), [pod(1)]);
  expect(create[0]?.metadata?.labels).toMatchObject({ 'service.kubernetes.io/headless': '' });
  expect(create[0]).toMatchObject({ ports: [], endpoints: [{ addresses: ['10.1.0.1'] }] });
});

test.each([
  ['PreferClose', { forZones: [{ name: 'za' }] }],
  ['PreferSameZone', { forZones: [{ name: 'za' }] }],
  ['PreferSameNode', { forZones: [{ name: 'za' }], forNodes: [{ name: 'n1' }] }],
  [undefined, undefined],
])('hints: %s', (trafficDistribution, hints) => {
  const hinted = service(trafficDistribution === undefined ? {} : { trafficDistribution });
  const slices = start(hinted, [pod(1), pod(2, { ready: false })]);
  expect(slices[0]?.endpoints?.map((endpoint) => endpoint.hints)).toEqual([hints, undefined]);
  // Turned off, they go; turned on, they come: also in slices that nothing else changes.
  const other = trafficDistribution === undefined ? service({ trafficDistribution: 'PreferClose' }) : service();
  expect(plan(other, [pod(1), pod(2, { ready: false })], slices).update).toHaveLength(1);
  expect(plan(hinted, [pod(1), pod(2, { ready: false })], slices).update).toHaveLength(0);
});

test('a pod whose node is not known is told of and left out', () => {
  const done = plan(service(), [pod(1, { node: 'gone' }), pod(2)]);
  expect(done.create.map(podsIn)).toEqual([['p2']]);
  expect(done.problems).toEqual(['skipping Pod p1 for Service x/web: Node gone Not Found']);
});

test('slices of a former service of the name are replaced, never taken over', () => {
  const slices = start(service(), many(1));
  const reborn = { ...service(), metadata: { ...service().metadata, uid: 'new' } };
  const done = plan(reborn, many(1), slices);
  expect([done.create.length, done.update.length, done.delete.length]).toEqual([1, 0, 1]);
});
