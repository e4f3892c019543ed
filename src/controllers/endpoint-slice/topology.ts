import { milliValue } from '../../api/meta/quantity.ts';
import type { Node, Service } from '../../api/types/core-v1.ts';
import type { Endpoint, EndpointSlice } from '../../api/types/discovery-v1.ts';
import { findCondition } from '../conditions.ts';
import { type AddressType, ZONE } from './endpoint.ts';
import { withHints } from './hints.ts';

/** Endpoints of a zone may get so much more traffic than they would if all were spread evenly (KEP-2433). */
const OVERLOAD = 0.2;
const TOPOLOGY_MODE = 'service.kubernetes.io/topology-mode';
const DEPRECATED_MODE = 'service.kubernetes.io/topology-aware-hints';
const excluded = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master'];

/** What part of the CPUs is in each zone; undefined when nodes do not tell, or are all in one zone. */
export type ZoneRatios = ReadonlyMap<string, number> | undefined;
/** How many endpoints are meant for each zone. */
export type ZoneCounts = ReadonlyMap<string, number>;

export interface SliceEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** Whether the service's annotation asks for endpoints in proportion to the CPUs of zones. */
export function wantsTopologyHints({ metadata }: Service): boolean {
  const mode = metadata?.annotations?.[DEPRECATED_MODE] ?? metadata?.annotations?.[TOPOLOGY_MODE];
  return mode === 'Auto' || mode === 'auto';
}

const isReady = (node: Node): boolean => findCondition(node.status?.conditions, 'Ready')?.status === 'True';
const cpuOf = (node: Node): number => milliValue(node.status?.allocatable?.['cpu']);
const zoneOf = (node: Node): string => node.metadata?.labels?.[ZONE] ?? '';

/** Whether a change of a node may change the ratios. */
export const changesRatios = (node: Node, old: Node): boolean =>
  isReady(node) !== isReady(old) || cpuOf(node) !== cpuOf(old) || zoneOf(node) !== zoneOf(old);

/** The ratios of the nodes that are ready and not the control plane's. One that does not tell its zone or CPUs spoils them all. */
export function zoneRatios(nodes: Iterable<Node>): ZoneRatios {
  const cpus = new Map<string, number>();
  let total = 0;
  for (const node of nodes) {
    if (excluded.some((label) => node.metadata?.labels?.[label] !== undefined) || !isReady(node)) continue;
    const cpu = cpuOf(node);
    const zone = zoneOf(node);
    if (zone === '' || cpu === 0) return undefined;
    cpus.set(zone, (cpus.get(zone) ?? 0) + cpu);
    total += cpu;
  }
  if (cpus.size < 2) return undefined;
  return new Map([...cpus].sort(([a], [b]) => (a < b ? -1 : 1)).map(([zone, cpu]) => [zone, cpu / total]));
}

/** The least number of endpoints that a zone can do with. */
const leastFor = (ratio: number, endpoints: number): number => Math.ceil((ratio * endpoints) / (1 + OVERLOAD));

/** Whether some zone has too few endpoints for its CPUs now. */
export function isOverloaded(counts: ZoneCounts, ratios: ZoneRatios): boolean {
  if (counts.size === 0) return false;
  if (ratios === undefined) return true;
  let total = 0;
  for (const count of counts.values()) total += count;
  for (const [zone, ratio] of ratios) {
    const count = counts.get(zone);
    if (count === undefined || count < leastFor(ratio, total)) return true;
  }
  return false;
}

/** Slices of one address type: those that are written anyway, and those that stay as they are. */
export interface TypedSlices {
  readonly create: readonly EndpointSlice[];
  readonly update: readonly EndpointSlice[];
  readonly unchanged: readonly EndpointSlice[];
}

export interface HintedSlices {
  readonly create: readonly EndpointSlice[];
  /** Also those that did not have to be written but for their hints. */
  readonly update: readonly EndpointSlice[];
  /** Undefined when no hints can be given. */
  readonly counts: ZoneCounts | undefined;
  /** Why there are none. */
  readonly problem: string | undefined;
}

interface Share {
  readonly desired: number;
  readonly maximum: number;
}

const ready = (endpoint: Endpoint): boolean => endpoint.conditions?.ready === true;

/** How many endpoints each zone should have, or why that cannot be. */
function sharesOf(endpoints: number, ratios: ZoneRatios): ReadonlyMap<string, Share> | string {
  if (ratios === undefined) {
    return 'Insufficient Node information: allocatable CPU or zone not specified on one or more nodes';
  }
  const counted = `(${endpoints} endpoints, ${ratios.size} zones)`;
  if (ratios.size > endpoints) return `Insufficient number of endpoints ${counted}`;
  let least = 0;
  for (const ratio of ratios.values()) least += leastFor(ratio, endpoints);
  if (least > endpoints) {
    return `Unable to allocate minimum required endpoints to each zone without exceeding overload threshold ${counted}`;
  }
  const shares = new Map<string, Share>();
  for (const [zone, ratio] of ratios) {
    const minimum = leastFor(ratio, endpoints);
    shares.set(zone, { desired: Math.max(ratio * endpoints, minimum), maximum: minimum + endpoints - least });
  }
  return shares;
}

/**
 * Gives every ready endpoint the zone it is to serve, in proportion to the zones' CPUs: its own, but where a zone has more than its share, that
 * of one which has less. Slices whose hints may stay are not written. Pure.
 */
