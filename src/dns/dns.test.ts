import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { decode, encode, type Packet } from 'dns-packet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Service } from '../api/types/core-v1.ts';
import type { EndpointSlice } from '../api/types/discovery-v1.ts';
import { systemClock } from '../util/clock.ts';
import { deepFreeze } from '../util/deep-freeze.ts';
import { silentLogger } from '../util/logger.ts';
import { type ClusterView, resolve } from './records.ts';
import { createDnsServer, type DnsServer } from './server.ts';
import { parseNameServers, type Upstream } from './upstream.ts';

const service = (name: string, spec: Service['spec']): Service => ({ metadata: { name, namespace: 'default' }, spec });
const slice = (name: string, endpoints: EndpointSlice['endpoints']): EndpointSlice => ({
  metadata: { name: `${name}-x`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
  addressType: 'IPv4',
  endpoints,
  ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
});
const allServices = deepFreeze([
  service('web', { clusterIP: '10.96.0.20', clusterIPs: ['10.96.0.20'], ports: [{ name: 'http', port: 80 }] }),
  service('db', { clusterIP: 'None', clusterIPs: ['None'], ports: [{ name: 'http', port: 80 }] }),
  service('none', { clusterIP: 'None', clusterIPs: ['None'] }),
  service('out', { type: 'ExternalName', externalName: 'example.org' }),
  service('alias', { type: 'ExternalName', externalName: 'web.default.svc.cluster.local' }),
  service('round', { type: 'ExternalName', externalName: 'round.default.svc.cluster.local' }),
  service('lost', { type: 'ExternalName', externalName: 'fails.example' }),
]);
const allSlices = deepFreeze([
  slice('db', [
    { addresses: ['10.244.0.5'], hostname: 'db-0', conditions: { ready: true } },
    { addresses: ['10.244.0.6'], conditions: {} },
    { addresses: ['10.244.0.7'], conditions: { ready: false } },
  ]),
]);
const view: ClusterView = {
  service: (ns, name) => allServices.find((s) => s.metadata?.namespace === ns && s.metadata.name === name),
  hasNamespace: (name) => name === 'default',
  slices: (_ns, name) => allSlices.filter((s) => s.metadata?.labels?.['kubernetes.io/service-name'] === name),
  servicesByIp: (ip) => allServices.filter((s) => s.spec?.clusterIP === ip),
  slicesByIp: (ip) => allSlices.filter((s) => s.endpoints?.some((e) => e.addresses.includes(ip))),
};
const zone = 'cluster.local';
const data = (name: string, type: string): unknown => {
  const found = resolve(view, zone, { name, type });
  return found.kind === 'answer' ? found.records.map((r) => r.data) : found.kind;
};

describe('resolve', () => {
  const srv = (target: string, weight: number, port: number): object => ({ priority: 0, weight, port, target });
  const cases: readonly (readonly [string, string, unknown])[] = [
    ['web.default.svc.cluster.local', 'A', ['10.96.0.20']],
    ['WEB.Default.svc.cluster.local.', 'A', ['10.96.0.20']],
    ['web.default.svc.cluster.local', 'AAAA', []],
    ['db.default.svc.cluster.local', 'A', ['10.244.0.5', '10.244.0.6']],
    ['db-0.db.default.svc.cluster.local', 'A', ['10.244.0.5']],
    ['10-244-0-6.db.default.svc.cluster.local', 'A', ['10.244.0.6']],
    ['db-9.db.default.svc.cluster.local', 'A', 'no-such-name'],
    ['none.default.svc.cluster.local', 'A', 'no-such-name'],
    ['out.default.svc.cluster.local', 'A', ['example.org']],
    ['_http._tcp.web.default.svc.cluster.local', 'SRV', [srv('web.default.svc.cluster.local', 100, 80)]],
    [
      '_http._tcp.db.default.svc.cluster.local',
      'SRV',
      [srv('db-0.db.default.svc.cluster.local', 50, 8080), srv('10-244-0-6.db.default.svc.cluster.local', 50, 8080)],
    ],
    ['_ftp._tcp.web.default.svc.cluster.local', 'SRV', 'no-such-name'],
    ['10-1-2-3.default.pod.cluster.local', 'A', ['10.1.2.3']],
    ['10-1-2-300.default.pod.cluster.local', 'A', 'no-such-name'],
    ['10-1-2-3.nowhere.pod.cluster.local', 'A', 'no-such-name'],
    ['20.0.96.10.in-addr.arpa', 'PTR', ['web.default.svc.cluster.local']],
    ['5.0.244.10.in-addr.arpa', 'PTR', ['db-0.db.default.svc.cluster.local']],
    ['7.0.244.10.in-addr.arpa', 'PTR', 'not-ours'],
    ['dns-version.cluster.local', 'TXT', ['1.1.0']],
    ['cluster.local', 'A', []],
    ['default.svc.cluster.local', 'A', []],
    ['nothing.default.svc.cluster.local', 'A', 'no-such-name'],
    ['web.other.svc.cluster.local', 'A', 'no-such-name'],
    ['example.org', 'A', 'not-ours'],
    ['evilcluster.local', 'A', 'not-ours'],
  ];
  it.each(cases)('%s %s', (name, type, expected) => expect(data(name, type)).toEqual(expected));
});

describe('parseNameServers', () => {
  it('reads the servers and nothing else', () => {
    expect(parseNameServers('# x\nsearch a b\nnameserver 10.0.0.1\n  nameserver fd00::1 \noptions ndots:5\n')).toEqual([
      '10.0.0.1',
      'fd00::1',
    ]);
  });
});

describe('the server', () => {
  let server: DnsServer;
  let port: number;
  const upstream: Upstream = {
    ask: async (message) => {
      const query = decode(message);
      if (query.questions?.[0]?.name === 'fails.example') throw new Error('down');
      return encode({
        type: 'response',
        id: query.id ?? 0,
        questions: query.questions ?? [],
        answers: [{ type: 'A', name: 'example.org', ttl: 1, data: '192.0.2.1' }],
      });
    },
  };
  beforeEach(async () => {
    server = createDnsServer({ view, zone, upstream, clock: systemClock, logger: silentLogger });
    ({ port } = await server.listen('127.0.0.1', 0));
  });
  afterEach(() => server.close());

  const overUdp = (packet: Packet): Promise<ReturnType<typeof decode>> =>
    new Promise((done) => {
      const socket = createSocket('udp4');
      socket.on('message', (m) => {
        socket.close();
        done(decode(m));
      });
      socket.send(encode(packet), port, '127.0.0.1');
    });
  const question = (name: string, type: 'A' | 'SRV' = 'A'): Packet => ({
    type: 'query',
    id: 7,
    flags: 256,
    questions: [{ name, type }],
  });

  it('answers from the cluster, from upstream, and says when neither can', async () => {
    const own = await overUdp(question('web.default.svc.cluster.local'));
    expect(own).toMatchObject({
      id: 7,
      rcode: 'NOERROR',
      flag_aa: true,
      flag_ra: true,
      answers: [{ data: '10.96.0.20', ttl: 30 }],
    });
    const missing = await overUdp(question('no.default.svc.cluster.local'));
    expect(missing).toMatchObject({ rcode: 'NXDOMAIN', authorities: [{ type: 'SOA', name: 'cluster.local' }] });
    expect((await overUdp(question('example.org'))).answers).toMatchObject([{ data: '192.0.2.1' }]);
    expect(await overUdp(question('fails.example'))).toMatchObject({ rcode: 'SERVFAIL' });
  });

  it('gives the addresses behind an alias with it, be it one of the cluster or not', async () => {
    const answers = async (name: string) =>
      (await overUdp(question(`${name}.default.svc.cluster.local`))).answers?.map(
        (a) => `${a.type} ${'data' in a ? a.data : ''}`,
      );
    expect(await answers('alias')).toEqual(['CNAME web.default.svc.cluster.local', 'A 10.96.0.20']);
    expect(await answers('out')).toEqual(['CNAME example.org', 'A 192.0.2.1']);
    expect(await answers('lost')).toEqual(['CNAME fails.example']);
    expect((await answers('round'))?.length).toBeLessThan(12);
  });

  it('answers several questions over one TCP connection, and survives garbage', async () => {
    const replies = await new Promise<string[]>((done) => {
      const socket = connect(port, '127.0.0.1');
      const got: string[] = [];
      let held = Buffer.alloc(0);
      socket.on('data', (chunk) => {
        held = Buffer.concat([held, chunk as Buffer]);
        while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
          const reply = decode(held.subarray(2, 2 + held.readUInt16BE(0)));
          held = held.subarray(2 + held.readUInt16BE(0));
          got.push(String((reply.answers?.[0] as { data?: unknown } | undefined)?.data));
          if (got.length === 2) {
            socket.destroy();
            done(got);
          }
        }
      });
      for (const bytes of [
        Buffer.from('garbage'),
        encode(question('web.default.svc.cluster.local')),
        encode(question('out.default.svc.cluster.local')),
      ]) {
        const head = Buffer.alloc(2);
        head.writeUInt16BE(bytes.length);
        socket.write(Buffer.concat([head, bytes]));
      }
    });
    expect(replies.sort()).toEqual(['10.96.0.20', 'example.org']);
  });

  it('truncates what does not fit into a UDP answer', async () => {
    const many = Array.from({ length: 60 }, (_, i) => ({ addresses: [`10.244.1.${i}`] }));
    const wide = createDnsServer({
      view: { ...view, slices: () => [slice('db', many)] },
      zone,
      upstream,
      clock: systemClock,
      logger: silentLogger,
    });
    const saved = port;
    ({ port } = await wide.listen('127.0.0.1', 0));
    const reply = await overUdp(question('db.default.svc.cluster.local'));
    expect(reply).toMatchObject({ flag_tc: true, rcode: 'NOERROR' });
    port = saved;
    await wide.close();
  });
});
