import { type FieldError, FieldPath, required } from '../../meta/field-error.ts';
import { isDNS1123Label, isDNS1123Subdomain, isQualifiedName, nameIsDNSSubdomain } from '../../meta/names.ts';
import type { EndpointAddress, EndpointPort, Endpoints } from '../../types/core-v1.ts';
import { age, column, groupVersion, standardColumns } from '../define.ts';
import { check, firstFew, oneOf } from '../field-checks.ts';
import { validateEndpointIP, validateLegacyIP } from '../ip.ts';
import { portFaults } from '../port.ts';

const define = groupVersion('', 'v1');

function addressFaults(address: EndpointAddress, path: FieldPath, old: readonly string[]): readonly FieldError[] {
  const ip = address.ip ?? '';
  return [
    ...validateLegacyIP(path.child('ip'), ip, old),
    ...(address.hostname ? check(path.child('hostname'), address.hostname, isDNS1123Label) : []),
    ...(address.nodeName === undefined ? [] : check(path.child('nodeName'), address.nodeName, isDNS1123Subdomain)),
    ...validateEndpointIP(path.child('ip'), ip),
  ];
}

function endpointPortFaults(port: EndpointPort, nameRequired: boolean, path: FieldPath): readonly FieldError[] {
  const name = port.name ?? '';
  return [
    ...(name !== '' ? check(path.child('name'), name, isDNS1123Label) : nameRequired ? [required(path.child('name'))] : []),
    ...portFaults(path.child('port'), port.port ?? 0),
    ...oneOf(path.child('protocol'), port.protocol, ['SCTP', 'TCP', 'UDP']),
    ...(port.appProtocol === undefined ? [] : check(path.child('appProtocol'), port.appProtocol, isQualifiedName)),
  ];
}

function validate(object: Endpoints, old?: Endpoints): readonly FieldError[] {
  const errors: FieldError[] = [];
  const known = (old?.subsets ?? []).flatMap((s) => [...(s.addresses ?? []), ...(s.notReadyAddresses ?? [])].map((a) => a.ip));
  for (const [i, subset] of (object.subsets ?? []).entries()) {
    const path = new FieldPath('subsets').index(i);
    const ready = subset.addresses ?? [];
    const notReady = subset.notReadyAddresses ?? [];
    const ports = subset.ports ?? [];
    if (ready.length === 0 && notReady.length === 0) {
      errors.push(required(path, 'must specify `addresses` or `notReadyAddresses`'));
    }
    ready.forEach((a, j) => void errors.push(...addressFaults(a, path.child('addresses').index(j), known)));
    notReady.forEach((a, j) => void errors.push(...addressFaults(a, path.child('notReadyAddresses').index(j), known)));
    ports.forEach((p, j) => void errors.push(...endpointPortFaults(p, ports.length > 1, path.child('ports').index(j))));
  }
  return errors;
}

/** `ip:port` of the ready addresses, three at most; addresses alone where a subset has no ports (headless services). */
function formatEndpoints(object: Endpoints): string {
  const subsets = object.subsets ?? [];
  if (subsets.length === 0) return '<none>';
  const list = subsets.flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map((a) => a.ip)
      : ports.flatMap((p) => addresses.map((a) => (a.ip.includes(':') ? `[${a.ip}]:${p.port}` : `${a.ip}:${p.port}`))),
  );
  return firstFew(list);
}

export const endpoints = define<Endpoints>({
  kind: 'Endpoints',
  plural: 'endpoints',
  namespaced: true,
  shortNames: ['ep'],
  storagePrefix: '/registry/services/endpoints',
  defaults: (object) => {
    if (!object.subsets?.some((s) => s.ports?.some((p) => !p.protocol))) return object;
    const subsets = object.subsets.map((s) =>
      s.ports === undefined ? s : { ...s, ports: s.ports.map((p) => (p.protocol ? p : { ...p, protocol: 'TCP' as const })) },
    );
    return { ...object, subsets };
  },
  strategy: { allowCreateOnUpdate: true },
  validate: (object) => validate(object),
  validateUpdate: validate,
  validateName: nameIsDNSSubdomain,
  columns: standardColumns(
    column(
      'Endpoints',
      'string',
      'The set of all endpoints is the union of all subsets. Addresses are placed into subsets according to the IPs they share. A single address with multiple ports, some of which are ready and some of which are not (because they come from different containers) will result in the address being displayed in different subsets for the different ports. No address will appear in both Addresses and NotReadyAddresses in the same subset. Sets of addresses and ports that comprise a service.',
    ),
  ),
  row: (object, now) => [object.metadata?.name ?? '', formatEndpoints(object), age(object.metadata?.creationTimestamp, now)],
  warnings: () => ['v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice'],
});
