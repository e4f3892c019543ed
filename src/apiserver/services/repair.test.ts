import { afterEach, describe, expect, it } from 'vitest';
import type { Service } from '../../api/types/core-v1.ts';
import { createMemoryStore } from '../../store/memory-store.ts';
import { VirtualClock } from '../../util/clock.ts';
import { silentLogger } from '../../util/logger.ts';
import { TestServer } from '../test-server.ts';
import { PORTS_PREFIX } from './allocations.ts';

const services = '/api/v1/namespaces/x/services';
const addresses = '/apis/networking.k8s.io/v1/ipaddresses';
const ADDRESS_KEYS = '/registry/ipaddresses/';

let server: TestServer;
afterEach(() => server.close());

async function started(): Promise<VirtualClock> {
  const clock = new VirtualClock(Date.parse('2026-01-01T00:00:00Z'));
  server = await TestServer.start({ clock, store: createMemoryStore({ clock, logger: silentLogger }) });
  return clock;
}

async function service(name: string): Promise<Required<Service>> {
  const answer = await server.post(services, { metadata: { name }, spec: { type: 'NodePort', ports: [{ port: 80 }] } });
  expect(answer.code).toBe(201);
  return answer.json;
}

const keys = async (prefix: string): Promise<string[]> =>
  (await server.store.list(prefix)).entries.map((entry) => entry.key.slice(prefix.length));

describe('repair', () => {
  it('makes an address again that was deleted under its Service', async () => {
    const clock = await started();
    const { spec } = await service('a');
    await server.remove(`${addresses}/${spec.clusterIP}`);
    const other = await server.post(services, {
      metadata: { name: 'b' },
      spec: { clusterIP: spec.clusterIP, ports: [{ port: 1 }] },
    });
    expect(other.code).toBe(422);
    await clock.advance(1_500);
    await expect.poll(async () => (await server.get(`${addresses}/${spec.clusterIP}`)).json.spec?.parentRef.name).toBe('a');
  });

  it('writes down at its start what Services have from before there were addresses and ports', async () => {
    server = await TestServer.start();
    const { spec } = await service('a');
    const port = String(spec.ports![0]!.nodePort);
    await server.store.commit([
      { type: 'delete', key: `${PORTS_PREFIX}${port}` },
      { type: 'delete', key: `${ADDRESS_KEYS}${spec.clusterIP}` },
    ]);
    const { store } = server;
    await server.server.close(0);
    server = await TestServer.start({ store, pki: server.pki });
    expect(await keys(PORTS_PREFIX)).toEqual([port]);
    expect(await keys(ADDRESS_KEYS)).toEqual([spec.clusterIP]);
  });

  it('removes what no Service has, when none is to be expected any more', async () => {
    const clock = await started();
    const { spec } = await service('a');
    const [address, port] = [spec.clusterIP!, String(spec.ports![0]!.nodePort)];
    // As if the Service had never been.
    await server.store.commit([{ type: 'delete', key: '/registry/services/specs/x/a' }]);
    await clock.advance(30_000);
    expect(await keys(ADDRESS_KEYS)).toEqual([address]);
    await clock.advance(180_000);
    await expect.poll(() => keys(ADDRESS_KEYS)).toEqual([]);
    expect(await keys(PORTS_PREFIX)).toEqual([port]);
    await clock.advance(180_000);
    await expect.poll(() => keys(PORTS_PREFIX)).toEqual([]);
  });

  it('gives back address and ports in the commit that deletes the Service', async () => {
    await started();
    await service('a');
    await server.remove(`${services}/a`);
    expect([...(await keys(ADDRESS_KEYS)), ...(await keys(PORTS_PREFIX))]).toEqual([]);
  });
});
