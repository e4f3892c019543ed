import { duplicate, type FieldError, FieldPath, forbidden, invalid, notSupported, required } from '../../meta/field-error.ts';
import { validateLabels } from '../../meta/label-selector-validation.ts';
import { isDNS1123Label, isDNS1123Subdomain, isQualifiedName } from '../../meta/names.ts';
import type { LoadBalancerStatus, Service, ServicePort, ServiceSpec } from '../../types/core-v1.ts';
import { check, oneOf } from '../field-checks.ts';
import { isIP, isIPv6, validateEndpointIP, validateLegacyCIDR, validateLegacyIP } from '../ip.ts';
import { portFaults, portOrNameFaults } from '../port.ts';
import { externallyAccessible, needsHealthCheckNodePort } from './service-update.ts';

const spec = new FieldPath('spec');
const at = (name: string): FieldPath => spec.child(name);

/** The longest a client may stay with its endpoint, in seconds: one day. */
const maxAffinitySeconds = 86400;
const kubeletPort = 10250;
const sourceRangesAnnotation = 'service.beta.kubernetes.io/load-balancer-source-ranges';
const topologyMode = 'service.kubernetes.io/topology-mode';
const topologyHints = 'service.kubernetes.io/topology-aware-hints';
const onlyLoadBalancer = "may only be used when `type` is 'LoadBalancer'";

const isHeadless = (s: ServiceSpec): boolean => s.clusterIPs?.length === 1 && s.clusterIPs[0] === 'None';

/** Everything wrong with a Service whose addresses have been allocated. */
export function validateService(object: Service): readonly FieldError[] {
  return faults(object, undefined);
}

export function validateServiceUpdate(object: Service, old: Service): readonly FieldError[] {
  const after = object.spec ?? {};
  const before = old.spec ?? {};
  const errors: FieldError[] = [];
  if (after.type !== 'ExternalName' && before.type !== 'ExternalName') {
    errors.push(...clusterIPChanges(after, before), ...familyChanges(after, before));
  }
  if (after.type === 'LoadBalancer' && before.type === 'LoadBalancer' && after.loadBalancerClass !== before.loadBalancerClass) {
    errors.push(invalid(at('loadBalancerClass'), after.loadBalancerClass, 'may not change once set'));
  }
  return [...errors, ...faults(object, before)];
}

