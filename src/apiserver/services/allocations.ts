import ipaddr from 'ipaddr.js';
import type { KubernetesObject } from '../../api/meta/object.ts';
import type { Service, ServiceSpec } from '../../api/types/core-v1.ts';
import type { IPAddress, ServiceCIDR } from '../../api/types/networking-v1.ts';
import type { StoreOp } from '../../store/contract.ts';
import type { Random } from '../../util/random.ts';
import type { ResourceView } from '../contract.ts';
import { AddressRange, AllocationError, checkPort, type Family, nextPort, type PortRange } from './ranges.ts';

/** Where the node ports that are taken stand in the store, one key each. */
export const PORTS_PREFIX = '/registry/ranges/servicenodeports/';
const HEADLESS = 'None';

/** What writes an IPAddress to the store. */
export interface AddressWriter {
  /** The key of an address's object. */
  key(address: string): string;
  /** The address of a key; undefined when it is none's. */
  addressOf(key: string): string | undefined;
  /** The stored bytes of a new object for an address of this Service. */
  encode(address: string, family: Family, service: Service): Uint8Array;
}

export interface AllocationViews {
  readonly services: ResourceView<Service>;
  readonly cidrs: ResourceView<ServiceCIDR>;
  readonly addresses: ResourceView<IPAddress>;
}

/**
 * Which addresses and node ports are whose. Addresses come of the ServiceCIDRs and are held by IPAddress objects (KEP-1880), ports by a key each.
 * Both are written in the commit of their Service, under the condition that nobody has them: so no two API servers on one store give out one
 * twice, and no crash leaves one behind. What others hold is known from views; what is about to be written, from `reserve`.
 */
export class Allocations {
  readonly #views: AllocationViews;
  readonly #writer: AddressWriter;
  readonly #ports: PortRange;
  readonly #random: Random;
  #ranges: readonly AddressRange[] = [];
  /** Of Services that are there: how many hold it, as two may by an old fault. */
  readonly #held = new Map<string | number, number>();
  /** By writes under way, and by other servers whose write has not been seen yet. */
  readonly #reserved = new Set<string | number>();

