import { duplicate, forbidden, invalid, notSupported, required, tooLong } from '../../meta/field-error.ts';
import { isDNS1123Label, nameIsDNSSubdomain } from '../../meta/names.ts';
import type {
  Container,
  ContainerStatus,
  LinuxContainerUser,
  Pod,
  PodExtendedResourceClaimStatus,
  PodSpec,
  ResourceHealth,
} from '../../types/core-v1.ts';
import { type Errors, report } from './pod-validation/options.ts';

/** What is reported of containers besides their states: as whom they run, and which devices they have. */

const healths = ['Healthy', 'Unhealthy', 'Unknown'];
const maxHealthMessage = 1024;
const maxId = 2 ** 31 - 1;

/** Users, allocated resources and devices that the statuses tell of. */
export function validateContainerReports({ spec, status = {} }: Pod, errors: Errors): void {
  const os = spec?.os?.name ?? 'linux';
  const lists = ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses'] as const;
  for (const list of lists) validateUsers(status[list] ?? [], os, `status.${list}`, errors);
  validateAllocated(status.containerStatuses ?? [], spec?.containers ?? [], 'status.containerStatuses', errors);
  validateAllocated(status.initContainerStatuses ?? [], spec?.initContainers ?? [], 'status.initContainerStatuses', errors);
  (status.ephemeralContainerStatuses ?? []).forEach(({ allocatedResourcesStatus }, i) => {
    if (!allocatedResourcesStatus?.length) return;
    const at = `status.ephemeralContainerStatuses[${i}].allocatedResourcesStatus`;
    errors.push(forbidden(at, 'must not be specified in container status'));
  });
}

function validateUsers(statuses: readonly ContainerStatus[], os: string, list: string, errors: Errors): void {
  statuses.forEach(({ user }, i) => {
    if (user?.linux === undefined) return;
    const at = `${list}[${i}].user.linux`;
    if (os === 'windows') errors.push(forbidden(at, 'cannot be set for a windows pod'));
    else if (os === 'linux') validateLinuxUser(user.linux, at, errors);
  });
}

function validateLinuxUser({ uid, gid, supplementalGroups = [] }: LinuxContainerUser, at: string, errors: Errors): void {
  const check = (path: string, id: number): void => {
    if (id < 0 || id > maxId) errors.push(invalid(path, id, `must be between 0 and ${maxId}, inclusive`));
  };
  check(`${at}.uid`, uid);
  check(`${at}.gid`, gid);
  supplementalGroups.forEach((group, i) => {
    check(`${at}.supplementalGroups[${i}]`, group);
  });
}

/** Statuses of containers that the pod does not have are passed over. */
function validateAllocated(
  statuses: readonly ContainerStatus[],
  containers: readonly Container[],
  list: string,
  errors: Errors,
): void {
  statuses.forEach(({ name, allocatedResourcesStatus = [] }, i) => {
    const container = containers.find((c) => c.name === name);
    allocatedResourcesStatus.forEach((resource, j) => {
      const at = `${list}[${i}].allocatedResourcesStatus[${j}]`;
      const fault = container === undefined ? undefined : nameFault(resource.name ?? '', container);
      if (fault !== undefined) errors.push(invalid(`${at}.name`, resource.name ?? '', fault));
      validateHealths(resource.resources ?? [], `${at}.resources`, errors);
    });
  });
}

function nameFault(name: string, { resources }: Container): string | undefined {
  if (!name.startsWith('claim:')) {
    const known = Object.hasOwn(resources?.requests ?? {}, name);
    return known ? undefined : "must match one of the container's resource requests";
  }
  const known = resources?.claims?.some((c) => name === `claim:${c.name}${c.request ? `/${c.request}` : ''}`);
  return known === true
    ? undefined
    : "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty";
}

function validateHealths(resources: readonly ResourceHealth[], list: string, errors: Errors): void {
  const seen = new Set<string>();
  resources.forEach(({ resourceID = '', health = '', message }, i) => {
    const at = `${list}[${i}]`;
    if (!healths.includes(health)) errors.push(notSupported(`${at}.health`, health, healths));
    if (message === '') errors.push(required(`${at}.message`, 'must be non-empty if specified'));
    else if (message !== undefined && Buffer.byteLength(message) > maxHealthMessage) {
      errors.push(tooLong(`${at}.message`, maxHealthMessage));
    }
    if (seen.has(resourceID)) errors.push(duplicate(`${at}.resourceID`, resourceID));
    seen.add(resourceID);
  });
}

/** The claim that was made for extended resources, and which requests of it containers have. */
export function validateExtendedResourceClaim(
  { requestMappings = [], resourceClaimName = '' }: Partial<PodExtendedResourceClaimStatus>,
  spec: PodSpec | undefined,
  errors: Errors,
): void {
  const at = 'status.extendedResourceClaimStatus';
  const containers = new Map([...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].map((c) => [c.name, c]));
  if (requestMappings.length === 0) errors.push(required(`${at}.requestMappings`, 'at least one request mapping is required'));
  const seen = new Set<string>();
  requestMappings.forEach(({ containerName = '', resourceName = '', requestName = '' }, i) => {
    const path = `${at}.requestMappings[${i}]`;
    const container = containers.get(containerName);
    if (container === undefined) {
      const detail = 'must match the name of an entry in spec.initContainers.name or spec.containers.name';
      errors.push(invalid(`${path}.containerName`, containerName, detail));
    } else if (!Object.hasOwn(container.resources?.requests ?? {}, resourceName)) {
      const detail =
        'must match the extended resource name of an entry in spec.initContainers.resources.requests or spec.containers.resources.requests';
      errors.push(invalid(`${path}.resourceName`, resourceName, detail));
    }
    // Upstream's path has no mapping in it.
    report(errors, `${at}.requestName`, requestName, isDNS1123Label(requestName));
    const key = JSON.stringify([containerName, resourceName, requestName]);
    if (seen.has(key)) {
      errors.push(
        duplicate(`${path}.containerName`, containerName),
        duplicate(`${path}.resourceName`, resourceName),
        duplicate(`${path}.requestName`, requestName),
      );
    }
    seen.add(key);
  });
  if (resourceClaimName === '') errors.push(required(`${at}.resourceClaimName`));
  else report(errors, `${at}.resourceClaimName`, resourceClaimName, nameIsDNSSubdomain(resourceClaimName, false));
}
