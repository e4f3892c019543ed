import { createHash } from 'node:crypto';
import type { Destination, HostPort, ServicePort } from './service-ports.ts';

/** A chain: its hook (for base chains) and its rules, in nft's language. */
export interface Chain {
  readonly hook?: string;
  readonly rules: readonly string[];
}

/** A set or map: its declaration and, where we fill it, its elements (for maps: key to value). Elements of dynamic sets are the kernel's. */
export interface NamedSet {
  readonly kind: 'set' | 'map';
  readonly declaration: string;
  readonly elements: ReadonlyMap<string, string>;
}

/** Everything that shall stand in one nft table. A pure description: `diff.ts` turns two of them into the commands between them. */
export interface Ruleset {
  readonly chains: ReadonlyMap<string, Chain>;
  readonly sets: ReadonlyMap<string, NamedSet>;
}

export interface RulesetOptions {
  /** The addresses of pods, all nodes'; '' when not known yet. What comes from elsewhere to a cluster IP is masqueraded. */
  readonly clusterCidr: string;
  /** This node's pods. Leaving the cluster, they are masqueraded; '' when not known yet. */
  readonly podCidr: string;
  /** Interface that the pods of this node are behind. */
  readonly bridge: string;
}

/** Packets with this bit are masqueraded on their way out; the bit kube-proxy uses. */
const MASQUERADE_MARK = '0x4000';
const markForMasquerade = `meta mark set mark or ${MASQUERADE_MARK}`;

/** A name that nft takes, short, telling, and unique by its hash. */
function chainName(kind: string, ...parts: readonly string[]): string {
  const text = parts.join('/');
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 8);
  return `${kind}-${hash}-${text.replaceAll(/[^A-Za-z0-9/_.-]/g, '-')}`.slice(0, 100);
}

const emptyElements: ReadonlyMap<string, string> = new Map();

