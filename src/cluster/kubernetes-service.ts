import { deepEqual } from '../api/groups/define.ts';
import { isNotFound } from '../api/meta/status.ts';
import type { Client } from '../client/contract.ts';
import { configMaps, endpointSlices, endpoints, services } from '../client/resource-refs.ts';
import { type ClusterConfig, kubernetesServiceIp } from './config.ts';
import type { ClusterPki } from './pki.ts';

const NAMESPACE = 'default';
const NAME = 'kubernetes';

/** Makes the Service `default/kubernetes`, or brings it up to date with this API server's port. */
export async function publishService(client: Client, config: ClusterConfig): Promise<void> {
  const ip = kubernetesServiceIp(config.serviceCidr);
  await put(client, services, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: NAME, namespace: NAMESPACE, labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: {
      type: 'ClusterIP',
      clusterIP: ip,
      clusterIPs: [ip],
      ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: config.port }],
    },
  });
}

/** Makes the Service `default/kubernetes` again if somebody deleted it. */
export async function keepService(client: Client, config: ClusterConfig): Promise<void> {
  try {
    await client.resource(services).get(NAME, NAMESPACE);
  } catch (err) {
    if (!isNotFound(err)) throw err;
    await publishService(client, config);
  }
}

/** Brings the endpoints of `default/kubernetes` up to date with the addresses of the API servers. */
export async function publishEndpoints(client: Client, config: ClusterConfig, addresses: readonly string[]): Promise<void> {
  const skipMirror = { 'endpointslice.kubernetes.io/skip-mirror': 'true' };
  const ports = [{ name: 'https', port: config.port, protocol: 'TCP' }] as const;
  await Promise.all([
    put(client, endpoints, {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { name: NAME, namespace: NAMESPACE, labels: skipMirror },
      subsets: [{ addresses: addresses.map((ip) => ({ ip })), ports }],
    }),
    put(client, endpointSlices, {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: NAME, namespace: NAMESPACE, labels: { 'kubernetes.io/service-name': NAME } },
      addressType: 'IPv4',
      endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
      ports,
    }),
  ]);
}

/** Publishes what other API servers and joining nodes must know: the authentication config map. */
export async function publishAuthentication(client: Client, pki: ClusterPki): Promise<void> {
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
    const wanted = { ...found, ...object, metadata: { ...found.metadata, ...object.metadata } };
    if (!deepEqual(found, wanted)) await client.resource<T>(ref).update(wanted);
  } catch (err) {
    if (!isNotFound(err)) throw err;
    await client.resource<T>(ref).create(object);
  }
}
