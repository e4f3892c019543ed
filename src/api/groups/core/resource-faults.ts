import { type FieldError, type FieldPath, invalid } from '../../meta/field-error.ts';
import { isQualifiedName } from '../../meta/names.ts';
import { Quantity } from '../../meta/quantity.ts';
import { check } from '../field-checks.ts';
import {
  isExtendedResource,
  isHugePages,
  isIntegerResource,
  isNativeResource,
  isStandardContainerResource,
  isStandardResource,
} from './resource-names.ts';

/** Names without a domain that a quota may limit. */
const quotaResources = new Set([
  'cpu',
  'memory',
  'ephemeral-storage',
  'requests.cpu',
  'requests.memory',
  'requests.storage',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'persistentvolumeclaims',
  'configmaps',
  'services.nodeports',
  'services.loadbalancers',
]);

export const isStandardQuotaResource = (name: string): boolean =>
  quotaResources.has(name) || isHugePages(name) || name.startsWith('requests.hugepages-');

/** The name of a compute resource: qualified, and a known one when it has no domain. */
export function resourceNameFaults(path: FieldPath, name: string): readonly FieldError[] {
  const errors = check(path, name, isQualifiedName);
  if (errors.length > 0 || name.includes('/') || isStandardResource(name)) return errors;
  return [invalid(path, name, 'must be a standard resource type or fully qualified')];
}

/** The name of a resource that containers can ask for. */
export function containerResourceNameFaults(path: FieldPath, name: string): readonly FieldError[] {
  const errors = resourceNameFaults(path, name);
  if (!name.includes('/')) {
    if (isStandardContainerResource(name)) return errors;
    return [...errors, invalid(path, name, 'must be a standard resource for containers')];
  }
  if (isNativeResource(name) || isExtendedResource(name)) return errors;
  return [...errors, invalid(path, name, "doesn't follow extended resource name standard")];
}

/** The name of a resource that a quota can limit. */
export function quotaResourceNameFaults(path: FieldPath, name: string): readonly FieldError[] {
  const errors = resourceNameFaults(path, name);
  if (name.includes('/') || isStandardQuotaResource(name)) return errors;
  return [...errors, invalid(path, name, 'must be a standard resource for quota')];
}

/** An amount of a named resource: not negative, and whole where the resource is counted. */
export function quantityFaults(path: FieldPath, name: string, amount: string): readonly FieldError[] {
  const parsed = Quantity.parse(String(amount));
  const errors: FieldError[] = [];
  if (parsed.sign < 0) errors.push(invalid(path, parsed.toString(), 'must be greater than or equal to 0'));
  if (isIntegerResource(name) && parsed.milliValue() % 1000 !== 0) {
    errors.push(invalid(path, parsed.toString(), 'must be an integer'));
  }
  return errors;
}

/** An amount that must be more than nothing. */
export function positiveQuantityFaults(path: FieldPath, amount: string): readonly FieldError[] {
  const parsed = Quantity.parse(String(amount));
  return parsed.sign > 0 ? [] : [invalid(path, parsed.toString(), 'must be greater than zero')];
}
