import { canonicalIP } from '../../api/groups/ip.ts';
import type { EndpointAddress, Endpoints, EndpointPort as LegacyPort, Service } from '../../api/types/core-v1.ts';
import type { Endpoint, EndpointPort, EndpointSlice } from '../../api/types/discovery-v1.ts';
import { type AddressType, endpointId, portsKey, sameEndpoint } from '../endpoint-slice/endpoint.ts';
import { MANAGED_BY, SERVICE_NAME, slicePrefix } from '../endpoint-slice/plan.ts';
import { TRIGGER_TIME } from '../endpoint-slice/trigger-time.ts';
import { MANAGED_BY as ENDPOINTS_MANAGED_BY, CONTROLLER_NAME as ENDPOINTS_MANAGER } from '../endpoints/plan.ts';
import { semanticallyEqual } from '../equality.ts';
import { controllerRef } from '../workload/controller-ref.ts';

export const CONTROLLER_NAME = 'endpointslicemirroring-controller.k8s.io';
/** Most addresses mirrored of one subset (upstream's --mirroring-max-endpoints-per-subset). */
export const MAX_ENDPOINTS_PER_SUBSET = 1000;
const SKIP_MIRROR = 'endpointslice.kubernetes.io/skip-mirror';
const LEADER = 'control-plane.alpha.kubernetes.io/leader';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** Whether Endpoints are written by a user, for a service that the slice controller leaves alone. */
export function shouldMirror(endpoints: Endpoints | undefined, service: Service | undefined): endpoints is Endpoints {
  const { labels, annotations } = endpoints?.metadata ?? {};
  return (
    endpoints !== undefined &&
    service !== undefined &&
    service.spec?.selector === undefined &&
    labels?.[SKIP_MIRROR] !== 'true' &&
    labels?.[ENDPOINTS_MANAGED_BY] !== ENDPOINTS_MANAGER &&
    annotations?.[LEADER] === undefined
  );
}

export interface MirrorPlan {
  readonly create: readonly EndpointSlice[];
  readonly update: readonly EndpointSlice[];
  readonly delete: readonly EndpointSlice[];
  /** Addresses that are none. */
  readonly invalid: number;
  /** Addresses beyond the limit of a subset, invalid ones included. */
  readonly skipped: number;
}

interface Desired {
  readonly type: AddressType;
  readonly ports: readonly EndpointPort[];
  readonly endpoints: Map<string, Endpoint>;
}

/** The slices that mirror Endpoints: one for each set of ports and family. Pure. */
export function planMirror(endpoints: Endpoints, slices: readonly EndpointSlice[]): MirrorPlan {
  const { desired, invalid, skipped } = desiredOf(endpoints);
  const existing = new Map<string, EndpointSlice[]>();
  for (const slice of slices) {
    const key = `${slice.addressType} ${portsKey(slice.ports)}`;
    existing.set(key, [...(existing.get(key) ?? []), slice]);
  }
  const create: EndpointSlice[] = [];
  const update: EndpointSlice[] = [];
  const remove: EndpointSlice[] = [];
  for (const [key, wanted] of desired) {
    const [first, ...others] = existing.get(key) ?? [];
    existing.delete(key);
    remove.push(...others);
    if (wanted.endpoints.size === 0) {
      if (first !== undefined) remove.push(first);
    } else if (first === undefined) create.push(mirror(endpoints, wanted));
    else if (differs(first, mirror(endpoints, wanted))) {
      const { metadata, ...rest } = mirror(endpoints, wanted);
      const { generateName: _, ...named } = metadata!;
      update.push({
        ...rest,
        metadata: { ...named, name: first.metadata!.name!, resourceVersion: first.metadata!.resourceVersion! },
      });
    }
  }
  for (const left of existing.values()) remove.push(...left);
  // A slice that is not needed takes the place of one that is.
  for (let i = 0; i < remove.length && create.length > 0; ) {
    const old = remove[i]!;
    const at = create.findIndex((slice) => slice.addressType === old.addressType);
    if (at < 0) {
      i++;
      continue;
    }
    const [{ metadata, ...rest }] = create.splice(at, 1) as [EndpointSlice];
    const { generateName: _, ...named } = metadata!;
    update.push({ ...rest, metadata: { ...named, name: old.metadata!.name! } });
    remove.splice(i, 1);
  }
  const going = endpoints.metadata?.deletionTimestamp !== undefined;
  return { create: going ? [] : create, update, delete: remove, invalid, skipped };
}

