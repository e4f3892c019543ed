import type { Service } from '../api/types/core-v1.ts';
import type { EndpointSlice } from '../api/types/discovery-v1.ts';

/** What the zone is made of. Reads are of an informer's cache: cheap and always current. */
export interface ClusterView {
  service(namespace: string, name: string): Service | undefined;
  hasNamespace(name: string): boolean;
  /** The endpoint slices of a Service. */
  slices(namespace: string, service: string): readonly EndpointSlice[];
  /** Services and endpoints that have this address, for reverse lookups. */
  servicesByIp(ip: string): readonly Service[];
  slicesByIp(ip: string): readonly EndpointSlice[];
}

/** An answer record, in the terms of dns-packet. */
export type Answer =
  | { readonly type: 'A' | 'AAAA' | 'CNAME' | 'PTR'; readonly name: string; readonly ttl: number; readonly data: string }
  | { readonly type: 'TXT'; readonly name: string; readonly ttl: number; readonly data: string }
  | {
      readonly type: 'SRV';
      readonly name: string;
      readonly ttl: number;
      readonly data: { readonly priority: number; readonly weight: number; readonly port: number; readonly target: string };
    };

/** What the cluster's zone says of a question. `records` may be empty: the name exists, with no record of this type (NODATA). */
export type Resolution =
  | { readonly kind: 'answer'; readonly records: readonly Answer[]; readonly additional: readonly Answer[] }
  | { readonly kind: 'no-such-name' }
  | { readonly kind: 'not-ours' };

/** Seconds that clients may keep a record: what kubeadm's CoreDNS is configured with. */
export const RECORD_TTL = 30;
/** Version of the specification of DNS for Kubernetes services that this follows. */
const SPEC_VERSION = '1.1.0';

const noSuchName: Resolution = { kind: 'no-such-name' };
const notOurs: Resolution = { kind: 'not-ours' };
const answer = (records: readonly Answer[], additional: readonly Answer[] = []): Resolution => ({
  kind: 'answer',
  records,
  additional,
});

interface Endpoint {
  readonly host: string;
  readonly address: string;
  readonly family: 'A' | 'AAAA';
}

interface Port {
  readonly name: string;
  readonly protocol: string;
  readonly port: number;
}

/**
 * Answers a question from the cluster's state, per "Kubernetes DNS-Based Service Discovery" (kubernetes/dns, docs/specification.md).
 * `zone` is the cluster domain, `cluster.local`. Names are taken without case.
 */
export function resolve(view: ClusterView, zone: string, question: { readonly name: string; readonly type: string }): Resolution {
  const name = question.name.toLowerCase().replace(/\.$/, '');
  const reverse = reverseAddress(name);
  if (reverse !== undefined) return resolveReverse(view, zone, question.name, reverse, question.type);
  if (name === zone) return answer([]);
  if (!name.endsWith(`.${zone}`)) return notOurs;
  const labels = name.slice(0, -zone.length - 1).split('.');
  const kind = labels.at(-1);
  if (labels.length === 1 && kind === 'dns-version') {
    return answer(question.type === 'TXT' ? [{ type: 'TXT', name: question.name, ttl: RECORD_TTL, data: SPEC_VERSION }] : []);
  }
  if (kind === 'svc') return resolveService(view, zone, question, labels.slice(0, -1));
  if (kind === 'pod') return resolvePod(view, question, labels.slice(0, -1));
  return noSuchName;
}

function resolveService(
  view: ClusterView,
  zone: string,
  question: { readonly name: string; readonly type: string },
  labels: readonly string[],
): Resolution {
  const namespace = labels.at(-1);
  if (namespace === undefined) return answer([]);
  if (!view.hasNamespace(namespace)) return noSuchName;
  const serviceName = labels.at(-2);
  if (serviceName === undefined) return answer([]);
  const service = view.service(namespace, serviceName);
  if (service === undefined) return noSuchName;
  const rest = labels.slice(0, -2);
  const base = `${serviceName}.${namespace}.svc.${zone}`;
  if (service.spec?.type === 'ExternalName') {
    if (rest.length > 0) return noSuchName;
    return answer([{ type: 'CNAME', name: question.name, ttl: RECORD_TTL, data: service.spec.externalName ?? '' }]);
  }
  const headless = service.spec?.clusterIP === 'None';
  const endpoints = headless ? readyEndpoints(view.slices(namespace, serviceName)) : clusterAddresses(service);
  if (rest.length === 0) {
    if (headless && endpoints.length === 0) return noSuchName;
    if (question.type === 'SRV') return serviceRecords(question.name, base, endpoints, portsOf(view, service), headless);
    return answer(addressRecords(question, endpoints));
  }
  const [first = '', second = ''] = rest;
  if (rest.length === 2 && first.startsWith('_') && second.startsWith('_')) {
    const ports = portsOf(view, service).filter((p) => `_${p.name}` === first && `_${p.protocol}` === second);
    if (ports.length === 0) return noSuchName;
    return question.type === 'SRV' ? serviceRecords(question.name, base, endpoints, ports, headless) : answer([]);
  }
  if (rest.length === 1 && headless) {
    const named = endpoints.filter((e) => e.host === first);
    return named.length === 0 ? noSuchName : answer(addressRecords(question, named));
  }
  return noSuchName;
}