function faults(object: Service, old: ServiceSpec | undefined): readonly FieldError[] {
  const s = object.spec ?? {};
  const ports = s.ports ?? [];
  const errors: FieldError[] = [...topologyFaults(object)];
  if (ports.length === 0 && !isHeadless(s) && s.type !== 'ExternalName') errors.push(required(at('ports')));
  errors.push(...typeFaults(s));
  const names = new Set<string>();
  ports.forEach((port, i) => void errors.push(...servicePortFaults(port, ports.length > 1, names, at('ports').index(i))));
  if (s.selector !== undefined) errors.push(...validateLabels(s.selector, at('selector')));
  errors.push(...affinityFaults(s));
  if (s.type !== 'ExternalName') errors.push(...clusterIPFaults(s, old?.clusterIPs));
  (s.externalIPs ?? []).forEach((ip, i) => {
    const path = at('externalIPs').index(i);
    const bad = validateLegacyIP(path, ip, old?.externalIPs);
    errors.push(...(bad.length > 0 ? bad : validateEndpointIP(path, ip)));
  });
  errors.push(...oneOf(at('type'), s.type, ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']));
  errors.push(...duplicatePorts(s), ...loadBalancerFaults(object, old), ...trafficFaults(s));
  return errors;
}

/** The annotation has two names; they may not disagree. */
function topologyFaults(object: Service): readonly FieldError[] {
  const mode = object.metadata?.annotations?.[topologyMode];
  const hints = object.metadata?.annotations?.[topologyHints];
  if (mode === undefined || hints === undefined || mode === hints) return [];
  const path = new FieldPath('metadata.annotations').key(topologyMode);
  return [invalid(path, mode, `must match annotations[${topologyHints}] when both are specified`)];
}

function typeFaults(s: ServiceSpec): readonly FieldError[] {
  const errors: FieldError[] = [];
  const headless = at('clusterIPs').index(0);
  switch (s.type) {
    case 'LoadBalancer':
      (s.ports ?? []).forEach(({ port }, i) => {
        if (port !== kubeletPort) return;
        const detail = `may not expose port ${kubeletPort} externally since it is used by kubelet`;
        errors.push(invalid(at('ports').index(i), port, detail));
      });
      if (isHeadless(s)) errors.push(invalid(headless, 'None', "may not be set to 'None' for LoadBalancer services"));
      break;
    case 'NodePort':
      if (isHeadless(s)) errors.push(invalid(headless, 'None', "may not be set to 'None' for NodePort services"));
      break;
    case 'ExternalName': {
      const detail = 'may not be set for ExternalName services';
      if ((s.clusterIPs?.length ?? 0) > 0) errors.push(forbidden(at('clusterIPs'), detail));
      if ((s.ipFamilies?.length ?? 0) > 0) errors.push(forbidden(at('ipFamilies'), detail));
      if (s.ipFamilyPolicy !== undefined) errors.push(forbidden(at('ipFamilyPolicy'), detail));
      // A trailing dot says that the name is fully qualified.
      const cname = (s.externalName ?? '').replace(/\.$/, '');
      errors.push(...(cname === '' ? [required(at('externalName'))] : check(at('externalName'), cname, isDNS1123Subdomain)));
      break;
    }
  }
  return errors;
}

function servicePortFaults(port: ServicePort, nameRequired: boolean, names: Set<string>, path: FieldPath): readonly FieldError[] {
  const errors: FieldError[] = [];
  const name = port.name ?? '';
  if (name === '') {
    if (nameRequired) errors.push(required(path.child('name')));
  } else {
    errors.push(...check(path.child('name'), name, isDNS1123Label));
    if (names.has(name)) errors.push(duplicate(path.child('name'), name));
    names.add(name);
  }
  errors.push(...portFaults(path.child('port'), port.port ?? 0));
  errors.push(...oneOf(path.child('protocol'), port.protocol, ['SCTP', 'TCP', 'UDP']));
  errors.push(...portOrNameFaults(path.child('targetPort'), port.targetPort ?? 0));
  if (port.appProtocol !== undefined) errors.push(...check(path.child('appProtocol'), port.appProtocol, isQualifiedName));
  return errors;
}

function affinityFaults(s: ServiceSpec): readonly FieldError[] {
  const errors = [...oneOf(at('sessionAffinity'), s.sessionAffinity, ['ClientIP', 'None'])];
  const config = at('sessionAffinityConfig');
  if (s.sessionAffinity === 'ClientIP') {
    const clientIP = s.sessionAffinityConfig?.clientIP;
    if (s.sessionAffinityConfig === undefined) {
      errors.push(required(config, 'when session affinity type is ClientIP'));
    } else if (clientIP === undefined) {
      errors.push(required(config.child('clientIP'), 'when session affinity type is ClientIP'));
    } else if (clientIP.timeoutSeconds === undefined) {
      errors.push(required(config.child('clientIP', 'timeoutSeconds'), 'when session affinity type is ClientIP'));
    } else if (clientIP.timeoutSeconds <= 0 || clientIP.timeoutSeconds > maxAffinitySeconds) {
      const detail = `must be greater than 0 and less than ${maxAffinitySeconds}`;
      errors.push(invalid(config.child('clientIP', 'timeoutSeconds'), clientIP.timeoutSeconds, detail));
    }
  } else if (s.sessionAffinity === 'None' && s.sessionAffinityConfig !== undefined) {
    errors.push(forbidden(config, 'must not be set when session affinity is None'));
  }
  return errors;
}

function clusterIPFaults(s: ServiceSpec, old: readonly string[] | undefined): readonly FieldError[] {
  const errors: FieldError[] = [];
  const ips = s.clusterIPs ?? [];
  const path = at('clusterIPs');
  if (s.clusterIP) {
    if (ips.length === 0) errors.push(required(path));
    else if (ips[0] !== s.clusterIP) errors.push(invalid(path, ips, 'first value must match `clusterIP`'));
  } else if (ips.length > 0) {
    errors.push(invalid(path, ips, 'must be empty when `clusterIP` is not specified'));
  }
  (s.ipFamilies ?? []).forEach((family, i, all) => {
    const familyPath = at('ipFamilies').index(i);
    if (family !== 'IPv4' && family !== 'IPv6') errors.push(notSupported(familyPath, family, ['IPv4', 'IPv6']));
    if (all.indexOf(family) < i) errors.push(duplicate(familyPath, family));
  });
  if (s.ipFamilyPolicy !== undefined) {
    errors.push(...oneOf(at('ipFamilyPolicy'), s.ipFamilyPolicy, ['PreferDualStack', 'RequireDualStack', 'SingleStack']));
  }
  let bad = false;
  ips.forEach((ip, i) => {
    if (i === 0 && ip === 'None') {
      if (ips.length > 1) errors.push(invalid(path, ips, "'None' must be the first and only value"));
      bad ||= ips.length > 1;
      return;
    }
    const found = validateLegacyIP(path.index(i), ip, old);
    bad ||= found.length > 0;
    errors.push(...found);
  });
  if (ips.length > 2) errors.push(invalid(path, ips, 'may only hold up to 2 values'));
  // Comparing families makes no sense where an address is none.
  if (bad) return errors;
  if (ips.length > 1 && !(ips.some(isIPv6) && ips.some((ip) => !isIPv6(ip)))) {
    errors.push(invalid(path, ips, 'may specify no more than one IP for each IP family'));
  }
  if (!isHeadless(s)) {
    (s.ipFamilies ?? []).slice(0, ips.length).forEach((family, i) => {
      const ip = ips[i]!;
      if (isIPv6(ip) === (family === 'IPv6')) return;
      errors.push(invalid(path.index(i), ip, `expected an ${family} value as indicated by \`ipFamilies[${i}]\``));
    });
  }
  return errors;
}

function duplicatePorts(s: ServiceSpec): readonly FieldError[] {
  const errors: FieldError[] = [];
  const ports = s.ports ?? [];
  if (s.type === 'ClusterIP') {
    ports.forEach((port, i) => {
      if (!port.nodePort) return;
      errors.push(forbidden(at('ports').index(i).child('nodePort'), "may not be used when `type` is 'ClusterIP'"));
    });
  }
  const nodePorts = new Set<string>();
  ports.forEach((port, i) => {
    if (!port.nodePort) return;
    const key = `${port.protocol}/${port.nodePort}`;
    if (nodePorts.has(key)) errors.push(duplicate(at('ports').index(i).child('nodePort'), port.nodePort));
    nodePorts.add(key);
  });
  const numbers = new Set<string>();
  ports.forEach((port, i) => {
    const key = `${port.protocol}/${port.port}`;
    if (numbers.has(key)) errors.push(duplicate(at('ports').index(i), internalPort(port)));
    numbers.add(key);
  });
  return errors;
}

/** The message shows the internal type's field names, which have no JSON tags. */
const internalPort = (port: ServicePort): unknown => ({
  Name: '',
  Protocol: port.protocol ?? '',
  AppProtocol: null,
  Port: port.port,
  TargetPort: 0,
  NodePort: 0,
});

function loadBalancerFaults(object: Service, old: ServiceSpec | undefined): readonly FieldError[] {
  const s = object.spec ?? {};
  const balanced = s.type === 'LoadBalancer';
  const errors: FieldError[] = [];
  const ranges = s.loadBalancerSourceRanges ?? [];
  const annotation = object.metadata?.annotations?.[sourceRangesAnnotation];
  if (ranges.length > 0) {
    // Upstream spells this path with a capital.
    const path = at('LoadBalancerSourceRanges');
    if (!balanced) errors.push(forbidden(path, onlyLoadBalancer));
    ranges.forEach((range, i) => {
      if (!old?.loadBalancerSourceRanges?.includes(range)) errors.push(...validateLegacyCIDR(path.index(i), range.trim()));
    });
  } else if (annotation !== undefined) {
    const path = new FieldPath('metadata.annotations').key(sourceRangesAnnotation);
    if (!balanced) errors.push(forbidden(path, onlyLoadBalancer));
    const text = annotation.trim();
    if (text !== '') errors.push(...text.split(',').flatMap((range) => validateLegacyCIDR(path, range.trim())));
  }
  if (s.allocateLoadBalancerNodePorts !== undefined && !balanced) {
    errors.push(forbidden(at('allocateLoadBalancerNodePorts'), onlyLoadBalancer));
  }
  if (balanced && s.allocateLoadBalancerNodePorts === undefined) errors.push(required('allocateLoadBalancerNodePorts'));
  if (s.loadBalancerClass !== undefined) {
    const path = at('loadBalancerClass');
    errors.push(...(balanced ? check(path, s.loadBalancerClass, isQualifiedName) : [forbidden(path, onlyLoadBalancer)]));
  }
  return errors;
}

function trafficFaults(s: ServiceSpec): readonly FieldError[] {
  const errors: FieldError[] = [];
  const external = at('externalTrafficPolicy');
  if (externallyAccessible(s)) errors.push(...oneOf(external, s.externalTrafficPolicy, ['Cluster', 'Local']));
  else if (s.externalTrafficPolicy) {
    errors.push(invalid(external, s.externalTrafficPolicy, 'may only be set for externally-accessible services'));
  }
  const health = at('healthCheckNodePort');
  if (needsHealthCheckNodePort(s)) {
    errors.push(...(s.healthCheckNodePort ? portFaults(health, s.healthCheckNodePort) : [required(health)]));
  } else if (s.healthCheckNodePort) {
    const detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    errors.push(invalid(health, s.healthCheckNodePort, detail));
  }
  const internal = at('internalTrafficPolicy');
  if (s.internalTrafficPolicy !== undefined) {
    errors.push(...oneOf(internal, s.internalTrafficPolicy, ['Cluster', 'Local']));
  } else if (s.type === 'ClusterIP' || s.type === 'NodePort' || s.type === 'LoadBalancer') {
    errors.push(required(internal));
  }
  if (s.trafficDistribution !== undefined) {
    const known = ['PreferClose', 'PreferSameNode', 'PreferSameZone'];
    const path = at('trafficDistribution');
    if (!known.includes(s.trafficDistribution)) errors.push(notSupported(path, s.trafficDistribution, known));
  }
  return errors;
}

/** The primary address stays; a second may come, and go again under SingleStack. */
function clusterIPChanges(after: ServiceSpec, before: ServiceSpec): readonly FieldError[] {
  if (isHeadless(after) && isHeadless(before)) return [];
  const now = after.clusterIPs ?? [];
  const then = before.clusterIPs ?? [];
  const path = at('clusterIPs');
  const changed = (i: number): FieldError => invalid(path.index(i), now, 'may not change once set');
  if (now.length === then.length) return then.flatMap((ip, i) => (ip === now[i] ? [] : [changed(i)]));
  const errors: FieldError[] = [];
  if (now.length === 0) errors.push(invalid(path.index(0), now, 'primary clusterIP can not be unset'));
  if (then.length > 0 && now.length > 0 && now[0] !== then[0]) errors.push(changed(0));
  if (then.length > now.length && now.length === 1 && after.ipFamilyPolicy !== 'SingleStack') {
    const detail = "`ipFamilyPolicy` must be set to 'SingleStack' when releasing the secondary clusterIP";
    errors.push(invalid(path.index(0), now, detail));
  }
  return errors;
}

function familyChanges(after: ServiceSpec, before: ServiceSpec): readonly FieldError[] {
  if (isHeadless(after) || isHeadless(before)) return [];
  const now = after.ipFamilies ?? [];
  const then = before.ipFamilies ?? [];
  const path = at('ipFamilies').index(0);
  if (now.length === then.length) {
    return then.flatMap((family, i) => (family === now[i] ? [] : [invalid(path, now, 'may not change once set')]));
  }
  const errors: FieldError[] = [];
  if (then.length > now.length && (after.clusterIPs?.length ?? 0) === 0) {
    errors.push(invalid(path, now, 'primary ipFamily can not be unset'));
  }
  if (then.length > 0 && now.length > 0 && now[0] !== then[0]) {
    errors.push(invalid(path, after.clusterIPs ?? [], 'may not change once set'));
  }
  if (then.length > now.length && now.length === 1 && after.ipFamilyPolicy !== 'SingleStack') {
    const detail = "`ipFamilyPolicy` must be set to 'SingleStack' when releasing the secondary ipFamily";
    errors.push(invalid(at('clusterIPs').index(0), after.clusterIPs ?? [], detail));
  }
  return errors;
}

/** What is wrong with the balancer's part of a Service's status. */
export function validateLoadBalancerStatus(object: Service, old: Service): readonly FieldError[] {
  const path = new FieldPath('status.loadBalancer.ingress');
  const status: LoadBalancerStatus = object.status?.loadBalancer ?? {};
  const ingress = status.ingress ?? [];
  const known = (old.status?.loadBalancer?.ingress ?? []).flatMap((i) => (i.ip ? [i.ip] : []));
  if (object.spec?.type !== 'LoadBalancer' && ingress.length > 0) {
    return [forbidden(path, 'may only be used when `spec.type` is "LoadBalancer"')];
  }
  return ingress.flatMap(({ ip = '', ipMode, hostname = '' }, i) => {
    const item = path.index(i);
    const errors: FieldError[] = ip === '' ? [] : [...validateLegacyIP(item.child('ip'), ip, known)];
    const mode = item.child('ipMode');
    if (ip !== '' && ipMode === undefined) errors.push(required(mode, 'must be specified when `ip` is set'));
    else if (ip === '' && ipMode !== undefined) errors.push(forbidden(mode, 'may not be specified when `ip` is not set'));
    else if (ipMode !== undefined && ipMode !== 'VIP' && ipMode !== 'Proxy')
      errors.push(notSupported(mode, ipMode, ['Proxy', 'VIP']));
    if (hostname !== '') {
      errors.push(...check(item.child('hostname'), hostname, isDNS1123Subdomain));
      if (isIP(hostname)) errors.push(invalid(item.child('hostname'), hostname, 'must be a DNS name, not an IP address'));
    }
    return errors;
  });
}
