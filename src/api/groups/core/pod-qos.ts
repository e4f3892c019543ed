import { addQuantities, compareQuantities, Quantity } from '../../meta/quantity.ts';
import type { Pod, PodQOSClass, PodSpec, ResourceList } from '../../types/core-v1.ts';
import { isQosResource } from './resource-names.ts';

type Sums = Record<string, string>;

/** The pod's quality of service class: the one it was given at its creation, or what its resources make it. */
export const qosClass = (pod: Pod): PodQOSClass => pod.status?.qosClass || computeQosClass(pod);

/** The quality of service class that a pod's resources make it, whatever its status says. */
export const computeQosClass = (pod: Pod): PodQOSClass => qosClassOf(pod.spec);

/** As `computeQosClass`, of the spec. */
export function qosClassOf(spec: PodSpec | undefined): PodQOSClass {
  const requests: Sums = {};
  const limits: Sums = {};
  let guaranteed = true;
  if (spec?.resources !== undefined) {
    // Pod-level resources, where given, alone decide (KEP-2837).
    sum(requests, spec.resources.requests);
    if (Object.keys(spec.resources.limits ?? {}).length > 0) guaranteed = sum(limits, spec.resources.limits) === 2;
  } else {
    for (const container of [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])]) {
      sum(requests, container.resources?.requests);
      if (sum(limits, container.resources?.limits) !== 2) guaranteed = false;
    }
  }
  const requested = Object.keys(requests);
  const limited = Object.keys(limits);
  if (requested.length === 0 && limited.length === 0) return 'BestEffort';
  const equal = requested.every((name) => limits[name] !== undefined && compareQuantities(limits[name], requests[name]!) === 0);
  return guaranteed && equal && requested.length === limited.length ? 'Guaranteed' : 'Burstable';
}

/** Adds what counts for the class and is not zero; answers how many resources of `list` that were. */
function sum(into: Sums, list: ResourceList | undefined): number {
  let found = 0;
  for (const name in list) {
    if (!isQosResource(name) || Quantity.parse(list[name]!).sign <= 0) continue;
    found++;
    into[name] = into[name] === undefined ? list[name]! : addQuantities(into[name], list[name]!);
  }
  return found;
}
