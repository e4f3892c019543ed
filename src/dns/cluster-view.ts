import type { InformerFactory } from '../client/contract.ts';
import { endpointSlices, namespaces, services } from '../client/resource-refs.ts';
import type { ClusterView } from './records.ts';

const BY_SERVICE = 'dns/service';
const BY_IP = 'dns/ip';

/** The zone's view over shared informers. Add it before the informers start. */
export function createClusterView(informers: InformerFactory): ClusterView & { synced(signal?: AbortSignal): Promise<void> } {
  const service = informers.informer(services);
  const slice = informers.informer(endpointSlices);
  const namespace = informers.informer(namespaces);
  service.addIndex(BY_IP, (s) => s.spec?.clusterIPs?.filter((ip) => ip !== 'None' && ip !== '') ?? []);
  slice.addIndex(BY_IP, (s) => [...new Set((s.endpoints ?? []).flatMap((e) => e.addresses))]);
  slice.addIndex(BY_SERVICE, (s) => {
    const name = s.metadata?.labels?.['kubernetes.io/service-name'];
    return name === undefined ? [] : [`${s.metadata?.namespace}/${name}`];
  });
  return {
    service: (ns, name) => service.get(`${ns}/${name}`),
    hasNamespace: (name) => namespace.get(name) !== undefined,
    slices: (ns, name) => slice.byIndex(BY_SERVICE, `${ns}/${name}`),
    servicesByIp: (ip) => service.byIndex(BY_IP, ip),
    slicesByIp: (ip) => slice.byIndex(BY_IP, ip),
    synced: async (signal) => {
      await Promise.all([service.synced(signal), slice.synced(signal), namespace.synced(signal)]);
    },
  };
}