/** `10-244-0-5.default.pod.cluster.local`: any address, in a namespace that exists (CoreDNS's `pods insecure`). */
function resolvePod(
  view: ClusterView,
  question: { readonly name: string; readonly type: string },
  labels: readonly string[],
): Resolution {
  const [host, namespace] = labels;
  if (labels.length !== 2 || host === undefined || namespace === undefined || !view.hasNamespace(namespace)) return noSuchName;
  const dotted = host.replaceAll('-', '.');
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(dotted) && dotted.split('.').every((octet) => Number(octet) <= 255)) {
    return answer(addressRecords(question, [{ host, address: dotted, family: 'A' }]));
  }
  return noSuchName;
}

function resolveReverse(view: ClusterView, zone: string, name: string, ip: string, type: string): Resolution {
  const targets: string[] = [];
  for (const service of view.servicesByIp(ip))
    targets.push(`${service.metadata?.name}.${service.metadata?.namespace}.svc.${zone}`);
  for (const slice of view.slicesByIp(ip)) {
    const serviceName = slice.metadata?.labels?.['kubernetes.io/service-name'];
    const namespace = slice.metadata?.namespace ?? '';
    const service = serviceName === undefined ? undefined : view.service(namespace, serviceName);
    if (service?.spec?.clusterIP !== 'None') continue;
    for (const endpoint of readyEndpoints([slice])) {
      if (endpoint.address === ip) targets.push(`${endpoint.host}.${serviceName}.${namespace}.svc.${zone}`);
    }
  }
  if (targets.length === 0) return notOurs;
  if (type !== 'PTR') return answer([]);
  return answer([...new Set(targets)].map((data) => ({ type: 'PTR', name, ttl: RECORD_TTL, data })));
}

function addressRecords(question: { readonly name: string; readonly type: string }, endpoints: readonly Endpoint[]): Answer[] {
  const wanted = endpoints.filter((e) => e.family === question.type || question.type === 'ANY');
  const seen = new Set<string>();
  return wanted
    .filter((e) => !seen.has(e.address) && seen.add(e.address))
    .map((e) => ({ type: e.family, name: question.name, ttl: RECORD_TTL, data: e.address }));
}

function serviceRecords(
  name: string,
  base: string,
  endpoints: readonly Endpoint[],
  ports: readonly Port[],
  headless: boolean,
): Resolution {
  const hosts = headless ? [...new Map(endpoints.map((e) => [e.host, e])).keys()] : [''];
  const weight = Math.max(1, Math.floor(100 / Math.max(1, hosts.length * ports.length)));
  const records = ports.flatMap((port) =>
    hosts.map(
      (host): Answer => ({
        type: 'SRV',
        name,
        ttl: RECORD_TTL,
        data: { priority: 0, weight, port: port.port, target: host === '' ? base : `${host}.${base}` },
      }),
    ),
  );
  const additional = endpoints.map(
    (e): Answer => ({ type: e.family, name: headless ? `${e.host}.${base}` : base, ttl: RECORD_TTL, data: e.address }),
  );
  return answer(records, additional);
}

function clusterAddresses(service: Service): readonly Endpoint[] {
  const ips = service.spec?.clusterIPs ?? (service.spec?.clusterIP === undefined ? [] : [service.spec.clusterIP]);
  return ips.filter((ip) => ip !== '').map((address) => ({ host: '', address, family: address.includes(':') ? 'AAAA' : 'A' }));
}

/** Slices already say `ready` for unready endpoints of Services that publish those. */
function readyEndpoints(slices: readonly EndpointSlice[]): readonly Endpoint[] {
  return slices.flatMap((slice) =>
    (slice.endpoints ?? [])
      .filter((e) => e.conditions?.ready !== false)
      .flatMap((e) =>
        e.addresses.map(
          (address): Endpoint => ({
            host: e.hostname ?? address.replaceAll(/[.:]/g, '-'),
            address,
            family: slice.addressType === 'IPv6' ? 'AAAA' : 'A',
          }),
        ),
      ),
  );
}

function portsOf(view: ClusterView, service: Service): readonly Port[] {
  const declared = (service.spec?.ports ?? []).map((p) => ({
    name: (p.name ?? '').toLowerCase(),
    protocol: (p.protocol ?? 'TCP').toLowerCase(),
    port: p.port,
  }));
  if (service.spec?.clusterIP !== 'None') return declared;
  // A headless Service's clients talk to the endpoints themselves: their ports count, not the Service's.
  const { name = '', namespace = '' } = service.metadata ?? {};
  const actual = new Map<string, Port>();
  for (const slice of view.slices(namespace, name)) {
    for (const p of slice.ports ?? []) {
      if (p.port === undefined) continue;
      const port = { name: (p.name ?? '').toLowerCase(), protocol: (p.protocol ?? 'TCP').toLowerCase(), port: p.port };
      actual.set(`${port.name}/${port.protocol}/${port.port}`, port);
    }
  }
  return [...actual.values()];
}

/** The address that an in-addr.arpa or ip6.arpa name asks for. */
export function reverseAddress(name: string): string | undefined {
  if (name.endsWith('.in-addr.arpa')) {
    const octets = name.slice(0, -'.in-addr.arpa'.length).split('.');
    return octets.length === 4 ? octets.reverse().join('.') : undefined;
  }
  if (name.endsWith('.ip6.arpa')) {
    const nibbles = name.slice(0, -'.ip6.arpa'.length).split('.').reverse();
    if (nibbles.length !== 32) return undefined;
    const groups = Array.from({ length: 8 }, (_, i) => nibbles.slice(i * 4, i * 4 + 4).join(''));
    return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
  }
  return undefined;
}
