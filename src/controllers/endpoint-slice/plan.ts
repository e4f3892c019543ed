import { nameIsDNSSubdomain } from '../../api/meta/names.ts';
import type { Node, Pod, Service } from '../../api/types/core-v1.ts';
import type { Endpoint, EndpointPort, EndpointSlice } from '../../api/types/discovery-v1.ts';
import { mapMatches } from '../label-selector.ts';
import { controllerRef } from '../workload/controller-ref.ts';
import {
  type AddressType,
  addressTypesOf,
  belongsInEndpoints,
  endpointId,
  endpointOf,
  endpointPorts,
  isHeadless,
  portsKey,
  sameEndpoint,
} from './endpoint.ts';
import { trafficDistributionOf, withHints } from './hints.ts';
import {
  hintsDisabledEvent,
  hintsEnabledEvent,
  type SliceEvent,
  wantsTopologyHints,
  withTopologyHints,
  type ZoneCounts,
  type ZoneRatios,
} from './topology.ts';

export const SERVICE_NAME = 'kubernetes.io/service-name';
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
export const HEADLESS = 'service.kubernetes.io/headless';
export const CONTROLLER_NAME = 'endpointslice-controller.k8s.io';
/** Most endpoints in one slice (upstream's --max-endpoints-per-slice). */
export const MAX_ENDPOINTS_PER_SLICE = 100;

const reservedLabels: ReadonlySet<string> = new Set([SERVICE_NAME, MANAGED_BY, HEADLESS]);

export interface SliceObservation {
  readonly service: Service;
  /** The pods its selector meets. */
  readonly pods: readonly Pod[];
  /** The slices of the service that this controller manages. */
  readonly slices: readonly EndpointSlice[];
  readonly node: (name: string) => Node | undefined;
  /** How the CPUs are spread, for services that want endpoints in proportion to them. */
  readonly zones?: ZoneRatios | undefined;
  /** Whether the slices got hints of that kind the last time. */
  readonly hinted?: boolean;
  readonly maxEndpointsPerSlice?: number;
}

/** The writes that bring slices and pods together, in the order they are to be done. */
export interface SlicePlan {
  readonly create: readonly EndpointSlice[];
  readonly update: readonly EndpointSlice[];
  readonly delete: readonly EndpointSlice[];
  /** Pods left out because their node is not known yet, as upstream words it. */
  readonly problems: readonly string[];
  /** To be told of the service. */
  readonly events: readonly SliceEvent[];
  /** How many endpoints are meant for each zone, where hints were given in proportion to CPUs. */
  readonly zoneCounts: ReadonlyMap<AddressType, ZoneCounts>;
}

/**
 * The slices a service should have, with as few and as small changes as can be: endpoints stay in the slice they are in, new ones fill slices
 * that change anyway, then the unchanged slice they fit best in, and only then make a new slice. Pure.
 */
export function planEndpointSlices(observed: SliceObservation): SlicePlan {
  const { service, slices } = observed;
  const types = addressTypesOf(service);
  const create: EndpointSlice[] = [];
  const update: EndpointSlice[] = [];
  const remove: EndpointSlice[] = [];
  const problems = new Set<string>();
  const events: SliceEvent[] = [];
  const zoneCounts = new Map<AddressType, ZoneCounts>();
  for (const type of types) {
    const ofType = slices.filter((slice) => slice.addressType === type);
    const plan = new TypePlanner(observed, type, ofType, problems).plan();
    if (plan.problem !== undefined) events.push(hintsDisabledEvent(type, plan.problem));
    else if (plan.zoneCounts === undefined && observed.hinted === true) events.push(hintsDisabledEvent(type));
    if (plan.zoneCounts !== undefined) {
      // Told once, not for each type of addresses.
      if (observed.hinted !== true && zoneCounts.size === 0) events.push(hintsEnabledEvent(type));
      zoneCounts.set(type, plan.zoneCounts);
    }
    create.push(...plan.create);
    update.push(...plan.update);
    remove.push(...plan.remove);
  }
  for (const slice of slices) if (!types.has(slice.addressType as AddressType)) remove.push(slice);
  // A service on its way out gets no new slices: the garbage collector would race with us.
  const going = service.metadata?.deletionTimestamp !== undefined;
  return { create: going ? [] : create, update, delete: remove, problems: [...problems], events, zoneCounts };
}

interface Group {
  readonly ports: readonly EndpointPort[];
  readonly wanted: Map<string, Endpoint>;
}

interface Changes {
  readonly create: EndpointSlice[];
  readonly update: EndpointSlice[];
  readonly remove: EndpointSlice[];
  zoneCounts?: ZoneCounts | undefined;
  /** Why hints in proportion to CPUs cannot be given. */
  problem?: string | undefined;
}

