import { type FieldError, FieldPath, invalid, required } from '../../meta/field-error.ts';
import { isDNS1123Subdomain, isPathSegmentName, nameIsDNSSubdomain } from '../../meta/names.ts';
import type { IPAddress, ServiceCIDR } from '../../types/networking-v1.ts';
import { age, column, groupVersion, keptByStatus, nameColumn, standardColumns } from '../define.ts';
import { check, checkRequired, immutable } from '../field-checks.ts';
import { parseCIDR, validateCIDR, validateIP } from '../ip.ts';

/** The label that says who handed an address out. */
export const ADDRESS_MANAGED_BY = 'ipaddress.kubernetes.io/managed-by';
/** Upstream's name for who hands out the addresses of Services. */
export const SERVICE_ALLOCATOR = 'ipallocator.k8s.io';

/** Whether an address was handed out to a Service, and not taken by somebody on their own account. */
export const isHandedOut = (address: IPAddress): boolean => address.metadata?.labels?.[ADDRESS_MANAGED_BY] === SERVICE_ALLOCATOR;

const define = groupVersion('networking.k8s.io', 'v1');
const cidrsPath = new FieldPath('spec.cidrs');
const parentPath = new FieldPath('spec.parentRef');

function validateServiceCIDR(object: ServiceCIDR): readonly FieldError[] {
  const cidrs = object.spec?.cidrs ?? [];
  if (cidrs.length === 0) return [required(cidrsPath, 'at least one CIDR required')];
  if (cidrs.length > 2) return [invalid(cidrsPath, object.spec, 'may only hold up to 2 values')];
  const errors: FieldError[] = [];
  if (cidrs.length === 2) {
    const [a, b] = cidrs.map((cidr) => parseCIDR(cidr)?.v6);
    if (a === undefined || b === undefined || a === b) {
      const detail = 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/96';
      errors.push(invalid(cidrsPath, object.spec, detail));
    }
  }
  return [...errors, ...cidrs.flatMap((cidr, i) => validateCIDR(cidrsPath.index(i), cidr))];
}

/** The first CIDR stays; a second of the other family may come or go. */
function validateServiceCIDRUpdate(object: ServiceCIDR, old: ServiceCIDR): readonly FieldError[] {
  const now = object.spec?.cidrs ?? [];
  const then = old.spec?.cidrs ?? [];
  const changed = (i: number): FieldError => invalid(cidrsPath.index(i), now[i], 'field is immutable');
  if (now.length === then.length) return now.flatMap((cidr, i) => (cidr === then[i] ? [] : [changed(i)]));
  const errors = now.length > 0 && then.length > 0 && now[0] !== then[0] ? [changed(0)] : [];
  return [...errors, ...validateServiceCIDR(object)];
}

export const serviceCIDR = define<ServiceCIDR>({
  kind: 'ServiceCIDR',
  plural: 'servicecidrs',
  namespaced: false,
  status: true,
  statusKeeps: keptByStatus,
  generation: false,
  validate: validateServiceCIDR,
  validateUpdate: validateServiceCIDRUpdate,
  validateName: nameIsDNSSubdomain,
  columns: standardColumns(
    column(
      'CIDRs',
      'string',
      'CIDRs defines the IP blocks in CIDR notation (e.g. "192.168.0.0/24" or "2001:db8::/64") from which to assign service cluster IPs. Max of two CIDRs is allowed, one of each IP family. This field is immutable.',
    ),
  ),
  row: (object, now) => [
    object.metadata?.name ?? '',
    (object.spec?.cidrs ?? []).join(','),
    age(object.metadata?.creationTimestamp, now),
  ],
});

function validateIPAddress(object: IPAddress): readonly FieldError[] {
  const ref = object.spec?.parentRef;
  if (ref === undefined) return [required(parentPath)];
  return [
    ...(ref.group ? check(parentPath.child('group'), ref.group, isDNS1123Subdomain) : []),
    ...checkRequired(parentPath.child('resource'), ref.resource, isPathSegmentName),
    ...checkRequired(parentPath.child('name'), ref.name, isPathSegmentName),
    ...(ref.namespace ? check(parentPath.child('namespace'), ref.namespace, isPathSegmentName) : []),
  ];
}

function formatParent(object: IPAddress): string {
  const ref = object.spec?.parentRef;
  if (ref === undefined) return '<none>';
  const resource = ref.group ? `${ref.resource}.${ref.group}` : (ref.resource ?? '');
  return [resource.toLowerCase(), ...(ref.namespace ? [ref.namespace] : []), ref.name ?? ''].join('/');
}

/** An address that is taken; its name is the address. */
export const ipAddress = define<IPAddress>({
  kind: 'IPAddress',
  plural: 'ipaddresses',
  namespaced: false,
  shortNames: ['ip'],
  validate: validateIPAddress,
  validateUpdate: (object, old) => [
    ...validateIPAddress(object),
    ...immutable(parentPath, object.spec?.parentRef, old.spec?.parentRef),
  ],
  validateName: (name) => validateIP('', name).map((error) => error.detail),
  columns: [
    nameColumn,
    column(
      'ParentRef',
      'string',
      'ParentRef references the resource that an IPAddress is attached to. An IPAddress must reference a parent object.',
    ),
  ],
  // The age has no column, upstream either.
  row: (object, now) => [object.metadata?.name ?? '', formatParent(object), age(object.metadata?.creationTimestamp, now)],
});
