import { duplicate, type FieldError, FieldPath, invalid, required, tooMany } from '../meta/field-error.ts';
import { validateLabels } from '../meta/label-selector-validation.ts';
import { isDNS1123Label, isDNS1123Subdomain, isQualifiedName, isValidLabelValue, nameIsDNSSubdomain } from '../meta/names.ts';
import type { Resource } from '../resource.ts';
import type { Endpoint, EndpointPort, EndpointSlice } from '../types/discovery-v1.ts';
import { age, column, deepEqual, groupVersion, standardColumns, withGeneration } from './define.ts';
import { check, firstFew, immutable, isFullyQualifiedDomainName, oneOf } from './field-checks.ts';
import { isIPv6, validateEndpointIP, validateLegacyIP } from './ip.ts';

const define = groupVersion('discovery.k8s.io', 'v1');

/** How much one slice may hold. */
const most = { endpoints: 1000, addresses: 100, ports: 20000, topologyLabels: 16, hints: 8 } as const;

function addressFaults(type: string, path: FieldPath, address: string, old: readonly string[]): readonly FieldError[] {
  switch (type) {
    case 'IPv4':
    case 'IPv6': {
      const errors = [...validateLegacyIP(path, address, old)];
      if (errors.length > 0) return errors;
      if (isIPv6(address) !== (type === 'IPv6')) errors.push(invalid(path, address, `must be an ${type} address`));
      return [...errors, ...validateEndpointIP(path, address)];
    }
    case 'FQDN':
      return isFullyQualifiedDomainName(path, address);
    default:
      return [];
  }
}

function hintFaults(endpoint: Endpoint, path: FieldPath): readonly FieldError[] {
  return (['forZones', 'forNodes'] as const).flatMap((field) => {
    const hints = endpoint.hints?.[field] ?? [];
    const at = path.child('hints', field);
    const errors: FieldError[] = [];
    if (hints.length > most.hints) errors.push(tooMany(at, hints.length, most.hints));
    hints.forEach(({ name = '' }, i) => {
      const named = at.index(i).child('name');
      if (hints.findIndex((h) => h.name === name) < i) errors.push(duplicate(named, name));
      errors.push(...check(named, name, field === 'forZones' ? isValidLabelValue : isDNS1123Subdomain));
    });
    return errors;
  });
}

function endpointFaults(endpoint: Endpoint, type: string, path: FieldPath, old: readonly string[]): readonly FieldError[] {
  const errors: FieldError[] = [];
  const addresses = endpoint.addresses ?? [];
  const at = path.child('addresses');
  if (addresses.length === 0) errors.push(required(at, 'must contain at least 1 address'));
  else if (addresses.length > most.addresses) errors.push(tooMany(at, addresses.length, most.addresses));
  addresses.forEach((address, i) => void errors.push(...addressFaults(type, at.index(i), address, old)));
  if (endpoint.nodeName !== undefined) errors.push(...check(path.child('nodeName'), endpoint.nodeName, isDNS1123Subdomain));
  const topology = endpoint.deprecatedTopology ?? {};
  const count = Object.keys(topology).length;
  const topologyPath = path.child('deprecatedTopology');
  if (count > most.topologyLabels) errors.push(tooMany(topologyPath, count, most.topologyLabels));
  errors.push(...validateLabels(topology, topologyPath));
  if (endpoint.hostname !== undefined) errors.push(...check(path.child('hostname'), endpoint.hostname, isDNS1123Label));
  return [...errors, ...hintFaults(endpoint, path)];
}

function slicePortFaults(ports: readonly EndpointPort[]): readonly FieldError[] {
  const path = new FieldPath('ports');
  if (ports.length > most.ports) return [tooMany(path, ports.length, most.ports)];
  const seen = new Set<string>();
  return ports.flatMap((port, i) => {
    const at = path.index(i);
    const name = port.name ?? '';
    const errors: FieldError[] = name === '' ? [] : [...check(at.child('name'), name, isDNS1123Label)];
    if (seen.has(name)) errors.push(duplicate(at.child('name'), name));
    seen.add(name);
    errors.push(...oneOf(at.child('protocol'), port.protocol, ['SCTP', 'TCP', 'UDP']));
    if (port.appProtocol !== undefined) errors.push(...check(at.child('appProtocol'), port.appProtocol, isQualifiedName));
    return errors;
  });
}

