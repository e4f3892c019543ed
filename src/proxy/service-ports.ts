import type { Pod, Service } from '../api/types/core-v1.ts';
import type { EndpointSlice } from '../api/types/discovery-v1.ts';

/** Where a packet may be sent. */
export interface Destination {
  readonly ip: string;
  readonly port: number;
  /** On this node. */
  readonly local: boolean;
}

/** One port of a Service as the ruleset needs it. Endpoints are those that traffic of each kind may go to, in a stable order. */
export interface ServicePort {
  /** `namespace/service:port`, for comments and chain names. */
  readonly name: string;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly port: number;
  /** 0 when there is none. */
  readonly nodePort: number;
  readonly clusterIps: readonly string[];
  /** Load balancer and external addresses. */
  readonly externalIps: readonly string[];
  /** CIDRs that may reach the load balancer addresses; empty: all. */
  readonly sourceRanges: readonly string[];
  readonly loadBalancerIps: readonly string[];
  /** For traffic to the cluster IP. */
  readonly internal: readonly Destination[];
  /** For traffic from outside: all endpoints, or this node's with externalTrafficPolicy Local. */
  readonly external: readonly Destination[];
  readonly externalLocal: boolean;
  /** The Service has endpoints somewhere, though maybe not for this node: such traffic is dropped, not refused. */
  readonly hasEndpoints: boolean;
  /** Seconds a client stays with its endpoint; 0: no affinity. */
  readonly affinitySeconds: number;
}

/** A container's port on the node itself. */
export interface HostPort {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly hostPort: number;
  /** '' for every address of the node. */
  readonly hostIp: string;
  readonly ip: string;
  readonly port: number;
}

const protocolOf = (protocol: string | undefined): ServicePort['protocol'] =>
  (protocol ?? 'TCP').toLowerCase() as ServicePort['protocol'];

const isV4 = (ip: string): boolean => !ip.includes(':');

/** Where this proxy is. */
export interface Place {
  readonly nodeName: string;
  /** The node's zone; '' when it has none, or is not known. */
  readonly zone: string;
}

/** The ports of a Service with their endpoints, for IPv4. Empty for headless and ExternalName Services, and those of another proxy. */
export function servicePorts(service: Service, slices: readonly EndpointSlice[], place: Place): readonly ServicePort[] {
  const { spec, metadata, status } = service;
  if (spec === undefined || spec.type === 'ExternalName' || spec.clusterIP === 'None' || !spec.clusterIP) return [];
  if (metadata?.labels?.['service.kubernetes.io/service-proxy-name'] !== undefined) return [];
  // The label makes one headless that has an address.
  if (metadata?.labels?.['service.kubernetes.io/headless'] !== undefined) return [];
  const clusterIps = (spec.clusterIPs ?? [spec.clusterIP]).filter(isV4);
  if (clusterIps.length === 0) return [];
  const loadBalancerIps = (status?.loadBalancer?.ingress ?? [])
    .filter((i) => i.ipMode !== 'Proxy')
    .flatMap((i) => (i.ip !== undefined && isV4(i.ip) ? [i.ip] : []));
  const affinity = spec.sessionAffinity === 'ClientIP' ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800) : 0;
  const externalLocal =
    spec.externalTrafficPolicy === 'Local' &&
    (spec.type === 'NodePort' || spec.type === 'LoadBalancer' || (spec.externalIPs ?? []).length > 0);
  return (spec.ports ?? []).map((port) => {
    const protocol = protocolOf(port.protocol);
    const candidates = candidatesOf(slices, port.name ?? '', protocol, place);
    const everywhere = usable(candidates, nearness(candidates));
    const here = usable(candidates, (c) => c.local);
    return {
      name: `${metadata?.namespace}/${metadata?.name}${port.name ? `:${port.name}` : ''}`,
      protocol,
      port: port.port,
      nodePort: port.nodePort ?? 0,
      clusterIps,
      externalIps: (spec.externalIPs ?? []).filter(isV4),
      loadBalancerIps,
      sourceRanges: (spec.loadBalancerSourceRanges ?? []).map((r) => r.trim()).filter(isV4),
      internal: spec.internalTrafficPolicy === 'Local' ? here : everywhere,
      external: externalLocal ? here : everywhere,
      externalLocal,
      hasEndpoints: everywhere.length > 0,
      affinitySeconds: affinity,
    };
  });
}

