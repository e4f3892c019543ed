import { describe, expect, it } from 'vitest';
import type { Node } from '../api/types/core-v1.ts';
import { cniConfig } from './cni-config.ts';
import { routeChanges, wantedRoutes } from './routes.ts';

const node = (name: string, cidr: string | undefined, ip: string | undefined): Node => ({
  metadata: { name },
  spec: cidr === undefined ? {} : { podCIDR: cidr, podCIDRs: [cidr, 'fd00:1::/64'] },
  status:
    ip === undefined
      ? {}
      : {
          addresses: [
            { type: 'Hostname', address: name },
            { type: 'InternalIP', address: 'fd00::1' },
            { type: 'InternalIP', address: ip },
          ],
        },
});

describe('wantedRoutes', () => {
  it('leads to every other node that has a range and an address', () => {
    const all = [
      node('b', '10.244.1.0/24', '192.0.2.11'),
      node('a', '10.244.0.0/24', '192.0.2.10'),
      node('c', undefined, '192.0.2.12'),
      node('d', '10.244.3.0/24', undefined),
    ];
    expect(wantedRoutes(all, 'a')).toEqual([{ cidr: '10.244.1.0/24', via: '192.0.2.11' }]);
    expect(wantedRoutes(all, 'b')).toEqual([{ cidr: '10.244.0.0/24', via: '192.0.2.10' }]);
  });
});

describe('routeChanges', () => {
  it('replaces what moved, removes what went, leaves the rest', () => {
    const have = [
      { cidr: 'x', via: '1' },
      { cidr: 'y', via: '2' },
      { cidr: 'z', via: '3' },
    ];
    const want = [
      { cidr: 'x', via: '1' },
      { cidr: 'y', via: '9' },
      { cidr: 'n', via: '4' },
    ];
    expect(routeChanges(have, want)).toEqual({ replace: [want[1], want[2]], remove: [have[2]] });
  });
});

describe('cniConfig', () => {
  it('gives pods addresses of the range behind the bridge, and leaves masquerading to us', () => {
    const config = JSON.parse(cniConfig({ podCidr: '10.244.7.0/24', bridge: 'k8ts0', mtu: 1400, ipamDirectory: '/d' }));
    expect(config.plugins).toMatchObject([
      {
        type: 'bridge',
        bridge: 'k8ts0',
        mtu: 1400,
        ipMasq: false,
        hairpinMode: true,
        ipam: { ranges: [[{ subnet: '10.244.7.0/24' }]] },
      },
    ]);
  });
});
