import { expect, test } from 'vitest';
import type { Endpoints, Pod, Service } from '../../api/types/core-v1.ts';
import type { EndpointSlice } from '../../api/types/discovery-v1.ts';
import { endpointSlices, endpoints, events, nodes, pods, services } from '../../client/resource-refs.ts';
import { endpointSliceMirroringController } from '../endpoint-slice-mirroring/controller.ts';
import { endpointsController } from '../endpoints/controller.ts';
import { readyStatus } from '../test-support/pods.ts';
import { createServerFixture, type ServerFixture } from '../test-support/server.ts';
import { endpointSliceController } from './controller.ts';

const service = (name = 'web'): Service => ({
  metadata: { name, namespace: 'x', labels: { tier: 'a' } },
  spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
});

const pod = (name: string): Pod => ({
  metadata: { name, namespace: 'x', labels: { app: 'web' } },
  spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'i' }] },
});

async function fixture(): Promise<ServerFixture> {
  const f = await createServerFixture();
  f.start(endpointSliceController(), endpointsController(), endpointSliceMirroringController());
  await f.create(nodes, { metadata: { name: 'n1', labels: { 'topology.kubernetes.io/zone': 'za' } } });
  return f;
}

const makeReady = async (f: ServerFixture, name: string, ip: string): Promise<unknown> =>
  await f.change(pods, `x/${name}`, (p) => ({ ...p, status: readyStatus(f.clock.now(), ip) }), 'status');

const addresses = (list: readonly EndpointSlice[]): readonly string[] =>
  list.flatMap((slice) => slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses);

