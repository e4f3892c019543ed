import { duplicate, FieldPath, forbidden, invalid, notSupported, required } from '../../../meta/field-error.ts';
import { isDNS1123Label, isQualifiedName } from '../../../meta/names.ts';
import { Quantity } from '../../../meta/quantity.ts';
import type { PodSpec, ResourceClaim, ResourceRequirements } from '../../../types/core-v1.ts';
import { aggregateRequests } from '../pod-resources.ts';
import { resourceNameFaults } from '../resource-faults.ts';
import {
  hugePageSize,
  isExtendedResource,
  isHugePages,
  isIntegerResource,
  isNativeResource,
  isOvercommitAllowed,
  isPodLevelResource,
  isQosResource,
  isStandardContainerResource,
  isStandardResource,
} from '../resource-names.ts';
import { type Errors, type PodValidationOptions, report } from './options.ts';

/** Requests and limits, of containers and of whole pods. */

type NameCheck = (name: string, at: string, errors: Errors) => void;

/** `claimNames` are those that the pod declares in spec.resourceClaims. */
export function validateContainerResources(
  resources: ResourceRequirements,
  claimNames: ReadonlySet<string>,
  at: string,
  options: PodValidationOptions,
  errors: Errors,
): void {
  validateRequirements(resources, claimNames, at, validateContainerResourceName, options, errors);
}

function validateRequirements(
  resources: ResourceRequirements,
  claimNames: ReadonlySet<string>,
  at: string,
  validateName: NameCheck,
  options: PodValidationOptions,
  errors: Errors,
): void {
  const { limits = {}, requests = {}, claims } = resources;
  let hasCompute = false;
  let hasHugePages = false;
  for (const name of Object.keys(limits)) {
    const here = `${at}.limits[${name}]`;
    const limit = Quantity.parse(limits[name]!);
    validateName(name, here, errors);
    validateQuantity(name, limit, here, errors);
    if (isHugePages(name)) {
      hasHugePages = true;
      validateHugePages(name, limit, here, options, errors);
    }
    if (isQosResource(name)) hasCompute = true;
  }
  for (const name of Object.keys(requests)) {
    const here = `${at}.requests[${name}]`;
    const request = Quantity.parse(requests[name]!);
    validateName(name, here, errors);
    validateQuantity(name, request, here, errors);
    const overcommit = isOvercommitAllowed(name);
    if (limits[name] !== undefined) {
      const limit = Quantity.parse(limits[name]);
      if (!overcommit && !request.equals(limit)) {
        errors.push(invalid(`${at}.requests`, request.toString(), `must be equal to ${name} limit of ${limit}`));
      } else if (request.compare(limit) > 0) {
        errors.push(invalid(`${at}.requests`, request.toString(), `must be less than or equal to ${name} limit of ${limit}`));
      }
    } else if (!overcommit) {
      errors.push(required(`${at}.limits`, 'Limit must be set for non overcommitable resources'));
    }
    if (isHugePages(name)) {
      hasHugePages = true;
      validateHugePages(name, request, here, options, errors);
    }
    if (isQosResource(name)) hasCompute = true;
  }
  if (hasHugePages && !hasCompute) errors.push(forbidden(at, 'HugePages require cpu or memory'));
  if (claims !== undefined) validateClaims(claims, claimNames, `${at}.claims`, errors);
}

function validateContainerResourceName(name: string, at: string, errors: Errors): void {
  validateResourceName(name, at, errors);
  if (!name.includes('/')) {
    if (!isStandardContainerResource(name)) errors.push(invalid(at, name, 'must be a standard resource for containers'));
  } else if (!isNativeResource(name) && !isExtendedResource(name)) {
    errors.push(invalid(at, name, "doesn't follow extended resource name standard"));
  }
}

function validateResourceName(name: string, at: string, errors: Errors): void {
  const messages = isQualifiedName(name);
  report(errors, at, name, messages);
  if (messages.length > 0 || name.includes('/')) return;
  if (!isStandardResource(name)) errors.push(invalid(at, name, 'must be a standard resource type or fully qualified'));
}

/** Not negative, and whole for what is counted in whole ones. */
export function validateQuantity(name: string, amount: Quantity, at: string, errors: Errors): void {
  if (amount.sign < 0) errors.push(invalid(at, amount.toString(), 'must be greater than or equal to 0'));
  if (isIntegerResource(name) && amount.scaledValue(-3) % 1000n !== 0n) {
    errors.push(invalid(at, amount.toString(), 'must be an integer'));
  }
}

