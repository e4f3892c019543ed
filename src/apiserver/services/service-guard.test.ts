import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../util/clock.ts';
import { TestServer } from '../test-server.ts';
import { openTestStore } from '../test-store.ts';

let api: TestServer;
const services = '/api/v1/namespaces/x/services';
const merge = 'application/merge-patch+json';
const ports = [{ port: 80 }];

const create = (name: string, spec: object) => api.post(services, { metadata: { name }, spec });

beforeAll(async () => {
  const serviceCidrs = ['10.96.0.0/24', 'fd00::/112'];
  api = await TestServer.start({ serviceCidrs, nodePortRange: { from: 30_000, to: 30_063 } });
});
afterAll(() => api.close());

describe('a Service', () => {
  it('gets an address, and gives it back', async () => {
    const { spec } = (await create('a', { ports, selector: { a: 'b' } })).json;
    expect(spec.clusterIP).toMatch(/^10\.96\.0\.\d+$/);
    expect(spec).toMatchObject({
      clusterIPs: [spec.clusterIP],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      type: 'ClusterIP',
      ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
    });
    const taken = await create('b', { ports, clusterIP: spec.clusterIP });
    expect(taken.json.message).toBe(
      `Service "b" is invalid: spec.clusterIPs: Invalid value: ["${spec.clusterIP}"]: failed to allocate IP ${spec.clusterIP}: provided IP is already allocated`,
    );
    await api.remove(`${services}/a`);
    expect((await create('b', { ports, clusterIP: spec.clusterIP })).json.spec.clusterIP).toBe(spec.clusterIP);
  });

  it('takes nothing on a dry run or when it is refused', async () => {
    const asked = { ports, clusterIP: '10.96.0.77' };
    expect((await api.post(`${services}?dryRun=All`, { metadata: { name: 'dry' }, spec: asked })).json.spec.clusterIP).toBe(
      '10.96.0.77',
    );
    expect((await create('bad', { ...asked, sessionAffinity: 'Odd' })).code).toBe(422);
    expect((await create('good', asked)).code).toBe(201);
  });

  it('may be headless, or of both families', async () => {
    expect((await create('none', { ports, clusterIP: 'None', selector: { a: 'b' } })).json.spec).toMatchObject({
      clusterIP: 'None',
      clusterIPs: ['None'],
      ipFamilies: ['IPv4'],
    });
    const dual = (await create('dual', { ports, ipFamilyPolicy: 'PreferDualStack', selector: { a: 'b' } })).json.spec;
    expect(dual.ipFamilies).toEqual(['IPv4', 'IPv6']);
    expect(dual.clusterIPs[1]).toMatch(/^fd00::/);
    expect((await create('name', { type: 'ExternalName', externalName: 'a.b' })).json.spec.clusterIP).toBeUndefined();
    expect((await create('out', { ports, clusterIP: '10.97.0.1' })).json.message).toContain(
      'the provided network does not match the current range',
    );
  });

  it('gets node ports, of its choice or not', async () => {
    const spec = {
      type: 'NodePort',
      ports: [
        { name: 'a', port: 80, nodePort: 30_005 },
        { name: 'b', port: 81 },
      ],
    };
    const made = (await create('np', spec)).json.spec.ports;
    expect(made[0].nodePort).toBe(30_005);
    expect(made[1].nodePort).toBeGreaterThanOrEqual(30_016);
    const twice = await create('np2', { type: 'NodePort', ports: [{ port: 80, nodePort: 30_005 }] });
    expect(twice.json.message).toBe(
      'Service "np2" is invalid: spec.ports[0].nodePort: Invalid value: 30005: provided port is already allocated',
    );
    const both = {
      type: 'NodePort',
      ports: [
        { name: 't', port: 53, protocol: 'TCP' },
        { name: 'u', port: 53, protocol: 'UDP' },
      ],
    };
    const shared = (await create('dns', both)).json.spec.ports;
    expect(shared[0].nodePort).toBe(shared[1].nodePort);
    // Back to an address alone: the ports are free again.
    const plain = { spec: { type: 'ClusterIP', ports: [{ name: 'a', port: 80 }] } };
    expect((await api.patch(`${services}/np`, merge, plain)).json.spec.ports[0].nodePort).toBeUndefined();
    expect((await create('np3', { type: 'NodePort', ports: [{ port: 80, nodePort: 30_005 }] })).code).toBe(201);
  });

  it('may have an address of a range that was added later, while that one is there', async () => {
    const cidrs = '/apis/networking.k8s.io/v1/servicecidrs';
    expect((await api.get(`${cidrs}/kubernetes`)).json.spec.cidrs).toEqual(['10.96.0.0/24', 'fd00::/112']);
    expect((await create('early', { ports, clusterIP: '10.50.0.9' })).json.message).toContain(
      'failed to allocate IP 10.50.0.9: the provided network does not match the current range',
    );
    await api.post(cidrs, { metadata: { name: 'more' }, spec: { cidrs: ['10.50.0.0/24'] } });
    const { code, json } = await create('of-the-new', { ports, clusterIP: '10.50.0.9' });
    expect([code, json.spec?.clusterIP]).toEqual([201, '10.50.0.9']);
    expect((await create('outside', { ports, clusterIP: '10.50.0.0' })).json.message).toContain(
      'The range of valid IPs is 10.50.0.0/24',
    );
    await api.remove(`${cidrs}/more`);
    expect((await create('late', { ports, clusterIP: '10.50.0.10' })).code).toBe(422);
  });

  it('has an IPAddress for as long as it has the address', async () => {
    const addresses = '/apis/networking.k8s.io/v1/ipaddresses';
    const { spec } = (await create('held', { ports })).json;
    const held = (await api.get(`${addresses}/${spec.clusterIP}`)).json;
    expect(held.metadata.labels).toEqual({
      'ipaddress.kubernetes.io/ip-family': 'IPv4',
      'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
    });
    expect(held.spec.parentRef).toEqual({ resource: 'services', namespace: 'x', name: 'held' });
    const outward = { spec: { type: 'ExternalName', externalName: 'a.b', clusterIP: null, clusterIPs: null, ports: null } };
    expect((await api.patch(`${services}/held`, merge, outward)).code).toBe(200);
    expect((await api.get(`${addresses}/${spec.clusterIP}`)).code).toBe(404);
    // Somebody's own: not handed out, and not given away.
    const parentRef = { group: 'gateway.networking.k8s.io', resource: 'gateways', namespace: 'x', name: 'g' };
    await api.post(addresses, { metadata: { name: '10.96.0.200' }, spec: { parentRef } });
    expect((await create('wants', { ports, clusterIP: '10.96.0.200' })).json.message).toContain(
      'provided IP is already allocated',
    );
  });

  it('keeps what it has over a restart', async () => {
    const store = await openTestStore(systemClock);
    const first = await TestServer.start({ store, pki: api.pki });
    const { spec } = (await first.post(services, { metadata: { name: 'a' }, spec: { ports } })).json;
    await first.server.close(0);
    const second = await TestServer.start({ store, pki: api.pki });
    const other = await second.post(services, { metadata: { name: 'b' }, spec: { ports, clusterIP: spec.clusterIP } });
    expect(other.code).toBe(422);
    await second.close();
  });
});