/** The rules for these Services and host ports. Same input, same output. */
export function buildRuleset(services: readonly ServicePort[], hosts: readonly HostPort[], options: RulesetOptions): Ruleset {
  const chains = new Map<string, Chain>();
  const sets = new Map<string, NamedSet>();
  const serviceIps = new Map<string, string>();
  const nodePorts = new Map<string, string>();
  const noEndpointIps = new Map<string, string>();
  const noEndpointNodePorts = new Map<string, string>();
  const hostPortMap = new Map<string, string>();
  const hostIpPortMap = new Map<string, string>();
  const clusterIps = new Map<string, string>();
  const sourceRanges: string[] = [];

  for (const service of services) addService(service);
  for (const host of hosts) addHostPort(host);

  function addService(s: ServicePort): void {
    const l4 = `${s.protocol} . ${s.port}`;
    for (const ip of s.clusterIps) clusterIps.set(ip, '');
    const internal = s.internal.length > 0 ? addBalancer(s, 'service', s.internal, s.clusterIps) : undefined;
    for (const ip of s.clusterIps) {
      if (internal !== undefined) serviceIps.set(`${ip} . ${l4}`, `goto ${internal}`);
      else noEndpointIps.set(`${ip} . ${l4}`, s.hasEndpoints ? 'drop' : 'goto refuse');
    }
    const outside = [...s.externalIps, ...s.loadBalancerIps];
    if (outside.length === 0 && s.nodePort === 0) return;
    const external = addExternal(s, internal);
    for (const ip of outside) {
      if (external !== undefined) serviceIps.set(`${ip} . ${l4}`, `goto ${external}`);
      else noEndpointIps.set(`${ip} . ${l4}`, s.hasEndpoints ? 'drop' : 'goto refuse');
    }
    if (s.nodePort !== 0) {
      const key = `${s.protocol} . ${s.nodePort}`;
      if (external !== undefined) nodePorts.set(key, `goto ${external}`);
      else noEndpointNodePorts.set(key, s.hasEndpoints ? 'drop' : 'goto refuse');
    }
    if (s.sourceRanges.length > 0) {
      for (const ip of s.loadBalancerIps) {
        sourceRanges.push(`ip daddr ${ip} ${s.protocol} dport ${s.port} ip saddr != { ${s.sourceRanges.join(', ')} } drop`);
      }
    }
  }

  /** Traffic from outside. With policy Cluster it is masqueraded, so that replies come back this way; with Local the client's address stays. */
  function addExternal(s: ServicePort, internal: string | undefined): string | undefined {
    const name = chainName('external', s.name, s.protocol, String(s.port));
    if (!s.externalLocal) {
      if (s.external.length === 0) return undefined;
      const target = internal ?? addBalancer(s, 'cluster', s.external, []);
      chains.set(name, { rules: [markForMasquerade, `goto ${target}`] });
      return name;
    }
    // Pods and this node itself reach every endpoint even of a Local Service: for them it is a short way to the cluster IP.
    const shortcut =
      internal === undefined ? [] : [`fib saddr type local ${markForMasquerade}`, `fib saddr type local goto ${internal}`];
    if (internal !== undefined && options.clusterCidr !== '')
      shortcut.unshift(`ip saddr ${options.clusterCidr} goto ${internal}`);
    if (s.external.length === 0) {
      if (shortcut.length === 0) return undefined;
      chains.set(name, { rules: [...shortcut, 'drop'] });
      return name;
    }
    const target = addBalancer(s, 'local', s.external, []);
    chains.set(name, { rules: [...shortcut, `goto ${target}`] });
    return name;
  }

  /** A chain that picks one of the endpoints. */
  function addBalancer(s: ServicePort, kind: string, endpoints: readonly Destination[], ips: readonly string[]): string {
    const name = chainName(kind, s.name, s.protocol, String(s.port));
    const targets = endpoints.map((e) => addEndpoint(s, e));
    const rules: string[] = [];
    if (options.clusterCidr !== '') {
      for (const ip of ips)
        rules.push(`ip daddr ${ip} ${s.protocol} dport ${s.port} ip saddr != ${options.clusterCidr} ${markForMasquerade}`);
    }
    if (s.affinitySeconds > 0) for (const t of targets) rules.push(`ip saddr @${t.affinity} goto ${t.chain}`);
    rules.push(
      targets.length === 1
        ? `goto ${targets[0]!.chain}`
        : `numgen random mod ${targets.length} vmap { ${targets.map((t, i) => `${i} : goto ${t.chain}`).join(', ')} }`,
    );
    chains.set(name, { rules });
    return name;
  }

  function addEndpoint(s: ServicePort, e: Destination): { readonly chain: string; readonly affinity: string } {
    const target = `${e.ip}:${e.port}`;
    const chain = chainName('endpoint', s.name, s.protocol, String(s.port), target);
    const affinity = chainName('affinity', s.name, s.protocol, String(s.port), target);
    const remember = s.affinitySeconds > 0 ? [`update @${affinity} { ip saddr }`] : [];
    if (s.affinitySeconds > 0) {
      sets.set(affinity, {
        kind: 'set',
        declaration: `type ipv4_addr; flags dynamic,timeout; timeout ${s.affinitySeconds}s; size 65535;`,
        elements: emptyElements,
      });
    }
    // A pod that reaches itself through its Service must not see its own address as the source.
    chains.set(chain, {
      rules: [`ip saddr ${e.ip} ${markForMasquerade}`, ...remember, `meta l4proto ${s.protocol} dnat to ${target}`],
    });
    return { chain, affinity };
  }

  function addHostPort(h: HostPort): void {
    const chain = chainName('hostport', h.hostIp, h.protocol, String(h.hostPort), `${h.ip}:${h.port}`);
    const hairpin = options.podCidr === '' ? [] : [`ip saddr ${options.podCidr} ${markForMasquerade}`];
    chains.set(chain, {
      rules: [...hairpin, `fib saddr type local ${markForMasquerade}`, `meta l4proto ${h.protocol} dnat to ${h.ip}:${h.port}`],
    });
    if (h.hostIp === '') hostPortMap.set(`${h.protocol} . ${h.hostPort}`, `goto ${chain}`);
    else hostIpPortMap.set(`${h.hostIp} . ${h.protocol} . ${h.hostPort}`, `goto ${chain}`);
  }

  const map = (declaration: string, elements: ReadonlyMap<string, string>): NamedSet => ({ kind: 'map', declaration, elements });
  const byAddress = 'type ipv4_addr . inet_proto . inet_service : verdict;';
  const byPort = 'type inet_proto . inet_service : verdict;';
  sets.set('service-ips', map(byAddress, serviceIps));
  sets.set('service-nodeports', map(byPort, nodePorts));
  sets.set('no-endpoint-ips', map(byAddress, noEndpointIps));
  sets.set('no-endpoint-nodeports', map(byPort, noEndpointNodePorts));
  sets.set('host-ports', map(byPort, hostPortMap));
  sets.set('host-ip-ports', map(byAddress, hostIpPortMap));
  sets.set('cluster-ips', { kind: 'set', declaration: 'type ipv4_addr;', elements: clusterIps });

  const nodeTraffic = (prefix: string, name: string): string =>
    `fib daddr type local ${prefix}meta l4proto . th dport vmap @${name}`;
  const base = (hook: string, ...rules: readonly string[]): Chain => ({ hook, rules });
  chains.set('refuse', { rules: ['meta l4proto tcp reject with tcp reset', 'reject'] });
  chains.set('services', {
    rules: [
      'ip daddr . meta l4proto . th dport vmap @service-ips',
      'ip daddr . meta l4proto . th dport vmap @host-ip-ports',
      nodeTraffic('', 'service-nodeports'),
      nodeTraffic('', 'host-ports'),
    ],
  });
  chains.set('no-endpoints', {
    rules: ['ip daddr . meta l4proto . th dport vmap @no-endpoint-ips', nodeTraffic('', 'no-endpoint-nodeports')],
  });
  chains.set('nat-prerouting', base('type nat hook prerouting priority dstnat; policy accept;', 'jump services'));
  chains.set('nat-output', base('type nat hook output priority -100; policy accept;', 'jump services'));
  const leaving =
    options.podCidr === '' || options.clusterCidr === ''
      ? []
      : [
          `ip saddr ${options.podCidr} ip daddr != ${options.clusterCidr} oifname != "${options.bridge}" fib daddr type != local masquerade`,
        ];
  chains.set(
    'nat-postrouting',
    base(
      'type nat hook postrouting priority srcnat; policy accept;',
      `meta mark & ${MASQUERADE_MARK} != 0 meta mark set mark xor ${MASQUERADE_MARK} masquerade fully-random`,
      ...leaving,
    ),
  );
  // Before destination NAT: what is left with a Service's address here has nowhere to go.
  chains.set(
    'filter-prerouting',
    base('type filter hook prerouting priority -110; policy accept;', 'ct state new jump source-ranges'),
  );
  chains.set('source-ranges', { rules: sourceRanges });
  chains.set(
    'filter-input',
    base(
      'type filter hook input priority -110; policy accept;',
      // route_localnet lets node ports answer on 127.0.0.1; nobody else may reach loopback addresses for it (CVE-2020-8558).
      'ip daddr 127.0.0.0/8 ip saddr != 127.0.0.0/8 ct state != { established, related } ct status & dnat == 0 drop',
      'ct state new jump no-endpoints',
    ),
  );
  // A cluster IP with a port that no Service has: refused rather than sent out to the world.
  const strayClusterIp = 'ct state new ip daddr @cluster-ips goto refuse';
  chains.set(
    'filter-forward',
    base('type filter hook forward priority -110; policy accept;', 'ct state new jump no-endpoints', strayClusterIp),
  );
  chains.set(
    'filter-output',
    base('type filter hook output priority -90; policy accept;', 'ct state new jump no-endpoints', strayClusterIp),
  );
  return { chains, sets };
}
