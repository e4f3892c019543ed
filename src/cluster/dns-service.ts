import type { Client } from '../client/contract.ts';
import { endpointSlices, endpoints, services } from '../client/resource-refs.ts';
import type { ClusterConfig } from './config.ts';
import { put } from './kubernetes-service.ts';

const NAMESPACE = 'kube-system';
/** The Service's name since the days of kube-dns; tools look for it. */
const NAME = 'kube-dns';

/** Makes the Service under which pods reach the cluster DNS. It has no selector: the server runs in k8ts, and the endpoints say where. */
export async function publishDns(client: Client, config: ClusterConfig): Promise<void> {
  await put(client, services, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: NAME,
      namespace: NAMESPACE,
      labels: { 'k8s-app': NAME, 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'KubeDNS' },
    },
    spec: {
      type: 'ClusterIP',
      clusterIP: config.dnsIp,
      clusterIPs: [config.dnsIp],
      ports: [
        { name: 'dns', protocol: 'UDP', port: 53, targetPort: config.dnsPort },
        { name: 'dns-tcp', protocol: 'TCP', port: 53, targetPort: config.dnsPort },
      ],
    },
  });
  const ports = [
    { name: 'dns', port: config.dnsPort, protocol: 'UDP' },
    { name: 'dns-tcp', port: config.dnsPort, protocol: 'TCP' },
  ] as const;
  // Both kinds, as of any Service: proxies and people look at the one or the other.
  await put(client, endpoints, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: NAME, namespace: NAMESPACE, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: [{ addresses: [{ ip: config.nodeIp }], ports }],
  });
  await put(client, endpointSlices, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: NAME,
      namespace: NAMESPACE,
      labels: { 'kubernetes.io/service-name': NAME, 'endpointslice.kubernetes.io/managed-by': 'k8ts' },
    },
    addressType: 'IPv4',
    endpoints: [{ addresses: [config.nodeIp], conditions: { ready: true, serving: true, terminating: false } }],
    ports,
  });
}
