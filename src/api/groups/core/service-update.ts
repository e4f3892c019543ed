import type { Service, ServicePort, ServiceSpec } from '../../types/core-v1.ts';
import { deepEqual } from '../define.ts';

type Spec = ServiceSpec;
type Draft = { -readonly [K in keyof ServiceSpec]: ServiceSpec[K] };

/** Traffic can reach it from outside the cluster, so externalTrafficPolicy applies. */
export const externallyAccessible = (spec: Spec): boolean =>
  spec.type === 'LoadBalancer' || spec.type === 'NodePort' || (spec.type === 'ClusterIP' && (spec.externalIPs?.length ?? 0) > 0);

export const needsClusterIP = (spec: Spec): boolean =>
  spec.type === 'ClusterIP' || spec.type === 'NodePort' || spec.type === 'LoadBalancer';

export const needsNodePorts = (spec: Spec): boolean =>
  spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);

/** A health check node port tells a load balancer which nodes have endpoints. */
export const needsHealthCheckNodePort = (spec: Spec): boolean =>
  spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';

/** A client that only knows clusterIP gets clusterIPs filled in. */
export function withClusterIPs(object: Service): Service {
  const { clusterIP, clusterIPs } = object.spec ?? {};
  if (!clusterIP || (clusterIPs?.length ?? 0) > 0) return object;
  return { ...object, spec: { ...object.spec, clusterIPs: [clusterIP] } };
}

/**
 * Before validation of an update: status is kept; what the cluster allocated and the client left out is kept (so that applying the same
 * manifest twice is no change); what a change of type makes meaningless is dropped, when the client did not touch it.
 */
export function prepareServiceUpdate(object: Service, old: Service): Service {
  const after: Draft = { ...object.spec };
  const before = old.spec ?? {};
  keepAllocated(after, before);
  syncClusterIPs(after, before);
  dropForeign(after, before);
  const { status: _status, ...rest } = object;
  return { ...rest, spec: after, ...(old.status === undefined ? {} : { status: old.status }) };
}

function keepAllocated(after: Draft, before: Spec): void {
  if (needsClusterIP(before) && needsClusterIP(after)) {
    if (!after.clusterIP && before.clusterIP) after.clusterIP = before.clusterIP;
    if (!after.clusterIPs?.length && before.clusterIPs && after.clusterIP === before.clusterIP)
      after.clusterIPs = before.clusterIPs;
  }
  if (needsNodePorts(before) && needsNodePorts(after) && after.ports !== undefined)
    after.ports = keepNodePorts(after.ports, before);
  if (needsHealthCheckNodePort(before) && needsHealthCheckNodePort(after) && !after.healthCheckNodePort) {
    if (before.healthCheckNodePort !== undefined) after.healthCheckNodePort = before.healthCheckNodePort;
  }
}

/** A port without nodePort keeps the one it had, found by protocol and port, unless another port took it. */
function keepNodePorts(ports: readonly ServicePort[], before: Spec): readonly ServicePort[] {
  if (ports.every((p) => p.nodePort)) return ports;
  const key = (p: ServicePort): string => `${p.protocol}/${p.port}`;
  const known = new Map((before.ports ?? []).map((p) => [key(p), p.nodePort ?? 0]));
  const taken = new Set(ports.map((p) => p.nodePort ?? 0));
  return ports.map((p) => {
    const nodePort = p.nodePort ? 0 : (known.get(key(p)) ?? 0);
    return nodePort === 0 || taken.has(nodePort) ? p : { ...p, nodePort };
  });
}

/** clusterIP is clusterIPs[0]: a client that changed only the singular meant both. */
function syncClusterIPs(after: Draft, before: Spec): void {
  if ((after.clusterIP ?? '') === (before.clusterIP ?? '')) return;
  if (!deepEqual(after.clusterIPs ?? [], before.clusterIPs ?? [])) return;
  if (after.clusterIP) after.clusterIPs = [after.clusterIP];
  else delete after.clusterIPs;
}

/** Drops, of fields that the old type had use for and the new has not, those that are as they were. */
function dropForeign(after: Draft, before: Spec): void {
  const drop = (...names: readonly (keyof Spec)[]): void => {
    for (const name of names) if (deepEqual(after[name], before[name])) delete after[name];
  };
  if (needsClusterIP(before) && !needsClusterIP(after)) {
    if (after.clusterIP === before.clusterIP && deepEqual(after.clusterIPs ?? [], before.clusterIPs ?? [])) {
      delete after.clusterIP;
      delete after.clusterIPs;
    }
    drop('ipFamilies', 'ipFamilyPolicy');
  }
  if (needsNodePorts(before) && !needsNodePorts(after)) {
    const numbers = (spec: Spec): readonly number[] =>
      (spec.ports ?? [])
        .map((p) => p.nodePort ?? 0)
        .filter((n) => n > 0)
        .sort();
    if (after.ports !== undefined && deepEqual(numbers(after), numbers(before))) {
      after.ports = after.ports.map(({ nodePort: _nodePort, ...port }) => port);
    }
  }
  if (needsHealthCheckNodePort(before) && !needsHealthCheckNodePort(after)) drop('healthCheckNodePort');
  if (before.type === 'LoadBalancer' && after.type !== 'LoadBalancer') drop('allocateLoadBalancerNodePorts', 'loadBalancerClass');
  if (externallyAccessible(before) && !externallyAccessible(after)) drop('externalTrafficPolicy');
  if (before.type !== 'ExternalName' && after.type === 'ExternalName') drop('internalTrafficPolicy');
}