class TypePlanner {
  readonly #observed: SliceObservation;
  readonly #type: AddressType;
  readonly #slices: readonly EndpointSlice[];
  readonly #problems: Set<string>;
  readonly #max: number;

  constructor(observed: SliceObservation, type: AddressType, slices: readonly EndpointSlice[], problems: Set<string>) {
    this.#observed = observed;
    this.#type = type;
    this.#slices = slices;
    this.#problems = problems;
    this.#max = observed.maxEndpointsPerSlice ?? MAX_ENDPOINTS_PER_SLICE;
  }

  plan(): Changes {
    const { service } = this.#observed;
    const changes: Changes = { create: [], update: [], remove: [] };
    const existing = new Map<string, EndpointSlice[]>();
    for (const slice of this.#slices) {
      if (!isOwnedBy(slice, service)) {
        changes.remove.push(slice);
        continue;
      }
      const key = portsKey(slice.ports);
      const group = existing.get(key);
      if (group === undefined) existing.set(key, [slice]);
      else group.push(slice);
    }
    const groups = this.#groups();
    for (const [key, group] of groups) this.#pack(group, existing.get(key) ?? [], changes);
    for (const [key, slices] of existing) if (!groups.has(key)) changes.remove.push(...slices);
    this.#keepPlaceholder(changes);
    this.#applyHints(changes);
    recycle(changes, service);
    return changes;
  }

  /** The endpoints there should be, by the ports they have. */
  #groups(): ReadonlyMap<string, Group> {
    const { service, pods, node: nodeOf } = this.#observed;
    const groups = new Map<string, Group>();
    for (const pod of pods) {
      if (!belongsInEndpoints(pod, true)) continue;
      const ports = endpointPorts(service, pod);
      const key = portsKey(ports);
      let group = groups.get(key);
      if (group === undefined) {
        group = { ports, wanted: new Map() };
        groups.set(key, group);
      }
      const nodeName = pod.spec?.nodeName ?? '';
      const node = nodeOf(nodeName);
      if (node === undefined && service.spec?.publishNotReadyAddresses !== true) {
        const { namespace, name } = service.metadata ?? {};
        this.#problems.add(`skipping Pod ${pod.metadata?.name} for Service ${namespace}/${name}: Node ${nodeName} Not Found`);
        continue;
      }
      const endpoint = endpointOf(pod, node, service, this.#type);
      if (endpoint !== undefined) group.wanted.set(endpointId(endpoint), endpoint);
    }
    return groups;
  }

  #pack({ ports, wanted }: Group, slices: readonly EndpointSlice[], changes: Changes): void {
    const changed: EndpointSlice[] = [];
    const unchanged: EndpointSlice[] = [];
    for (const slice of slices) {
      const next = this.#keepWanted(slice, wanted);
      if (next === slice) unchanged.push(slice);
      else if ((next.endpoints ?? []).length === 0) changes.remove.push(slice);
      else changed.push(next);
    }
    const left = [...wanted.values()];
    // The fullest first: few slices, each well filled.
    changed.sort((a, b) => (b.endpoints?.length ?? 0) - (a.endpoints?.length ?? 0));
    for (const slice of changed) changes.update.push(this.#filled(slice, left));
    while (left.length > 0) {
      const roomy = left.length < this.#max ? this.#bestFit(unchanged, left.length) : undefined;
      if (roomy === undefined) {
        changes.create.push(this.#filled(newSlice(this.#observed.service, this.#type, ports), left));
      } else {
        unchanged.splice(unchanged.indexOf(roomy), 1);
        changes.update.push(this.#filled(roomy, left));
      }
    }
  }

  /** The slice without what is no longer wanted, its labels those of the service; endpoints found are taken out of `wanted`. */
  #keepWanted(slice: EndpointSlice, wanted: Map<string, Endpoint>): EndpointSlice {
    const before = slice.endpoints ?? [];
    const kept: Endpoint[] = [];
    let changed = false;
    for (const endpoint of before) {
      const id = endpointId(endpoint);
      const next = wanted.get(id);
      if (next === undefined) {
        changed = true;
        continue;
      }
      wanted.delete(id);
      if (sameEndpoint(next, endpoint)) kept.push(endpoint);
      else {
        kept.push(next);
        changed = true;
      }
    }
    const labels = sliceLabels(this.#observed.service);
    const relabelled = !sameOwnLabels(slice.metadata?.labels ?? {}, labels);
    if (!changed && !relabelled) return slice;
    return { ...slice, metadata: { ...slice.metadata, labels }, endpoints: kept };
  }

  #filled(slice: EndpointSlice, left: Endpoint[]): EndpointSlice {
    const endpoints = slice.endpoints ?? [];
    const room = this.#max - endpoints.length;
    return room <= 0 || left.length === 0 ? slice : { ...slice, endpoints: [...endpoints, ...left.splice(0, room)] };
  }

  /** The slice that is closest to full with `count` more. */
  #bestFit(slices: readonly EndpointSlice[], count: number): EndpointSlice | undefined {
    let best: EndpointSlice | undefined;
    let least = this.#max;
    for (const slice of slices) {
      const room = this.#max - count - (slice.endpoints?.length ?? 0);
      if (room < 0 || room >= least) continue;
      best = slice;
      least = room;
    }
    return best;
  }

