import { invalid, notSupported, required } from '../../../meta/field-error.ts';
import { isQualifiedName } from '../../../meta/names.ts';
import { Quantity } from '../../../meta/quantity.ts';
import type { ObjectFieldSelector, ResourceFieldSelector } from '../../../types/core-v1.ts';
import { type Errors, report } from './options.ts';

/** The downward API: which fields of a pod its containers may ask for. */

/** Fields for environment variables. */
export const envFieldPaths: readonly string[] = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];
/** Fields for files in volumes: those that may change while the pod runs, too. */
export const volumeFieldPaths: readonly string[] = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];

/** Every label that conversion knows; others are refused before they are looked at. */
const knownFieldPaths = new Set([
  ...envFieldPaths,
  ...volumeFieldPaths,
  'spec.restartPolicy',
  'spec.schedulerName',
  'status.phase',
]);

const subscripted = /^([^[]*)\['(.*)'\]$/;

export function validateFieldRef(ref: ObjectFieldSelector, supported: readonly string[], at: string, errors: Errors): void {
  if (!ref.apiVersion) {
    errors.push(required(`${at}.apiVersion`));
    return;
  }
  if (!ref.fieldPath) {
    errors.push(required(`${at}.fieldPath`));
    return;
  }
  const match = subscripted.exec(ref.fieldPath);
  const path = match?.[1] ?? ref.fieldPath;
  const converts =
    ref.apiVersion === 'v1' &&
    (match === null
      ? knownFieldPaths.has(path) || path === 'spec.host'
      : path === 'metadata.labels' || path === 'metadata.annotations');
  if (!converts) {
    const reason =
      ref.apiVersion === 'v1'
        ? match === null
          ? `field label not supported: ${ref.fieldPath}`
          : `field label does not support subscript: ${ref.fieldPath}`
        : `unsupported pod version: ${ref.apiVersion}`;
    errors.push(invalid(`${at}.fieldPath`, ref.fieldPath, `error converting fieldPath: ${reason}`));
    return;
  }
  if (match !== null) {
    const key = match[2] ?? '';
    report(errors, at, key, isQualifiedName(path === 'metadata.annotations' ? key.toLowerCase() : key));
  } else if (!supported.includes(path)) {
    errors.push(notSupported(`${at}.fieldPath`, path, supported));
  }
}

const resourcePaths: readonly string[] = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];
const hugePagePrefixes = ['limits.hugepages-', 'requests.hugepages-'];

const byteDivisors = new Set(['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei']);
const byteDivisorsText = '1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei';

/** In a volume the container must be named. */
export function validateResourceFieldRef(ref: ResourceFieldSelector, at: string, inVolume: boolean, errors: Errors): void {
  const hugePages = hugePagePrefixes.some((prefix) => ref.resource?.startsWith(prefix));
  if (inVolume && !ref.containerName) errors.push(required(`${at}.containerName`));
  else if (!ref.resource) errors.push(required(`${at}.resource`));
  else if (!resourcePaths.includes(ref.resource) && !hugePages) {
    errors.push(notSupported(`${at}.resource`, ref.resource, resourcePaths));
  }
  validateDivisor(ref, at, hugePages, errors);
}

function validateDivisor({ resource, divisor }: ResourceFieldSelector, at: string, hugePages: boolean, errors: Errors): void {
  if (divisor === undefined) return;
  const amount = Quantity.parse(divisor);
  if (amount.isZero) return;
  const text = amount.toString();
  const name = resource?.slice(resource.indexOf('.') + 1);
  if (resource === 'limits.cpu' || resource === 'requests.cpu') {
    if (text !== '1' && text !== '1m') {
      errors.push(invalid(`${at}.divisor`, resource, "only divisor's values 1m and 1 are supported with the cpu resource"));
    }
    return;
  }
  const kind = hugePages
    ? 'hugepages'
    : name === 'memory'
      ? 'memory'
      : name === 'ephemeral-storage'
        ? 'local ephemeral storage'
        : undefined;
  if (kind !== undefined && !byteDivisors.has(text)) {
    errors.push(
      invalid(`${at}.divisor`, resource, `only divisor's values ${byteDivisorsText} are supported with the ${kind} resource`),
    );
  }
}