function validateHugePages(name: string, amount: Quantity, at: string, options: PodValidationOptions, errors: Errors): void {
  if (options.allowIndivisibleHugePages === true) return;
  const size = hugePageSize(name);
  if (size <= 0 || amount.value() % size !== 0) {
    errors.push(invalid(at, amount.toString(), `${amount} is not positive integer multiple of ${name}`));
  }
}

/** The claims of a container: names of the pod's claims, or single requests in them. */
function validateClaims(claims: readonly ResourceClaim[], claimNames: ReadonlySet<string>, at: string, errors: Errors): void {
  const seen = new Set<string>();
  for (let i = 0; i < claims.length; i++) {
    const { name, request } = claims[i] as ResourceClaim;
    const here = `${at}[${i}]`;
    const repeated = (value: string): void => {
      errors.push(duplicate(here, value));
    };
    if (!name) {
      errors.push(required(here));
      continue;
    }
    if (seen.has(name)) {
      repeated(name);
    } else {
      const key = request ? `${name}/${request}` : name;
      if (request) report(errors, `${here}.request`, request, isDNS1123Label(request));
      if (seen.has(key)) repeated(key);
      // The whole claim overlaps with each request of it that was named before.
      else if (!request) for (const other of seen) if (other.startsWith(`${name}/`)) repeated(name);
      seen.add(key);
    }
    if (!claimNames.has(name)) {
      errors.push({
        type: 'FieldValueNotFound',
        path: here,
        value: name,
        detail:
          claimNames.size === 0
            ? 'must be one of the names in pod.spec.resourceClaims which is empty'
            : `must be one of the names in pod.spec.resourceClaims: ${[...claimNames].sort().join(', ')}`,
      });
    }
  }
}

/** A pod's own resources: valid in themselves, and not less than its containers' (KEP-2837). */
export function validatePodResources(
  spec: PodSpec,
  resources: ResourceRequirements,
  claimNames: ReadonlySet<string>,
  at: string,
  options: PodValidationOptions,
  errors: Errors,
): void {
  if (spec.os?.name === 'windows') {
    errors.push(forbidden(at, 'may not be set for a windows pod'));
    return;
  }
  if (resources.claims !== undefined) {
    errors.push(forbidden(`${at}.claims`, 'claims may not be set for Resources at pod-level'));
  }
  validateRequirements(resources, claimNames, at, validatePodResourceName, options, errors);
  const aggregated = aggregateRequests(spec);
  for (const name of Object.keys(aggregated)) {
    const ofContainers = Quantity.parse(aggregated[name]!);
    const requested = resources.requests?.[name];
    if (requested === undefined) continue;
    const ofPod = Quantity.parse(requested);
    // What cannot be asked for the pod as a whole is not held against it.
    if (isPodLevelResource(name) && ofContainers.compare(ofPod) > 0) {
      errors.push(
        invalid(
          `${at}.requests[${name}]`,
          ofPod.toString(),
          `must be greater than or equal to aggregate container requests of ${ofContainers}`,
        ),
      );
    }
  }
  const { containers } = spec;
  for (let i = 0; i < containers.length; i++) {
    const limits = containers[i]?.resources?.limits ?? {};
    for (const name of Object.keys(limits)) {
      const podLimit = resources.limits?.[name];
      if (podLimit === undefined) continue;
      const limit = Quantity.parse(limits[name]!);
      if (limit.compare(Quantity.parse(podLimit)) > 0) {
        errors.push(
          invalid(
            `${at}.containers[${i}][${name}].limits`,
            limit.toString(),
            `must be less than or equal to pod limits of ${podLimit}`,
          ),
        );
      }
    }
  }
}

const podResources = ['cpu', 'hugepages-', 'memory'];

function validatePodResourceName(name: string, at: string, errors: Errors): void {
  const faults = resourceNameFaults(new FieldPath(at), name);
  errors.push(...faults);
  if (faults.length === 0 && !isPodLevelResource(name)) errors.push(notSupported(at, name, podResources));
}

/** The overhead of a runtime class: amounts like limits. */
export function validateOverhead(
  overhead: NonNullable<PodSpec['overhead']>,
  at: string,
  options: PodValidationOptions,
  errors: Errors,
): void {
  validateRequirements({ limits: overhead }, new Set(), at, validateContainerResourceName, options, errors);
}