function validate(object: EndpointSlice, old?: EndpointSlice): readonly FieldError[] {
  const type = object.addressType ?? '';
  const endpoints = object.endpoints ?? [];
  const path = new FieldPath('endpoints');
  const known = (old?.endpoints ?? []).flatMap((e) => e.addresses ?? []);
  return [
    ...oneOf('addressType', type, ['FQDN', 'IPv4', 'IPv6']),
    ...(endpoints.length > most.endpoints
      ? [tooMany(path, endpoints.length, most.endpoints)]
      : endpoints.flatMap((e, i) => endpointFaults(e, type, path.index(i), known))),
    ...slicePortFaults(object.ports ?? []),
  ];
}

/** The label by which endpoints once told of their node. */
const hostnameLabel = 'kubernetes.io/hostname';

/** Topology cannot be written any more: it goes when endpoints change, but for a node's name that was there. */
function withoutTopology(object: EndpointSlice, old: EndpointSlice | undefined): EndpointSlice {
  if (!object.endpoints?.some((endpoint) => endpoint.deprecatedTopology !== undefined)) return object;
  if (old !== undefined && deepEqual(old.endpoints ?? [], object.endpoints)) return object;
  const known = new Set(old?.endpoints?.map((endpoint) => endpoint.deprecatedTopology?.[hostnameLabel]));
  return {
    ...object,
    endpoints: object.endpoints.map(({ deprecatedTopology, ...endpoint }) => {
      const node = deprecatedTopology?.[hostnameLabel];
      const keeps = endpoint.nodeName === undefined && node !== undefined && known.has(node);
      return keeps && isDNS1123Subdomain(node).length === 0 ? { ...endpoint, nodeName: node } : endpoint;
    }),
  };
}

const unset = (text: string): string => (text === '' ? '<unset>' : text);

const endpointSlice = define<EndpointSlice>({
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  namespaced: true,
  defaults: (object) => {
    if (!object.ports?.some((p) => p.name === undefined || p.protocol === undefined)) return object;
    return { ...object, ports: object.ports.map((p) => ({ ...p, name: p.name ?? '', protocol: p.protocol ?? 'TCP' })) };
  },
  strategy: {
    prepareForCreate: (object) => withGeneration(withoutTopology(object, undefined), 1),
    prepareForUpdate: (given, old) => {
      const object = withoutTopology(given, old);
      const same =
        deepEqual(object.endpoints ?? [], old.endpoints ?? []) &&
        deepEqual(object.ports ?? [], old.ports ?? []) &&
        object.addressType === old.addressType &&
        deepEqual(object.metadata?.labels ?? {}, old.metadata?.labels ?? {});
      const before = old.metadata?.generation ?? 0;
      return withGeneration(object, same ? before : before + 1);
    },
  },
  validate: (object) => validate(object),
  validateUpdate: (object, old) => [
    ...validate(object, old),
    ...immutable('addressType', object.addressType ?? '', old.addressType ?? ''),
  ],
  validateName: nameIsDNSSubdomain,
  warnings: (object) => (object.addressType === 'FQDN' ? ['spec.addressType: FQDN endpoints are deprecated'] : []),
  columns: standardColumns(
    column(
      'AddressType',
      'string',
      'addressType specifies the type of address carried by this EndpointSlice. All addresses in this slice must be the same type. This field is immutable after creation. The following address types are currently supported: * IPv4: Represents an IPv4 Address. * IPv6: Represents an IPv6 Address. * FQDN: Represents a Fully Qualified Domain Name. (Deprecated) The EndpointSlice controller only generates, and kube-proxy only processes, slices of addressType "IPv4" and "IPv6". No semantics are defined for the "FQDN" type.',
    ),
    column(
      'Ports',
      'string',
      'ports specifies the list of network ports exposed by each endpoint in this slice. Each port must have a unique name. Each slice may include a maximum of 100 ports. Services always have at least 1 port, so EndpointSlices generated by the EndpointSlice controller will likewise always have at least 1 port. EndpointSlices used for other purposes may have an empty ports list.',
    ),
    column(
      'Endpoints',
      'string',
      'endpoints is a list of unique endpoints in this slice. Each slice may include a maximum of 1000 endpoints.',
    ),
  ),
  row: (object, now) => [
    object.metadata?.name ?? '',
    object.addressType ?? '',
    unset(firstFew((object.ports ?? []).map((p) => (p.port === undefined ? (p.name ?? '*') : String(p.port))))),
    unset(firstFew((object.endpoints ?? []).flatMap((e) => e.addresses ?? []))),
    age(object.metadata?.creationTimestamp, now),
  ],
});

export const discoveryResources: readonly Resource[] = [endpointSlice];
