import { isNotFound } from '../api/meta/status.ts';
import type { Client } from '../client/contract.ts';
import { configMaps, endpointSlices, endpoints, services } from '../client/resource-refs.ts';
import { type ClusterConfig, kubernetesServiceIp } from './config.ts';
import type { ClusterPki } from './pki.ts';

const NAMESPACE = 'default';
const NAME = 'kubernetes';

/**
 * Makes the Service `default/kubernetes` with this API server as its endpoint, brings it up to date after a change of address, and publishes
 * what other API servers and joining nodes must know (the authentication and cluster-info config maps).
 */
export async function publishApiServer(client: Client, config: ClusterConfig, pki: ClusterPki): Promise<void> {
  const labels = { component: 'apiserver', provider: 'kubernetes' };
  const ip = kubernetesServiceIp(config.serviceCidr);
  await put(client, services, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: NAME, namespace: NAMESPACE, labels },
    spec: {
      type: 'ClusterIP',
      clusterIP: ip,
      clusterIPs: [ip],
      ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: config.port }],
    },
  });
  const skipMirror = { 'endpointslice.kubernetes.io/skip-mirror': 'true' };
  await put(client, endpoints, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: NAME, namespace: NAMESPACE, labels: skipMirror },
    subsets: [{ addresses: [{ ip: config.nodeIp }], ports: [{ name: 'https', port: config.port, protocol: 'TCP' }] }],
  });
  await put(client, endpointSlices, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: NAME, namespace: NAMESPACE, labels: { 'kubernetes.io/service-name': NAME } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [config.nodeIp], conditions: { ready: true } }],
    ports: [{ name: 'https', port: config.port, protocol: 'TCP' }],
  });
  await put(client, configMaps, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'extension-apiserver-authentication', namespace: 'kube-system' },
    data: {
      'client-ca-file': pki.ca.cert,
      'requestheader-client-ca-file': pki.frontProxyCa.cert,
      'requestheader-allowed-names': '["front-proxy-client"]',
      'requestheader-username-headers': '["X-Remote-User"]',
      'requestheader-uid-headers': '["X-Remote-Uid"]',
      'requestheader-group-headers': '["X-Remote-Group"]',
      'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
    },
  });
}

/** Creates the object, or updates what stands there when it differs. */
export async function put<T extends Parameters<ReturnType<Client['resource']>['create']>[0]>(
  client: Client,
  ref: Parameters<typeof client.resource<T>>[0],
  object: T,
): Promise<void> {
  const { name = '', namespace = '' } = object.metadata ?? {};
  try {
    const found = await client.resource<T>(ref).get(name, namespace);
    // The API server keeps the revision of an update that changes nothing.
    await client.resource<T>(ref).update({ ...found, ...object, metadata: { ...found.metadata, ...object.metadata } });
  } catch (err) {
    if (!isNotFound(err)) throw err;
    await client.resource<T>(ref).create(object);
  }
}
