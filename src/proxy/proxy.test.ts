import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Pod, Service } from '../api/types/core-v1.ts';
import type { Endpoint, EndpointSlice } from '../api/types/discovery-v1.ts';
import { deepFreeze } from '../util/deep-freeze.ts';
import { staleUdpFlows } from './conntrack.ts';
import { rulesetCommands } from './diff.ts';
import { createNft } from './nft.ts';
import { buildRuleset, type Ruleset } from './ruleset.ts';
import { type HostPort, hostPorts, type ServicePort, servicePorts } from './service-ports.ts';

const service = (spec: Partial<NonNullable<Service['spec']>>, status?: Service['status']): Service =>
  deepFreeze({
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      type: 'ClusterIP',
      clusterIP: '10.96.0.20',
      clusterIPs: ['10.96.0.20'],
      ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
      ...spec,
    } as NonNullable<Service['spec']>,
    ...(status === undefined ? {} : { status }),
  });
const slice = (...endpoints: readonly (readonly [string, string, object?])[]): EndpointSlice =>
  deepFreeze({
    metadata: { name: 'web-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: endpoints.map(([ip, nodeName, conditions = { ready: true }]) => ({ addresses: [ip], nodeName, conditions })),
  });
const two = slice(['10.244.0.6', 'b'], ['10.244.0.5', 'a']);
const options = { clusterCidr: '10.244.0.0/16', podCidr: '10.244.0.0/24', bridge: 'k8ts0' };

const here = { nodeName: 'a', zone: 'za' };

describe('servicePorts', () => {
  const one = (s: Service, ...slices: EndpointSlice[]): ServicePort => servicePorts(s, slices, here)[0]!;
  it('joins ports with their endpoints, in a stable order', () => {
    expect(one(service({}), two)).toMatchObject({
      name: 'default/web:http',
      protocol: 'tcp',
      port: 80,
      clusterIps: ['10.96.0.20'],
      internal: [
        { ip: '10.244.0.5', port: 8080, local: true },
        { ip: '10.244.0.6', port: 8080, local: false },
      ],
      hasEndpoints: true,
      affinitySeconds: 0,
    });
  });
  it('has nothing for Services without an address of their own', () => {
    for (const spec of [{ clusterIP: 'None' }, { type: 'ExternalName' as const }, { clusterIP: '' }])
      expect(servicePorts(service(spec), [two], here)).toEqual([]);
  });
  it('leaves alone Services whose label gives them to another proxy, or makes them headless', () => {
    for (const label of ['service.kubernetes.io/service-proxy-name', 'service.kubernetes.io/headless']) {
      const labelled = deepFreeze({ ...service({}), metadata: { name: 'web', namespace: 'default', labels: { [label]: '' } } });
      expect(servicePorts(labelled, [two], here)).toEqual([]);
    }
  });
  it('keeps to this node where the traffic policy says so', () => {
    expect(one(service({ internalTrafficPolicy: 'Local' }), two).internal.map((e) => e.ip)).toEqual(['10.244.0.5']);
    const local = one(service({ type: 'NodePort', externalTrafficPolicy: 'Local' }), two);
    expect([local.external.length, local.internal.length]).toEqual([1, 2]);
  });
  it('falls back on endpoints that still serve while terminating, never on others', () => {
    const serving = { ready: false, serving: true, terminating: true };
    expect(one(service({}), slice(['10.244.0.7', 'a', serving])).internal).toHaveLength(1);
    expect(one(service({}), slice(['10.244.0.7', 'a', serving], ['10.244.0.8', 'a'])).internal.map((e) => e.ip)).toEqual([
      '10.244.0.8',
    ]);
    expect(one(service({}), slice(['10.244.0.7', 'a', { ready: false }])).internal).toEqual([]);
  });
  it('keeps to endpoints meant for this node, or for its zone, where all have hints', () => {
    const hints = (ip: string, forZone: string, forNode?: string, ready = true) => ({
      addresses: [ip],
      conditions: { ready },
      hints: { forZones: [{ name: forZone }], ...(forNode === undefined ? {} : { forNodes: [{ name: forNode }] }) },
    });
    const ips = (...list: readonly Endpoint[]): readonly string[] =>
      one(service({}), deepFreeze({ ...two, endpoints: list })).internal.map((e) => e.ip);
    expect(ips(hints('10.0.0.1', 'za', 'a'), hints('10.0.0.2', 'za', 'b'))).toEqual(['10.0.0.1']);
    // None is meant for this node: the zone it is.
    expect(ips(hints('10.0.0.1', 'za', 'c'), hints('10.0.0.2', 'zb', 'b'))).toEqual(['10.0.0.1']);
    expect(ips(hints('10.0.0.1', 'za'), hints('10.0.0.2', 'zb'))).toEqual(['10.0.0.1']);
    expect(ips(hints('10.0.0.1', 'zc'), hints('10.0.0.2', 'zb'))).toHaveLength(2);
    expect(ips(hints('10.0.0.1', 'za'), { addresses: ['10.0.0.2'], conditions: { ready: true } })).toHaveLength(2);
    // Those not ready do not count.
    expect(ips(hints('10.0.0.1', 'zb'), hints('10.0.0.2', 'za', undefined, false))).toEqual(['10.0.0.1']);
  });
  it('reads affinity and load balancer addresses', () => {
    const s = service(
      { type: 'LoadBalancer', sessionAffinity: 'ClientIP', loadBalancerSourceRanges: ['192.0.2.0/24'] },
      { loadBalancer: { ingress: [{ ip: '198.51.100.1' }] } },
    );
    expect(one(s, two)).toMatchObject({
      affinitySeconds: 10_800,
      loadBalancerIps: ['198.51.100.1'],
      sourceRanges: ['192.0.2.0/24'],
    });
  });
});

describe('hostPorts', () => {
  const pod = (spec: object, status: object = { podIP: '10.244.0.9', phase: 'Running' }): Pod =>
    ({
      spec: { nodeName: 'a', containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 8080 }] }], ...spec },
      status,
    }) as Pod;
  it('are those of running pods of this node', () => {
    expect(hostPorts([pod({})], 'a')).toEqual([{ protocol: 'tcp', hostPort: 8080, hostIp: '', ip: '10.244.0.9', port: 80 }]);
    for (const other of [
      pod({ nodeName: 'b' }),
      pod({ hostNetwork: true }),
      pod({}, {}),
      pod({}, { podIP: '10.244.0.9', phase: 'Failed' }),
    ]) {
      expect(hostPorts([other], 'a')).toEqual([]);
    }
  });
});

