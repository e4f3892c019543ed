import { describe, expect, it } from 'vitest';
import { endpointSlices, endpoints, services } from '../client/resource-refs.ts';
import { createFixture, type Fixture } from '../client/test-support/fixture.ts';
import type { Store } from '../store/contract.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import { silentLogger } from '../util/logger.ts';
import { ApiServerPublication } from './api-server-publication.ts';
import type { ClusterConfig } from './config.ts';
import type { ClusterPki } from './pki.ts';

const config = { port: 6443, serviceCidr: '10.96.0.0/12', nodeIp: '10.0.0.1' } as ClusterConfig;
const pki = { ca: { cert: 'CA' }, frontProxyCa: { cert: 'FRONT' } } as ClusterPki;
const shared = { servers: ['http://127.0.0.1:2379'], prefix: '/registry' };

function publication(f: Fixture, store: Store, more: Partial<ClusterConfig> = {}): ApiServerPublication {
  return new ApiServerPublication({
    client: f.client,
    store,
    config: { ...config, ...more },
    pki,
    clock: f.clock,
    logger: silentLogger,
  });
}

const addressesOf = (f: Fixture): readonly (readonly string[])[] => [
  f.api.find(endpoints, 'default/kubernetes')?.subsets?.[0]?.addresses?.map((a) => a.ip ?? '') ?? [],
  f.api.find(endpointSlices, 'default/kubernetes')?.endpoints?.flatMap((e) => e.addresses) ?? [],
];

describe('the Service of the API server', () => {
  it('is there at once, and again after it was deleted or its endpoints were changed; else nothing is written', async () => {
    const f = createFixture();
    const store = createMemoryStore({ clock: f.clock, logger: silentLogger });
    const one = publication(f, store);
    await one.start();
    expect(f.api.find(services, 'default/kubernetes')?.spec).toMatchObject({ clusterIP: '10.96.0.1' });
    expect(addressesOf(f)).toEqual([['10.0.0.1'], ['10.0.0.1']]);
    await f.client.resource(services).delete('kubernetes', 'default');
    await f.client.resource(endpointSlices).delete('kubernetes', 'default');
    const found = await f.client.resource(endpoints).get('kubernetes', 'default');
    await f.client.resource(endpoints).update({ ...found, subsets: [] });
    await f.advance(10_000);
    expect(f.api.find(services, 'default/kubernetes')).toBeDefined();
    expect(addressesOf(f)).toEqual([['10.0.0.1'], ['10.0.0.1']]);
    const before = [f.api.revision, store.revision];
    await f.advance(60_000);
    expect([f.api.revision, store.revision]).toEqual(before);
    await one.stop();
    expect(addressesOf(f)).toEqual([['10.0.0.1'], ['10.0.0.1']]);
  });

  it('leads to all API servers that share the state and live', async () => {
    const f = createFixture();
    const store = createMemoryStore({ clock: f.clock, logger: silentLogger });
    const one = publication(f, store, { etcd: shared });
    const two = publication(f, store, { etcd: shared, nodeIp: '10.0.0.2' });
    let cutOff = false;
    const line = {
      commit: (ops) => (cutOff ? Promise.reject(new Error('cut off')) : store.commit(ops)),
      list: (prefix) => store.list(prefix),
    } as Store;
    const three = publication(f, line, { etcd: shared, nodeIp: '10.0.0.3' });
    for (const each of [three, one, two]) await each.start();
    const all = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
    expect(addressesOf(f)).toEqual([all, all]);
    await f.advance(60_000);
    expect(addressesOf(f)).toEqual([all, all]);
    // One ends in order: it takes itself away.
    await one.stop();
    expect(addressesOf(f)).toEqual([all.slice(1), all.slice(1)]);
    // One loses the store: its key ends, and another sees it.
    cutOff = true;
    await f.advance(40_000);
    expect(addressesOf(f)).toEqual([['10.0.0.2'], ['10.0.0.2']]);
    cutOff = false;
    await f.advance(10_000);
    expect(addressesOf(f)).toEqual([all.slice(1), all.slice(1)]);
    await two.stop();
    await three.stop();
    expect(addressesOf(f)).toEqual([['10.0.0.3'], ['10.0.0.3']]);
  });
});
