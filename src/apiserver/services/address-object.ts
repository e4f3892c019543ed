import type { Service } from '../../api/types/core-v1.ts';
import type { IPAddress } from '../../api/types/networking-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import type { Family } from './ranges.ts';

const MANAGED_BY = 'ipaddress.kubernetes.io/managed-by';
const FAMILY = 'ipaddress.kubernetes.io/ip-family';
/** Upstream's name for who hands out the addresses of Services. */
const ALLOCATOR = 'ipallocator.k8s.io';

/** The object that holds an address for a Service, complete. */
export function newAddress(address: string, family: Family, service: Service, uid: string, creationTimestamp: string): IPAddress {
  const { name = '', namespace = '' } = service.metadata ?? {};
  return deepFreeze({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IPAddress',
    metadata: { name: address, uid, creationTimestamp, labels: { [FAMILY]: family, [MANAGED_BY]: ALLOCATOR } },
    spec: { parentRef: { resource: 'services', namespace, name } },
  });
}

/** Whether an address was handed out here, and not taken by somebody on their own account. */
export const isHandedOut = (address: IPAddress): boolean => address.metadata?.labels?.[MANAGED_BY] === ALLOCATOR;

/** Whether the object says that the address is this Service's. */
export function isOf(address: IPAddress, { metadata }: Service): boolean {
  const { group = '', resource, namespace, name } = address.spec?.parentRef ?? {};
  return group === '' && resource === 'services' && namespace === metadata?.namespace && name === metadata?.name;
}