  /** A service always has a slice, if an empty one without ports: whoever watches then knows that there is nothing. */
  #keepPlaceholder(changes: Changes): void {
    if (this.#slices.length !== changes.remove.length || changes.create.length > 0) return;
    const placeholder = newSlice(this.#observed.service, this.#type, []);
    const [only] = changes.remove;
    if (changes.remove.length === 1 && isPlaceholder(only!, placeholder)) changes.remove.length = 0;
    else changes.create.push(placeholder);
  }

  #applyHints(changes: Changes): void {
    const { service, zones } = this.#observed;
    const touched = new Set([...changes.update, ...changes.remove].map((slice) => slice.metadata?.name));
    const unchanged = this.#slices.filter((slice) => !touched.has(slice.metadata?.name));
    if (wantsTopologyHints(service)) {
      const hinted = withTopologyHints({ create: changes.create, update: changes.update, unchanged }, zones);
      changes.create.splice(0, Infinity, ...hinted.create);
      changes.update.splice(0, Infinity, ...hinted.update);
      changes.zoneCounts = hinted.counts;
      changes.problem = hinted.problem;
      return;
    }
    const distribution = trafficDistributionOf(service);
    for (const slice of unchanged) {
      const hinted = withHints(slice, distribution);
      if (hinted !== slice) changes.update.push(hinted);
    }
    for (const list of [changes.create, changes.update]) {
      for (const [i, slice] of list.entries()) list[i] = withHints(slice, distribution);
    }
  }
}

/** Where a slice is to be made and another to be deleted, the one takes the other's place. */
function recycle(changes: Changes, service: Service): void {
  for (let i = 0; i < changes.remove.length && changes.create.length > 0; ) {
    const old = changes.remove[i]!;
    if (!isOwnedBy(old, service)) {
      i++;
      continue;
    }
    const { metadata, ...rest } = changes.create.pop()!;
    changes.update.push({ ...rest, metadata: { ...metadata, name: old.metadata!.name! } });
    changes.remove.splice(i, 1);
  }
}

export function isOwnedBy(slice: EndpointSlice, service: Service): boolean {
  return (slice.metadata?.ownerReferences ?? []).some(
    ({ uid, kind, apiVersion }) => uid === service.metadata?.uid && kind === 'Service' && apiVersion === 'v1',
  );
}

function newSlice(service: Service, type: AddressType, ports: readonly EndpointPort[]): EndpointSlice {
  return {
    metadata: {
      generateName: slicePrefix(service.metadata!.name!),
      namespace: service.metadata!.namespace!,
      labels: sliceLabels(service),
      ownerReferences: [controllerRef(service, 'v1', 'Service')],
    },
    addressType: type,
    endpoints: [],
    ports,
  };
}

/** `name-`, or the bare name where that would be too long. */
export function slicePrefix(name: string): string {
  return nameIsDNSSubdomain(`${name}-`, true).length === 0 ? `${name}-` : name;
}

/** The labels of a service's slices: its own, and those that tell whose they are. */
function sliceLabels(service: Service): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  for (const [key, value] of Object.entries(service.metadata?.labels ?? {})) {
    if (!reservedLabels.has(key)) labels[key] = value;
  }
  if (isHeadless(service)) labels[HEADLESS] = '';
  labels[SERVICE_NAME] = service.metadata!.name!;
  labels[MANAGED_BY] = CONTROLLER_NAME;
  return labels;
}

type Labels = Readonly<Record<string, string>>;

/** Whether two sets of labels agree but for the reserved ones. */
function sameOwnLabels(a: Labels, b: Labels): boolean {
  for (const key in a) if (!reservedLabels.has(key) && a[key] !== b[key]) return false;
  for (const key in b) if (!reservedLabels.has(key) && a[key] !== b[key]) return false;
  return true;
}

function isPlaceholder(slice: EndpointSlice, placeholder: EndpointSlice): boolean {
  const labels = slice.metadata?.labels ?? {};
  const wanted = placeholder.metadata!.labels!;
  return (
    (slice.endpoints ?? []).length === 0 &&
    (slice.ports ?? []).length === 0 &&
    slice.metadata?.generateName === placeholder.metadata?.generateName &&
    mapMatches(wanted, labels) &&
    mapMatches(labels, wanted) &&
    slice.metadata?.ownerReferences?.[0]?.uid === placeholder.metadata?.ownerReferences?.[0]?.uid
  );
}