interface Candidate extends Destination {
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  /** What its hints say of this node and of its zone; undefined when they say nothing of nodes, or of zones. */
  readonly forNode: boolean | undefined;
  readonly forZone: boolean | undefined;
}

function candidatesOf(
  slices: readonly EndpointSlice[],
  portName: string,
  protocol: string,
  { nodeName, zone }: Place,
): readonly Candidate[] {
  const found = new Map<string, Candidate>();
  for (const slice of slices) {
    if (slice.addressType !== 'IPv4') continue;
    for (const port of slice.ports ?? []) {
      if ((port.name ?? '') !== portName || port.port === undefined || protocolOf(port.protocol) !== protocol) continue;
      for (const endpoint of slice.endpoints ?? []) {
        const ip = endpoint.addresses[0];
        if (ip === undefined) continue;
        const ready = endpoint.conditions?.ready !== false;
        found.set(`${ip}:${port.port}`, {
          ip,
          port: port.port,
          local: endpoint.nodeName === nodeName,
          ready,
          serving: endpoint.conditions?.serving ?? ready,
          terminating: endpoint.conditions?.terminating === true,
          forNode: hinted(endpoint.hints?.forNodes, nodeName),
          forZone: hinted(endpoint.hints?.forZones, zone),
        });
      }
    }
  }
  return [...found.values()].sort((a, b) => (a.ip === b.ip ? a.port - b.port : a.ip < b.ip ? -1 : 1));
}

const hinted = (names: readonly { readonly name: string }[] | undefined, own: string): boolean | undefined =>
  names === undefined || names.length === 0 ? undefined : names.some(({ name }) => name === own);

/**
 * Which endpoints traffic from here should keep to: those meant for this node, else for its zone (KEP-4444, KEP-3015). Hints count only when
 * every ready endpoint has them and one of them is meant for here: otherwise traffic goes everywhere.
 */
function nearness(candidates: readonly Candidate[]): (candidate: Candidate) => boolean {
  const ready = candidates.filter((c) => c.ready);
  for (const hint of ['forNode', 'forZone'] as const) {
    if (ready.every((c) => c[hint] !== undefined) && ready.some((c) => c[hint] === true)) return (c) => c[hint] === true;
  }
  return () => true;
}

/** Ready endpoints; where there are none, those that still serve while they terminate (KEP-1669). */
function usable(candidates: readonly Candidate[], where: (candidate: Candidate) => boolean): readonly Destination[] {
  const mine = candidates.filter(where);
  const ready = mine.filter((c) => c.ready);
  const chosen = ready.length > 0 ? ready : mine.filter((c) => c.serving && c.terminating);
  return chosen.map(({ ip, port, local }) => ({ ip, port, local }));
}

/** The host ports of the pods that run on this node. Pods on the host network hold theirs themselves. */
export function hostPorts(pods: readonly Pod[], nodeName: string): readonly HostPort[] {
  return pods.flatMap((pod) => {
    const ip = pod.status?.podIPs?.map((p) => p.ip).find(isV4) ?? pod.status?.podIP;
    const over = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
    if (pod.spec?.nodeName !== nodeName || pod.spec.hostNetwork === true || ip === undefined || over) return [];
    const containers = [
      ...(pod.spec.containers ?? []),
      ...(pod.spec.initContainers ?? []).filter((c) => c.restartPolicy === 'Always'),
    ];
    return containers.flatMap((container) =>
      (container.ports ?? [])
        .filter((p) => (p.hostPort ?? 0) > 0 && isV4(p.hostIP ?? ''))
        .map((p) => ({
          protocol: protocolOf(p.protocol),
          hostPort: p.hostPort ?? 0,
          hostIp: p.hostIP === '0.0.0.0' ? '' : (p.hostIP ?? ''),
          ip,
          port: p.containerPort,
        })),
    );
  });
}
