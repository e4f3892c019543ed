import { objectKey } from '../../api/meta/object.ts';
import type { Pod, Service } from '../../api/types/core-v1.ts';
import type { Informer } from '../../client/contract.ts';
import { mapMatches } from '../label-selector.ts';
import { isReady } from '../workload/pod-state.ts';

const BY_LABEL = 'label';
const BY_SELECTOR = 'selector-pair';
const NONE: readonly string[] = [];

const pairKey = (namespace: string, key: string, value: string): string => `${namespace}/${key}=${value}`;

type Selector = Readonly<Record<string, string>>;

/** The pair of a selector that services are filed under: its first in order. Undefined for an empty one. */
function filingPair(selector: Selector): string | undefined {
  let least: string | undefined;
  for (const key in selector) if (least === undefined || key < least) least = key;
  return least;
}

/**
 * Files pods by label, and services by one pair of their selectors: finding the services of a pod, or the pods of a service, then does not
 * look at the whole namespace. Asking twice costs nothing.
 */
function indexServicePods(services: Informer<Service>, pods: Informer<Pod>): void {
  services.addIndex(BY_SELECTOR, (service) => {
    const selector = service.spec?.selector;
    if (selector === undefined) return NONE;
    const key = filingPair(selector);
    const namespace = service.metadata?.namespace ?? '';
    return [key === undefined ? `${namespace}/` : pairKey(namespace, key, selector[key]!)];
  });
  pods.addIndex(BY_LABEL, (pod) => {
    const namespace = pod.metadata?.namespace ?? '';
    return Object.entries(pod.metadata?.labels ?? {}).map(([key, value]) => pairKey(namespace, key, value));
  });
}

/** Tells of every service whose endpoints a change of it, or of a pod, may change. */
export function watchServicePods(services: Informer<Service>, pods: Informer<Pod>, wake: (key: string) => void): void {
  indexServicePods(services, pods);
  const changed = (service: Service): void => wake(objectKey(service));
  services.addHandler({ onAdd: changed, onUpdate: changed, onDelete: changed });
  pods.addHandler({
    onAdd: (pod) => servicesOfPod(pod, services).forEach(wake),
    onUpdate: (pod, old) => servicesToUpdate(pod, old, services).forEach(wake),
    onDelete: (pod) => servicesOfPod(pod, services).forEach(wake),
  });
}

/** The pods that a service selects; none when it has no selector. */
export function podsOfService(service: Service, pods: Informer<Pod>): readonly Pod[] {
  const selector = service.spec?.selector;
  if (selector === undefined) return [];
  const namespace = service.metadata?.namespace ?? '';
  const key = filingPair(selector);
  if (key === undefined) return pods.list(namespace);
  return pods
    .byIndex(BY_LABEL, pairKey(namespace, key, selector[key]!))
    .filter((pod) => mapMatches(selector, pod.metadata?.labels));
}

/** The keys of the services that select a pod. */
function servicesOfPod(pod: Pod, services: Informer<Service>): ReadonlySet<string> {
  const { namespace = '', labels = {} } = pod.metadata ?? {};
  const keys = new Set<string>();
  const collect = (candidates: readonly Service[]): void => {
    for (const service of candidates) {
      if (mapMatches(service.spec?.selector, labels)) keys.add(`${namespace}/${service.metadata?.name}`);
    }
  };
  for (const key in labels) collect(services.byIndex(BY_SELECTOR, pairKey(namespace, key, labels[key]!)));
  collect(services.byIndex(BY_SELECTOR, `${namespace}/`));
  return keys;
}

/** The services whose endpoints a change of a pod may change. */
function servicesToUpdate(pod: Pod, old: Pod, services: Informer<Service>): ReadonlySet<string> {
  const endpointChanged =
    (pod.metadata?.deletionTimestamp === undefined) !== (old.metadata?.deletionTimestamp === undefined) ||
    isReady(pod) !== isReady(old) ||
    !sameAddresses(pod, old) ||
    pod.status?.phase !== old.status?.phase;
  const membershipChanged =
    !sameLabels(pod.metadata?.labels, old.metadata?.labels) ||
    pod.spec?.hostname !== old.spec?.hostname ||
    pod.spec?.subdomain !== old.spec?.subdomain;
  if (!endpointChanged && !membershipChanged) return new Set();
  const now = servicesOfPod(pod, services);
  if (!membershipChanged) return now;
  return now.union(servicesOfPod(old, services));
}

function sameAddresses(a: Pod, b: Pod): boolean {
  const left = a.status?.podIPs ?? [];
  const right = b.status?.podIPs ?? [];
  return left.length === right.length && left.every((address, i) => address.ip === right[i]!.ip);
}

function sameLabels(a: Selector = {}, b: Selector = {}): boolean {
  return a === b || (mapMatches(a, b) && mapMatches(b, a));
}