describe('staleUdpFlows', () => {
  const dns = (ips: readonly string[]): ServicePort => ({
    ...servicePorts(service({}), [two], here)[0]!,
    protocol: 'udp',
    internal: ips.map((ip) => ({ ip, port: 53, local: true })),
    external: [],
  });
  it('names the endpoints that went, and Services that got their first', () => {
    expect(staleUdpFlows([dns(['1.1.1.1', '2.2.2.2'])], [dns(['2.2.2.2'])])).toEqual([
      { originalIp: '10.96.0.20', originalPort: 80, endpointIp: '1.1.1.1' },
    ]);
    expect(staleUdpFlows([dns([])], [dns(['2.2.2.2'])])).toEqual([
      { originalIp: '10.96.0.20', originalPort: 80, endpointIp: undefined },
    ]);
    expect(staleUdpFlows([dns(['2.2.2.2'])], [dns(['2.2.2.2'])])).toEqual([]);
  });
});

/** Rulesets that hold every kind of rule there is. */
const external = {
  type: 'LoadBalancer' as const,
  ports: [{ name: 'http', port: 80, nodePort: 30080, protocol: 'TCP' as const }],
  externalIPs: ['203.0.113.5'],
};
const host: readonly HostPort[] = [
  { protocol: 'tcp', hostPort: 8080, hostIp: '', ip: '10.244.0.9', port: 80 },
  { protocol: 'udp', hostPort: 53, hostIp: '192.0.2.1', ip: '10.244.0.9', port: 53 },
];
const make = (s: Service, e: EndpointSlice, h: readonly HostPort[] = []): Ruleset =>
  buildRuleset(servicePorts(s, [e], here), h, options);
