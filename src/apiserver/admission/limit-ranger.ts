import { podLimits, podRequests } from '../../api/groups/core/pod-resources.ts';
import type {
  Container,
  LimitRange,
  LimitRangeItem,
  PersistentVolumeClaim,
  Pod,
  PodSpec,
  ResourceList,
} from '../../api/types/core-v1.ts';
import type { AdmissionAttributes, AdmissionPlugin, AdmissionTarget, ApiAccess } from '../contract.ts';
import { maximumFault, minimumFault, ratioFault, requestMaximumFault } from './limit-constraints.ts';
import { NamespaceIndex } from './namespace-index.ts';
import { refuse } from './refusal.ts';

const ANNOTATION = 'kubernetes.io/limit-ranger';

/** Fills in the default requests and limits of a namespace's LimitRanges, and keeps what is asked for within their bounds. */
export function limitRanger(): AdmissionPlugin {
  let ranges: NamespaceIndex<LimitRange> | undefined;
  const rangesFor = (attributes: AdmissionAttributes): readonly LimitRange[] => {
    // What is on its way out may still lose its finalizers.
    if (attributes.oldObject?.metadata?.deletionTimestamp !== undefined) return [];
    return ranges?.of(attributes.namespace) ?? [];
  };
  return {
    name: 'LimitRanger',
    initialize: (access: ApiAccess) => {
      const view = access.view<LimitRange>('', 'limitranges');
      ranges = view === undefined ? undefined : new NamespaceIndex(view);
    },
    handles: ({ operation, group, resource, subresource }: AdmissionTarget) => {
      if (group !== '' || (operation !== 'CREATE' && operation !== 'UPDATE')) return false;
      if (resource === 'pods') return operation === 'CREATE' ? subresource === '' : subresource === 'resize';
      return resource === 'persistentvolumeclaims' && subresource === '';
    },
    mutate: (attributes) => {
      if (attributes.resource.resource !== 'pods' || attributes.operation !== 'CREATE') return attributes.object;
      let pod = attributes.object as Pod;
      for (const range of rangesFor(attributes)) pod = withDefaults(pod, range.spec?.limits ?? []);
      return pod;
    },
    validate: (attributes) => {
      const all = rangesFor(attributes);
      if (all.length === 0) return;
      for (const range of all) {
        const limits = range.spec?.limits ?? [];
        const faults =
          attributes.resource.resource === 'pods'
            ? podFaults((attributes.object as Pod).spec, limits)
            : claimFaults(attributes.object as PersistentVolumeClaim, limits);
        if (faults.length > 0) throw refuse(attributes, aggregate(faults));
      }
    },
  };
}

/** Messages as upstream joins them: repeated ones once, more than one in brackets. */
function aggregate(messages: readonly string[]): string {
  const once = [...new Set(messages)];
  return once.length === 1 ? once[0]! : `[${once.join(', ')}]`;
}

function withDefaults(pod: Pod, limits: readonly LimitRangeItem[]): Pod {
  const ofContainers = limits.filter((l) => l.type === 'Container');
  if (ofContainers.length === 0 || pod.spec === undefined) return pod;
  const requests: ResourceList = Object.assign({}, ...ofContainers.map((l) => l.defaultRequest ?? {}));
  const maxima: ResourceList = Object.assign({}, ...ofContainers.map((l) => l.default ?? {}));
  const told: string[] = [];
  const fill = (what: string) => (container: Container) => {
    const missingRequests = missing(requests, container.resources?.requests);
    const missingLimits = missing(maxima, container.resources?.limits);
    if (missingRequests.length > 0) told.push(`${missingRequests.join(', ')} request for ${what} ${container.name}`);
    if (missingLimits.length > 0) told.push(`${missingLimits.join(', ')} limit for ${what} ${container.name}`);
    if (missingRequests.length === 0 && missingLimits.length === 0) return container;
    return {
      ...container,
      resources: {
        ...container.resources,
        ...(missingLimits.length === 0 ? {} : { limits: { ...maxima, ...container.resources?.limits } }),
        ...(missingRequests.length === 0 ? {} : { requests: { ...requests, ...container.resources?.requests } }),
      },
    };
  };
  const containers = (pod.spec.containers ?? []).map(fill('container'));
  const initContainers = pod.spec.initContainers?.map(fill('init container'));
  if (told.length === 0) return pod;
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      annotations: { ...pod.metadata?.annotations, [ANNOTATION]: `LimitRanger plugin set: ${told.join('; ')}` },
    },
    spec: { ...pod.spec, containers, ...(initContainers === undefined ? {} : { initContainers }) },
  };
}

const missing = (defaults: ResourceList, given: ResourceList | undefined): readonly string[] =>
  Object.keys(defaults)
    .filter((name) => given?.[name] === undefined)
    .sort();

function podFaults(spec: PodSpec | undefined, limits: readonly LimitRangeItem[]): readonly string[] {
  if (spec === undefined) return [];
  return limits.flatMap((item) => {
    if (item.type === 'Container') {
      return [...(spec.containers ?? []), ...(spec.initContainers ?? [])].flatMap((c) =>
        bounds(item, c.resources?.requests ?? {}, c.resources?.limits ?? {}),
      );
    }
    if (item.type !== 'Pod') return [];
    const { overhead: _overhead, ...plain } = spec;
    const pod = { spec: plain };
    return bounds(item, podRequests(pod), podLimits(pod));
  });
}

function bounds(item: LimitRangeItem, requests: ResourceList, limits: ResourceList): readonly string[] {
  const faults: string[] = [];
  const push = (fault: string | undefined): void => {
    if (fault !== undefined) faults.push(fault);
  };
  for (const [name, amount] of Object.entries(item.min ?? {})) push(minimumFault(item.type, name, amount, requests, limits));
  for (const [name, amount] of Object.entries(item.max ?? {})) push(maximumFault(item.type, name, amount, requests, limits));
  for (const [name, ratio] of Object.entries(item.maxLimitRequestRatio ?? {})) {
    push(ratioFault(item.type, name, ratio, requests, limits));
  }
  return faults;
}

function claimFaults(claim: PersistentVolumeClaim, limits: readonly LimitRangeItem[]): readonly string[] {
  const requests = claim.spec?.resources?.requests ?? {};
  const faults: (string | undefined)[] = [];
  for (const item of limits) {
    if (item.type !== 'PersistentVolumeClaim') continue;
    for (const [name, amount] of Object.entries(item.min ?? {})) faults.push(minimumFault(item.type, name, amount, requests, {}));
    for (const [name, amount] of Object.entries(item.max ?? {})) {
      faults.push(requestMaximumFault(item.type, name, amount, requests));
    }
  }
  return faults.filter((f) => f !== undefined);
}
