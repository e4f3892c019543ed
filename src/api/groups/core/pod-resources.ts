import { addQuantities, compareQuantities, Quantity } from '../../meta/quantity.ts';
import type { Container, Pod, PodSpec, ResourceList, ResourceRequirements } from '../../types/core-v1.ts';
import { isHugePages, isOvercommitAllowed, isPodLevelResource } from './resource-names.ts';

/** Resource lists of whole pods: sums over containers as KEP-753 and KEP-2837 tell (component-helpers/resource). */

type Mutable = Record<string, string>;

const add = (into: Mutable, list: ResourceList | undefined): void => {
  for (const name in list) into[name] = into[name] === undefined ? list[name]! : addQuantities(into[name], list[name]!);
};
const raise = (into: Mutable, list: ResourceList): void => {
  for (const name in list) {
    if (into[name] === undefined || compareQuantities(list[name]!, into[name]) > 0) into[name] = list[name]!;
  }
};

/**
 * What the containers of a pod need at their most: all containers and sidecars together, or the greediest moment of initialization.
 * Without pod-level resources and overhead.
 */
function aggregate(
  spec: Pick<PodSpec, 'containers' | 'initContainers'>,
  of: (container: Container) => ResourceList | undefined,
): ResourceList {
  const total: Mutable = {};
  for (const container of spec.containers) add(total, of(container));
  const sidecars: Mutable = {};
  const atInit: Mutable = {};
  for (const container of spec.initContainers ?? []) {
    if (container.restartPolicy === 'Always') {
      add(total, of(container));
      add(sidecars, of(container));
      raise(atInit, sidecars);
    } else {
      const moment: Mutable = { ...of(container) };
      add(moment, sidecars);
      raise(atInit, moment);
    }
  }
  raise(total, atInit);
  return total;
}

export const aggregateRequests = (spec: Pick<PodSpec, 'containers' | 'initContainers'>): ResourceList =>
  aggregate(spec, (c) => c.resources?.requests);
export const aggregateLimits = (spec: Pick<PodSpec, 'containers' | 'initContainers'>): ResourceList =>
  aggregate(spec, (c) => c.resources?.limits);

const setsPodLevel = (list: ResourceList | undefined): boolean => Object.keys(list ?? {}).some(isPodLevelResource);

/** Whether a pod has resources of its own beside its containers'. */
export const hasPodLevelResources = (spec: PodSpec): boolean =>
  setsPodLevel(spec.resources?.requests) || setsPodLevel(spec.resources?.limits);

/** What the scheduler and quotas count for a pod: its containers' requests or its own, and its overhead. */
export function podRequests(pod: Pod): ResourceList {
  const spec = pod.spec;
  if (spec === undefined) return {};
  const total: Mutable = { ...aggregateRequests(spec) };
  for (const [name, value] of Object.entries(spec.resources?.requests ?? {})) {
    if (isPodLevelResource(name)) total[name] = value;
  }
  add(total, spec.overhead);
  return total;
}

/** A pod's limits: its containers' or its own; overhead only where there is a limit. */
export function podLimits(pod: Pod): ResourceList {
  const spec = pod.spec;
  if (spec === undefined) return {};
  const total: Mutable = { ...aggregateLimits(spec) };
  for (const [name, value] of Object.entries(spec.resources?.limits ?? {})) {
    if (isPodLevelResource(name)) total[name] = value;
  }
  for (const [name, value] of Object.entries(spec.overhead ?? {})) {
    if (total[name] !== undefined && !Quantity.parse(total[name]).isZero) total[name] = addQuantities(total[name], value);
  }
  return total;
}

/** Fills in those of the pod-level resources that follow from the others and from the containers'. */
export function defaultPodLevelResources(spec: PodSpec): PodSpec {
  let resources: ResourceRequirements = spec.resources ?? {};
  resources = withList(resources, 'limits', hugePageLimits(spec, resources));
  resources = withList(resources, 'requests', requestsOf(spec, resources));
  resources = withList(resources, 'limits', limitsOf(spec, resources));
  return resources === (spec.resources ?? {}) ? spec : { ...spec, resources };
}

function withList(resources: ResourceRequirements, key: 'limits' | 'requests', more: ResourceList): ResourceRequirements {
  return Object.keys(more).length === 0 ? resources : { ...resources, [key]: { ...more, ...resources[key] } };
}

const isEmpty = (list: ResourceList | undefined): boolean => list === undefined || Object.keys(list).length === 0;

function hugePageLimits(spec: PodSpec, { limits, requests }: ResourceRequirements): ResourceList {
  if (isEmpty(limits) && isEmpty(requests)) return {};
  return pick(
    aggregateLimits(spec),
    (name) => isHugePages(name) && requests?.[name] === undefined && limits?.[name] === undefined,
  );
}

function requestsOf(spec: PodSpec, { limits, requests }: ResourceRequirements): ResourceList {
  if (limits === undefined || isEmpty(limits)) return {};
  const ofContainers = pick(
    aggregateRequests(spec),
    (name) => requests?.[name] === undefined && isPodLevelResource(name) && isOvercommitAllowed(name),
  );
  const ofLimits = pick(
    limits,
    (name) => requests?.[name] === undefined && ofContainers[name] === undefined && isPodLevelResource(name),
  );
  return { ...ofContainers, ...ofLimits };
}

function limitsOf(spec: PodSpec, { limits, requests }: ResourceRequirements): ResourceList {
  if (setsPodLevel(limits) || !setsPodLevel(requests)) return {};
  const all = [...spec.containers, ...(spec.initContainers ?? [])];
  return pick(
    aggregateLimits(spec),
    (name) =>
      limits?.[name] === undefined &&
      isPodLevelResource(name) &&
      isOvercommitAllowed(name) &&
      all.every((c) => c.resources?.limits?.[name] !== undefined),
  );
}

const pick = (list: ResourceList, keep: (name: string) => boolean): ResourceList =>
  Object.fromEntries(Object.entries(list).filter(([name]) => keep(name)));

/** The list with quantities finer than a thousandth rounded up; the same list when there are none. */
export function roundUpToMilli(list: ResourceList): ResourceList {
  let copy: Mutable | undefined;
  for (const name in list) {
    const text = list[name]!;
    // Only what has a fraction or one of the finest suffixes can need it.
    if (!/[.nueE-]/.test(text)) continue;
    const parsed = Quantity.parse(text);
    if (parsed.exponent >= -3) continue;
    const rounded = Quantity.ofMilli(parsed.scaledValue(-3), parsed.format);
    if (rounded.equals(parsed)) continue;
    copy ??= { ...list };
    copy[name] = rounded.toString();
  }
  return copy ?? list;
}
