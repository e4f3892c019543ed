import ipaddr from 'ipaddr.js';
import type { Random } from '../../util/random.ts';

/** Why an allocation was refused; the texts are upstream's. */
export class AllocationError extends Error {}

/** Numbers of a range that are handed out once each. */
export interface Pool<T> {
  /** Takes one that is free, at random. Throws when the range is full. */
  next(): T;
  /** Takes this one. Throws when it is taken or outside of the range. */
  take(value: T): void;
  release(value: T): void;
  has(value: T): boolean;
}

/**
 * Offsets 0…size-1. The first part of a range is kept for those who ask for a certain one: it is handed out last
 * (KEP-3070 for addresses, KEP-3668 for ports).
 */
class OffsetPool {
  readonly #size: number;
  readonly #reserved: number;
  readonly #random: Random;
  readonly #taken = new Set<number>();

  constructor(size: number, reserved: number, random: Random) {
    this.#size = size;
    this.#reserved = Math.min(reserved, size);
    this.#random = random;
  }

  next(): number {
    const upper = this.#size - this.#reserved;
    const found = this.#search(this.#reserved, upper) ?? this.#search(0, this.#reserved);
    if (found === undefined) throw new AllocationError('range is full');
    this.#taken.add(found);
    return found;
  }

  /** From a random place onwards, round the part of the range. */
  #search(from: number, count: number): number | undefined {
    if (count === 0) return undefined;
    const start = this.#random.int(count);
    for (let i = 0; i < count; i++) {
      const offset = from + ((start + i) % count);
      if (!this.#taken.has(offset)) return offset;
    }
    return undefined;
  }

  has(offset: number): boolean {
    return this.#taken.has(offset);
  }

  add(offset: number): boolean {
    if (this.#taken.has(offset)) return false;
    this.#taken.add(offset);
    return true;
  }

  delete(offset: number): void {
    this.#taken.delete(offset);
  }
}

/** Addresses of a range beyond this are not handed out: upstream's limit for IPv6 ranges. */
const MAX_ADDRESSES = 65_536;

/** The addresses of a CIDR, without the network's own and (IPv4) the broadcast address. */
export class AddressPool implements Pool<string> {
  readonly family: 'IPv4' | 'IPv6';
  readonly cidr: string;
  readonly #base: bigint;
  readonly #size: number;
  readonly #offsets: OffsetPool;

  constructor(cidr: string, random: Random) {
    const [network, bits] = ipaddr.parseCIDR(cidr);
    this.cidr = cidr;
    this.family = network.kind() === 'ipv4' ? 'IPv4' : 'IPv6';
    const width = this.family === 'IPv4' ? 32 : 128;
    const hosts = 2n ** BigInt(width - bits);
    this.#base = (toNumber(network.toByteArray()) / hosts) * hosts;
    const usable = hosts - (this.family === 'IPv4' ? 2n : 1n);
    this.#size = Number(usable > BigInt(MAX_ADDRESSES) ? BigInt(MAX_ADDRESSES) : usable);
    const reserved = Math.min(Math.max(16, Math.trunc(this.#size / 16)), 256);
    this.#offsets = new OffsetPool(this.#size, reserved >= this.#size ? 0 : reserved, random);
  }

  next(): string {
    return this.#address(this.#offsets.next());
  }

  take(address: string): void {
    const offset = this.#offset(address);
    if (offset === undefined) {
      throw new AllocationError(`the provided IP (${address}) is not in the valid range. The range of valid IPs is ${this.cidr}`);
    }
    if (!this.#offsets.add(offset)) throw new AllocationError('provided IP is already allocated');
  }

  release(address: string): void {
    const offset = this.#offset(address);
    if (offset !== undefined) this.#offsets.delete(offset);
  }

  has(address: string): boolean {
    const offset = this.#offset(address);
    return offset !== undefined && this.#offsets.has(offset);
  }

  /** Offset 0 is the first address after the network's own. */
  #offset(address: string): number | undefined {
    if (!ipaddr.isValid(address)) return undefined;
    const parsed = ipaddr.parse(address);
    if ((parsed.kind() === 'ipv4') !== (this.family === 'IPv4')) return undefined;
    const offset = toNumber(parsed.toByteArray()) - this.#base - 1n;
    return offset >= 0n && offset < BigInt(this.#size) ? Number(offset) : undefined;
  }

  #address(offset: number): string {
    let value = this.#base + 1n + BigInt(offset);
    const bytes = new Array<number>(this.family === 'IPv4' ? 4 : 16).fill(0);
    for (let i = bytes.length - 1; i >= 0; i--) {
      bytes[i] = Number(value & 0xffn);
      value >>= 8n;
    }
    return ipaddr.fromByteArray(bytes).toString();
  }
}

const toNumber = (bytes: readonly number[]): bigint => bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

export interface PortRange {
  readonly from: number;
  /** Inclusive. */
  readonly to: number;
}

/** The node ports of a cluster. */
export class PortPool implements Pool<number> {
  readonly range: PortRange;
  readonly #offsets: OffsetPool;

  constructor(range: PortRange, random: Random) {
    const size = range.to - range.from + 1;
    const reserved = Math.min(Math.max(16, Math.trunc(size / 32)), 128);
    this.range = range;
    this.#offsets = new OffsetPool(size, reserved >= size ? 0 : reserved, random);
  }

  next(): number {
    return this.range.from + this.#offsets.next();
  }

  take(port: number): void {
    const { from, to } = this.range;
    if (port < from || port > to) {
      throw new AllocationError(`provided port is not in the valid range. The range of valid ports is ${from}-${to}`);
    }
    if (!this.#offsets.add(port - from)) throw new AllocationError('provided port is already allocated');
  }

  release(port: number): void {
    this.#offsets.delete(port - this.range.from);
  }

  has(port: number): boolean {
    return this.#offsets.has(port - this.range.from);
  }
}