function desiredOf(endpoints: Endpoints): {
  readonly desired: ReadonlyMap<string, Desired>;
  readonly invalid: number;
  readonly skipped: number;
} {
  const desired = new Map<string, Desired>();
  let invalid = 0;
  let skipped = 0;
  for (const subset of endpoints.subsets ?? []) {
    const ports = mirrorPorts(subset.ports ?? []);
    const key = portsKey(ports);
    let added = 0;
    const add = (address: EndpointAddress, ready: boolean): void => {
      const ip = added < MAX_ENDPOINTS_PER_SUBSET ? canonicalIP(address.ip) : undefined;
      if (ip === undefined) {
        skipped++;
        if (added < MAX_ENDPOINTS_PER_SUBSET) invalid++;
        return;
      }
      added++;
      const type = ip.includes(':') ? 'IPv6' : 'IPv4';
      let group = desired.get(`${type} ${key}`);
      if (group === undefined) {
        group = { type, ports, endpoints: new Map() };
        desired.set(`${type} ${key}`, group);
      }
      const endpoint = mirrorAddress(address, ip, ready);
      group.endpoints.set(endpointId(endpoint), endpoint);
    };
    for (const address of subset.addresses ?? []) add(address, true);
    for (const address of subset.notReadyAddresses ?? []) add(address, false);
  }
  return { desired, invalid, skipped };
}

const mirrorPorts = (ports: readonly LegacyPort[]): readonly EndpointPort[] =>
  ports.map(({ name = '', port, protocol = 'TCP', appProtocol }) => ({
    name,
    port,
    protocol,
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }));

function mirrorAddress(address: EndpointAddress, ip: string, ready: boolean): Endpoint {
  const { targetRef, nodeName, hostname = '' } = address;
  return {
    addresses: [ip],
    conditions: { ready },
    ...(targetRef === undefined ? {} : { targetRef }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(hostname === '' ? {} : { hostname }),
  };
}

function mirror(endpoints: Endpoints, wanted: Desired): EndpointSlice {
  const { name = '', namespace, labels, annotations = {} } = endpoints.metadata ?? {};
  const { [TRIGGER_TIME]: _, [LAST_APPLIED]: __, ...kept } = annotations;
  return {
    metadata: {
      generateName: slicePrefix(name),
      namespace: namespace!,
      labels: { ...labels, [SERVICE_NAME]: name, [MANAGED_BY]: CONTROLLER_NAME },
      ...(Object.keys(kept).length === 0 ? {} : { annotations: kept }),
      ownerReferences: [controllerRef(endpoints, 'v1', 'Endpoints')],
    },
    addressType: wanted.type,
    endpoints: [...wanted.endpoints.values()].slice(0, MAX_ENDPOINTS_PER_SUBSET),
    ports: wanted.ports,
  };
}

function differs(slice: EndpointSlice, next: EndpointSlice): boolean {
  const before = new Map((slice.endpoints ?? []).map((endpoint) => [endpointId(endpoint), endpoint]));
  const after = next.endpoints ?? [];
  if (before.size !== after.length) return true;
  for (const endpoint of after) {
    const old = before.get(endpointId(endpoint));
    if (old === undefined || !sameEndpoint(old, endpoint)) return true;
  }
  return (
    !semanticallyEqual(slice.metadata?.labels, next.metadata?.labels) ||
    !semanticallyEqual(slice.metadata?.annotations, next.metadata?.annotations)
  );
}
