import { nameIsDNSLabel } from '../../meta/names.ts';
import type { LoadBalancerIngress, Service, ServicePort, ServiceSpec } from '../../types/core-v1.ts';
import { age, column, groupVersion, standardColumns } from '../define.ts';
import { formatLabels } from '../field-checks.ts';
import { serviceWarnings } from '../object-warnings.ts';
import { externallyAccessible, prepareServiceUpdate, withClusterIPs } from './service-update.ts';
import { validateLoadBalancerStatus, validateService, validateServiceUpdate } from './service-validation.ts';

const define = groupVersion('', 'v1');

/** Seconds a client stays with its endpoint under sessionAffinity ClientIP, when the Service does not say. */
const defaultAffinitySeconds = 10800;

const same = <T>(a: readonly T[], b: readonly T[]): boolean => a.every((item, i) => item === b[i]);

function defaultPort(port: ServicePort): ServicePort {
  const protocol = port.protocol || 'TCP';
  const unset = port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '';
  if (protocol === port.protocol && !unset) return port;
  return { ...port, protocol, targetPort: unset ? (port.port ?? 0) : port.targetPort };
}

/** The defaults that do not depend on the cluster; the allocator fills in addresses, families and node ports. */
function defaults(object: Service): Service {
  const spec = object.spec ?? {};
  const type = spec.type || 'ClusterIP';
  const affinity = spec.sessionAffinity || 'None';
  const { sessionAffinityConfig, ...rest } = spec;
  const next: { -readonly [K in keyof ServiceSpec]: ServiceSpec[K] } = { ...rest, type, sessionAffinity: affinity };
  if (affinity === 'ClientIP' && sessionAffinityConfig?.clientIP?.timeoutSeconds === undefined) {
    next.sessionAffinityConfig = { clientIP: { timeoutSeconds: defaultAffinitySeconds } };
  } else if (affinity !== 'None' && sessionAffinityConfig !== undefined) {
    next.sessionAffinityConfig = sessionAffinityConfig;
  }
  if (spec.ports !== undefined) {
    const ports = spec.ports.map(defaultPort);
    next.ports = same(ports, spec.ports) ? spec.ports : ports;
  }
  if (externallyAccessible(next) && !spec.externalTrafficPolicy) next.externalTrafficPolicy = 'Cluster';
  if (type !== 'ExternalName') {
    next.internalTrafficPolicy ??= 'Cluster';
    if (spec.ipFamilyPolicy === undefined && (spec.clusterIPs?.length === 2 || spec.ipFamilies?.length === 2)) {
      next.ipFamilyPolicy = 'RequireDualStack';
    }
    if (next.ipFamilyPolicy === 'RequireDualStack' && spec.ipFamilies?.length === 1) {
      next.ipFamilies = [spec.ipFamilies[0]!, spec.ipFamilies[0] === 'IPv4' ? 'IPv6' : 'IPv4'];
    }
  }
  if (type === 'LoadBalancer') next.allocateLoadBalancerNodePorts ??= true;
  return withIPModes({ ...object, spec: next }, type);
}

/** A load balancer's IP is its own unless the balancer says that it proxies (KEP-1860). */
function withIPModes(object: Service, type: string): Service {
  const ingress = object.status?.loadBalancer?.ingress;
  if (type !== 'LoadBalancer' || !ingress?.some((i) => i.ip && i.ipMode === undefined)) return object;
  const moded = ingress.map((i): LoadBalancerIngress => (i.ip && i.ipMode === undefined ? { ...i, ipMode: 'VIP' } : i));
  return { ...object, status: { ...object.status, loadBalancer: { ...object.status!.loadBalancer, ingress: moded } } };
}

/** The addresses of a load balancer's status, sorted, each once. */
export function loadBalancerAddresses(
  ingress: readonly { readonly ip?: string; readonly hostname?: string }[] | undefined,
): string {
  const addresses = (ingress ?? []).map((i) => i.ip || i.hostname || '').filter((a) => a !== '');
  return [...new Set(addresses)].sort().join(',');
}

function externalIP(object: Service): string {
  const external = object.spec?.externalIPs ?? [];
  switch (object.spec?.type) {
    case 'ClusterIP':
    case 'NodePort':
      return external.length > 0 ? external.join(',') : '<none>';
    case 'LoadBalancer': {
      const assigned = loadBalancerAddresses(object.status?.loadBalancer?.ingress);
      const all = [...(assigned === '' ? [] : [assigned]), ...external];
      return all.length > 0 ? all.join(',') : '<pending>';
    }
    case 'ExternalName':
      return object.spec.externalName ?? '';
    default:
      return '<unknown>';
  }
}