const rulesets: readonly (readonly [string, Ruleset])[] = [
  ['nothing', buildRuleset([], [], { ...options, podCidr: '', clusterCidr: '' })],
  ['a cluster IP', make(service({}), two)],
  ['no endpoints', make(service(external), slice())],
  ['node port, affinity, host ports', make(service({ ...external, sessionAffinity: 'ClientIP' }), two, host)],
  [
    'shorter affinity',
    make(
      service({ ...external, sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } } }),
      two,
      host,
    ),
  ],
  ['local policy', make(service({ ...external, externalTrafficPolicy: 'Local' }), two)],
  ['local policy, none here', make(service({ ...external, externalTrafficPolicy: 'Local' }), slice(['10.244.1.6', 'b']))],
  [
    'source ranges',
    make(
      service(
        { ...external, loadBalancerSourceRanges: ['192.0.2.0/24'] },
        { loadBalancer: { ingress: [{ ip: '198.51.100.1' }] } },
      ),
      two,
    ),
  ],
];

describe('rulesetCommands', () => {
  it('says nothing when nothing changed', () => {
    for (const [, r] of rulesets) expect(rulesetCommands('ip', 't', r, r)).toBe('');
  });
  it('touches only what changed', () => {
    const script = rulesetCommands('ip', 't', make(service({}), two), make(service({}), slice(['10.244.0.5', 'a'])));
    expect(script).not.toContain('flush chain ip t endpoint-79f53ca5');
    expect(script.split('\n').filter((l) => l.startsWith('delete chain'))).toHaveLength(1);
  });
});

const canNft = process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/usr/sbin/nft') && existsSync('/sbin/ip');
describe.skipIf(!canNft)('the kernel (needs root, nft and ip on Linux)', () => {
  const netns = `k8ts-proxy-${process.pid}`;
  const inside = (...command: readonly string[]): string =>
    spawnSync('ip', ['netns', 'exec', netns, ...command]).stdout.toString();
  beforeAll(() => {
    expect(spawnSync('ip', ['netns', 'add', netns]).status).toBe(0);
  });
  afterAll(() => {
    spawnSync('ip', ['netns', 'delete', netns]);
  });

  it('takes every ruleset, and every way from one to another ends where a fresh start does', async () => {
    const nft = createNft({ netns });
    const listing = (): string[] =>
      inside('nft', '-s', 'list', 'table', 'ip', 't')
        .split('\n')
        .filter((l) => l.trim() !== '')
        .sort();
    const fresh = new Map<string, string[]>();
    for (const [name, r] of rulesets) {
      await nft.apply(rulesetCommands('ip', 't', undefined, r));
      fresh.set(name, listing());
    }
    let at = rulesets.at(-1)![1];
    for (const [, from] of rulesets) {
      for (const [name, to] of rulesets) {
        for (const step of [from, to]) {
          const script = rulesetCommands('ip', 't', at, step);
          if (script !== '') await nft.apply(script);
          at = step;
        }
        expect(listing(), name).toEqual(fresh.get(name));
      }
    }
  });

  it("tells nft's own words when it refuses", async () => {
    await expect(createNft({ netns }).apply('add rule ip nowhere x y\n')).rejects.toThrow(/nft refused the rules/);
  });

  it('leaves programs on loopback addresses alone', async () => {
    inside('ip', 'link', 'set', 'lo', 'up');
    inside('ip', 'addr', 'add', '192.0.2.7/32', 'dev', 'lo');
    inside('sysctl', '-qw', 'net.ipv4.conf.all.route_localnet=1');
    await createNft({ netns }).apply(rulesetCommands('ip', 't', undefined, rulesets.at(-1)![1]));
    const script = `require('net').createServer((c) => c.end('hello')).listen(9000, '127.0.0.1', () =>
      require('net').connect(9000, '127.0.0.1').on('data', (d) => { console.log(String(d)); process.exit(); }))
      .unref(); setTimeout(() => process.exit(1), 3000);`;
    expect(inside(process.execPath, '-e', script).trim()).toBe('hello');
  });
});
