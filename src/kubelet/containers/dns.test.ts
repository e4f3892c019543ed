import { describe, expect, it } from 'vitest';
import type { Pod } from '../../api/types/core-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { type DnsOptions, podDns } from './dns.ts';
import { hostNetworkHosts, managedHosts, nodeHostname, podHostname } from './hosts.ts';

const options: DnsOptions = {
  clusterDns: ['10.96.0.10'],
  clusterDomain: 'cluster.local',
  hostResolvConf: '# a comment\nnameserver 8.8.8.8\nnameserver 8.8.4.4\nsearch example.com. corp\noptions timeout:2\n',
};
const pod = (spec: object): Pod =>
  deepFreeze({ metadata: { name: 'p', namespace: 'ns', uid: 'u' }, spec: { containers: [], ...spec } });
const host = { servers: ['8.8.8.8', '8.8.4.4'], searches: ['example.com', 'corp'], options: ['timeout:2'] };
const cluster = {
  servers: ['10.96.0.10'],
  searches: ['ns.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'example.com', 'corp'],
  options: ['ndots:5'],
};

describe('DNS of a pod', () => {
  it.each([
    ['ClusterFirst', pod({}), cluster],
    ['ClusterFirst on the host network', pod({ hostNetwork: true }), host],
    ['ClusterFirstWithHostNet', pod({ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }), cluster],
    ['Default', pod({ dnsPolicy: 'Default' }), host],
    [
      'None',
      pod({
        dnsPolicy: 'None',
        dnsConfig: { nameservers: ['1.1.1.1'], searches: ['x'], options: [{ name: 'ndots', value: '2' }] },
      }),
      { servers: ['1.1.1.1'], searches: ['x'], options: ['ndots:2'] },
    ],
    [
      'ClusterFirst with its own options',
      pod({ dnsConfig: { options: [{ name: 'ndots', value: '1' }, { name: 'edns0' }] } }),
      { ...cluster, options: ['ndots:1', 'edns0'] },
    ],
  ])('%s', (_name, p, expected) => {
    expect(podDns(p, options)).toEqual({ config: expected, warnings: [] });
  });
  it('keeps three name servers and says so', () => {
    const { config, warnings } = podDns(
      pod({ dnsPolicy: 'Default', dnsConfig: { nameservers: ['1.1.1.1', '2.2.2.2'] } }),
      options,
    );
    expect(config.servers).toEqual(['8.8.8.8', '8.8.4.4', '1.1.1.1']);
    expect(warnings[0]?.reason).toBe('DNSConfigForming');
  });
  it('falls back to the host without cluster DNS', () => {
    const { config, warnings } = podDns(pod({}), { ...options, clusterDns: [] });
    expect(config).toEqual(host);
    expect(warnings[0]?.reason).toBe('MissingClusterDNS');
  });
});

describe('host names', () => {
  it.each([
    [pod({}), { hostname: 'p', domain: '' }],
    [pod({ hostname: 'h', subdomain: 'sub' }), { hostname: 'h', domain: 'sub.ns.svc.cluster.local' }],
    [pod({ hostnameOverride: 'o.example' }), { hostname: 'o.example', domain: '' }],
    [deepFreeze({ metadata: { name: `${'a'.repeat(61)}-.b` } }), { hostname: 'a'.repeat(61), domain: '' }],
  ])('%#', (p, expected) => {
    expect(podHostname(p, 'cluster.local')).toEqual(expected);
  });
  it('is the FQDN when asked, unless too long', () => {
    const p = pod({ setHostnameAsFQDN: true });
    expect(nodeHostname(p, 'h', 's.ns.svc.c')).toBe('h.s.ns.svc.c');
    expect(() => nodeHostname(p, 'h'.repeat(60), 's.ns.svc.c')).toThrow('is too long (64 characters is the max');
  });
  it('writes /etc/hosts', () => {
    expect(managedHosts(['10.1.0.5'], 'h', 's.ns', [{ ip: '1.2.3.4', hostnames: ['a', 'b'] }])).toBe(
      '# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n' +
        'fe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n10.1.0.5\th.s.ns\th\n' +
        '\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n',
    );
    expect(hostNetworkHosts('127.0.0.1 localhost\n')).toBe(
      '# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n',
    );
  });
});