const formatPort = (p: ServicePort): string =>
  p.nodePort ? `${p.port}:${p.nodePort}/${p.protocol ?? ''}` : `${p.port}/${p.protocol ?? ''}`;

export const service = define<Service>({
  kind: 'Service',
  plural: 'services',
  namespaced: true,
  shortNames: ['svc'],
  categories: ['all'],
  storagePrefix: '/registry/services/specs',
  status: true,
  generation: false,
  subresources: [
    {
      name: 'proxy',
      verbs: ['create', 'delete', 'get', 'patch', 'update'],
      kind: { group: '', version: 'v1', kind: 'ServiceProxyOptions' },
    },
  ],
  defaults,
  strategy: {
    allowCreateOnUpdate: true,
    prepareForCreate: (object) => ({ ...withClusterIPs(object), status: { loadBalancer: {} } }),
    prepareForUpdate: prepareServiceUpdate,
  },
  validate: validateService,
  validateUpdate: validateServiceUpdate,
  validateStatusUpdate: (object, old) => validateLoadBalancerStatus(object, old),
  validateName: nameIsDNSLabel,
  warnings: serviceWarnings,
  columns: [
    ...standardColumns(
      column(
        'Type',
        'string',
        'type determines how the Service is exposed. Defaults to ClusterIP. Valid options are ExternalName, ClusterIP, NodePort, and LoadBalancer. "ClusterIP" allocates a cluster-internal IP address for load-balancing to endpoints. Endpoints are determined by the selector or if that is not specified, by manual construction of an Endpoints object or EndpointSlice objects. If clusterIP is "None", no virtual IP is allocated and the endpoints are published as a set of endpoints rather than a virtual IP. "NodePort" builds on ClusterIP and allocates a port on every node which routes to the same endpoints as the clusterIP. "LoadBalancer" builds on NodePort and creates an external load-balancer (if supported in the current cloud) which routes to the same endpoints as the clusterIP. "ExternalName" aliases this service to the specified externalName. Several other fields do not apply to ExternalName services. More info: https://kubernetes.io/docs/concepts/services-networking/service/#publishing-services-service-types',
      ),
      column(
        'Cluster-IP',
        'string',
        'clusterIP is the IP address of the service and is usually assigned randomly. If an address is specified manually, is in-range (as per system configuration), and is not in use, it will be allocated to the service; otherwise creation of the service will fail. This field may not be changed through updates unless the type field is also being changed to ExternalName (which requires this field to be blank) or the type field is being changed from ExternalName (in which case this field may optionally be specified, as describe above).  Valid values are "None", empty string (""), or a valid IP address. Setting this to "None" makes a "headless service" (no virtual IP), which is useful when direct endpoint connections are preferred and proxying is not required.  Only applies to types ClusterIP, NodePort, and LoadBalancer. If this field is specified when creating a Service of type ExternalName, creation will fail. This field will be wiped when updating a Service to type ExternalName. More info: https://kubernetes.io/docs/concepts/services-networking/service/#virtual-ips-and-service-proxies',
      ),
      column(
        'External-IP',
        'string',
        'externalIPs is a list of IP addresses for which nodes in the cluster will also accept traffic for this service.  These IPs are not managed by Kubernetes.  The user is responsible for ensuring that traffic arrives at a node with this IP.  A common example is external load-balancers that are not part of the Kubernetes system.',
      ),
      column(
        'Port(s)',
        'string',
        'The list of ports that are exposed by this service. More info: https://kubernetes.io/docs/concepts/services-networking/service/#virtual-ips-and-service-proxies',
      ),
    ),
    column(
      'Selector',
      'string',
      'Route service traffic to pods with label keys and values matching this selector. If empty or not present, the service is assumed to have an external process managing its endpoints, which Kubernetes will not modify. Only applies to types ClusterIP, NodePort, and LoadBalancer. Ignored if type is ExternalName. More info: https://kubernetes.io/docs/concepts/services-networking/service/',
      1,
    ),
  ],
  row: (object, now) => [
    object.metadata?.name ?? '',
    object.spec?.type ?? '',
    object.spec?.clusterIP || '<none>',
    externalIP(object),
    (object.spec?.ports ?? []).map(formatPort).join(',') || '<none>',
    age(object.metadata?.creationTimestamp, now),
    formatLabels(object.spec?.selector),
  ],
  fieldSelectors: {
    'spec.clusterIP': (object) => object.spec?.clusterIP ?? '',
    'spec.type': (object) => object.spec?.type ?? '',
  },
});