  constructor(views: AllocationViews, writer: AddressWriter, ports: PortRange, random: Random, signal: AbortSignal) {
    this.#views = views;
    this.#writer = writer;
    this.#ports = ports;
    this.#random = random;
    for (const service of views.services.list()) this.#count(service, 1);
    views.services.watch(({ type, object, previous }) => {
      if (previous !== undefined) this.#count(previous, -1);
      if (type !== 'deleted') this.#count(object, 1);
    }, signal);
    this.#readRanges();
    views.cidrs.watch(() => this.#readRanges(), signal);
    // What was only known to be another server's is to be seen from now on.
    views.addresses.watch(({ type, object }) => {
      if (type === 'deleted') this.#reserved.delete(object.metadata?.name ?? '');
    }, signal);
  }

  /** An address: the one asked for, or any. Reserved until `settle` or `free`. Throws an AllocationError. */
  reserveAddress(family: Family, asked: string | undefined): string {
    const address = asked === undefined ? this.#anyAddress(family) : this.#thisAddress(asked);
    this.#reserved.add(address);
    return asked ?? address;
  }

  /** As `reserveAddress`, a node port. */
  reservePort(asked: number | undefined): number {
    const isTaken = (port: number): boolean => this.#isTaken(port);
    if (asked !== undefined) {
      checkPort(this.#ports, asked);
      if (isTaken(asked)) throw new AllocationError('provided port is already allocated');
    }
    const port = asked ?? nextPort(this.#ports, this.#random, isTaken);
    if (port === undefined) throw new AllocationError('range is full');
    this.#reserved.add(port);
    return port;
  }

  /** The write that a reservation was for has been made, or given up. */
  free(values: Iterable<string | number>): void {
    for (const value of values) this.#reserved.delete(value);
  }

  /** Another server has what this key stands for. */
  lost(key: string): void {
    const value = key.startsWith(PORTS_PREFIX) ? Number(key.slice(PORTS_PREFIX.length)) : this.#writer.addressOf(key);
    if (value !== undefined) this.#reserved.add(value);
  }

  /** What takes `added` for a Service, and gives `removed` back. */
  operations(service: Service, added: Iterable<string | number>, removed: Iterable<string | number>): StoreOp[] {
    const out: StoreOp[] = [];
    for (const value of added) {
      if (typeof value === 'number') {
        out.push({ type: 'put', key: `${PORTS_PREFIX}${value}`, value: ownerBytes(service), expectedRevision: 0 });
      } else {
        const bytes = this.#writer.encode(value, familyOf(value), service);
        out.push({ type: 'put', key: this.#writer.key(value), value: bytes, expectedRevision: 0 });
      }
    }
    for (const value of removed) {
      out.push({ type: 'delete', key: typeof value === 'number' ? `${PORTS_PREFIX}${value}` : this.#writer.key(value) });
    }
    return out;
  }

  #anyAddress(family: Family): string {
    for (const range of this.#ranges) {
      if (range.family !== family) continue;
      const address = range.next(this.#random, (candidate) => this.#isTaken(candidate));
      if (address !== undefined) return address;
    }
    throw new AllocationError('range is full');
  }

  #thisAddress(asked: string): string {
    const address = canonical(asked);
    const range = this.#ranges.find((candidate) => candidate.covers(address));
    if (range === undefined) throw new AllocationError('the provided network does not match the current range');
    range.check(address);
    if (this.#isTaken(address)) throw new AllocationError('provided IP is already allocated');
    return address;
  }

  #isTaken(value: string | number): boolean {
    if (this.#held.has(value) || this.#reserved.has(value)) return true;
    return typeof value === 'string' && this.#views.addresses.get('', value) !== undefined;
  }

  #count(service: Service, difference: 1 | -1): void {
    for (const value of holdingsOf(service.spec)) {
      const count = (this.#held.get(value) ?? 0) + difference;
      if (count > 0) this.#held.set(value, count);
      else this.#held.delete(value);
      if (difference < 0) this.#reserved.delete(value);
    }
  }

  /** The CIDRs that may be used: ready, or not yet said not to be, and not about to go. The server's own comes first. */
  #readRanges(): void {
    const usable = [...this.#views.cidrs.list()].filter(isUsable);
    usable.sort((a, b) => Number(b.metadata?.name === DEFAULT_CIDR) - Number(a.metadata?.name === DEFAULT_CIDR));
    const cidrs = new Set(usable.flatMap((cidr) => cidr.spec?.cidrs ?? []));
    this.#ranges = [...cidrs].map((cidr) => this.#ranges.find((range) => range.cidr === cidr) ?? new AddressRange(cidr));
  }
}

/** The ServiceCIDR that the server makes of its configuration. */
export const DEFAULT_CIDR = 'kubernetes';

function isUsable({ metadata, status }: ServiceCIDR): boolean {
  if (metadata?.deletionTimestamp !== undefined) return false;
  const ready = status?.conditions?.find((condition) => condition.type === 'Ready');
  return ready === undefined || ready.status === 'True';
}

export const familyOf = (address: string): Family => (address.includes(':') ? 'IPv6' : 'IPv4');

const ownerBytes = ({ metadata }: KubernetesObject): Uint8Array =>
  Buffer.from(`${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`);

/** The addresses of a Service that are real ones. */
export function addressesOf(spec: ServiceSpec | undefined): string[] {
  const all = spec?.clusterIPs?.length ? spec.clusterIPs : spec?.clusterIP ? [spec.clusterIP] : [];
  return all.filter((address) => address !== HEADLESS && address !== '');
}

/** Its node ports, each once. */
export function portsOf(spec: ServiceSpec | undefined): number[] {
  const out = (spec?.ports ?? []).flatMap((port) => (port.nodePort ? [port.nodePort] : []));
  return [...new Set(spec?.healthCheckNodePort ? [...out, spec.healthCheckNodePort] : out)];
}

/** All that a Service holds: addresses as IPAddress objects are named, and ports. */
export const holdingsOf = (spec: ServiceSpec | undefined): (string | number)[] => [
  ...addressesOf(spec).map(canonical),
  ...portsOf(spec),
];

/** An address as it is written shortest. */
const canonical = (address: string): string => (ipaddr.isValid(address) ? ipaddr.parse(address).toString() : address);
