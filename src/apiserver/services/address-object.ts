import { ADDRESS_MANAGED_BY, SERVICE_ALLOCATOR } from '../../api/groups/networking/service-addresses.ts';
import type { Service } from '../../api/types/core-v1.ts';
import type { IPAddress } from '../../api/types/networking-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import type { Family } from './ranges.ts';

const FAMILY = 'ipaddress.kubernetes.io/ip-family';

/** The object that holds an address for a Service, complete. */
export function newAddress(address: string, family: Family, service: Service, uid: string, creationTimestamp: string): IPAddress {
  const { name = '', namespace = '' } = service.metadata ?? {};
  return deepFreeze({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IPAddress',
    metadata: { name: address, uid, creationTimestamp, labels: { [FAMILY]: family, [ADDRESS_MANAGED_BY]: SERVICE_ALLOCATOR } },
    spec: { parentRef: { resource: 'services', namespace, name } },
  });
}

/** Whether the object says that the address is this Service's. */
export function isOf(address: IPAddress, { metadata }: Service): boolean {
  const { group = '', resource, namespace, name } = address.spec?.parentRef ?? {};
  return group === '' && resource === 'services' && namespace === metadata?.namespace && name === metadata?.name;
}
