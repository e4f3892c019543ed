/**
 * The API server: everything between a request and the store. One pipeline with two doors, HTTP and calls in the same process; what is
 * plugged into it is described in `contract.ts`.
 */
import { addCustomResources } from './crd/custom-resources.ts';
import { addComponentPages } from './discovery/component-pages.ts';
import { addDiscovery } from './discovery/discovery.ts';
import { addHealth } from './discovery/health.ts';
import { addOpenApi } from './discovery/openapi.ts';
import { legacyBindings, podBinding } from './rest/pod-binding.ts';
import { podEviction } from './rest/pod-eviction.ts';
import { type ApiServer, type ApiServerOptions, createCore } from './server.ts';
import { familyOf } from './services/allocations.ts';
import { addServiceAddresses } from './services/index.ts';
import { ServiceGuard } from './services/service-guard.ts';

export { addAggregation, type FrontProxyClient } from './aggregation/aggregator.ts';
export type * from './contract.ts';
export { loopbackUser } from './contract.ts';
export { addComponentStatuses } from './discovery/component-status.ts';
export type { Exchange } from './http/exchange.ts';
export type { Listener, ListenOptions, TlsOptions } from './http/listener.ts';
export { jsonAnswer, type RouteAnswer, type RouteHandler, type RouteRequest, textAnswer } from './http/routes.ts';
export type { ConnectHandler } from './proxy/connect.ts';
export { addKubeletProxy, type KubeletClientOptions } from './proxy/kubelet.ts';
export type { ApiServer, ApiServerOptions } from './server.ts';

/** kubeadm's range of Service addresses. */
const DEFAULT_SERVICE_CIDRS = ['10.96.0.0/16'];
const DEFAULT_NODE_PORTS = { from: 30_000, to: 32_767 };

/** Puts an API server together over a store. It serves in-process calls at once, and HTTP after `listen`. */
export async function createApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const cidrs = options.serviceCidrs ?? DEFAULT_SERVICE_CIDRS;
  const services = new ServiceGuard(cidrs.map(familyOf));
  const server = await createCore(options, new Map([['/services', services]]));
  const ports = options.nodePortRange ?? DEFAULT_NODE_PORTS;
  const hooks = server.startHooks;
  // Whoever can ask finds these done: plugins know the server, and the views of what is stored are complete.
  hooks.add(['start-apiserver-admission-initializer', 'generic-apiserver-start-informers'], Promise.resolve());
  const addresses = addServiceAddresses(server, services, { store: options.store, cidrs, ports });
  hooks.add(['start-service-ip-repair-controllers', 'start-kubernetes-service-cidr-controller'], addresses);
  await addresses;
  server.addSubresourceHandler(podBinding(server.registry));
  server.registry.addVirtual(legacyBindings(server.registry));
  server.addSubresourceHandler(podEviction(server.registry));
  const version = { ...defaultVersion(), ...options.version };
  addDiscovery(server, [{ clientCIDR: '0.0.0.0/0', serverAddress: options.advertiseAddress ?? '' }]);
  addOpenApi(server, version, options.descriptions);
  const storage = {
    name: 'etcd',
    // Rejects when the store cannot be read.
    check: async () => void (await options.store.list('/registry/health', { limit: 1 })),
  };
  const readiness = [
    { ...storage, name: 'etcd-readiness' },
    // The server's own views are complete before it serves.
    { name: 'informer-sync', check: () => {} },
  ];
  addHealth(server, { live: [storage], ready: readiness }, version);
  addComponentPages(server, version, options.flags ?? {});
  const custom = addCustomResources(server, server.shutdown);
  hooks.add(['start-apiextensions-informers', 'start-apiextensions-controllers', 'crd-informer-synced'], custom);
  await custom;
  return server;
}

function defaultVersion(): Readonly<Record<'major' | 'minor' | 'gitVersion' | 'gitCommit', string>> &
  Readonly<Record<string, string>> {
  return {
    major: '1',
    minor: '36',
    emulationMajor: '1',
    emulationMinor: '36',
    minCompatibilityMajor: '1',
    minCompatibilityMinor: '35',
    gitVersion: 'v1.36.0+k8ts',
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: process.version,
    compiler: 'v8',
    platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  };
}
