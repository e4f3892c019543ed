import { canonicalIP, isIPv6 } from '../../api/groups/ip.ts';
import type { Node, Pod, Service, ServicePort } from '../../api/types/core-v1.ts';
import type { Endpoint, EndpointPort } from '../../api/types/discovery-v1.ts';
import { isReady } from '../workload/pod-state.ts';

export type AddressType = 'IPv4' | 'IPv6';

export const ZONE = 'topology.kubernetes.io/zone';

export const isHeadless = (service: Service): boolean => {
  const ip = service.spec?.clusterIP;
  return ip === undefined || ip === '' || ip === 'None';
};

/** The kinds of addresses a service has slices of. */
export function addressTypesOf(service: Service): ReadonlySet<AddressType> {
  const { ipFamilies = [], clusterIP = '' } = service.spec ?? {};
  const types = new Set<AddressType>();
  for (const family of ipFamilies) if (family === 'IPv4' || family === 'IPv6') types.add(family);
  if (types.size > 0) return types;
  // Not defaulted yet: what the address tells, or for a headless one, both.
  if (!isHeadless(service)) return new Set([isIPv6(clusterIP) ? 'IPv6' : 'IPv4']);
  return new Set<AddressType>(['IPv4', 'IPv6']);
}

/** Whether a pod is an endpoint at all: it has an address, and will not stay finished. */
export function belongsInEndpoints(pod: Pod, includeTerminating: boolean): boolean {
  const { podIP = '', podIPs = [], phase } = pod.status ?? {};
  if (phase === 'Failed' || phase === 'Succeeded') return false;
  if (podIP === '' && podIPs.length === 0) return false;
  return includeTerminating || pod.metadata?.deletionTimestamp === undefined;
}

export function setsHostname(pod: Pod, service: Service): boolean {
  return (
    (pod.spec?.hostname ?? '') !== '' &&
    pod.spec?.subdomain === service.metadata?.name &&
    pod.metadata?.namespace === service.metadata?.namespace
  );
}

/** The endpoint a pod makes for a service, of one kind of addresses; undefined when it has no such address. */
export function endpointOf(pod: Pod, node: Node | undefined, service: Service, type: AddressType): Endpoint | undefined {
  const addresses = addressesOf(pod, type);
  if (addresses.length === 0) return undefined;
  const serving = isReady(pod);
  const terminating = pod.metadata?.deletionTimestamp !== undefined;
  // A terminating pod is never "ready", but where the user asks for addresses in any state.
  const ready = service.spec?.publishNotReadyAddresses === true || (serving && !terminating);
  const { namespace, name, uid } = pod.metadata ?? {};
  const nodeName = pod.spec?.nodeName ?? '';
  const zone = node?.metadata?.labels?.[ZONE] ?? '';
  return {
    addresses,
    conditions: { ready, serving, terminating },
    targetRef: { kind: 'Pod', namespace: namespace!, name: name!, uid: uid! },
    ...(nodeName === '' ? {} : { nodeName }),
    ...(zone === '' ? {} : { zone }),
    ...(setsHostname(pod, service) ? { hostname: pod.spec!.hostname! } : {}),
  };
}

/** IPv4 as it is nearly always written; then nothing has to be parsed. */
export const plainIPv4 = /^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(?:\.(?!$)|$)){4}$/;

function addressesOf(pod: Pod, type: AddressType): readonly string[] {
  const addresses: string[] = [];
  for (const { ip = '' } of pod.status?.podIPs ?? []) {
    const canonical = plainIPv4.test(ip) ? ip : canonicalIP(ip);
    if (canonical !== undefined && canonical.includes(':') === (type === 'IPv6')) addresses.push(canonical);
  }
  return addresses;
}

/** The number a service port leads to in a pod; undefined when the pod has no port of that name. */
export function findPort(pod: Pod, port: ServicePort): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target;
  const sidecars = (pod.spec?.initContainers ?? []).filter((container) => container.restartPolicy === 'Always');
  for (const container of [...(pod.spec?.containers ?? []), ...sidecars]) {
    for (const { name, protocol = 'TCP', containerPort } of container.ports ?? []) {
      if (name === target && protocol === (port.protocol ?? 'TCP')) return containerPort;
    }
  }
  return undefined;
}

/** The ports of the endpoints that a pod makes. Ports it does not have are left out. */
export function endpointPorts(service: Service, pod: Pod): readonly EndpointPort[] {
  const ports: EndpointPort[] = [];
  for (const port of service.spec?.ports ?? []) {
    const number = findPort(pod, port);
    if (number === undefined) continue;
    ports.push({
      name: port.name ?? '',
      port: number,
      protocol: port.protocol ?? 'TCP',
      ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
    });
  }
  return ports;
}

/** Equal for lists of the same ports, in whatever order. */
export function portsKey(ports: readonly EndpointPort[] | undefined): string {
  if (ports === undefined || ports.length === 0) return '';
  return ports
    .map(({ name = '', port = -1, protocol = 'TCP', appProtocol }) => JSON.stringify([name, port, protocol, appProtocol]))
    .sort()
    .join(' ');
}

/** Which endpoint this is, whatever its condition: its addresses, hostname and pod. */
export function endpointId(endpoint: Endpoint): string {
  const { addresses, hostname = '', targetRef } = endpoint;
  const all = addresses.length === 1 ? addresses[0] : [...addresses].sort().join(',');
  return `${all} ${hostname} ${targetRef?.namespace ?? ''}/${targetRef?.name ?? ''}`;
}

/** Whether two endpoints of one id say the same. Hints and the version of the pod do not count. */
export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  const { conditions: left = {}, targetRef: leftRef } = a;
  const { conditions: right = {}, targetRef: rightRef } = b;
  return (
    left.ready === right.ready &&
    left.serving === right.serving &&
    left.terminating === right.terminating &&
    a.nodeName === b.nodeName &&
    a.zone === b.zone &&
    leftRef?.kind === rightRef?.kind &&
    leftRef?.uid === rightRef?.uid &&
    leftRef?.name === rightRef?.name &&
    leftRef?.namespace === rightRef?.namespace
  );
}
