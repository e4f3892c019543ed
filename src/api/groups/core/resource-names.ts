import { isQualifiedName } from '../../meta/names.ts';
import { quantityValue } from '../../meta/quantity.ts';

/** What is known of compute resources by their names (pkg/apis/core/helper). */

const hugePagesPrefix = 'hugepages-';
const nativePrefix = 'kubernetes.io/';
const requestsPrefix = 'requests.';

/** `hugepages-2Mi`: pages of one size. */
export const isHugePages = (name: string): boolean => name.startsWith(hugePagesPrefix);

/** The page size of a huge page resource in bytes; 0 when its name has none. */
export function hugePageSize(name: string): number {
  try {
    return quantityValue(name.slice(hugePagesPrefix.length));
  } catch {
    return 0;
  }
}

/** Of Kubernetes itself: without a domain, or of kubernetes.io. */
export const isNativeResource = (name: string): boolean => !name.includes('/') || name.includes(nativePrefix);

/** Offered by a device plugin or the like: `example.com/gpu`. */
export function isExtendedResource(name: string): boolean {
  if (isNativeResource(name) || name.startsWith(requestsPrefix)) return false;
  return isQualifiedName(`${requestsPrefix}${name}`).length === 0;
}

/** Requests may be lower than limits. */
export const isOvercommitAllowed = (name: string): boolean => isNativeResource(name) && !isHugePages(name);

const containerResources = new Set(['cpu', 'memory', 'ephemeral-storage']);

/** A name without a domain that containers may ask for. */
export const isStandardContainerResource = (name: string): boolean => containerResources.has(name) || isHugePages(name);

const standardResources = new Set([
  'cpu',
  'memory',
  'ephemeral-storage',
  'requests.cpu',
  'requests.memory',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'storage',
  'requests.storage',
  'services.nodeports',
  'services.loadbalancers',
]);

/** A name without a domain that means something somewhere. */
export const isStandardResource = (name: string): boolean =>
  standardResources.has(name) || isHugePages(name) || name.startsWith('requests.hugepages-');

const integerResources = new Set([
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
]);

/** Counted in whole ones only. */
export const isIntegerResource = (name: string): boolean => integerResources.has(name) || isExtendedResource(name);

/** What the quality of service class is made from. */
export const isQosResource = (name: string): boolean => name === 'cpu' || name === 'memory';

/** What may be given for a pod as a whole (KEP-2837). */
export const isPodLevelResource = (name: string): boolean => name === 'cpu' || name === 'memory' || isHugePages(name);