test('slices and Endpoints follow pods without a delay, and rest when nothing changes', async () => {
  const f = await fixture();
  await f.create(services, service());
  for (const name of ['a', 'b']) await f.create(pods, pod(name));
  await f.advance();
  expect(f.all(endpointSlices, 'x')).toMatchObject([{ endpoints: [], metadata: { name: expect.stringMatching(/^web-\w{5}$/) } }]);
  await makeReady(f, 'a', '10.244.0.5');
  await makeReady(f, 'b', '10.244.0.6');
  await f.advance();
  const [slice] = f.all(endpointSlices, 'x');
  expect(f.all(endpointSlices, 'x')).toHaveLength(1);
  expect(slice?.metadata?.annotations).toEqual({
    'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-01T00:00:00Z',
  });
  expect(slice?.endpoints).toMatchObject([
    { addresses: ['10.244.0.5'], conditions: { ready: true }, nodeName: 'n1', zone: 'za', targetRef: { name: 'a' } },
    { addresses: ['10.244.0.6'] },
  ]);
  expect(f.find(endpoints, 'x/web')).toMatchObject({
    metadata: { labels: { tier: 'a', 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' } },
    subsets: [
      {
        addresses: [{ ip: '10.244.0.5', nodeName: 'n1', targetRef: { kind: 'Pod', name: 'a' } }, { ip: '10.244.0.6' }],
        ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      },
    ],
  });
  const before = f.writes.length;
  // Neither of these changes an endpoint.
  await f.change(pods, 'x/a', (p) => ({ ...p, metadata: { ...p.metadata, annotations: { a: 'b' } } }));
  await f.advance(3_600_000);
  expect(f.writes.slice(before).map((w) => w.resource)).toEqual(['pods']);

  await f.client.resource(pods).delete('a', 'x', { gracePeriodSeconds: 30 });
  await f.advance();
  expect(f.all(endpointSlices, 'x')[0]?.endpoints?.[0]?.conditions).toEqual({ ready: false, serving: true, terminating: true });
  expect(f.find(endpoints, 'x/web')?.subsets?.[0]?.addresses).toHaveLength(1);
  await f.client.resource(pods).delete('a', 'x', { gracePeriodSeconds: 0 });
  await f.advance();
  expect(addresses(f.all(endpointSlices, 'x'))).toEqual(['10.244.0.6']);
  await f.stop();
});

test('what is tampered with is put right; a label change moves a pod', async () => {
  const f = await fixture();
  await f.create(services, service());
  await f.create(pods, pod('a'));
  await makeReady(f, 'a', '10.244.0.5');
  await f.advance();
  const name = f.all(endpointSlices, 'x')[0]!.metadata!.name!;
  await f.change(endpointSlices, `x/${name}`, (slice) => ({ ...slice, endpoints: [] }));
  await f.advance();
  expect(addresses(f.all(endpointSlices, 'x'))).toEqual(['10.244.0.5']);
  await f.client.resource(endpointSlices).delete(name, 'x');
  await f.advance();
  expect(addresses(f.all(endpointSlices, 'x'))).toEqual(['10.244.0.5']);
  await f.change(pods, 'x/a', (p) => ({ ...p, metadata: { ...p.metadata, labels: { app: 'db' } } }));
  await f.advance();
  expect(addresses(f.all(endpointSlices, 'x'))).toEqual([]);
  await f.client.resource(services).delete('web', 'x');
  await f.advance();
  expect(f.find(endpoints, 'x/web')).toBeUndefined();
  await f.stop();
});

test('a pod on a node that is not known is told of, and added once the node is', async () => {
  const f = await fixture();
  await f.create(services, service());
  await f.create(pods, { ...pod('a'), spec: { ...pod('a').spec!, nodeName: 'n2' } });
  await makeReady(f, 'a', '10.244.0.5');
  await f.advance();
  expect(f.all(events, 'x').map((e) => [e.reason, e.message])).toContainEqual([
    'FailedToUpdateEndpointSlices',
    'Error updating Endpoint Slices for Service x/web: skipping Pod a for Service x/web: Node n2 Not Found',
  ]);
  await f.create(nodes, { metadata: { name: 'n2' } });
  await f.advance(10_000);
  expect(addresses(f.all(endpointSlices, 'x'))).toEqual(['10.244.0.5']);
  await f.stop();
});

test('Endpoints written by hand are mirrored while their service has no selector', async () => {
  const f = await fixture();
  await f.create(services, { ...service(), spec: { ports: [{ port: 80 }] } });
  const manual: Endpoints = {
    metadata: { name: 'web', namespace: 'x', labels: { own: 'label' }, annotations: { own: 'note' } },
    subsets: [{ addresses: [{ ip: '192.0.2.1' }], notReadyAddresses: [{ ip: '2001:db8::1' }], ports: [{ port: 80 }] }],
  };
  await f.create(endpoints, manual);
  await f.advance();
  const mirrored = [...f.all(endpointSlices, 'x')].sort((a, b) => (a.addressType < b.addressType ? -1 : 1));
  expect(mirrored).toMatchObject([
    {
      addressType: 'IPv4',
      metadata: {
        labels: {
          own: 'label',
          'kubernetes.io/service-name': 'web',
          'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
        },
        annotations: { own: 'note' },
        ownerReferences: [{ kind: 'Endpoints', name: 'web' }],
      },
      endpoints: [{ addresses: ['192.0.2.1'], conditions: { ready: true } }],
      ports: [{ name: '', port: 80, protocol: 'TCP' }],
    },
    { addressType: 'IPv6', endpoints: [{ addresses: ['2001:db8::1'], conditions: { ready: false } }] },
  ]);
  const before = f.writes.length;
  await f.change(endpoints, 'x/web', (e) => ({ ...e, subsets: [{ addresses: [{ ip: '192.0.2.2' }], ports: [{ port: 80 }] }] }));
  await f.advance();
  expect(addresses(f.all(endpointSlices, 'x'))).toEqual(['192.0.2.2']);
  expect(f.writes.slice(before).map((w) => `${w.verb} ${w.resource}`)).toEqual([
    'update endpoints',
    'update endpointslices',
    'delete endpointslices',
  ]);
  await f.client.resource(services).delete('web', 'x');
  await f.advance();
  expect(f.all(endpointSlices, 'x')).toEqual([]);
  await f.stop();
});

test('more pods than a slice holds, all at once: few writes', async () => {
  const f = await fixture();
  await f.create(services, service());
  for (let i = 0; i < 250; i++) {
    await f.create(pods, pod(`p${i}`));
    await makeReady(f, `p${i}`, `10.244.1.${i}`);
  }
  await f.advance();
  const sizes = f.all(endpointSlices, 'x').map((slice) => slice.endpoints?.length ?? 0);
  expect(sizes.reduce((a, b) => a + b)).toBe(250);
  expect(sizes.every((size) => size <= 100)).toBe(true);
  expect(new Set(addresses(f.all(endpointSlices, 'x'))).size).toBe(250);
  await f.stop();
});

test('in proportion to the CPUs of zones where the service asks for it, and no more when nodes do not tell', async () => {
  const f = await fixture();
  const node = (name: string, zone: string) => ({
    metadata: { name, labels: { 'topology.kubernetes.io/zone': zone } },
    status: { allocatable: { cpu: '1' }, conditions: [{ type: 'Ready', status: 'True' as const }] },
  });
  for (const [name, zone] of [
    ['n2', 'za'],
    ['n3', 'zb'],
  ] as const) {
    await f.create(nodes, { metadata: node(name, zone).metadata });
    await f.change(nodes, name, (n) => ({ ...n, status: node(name, zone).status }), 'status');
  }
  const annotations = { 'service.kubernetes.io/topology-mode': 'Auto' };
  await f.create(services, { ...service(), metadata: { ...service().metadata, annotations } });
  for (const [i, nodeName] of ['n2', 'n2', 'n2', 'n2', 'n2', 'n3'].entries()) {
    await f.create(pods, { ...pod(`p${i}`), spec: { ...pod('').spec!, nodeName } });
    await makeReady(f, `p${i}`, `10.244.0.${i + 1}`);
  }
  await f.advance();
  const hints = (): unknown =>
    f.all(endpointSlices, 'x')[0]?.endpoints?.map((endpoint) => endpoint.hints?.forZones?.map(({ name }) => name).join());
  expect(hints()).toEqual(['zb', 'zb', 'za', 'za', 'za', 'zb']);
  const reasons = (): unknown => f.all(events, 'x').map(({ reason, message }) => `${reason}: ${message}`);
  expect(reasons()).toContain('TopologyAwareHintsEnabled: Topology Aware Hints has been enabled, addressType: IPv4');
  await f.change(nodes, 'n3', (n) => ({ ...n, metadata: { ...n.metadata, labels: {} } }));
  await f.advance(1_000);
  expect(hints()).toEqual(Array.from({ length: 6 }));
  await f.change(nodes, 'n3', (n) => ({ ...n, metadata: node('n3', 'zb').metadata }));
  await f.advance(1_000);
  expect(hints()).toEqual(['zb', 'zb', 'za', 'za', 'za', 'zb']);
  await f.change(services, 'x/web', (s) => ({ ...s, metadata: { ...s.metadata, annotations: {} } }));
  await f.advance();
  expect(hints()).toEqual(Array.from({ length: 6 }));
  expect(reasons()).toContain('TopologyAwareHintsDisabled: Topology Aware Hints has been disabled, addressType: IPv4');
  await f.stop();
});