export function withTopologyHints(slices: TypedSlices, ratios: ZoneRatios): HintedSlices {
  let endpoints = 0;
  for (const list of [slices.create, slices.update, slices.unchanged]) {
    for (const slice of list) for (const endpoint of slice.endpoints ?? []) if (ready(endpoint)) endpoints++;
  }
  const shares = sharesOf(endpoints, ratios);
  if (typeof shares === 'string') return withoutTopologyHints(slices, shares);
  const counts = new Map<string, number>();
  const update = [...slices.update];
  for (const slice of slices.unchanged) {
    const hints = hintsThatMayStay(slice, counts, shares);
    if (hints === undefined) update.push(slice);
    else for (const [zone, count] of hints) counts.set(zone, (counts.get(zone) ?? 0) + count);
  }
  const written = [...slices.create, ...update];
  for (const slice of written) {
    for (const endpoint of slice.endpoints ?? []) {
      if (!ready(endpoint)) continue;
      if (!endpoint.zone) return withoutTopologyHints(slices, 'One or more endpoints do not have a zone specified');
      counts.set(endpoint.zone, (counts.get(endpoint.zone) ?? 0) + 1);
    }
  }
  if (counts.size === 0) return withoutTopologyHints(slices, 'No hints allocated for zones');
  const { giving, receiving } = exchanges(shares, counts);
  const hinted = written.map((slice) => ({
    ...slice,
    endpoints: (slice.endpoints ?? []).map((endpoint): Endpoint => {
      if (!ready(endpoint)) return endpoint;
      const own = endpoint.zone!;
      const other = take(giving, own) ? takeAny(receiving) : undefined;
      if (other !== undefined) {
        counts.set(own, counts.get(own)! - 1);
        counts.set(other, (counts.get(other) ?? 0) + 1);
      }
      return { ...endpoint, hints: { forZones: [{ name: other ?? own }] } };
    }),
  }));
  const made = slices.create.length;
  return { create: hinted.slice(0, made), update: hinted.slice(made), counts, problem: undefined };
}

/** No hints at all: half of them would be worse. */
function withoutTopologyHints({ create, update, unchanged }: TypedSlices, problem: string): HintedSlices {
  const bare = (slice: EndpointSlice): EndpointSlice => withHints(slice, undefined);
  const changed = unchanged.map(bare).filter((slice, i) => slice !== unchanged[i]);
  return { create: create.map(bare), update: [...update.map(bare), ...changed], counts: undefined, problem };
}

/** The hints of a slice by zone; undefined when it lacks some, or other zones could not get their least with these. */
function hintsThatMayStay(slice: EndpointSlice, counts: ZoneCounts, shares: ReadonlyMap<string, Share>): ZoneCounts | undefined {
  const hints = new Map<string, number>();
  for (const endpoint of slice.endpoints ?? []) {
    if (!ready(endpoint)) continue;
    const zones = endpoint.hints?.forZones ?? [];
    if (zones.length === 0) return undefined;
    for (const { name } of zones) {
      if (!shares.has(name)) return undefined;
      hints.set(name, (hints.get(name) ?? 0) + 1);
    }
  }
  for (const [zone, count] of hints) if (count + (counts.get(zone) ?? 0) > shares.get(zone)!.maximum) return undefined;
  return hints;
}

interface Exchanges {
  readonly giving: Map<string, number>;
  readonly receiving: Map<string, number>;
}

/** How many endpoints each zone gives to others or gets from them. */
function exchanges(shares: ReadonlyMap<string, Share>, counts: ZoneCounts): Exchanges {
  const surplus = new Map<string, number>();
  const lack = new Map<string, number>();
  for (const [zone, { desired }] of shares) {
    const difference = (counts.get(zone) ?? 0) - desired;
    if (difference > 0) surplus.set(zone, difference);
    else if (difference < 0) lack.set(zone, -difference);
  }
  const giving = new Map<string, number>();
  const receiving = new Map<string, number>();
  for (;;) {
    const from = largest(surplus);
    const to = largest(lack);
    if (from === undefined || to === undefined) return { giving, receiving };
    const [fromZone, give] = from;
    const [toZone, get] = to;
    // Nobody gains from moving less than half an endpoint.
    if ((give < 1 && get < 1) || give < 0.5 || get < 0.5) return { giving, receiving };
    giving.set(fromZone, (giving.get(fromZone) ?? 0) + 1);
    receiving.set(toZone, (receiving.get(toZone) ?? 0) + 1);
    surplus.set(fromZone, give - 1);
    lack.set(toZone, get - 1);
  }
}

function largest(zones: ReadonlyMap<string, number>): readonly [string, number] | undefined {
  let most: readonly [string, number] | undefined;
  for (const entry of zones) if (entry[1] > (most?.[1] ?? 0)) most = entry;
  return most;
}

function take(counts: Map<string, number>, zone: string): boolean {
  const left = counts.get(zone) ?? 0;
  if (left > 0) counts.set(zone, left - 1);
  return left > 0;
}

function takeAny(counts: Map<string, number>): string | undefined {
  for (const zone of counts.keys()) if (take(counts, zone)) return zone;
  return undefined;
}

export const hintsEnabledEvent = (type: AddressType): SliceEvent => ({
  type: 'Normal',
  reason: 'TopologyAwareHintsEnabled',
  message: `Topology Aware Hints has been enabled, addressType: ${type}`,
});

export const hintsDisabledEvent = (type: AddressType, problem = 'Topology Aware Hints has been disabled'): SliceEvent => ({
  type: 'Warning',
  reason: 'TopologyAwareHintsDisabled',
  message: `${problem}, addressType: ${type}`,
});
