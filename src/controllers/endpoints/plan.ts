import { isIPv6 } from '../../api/groups/ip.ts';
import type { EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Pod, Service } from '../../api/types/core-v1.ts';
import { belongsInEndpoints, findPort, isHeadless, plainIPv4, setsHostname } from '../endpoint-slice/endpoint.ts';
import { withTriggerTime } from '../endpoint-slice/trigger-time.ts';
import { semanticallyEqual } from '../equality.ts';
import { isReady } from '../workload/pod-state.ts';
import { countAddresses, MAX_ADDRESSES, packSubsets, type ReadyAddress, truncateSubsets } from './subsets.ts';

export const MANAGED_BY = 'endpoints.kubernetes.io/managed-by';
export const CONTROLLER_NAME = 'endpoint-controller';
const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity';
const HEADLESS = 'service.kubernetes.io/headless';

/**
 * The Endpoints a service should have; undefined when `current` says so already. `trigger` is the time of the change that led here, in
 * milliseconds.
 */
export function planEndpoints(
  service: Service,
  pods: readonly Pod[],
  current: Endpoints | undefined,
  trigger: number | undefined,
): Endpoints | undefined {
  const all = packSubsets(pods.flatMap((pod) => addressesOf(service, pod)));
  const over = countAddresses(all) > MAX_ADDRESSES;
  const subsets = truncateSubsets(all);
  const labels = endpointsLabels(service);
  const { name, namespace } = service.metadata ?? {};
  if (
    current !== undefined &&
    semanticallyEqual(withoutVersions(current.subsets), subsets) &&
    semanticallyEqual(current.metadata?.labels, labels) &&
    (current.metadata?.annotations?.[OVER_CAPACITY] !== undefined) === over
  ) {
    return undefined;
  }
  const metadata = withTriggerTime({ ...(current?.metadata ?? { name, namespace }), labels }, trigger);
  const { [OVER_CAPACITY]: _, ...others } = metadata.annotations ?? {};
  const annotations = over ? { ...others, [OVER_CAPACITY]: 'truncated' } : others;
  const { annotations: __, ...bare } = metadata;
  return {
    ...(current ?? { apiVersion: 'v1', kind: 'Endpoints' }),
    metadata: Object.keys(annotations).length === 0 ? bare : { ...bare, annotations },
    subsets,
  };
}

function endpointsLabels(service: Service): Readonly<Record<string, string>> {
  const { [HEADLESS]: _, ...labels } = service.metadata?.labels ?? {};
  return { ...labels, ...(isHeadless(service) ? { [HEADLESS]: '' } : {}), [MANAGED_BY]: CONTROLLER_NAME };
}

/** A change of nothing but a pod's version is no change of its endpoint. */
function withoutVersions(subsets: readonly EndpointSubset[] | undefined): readonly EndpointSubset[] {
  const strip = (address: EndpointAddress): EndpointAddress => {
    if (address.targetRef?.resourceVersion === undefined) return address;
    const { resourceVersion: _, ...targetRef } = address.targetRef;
    return { ...address, targetRef };
  };
  return (subsets ?? []).map((subset) => ({
    ...subset,
    addresses: (subset.addresses ?? []).map(strip),
    notReadyAddresses: (subset.notReadyAddresses ?? []).map(strip),
  }));
}

function addressesOf(service: Service, pod: Pod): readonly ReadyAddress[] {
  const publishAll = service.spec?.publishNotReadyAddresses === true;
  if (!belongsInEndpoints(pod, publishAll)) return [];
  const ip = addressFor(service, pod);
  if (ip === undefined) return [];
  const { namespace, name, uid } = pod.metadata ?? {};
  const address: EndpointAddress = {
    ip,
    ...(pod.spec?.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    ...(setsHostname(pod, service) ? { hostname: pod.spec!.hostname! } : {}),
    targetRef: { kind: 'Pod', namespace: namespace!, name: name!, uid: uid! },
  };
  const ready = publishAll || isReady(pod);
  const servicePorts = service.spec?.ports ?? [];
  if (servicePorts.length === 0) return isHeadless(service) ? [{ address, ready, ports: [] }] : [];
  const ports = servicePorts.flatMap((port): readonly EndpointPort[] => {
    const number = findPort(pod, port);
    if (number === undefined) return [];
    return [
      {
        ...(port.name ? { name: port.name } : {}),
        port: number,
        protocol: port.protocol ?? 'TCP',
        ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
      },
    ];
  });
  return ports.length === 0 ? [] : [{ address, ready, ports }];
}

/** Endpoints know one family: that of the service's address, or for a headless one its first. */
function addressFor(service: Service, pod: Pod): string | undefined {
  const { clusterIP = '', ipFamilies = [] } = service.spec ?? {};
  const { podIP = '', podIPs = [] } = pod.status ?? {};
  const addresses = podIPs.length === 0 ? [podIP] : podIPs.map(({ ip = '' }) => ip);
  let wants6: boolean;
  if (ipFamilies.length > 0) wants6 = ipFamilies[0] === 'IPv6';
  else wants6 = isHeadless(service) ? isIPv6(addresses[0] ?? '') : isIPv6(clusterIP);
  return addresses.find((ip) => ip !== '' && (plainIPv4.test(ip) ? !wants6 : isIPv6(ip) === wants6));
}
