import ipaddr from 'ipaddr.js';
import type { Random } from '../../util/random.ts';

export type Family = 'IPv4' | 'IPv6';

/** Why an allocation was refused; the texts are upstream's. */
export class AllocationError extends Error {}

/** Addresses of a range beyond this are not handed out: upstream's limit for IPv6 ranges, and more than a cluster has Services. */
const MAX_ADDRESSES = 1 << 20;

/**
 * A free offset of 0…size-1, from a random place onwards; undefined when all are taken. The first `reserved` are kept for those who ask for a
 * certain one: they are handed out last (KEP-3070 for addresses, KEP-3668 for ports).
 */
function freeOffset(size: number, reserved: number, random: Random, isTaken: (offset: number) => boolean): number | undefined {
  const search = (from: number, count: number): number | undefined => {
    if (count === 0) return undefined;
    const start = random.int(count);
    for (let i = 0; i < count; i++) {
      const offset = from + ((start + i) % count);
      if (!isTaken(offset)) return offset;
    }
    return undefined;
  };
  return search(reserved, size - reserved) ?? search(0, reserved);
}

/** The addresses of a CIDR, without the network's own and (IPv4) the broadcast address. It does not know which of them are taken. */
export class AddressRange {
  readonly family: Family;
  readonly cidr: string;
  readonly #network: bigint;
  /** Addresses of the network, with those that nobody can have. */
  readonly #hosts: bigint;
  readonly #size: number;
  readonly #reserved: number;

  /** Throws for what is no CIDR. */
  constructor(cidr: string) {
    const [network, bits] = ipaddr.parseCIDR(cidr);
    this.cidr = cidr;
    this.family = network.kind() === 'ipv4' ? 'IPv4' : 'IPv6';
    this.#hosts = 2n ** BigInt((this.family === 'IPv4' ? 32 : 128) - bits);
    this.#network = (toNumber(network.toByteArray()) / this.#hosts) * this.#hosts;
    const usable = this.#hosts - (this.family === 'IPv4' ? 2n : 1n);
    this.#size = Number(usable > BigInt(MAX_ADDRESSES) ? BigInt(MAX_ADDRESSES) : usable);
    const reserved = Math.min(Math.max(16, Math.trunc(this.#size / 16)), 256);
    this.#reserved = reserved >= this.#size ? 0 : reserved;
  }

  /** A free address; undefined when there is none. */
  next(random: Random, isTaken: (address: string) => boolean): string | undefined {
    const offset = freeOffset(this.#size, this.#reserved, random, (candidate) => isTaken(this.#address(candidate)));
    return offset === undefined ? undefined : this.#address(offset);
  }

  /** Whether the address is of this network, its ends included. */
  covers(address: string): boolean {
    const offset = this.#offset(address);
    return offset !== undefined && offset >= -1n && offset < this.#hosts - 1n;
  }

  /** Throws when no Service may have this address. */
  check(address: string): void {
    const offset = this.#offset(address) ?? -1n;
    if (offset >= 0n && offset < BigInt(this.#size)) return;
    throw new AllocationError(`the provided IP (${address}) is not in the valid range. The range of valid IPs is ${this.cidr}`);
  }

  /** Offset 0 is the first address after the network's own. */
  #offset(address: string): bigint | undefined {
    if (!ipaddr.isValid(address)) return undefined;
    const parsed = ipaddr.parse(address);
    if ((parsed.kind() === 'ipv4') !== (this.family === 'IPv4')) return undefined;
    return toNumber(parsed.toByteArray()) - this.#network - 1n;
  }

  #address(offset: number): string {
    let value = this.#network + 1n + BigInt(offset);
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

/** A free port of the range; undefined when there is none. */
export function nextPort({ from, to }: PortRange, random: Random, isTaken: (port: number) => boolean): number | undefined {
  const size = to - from + 1;
  const reserved = Math.min(Math.max(16, Math.trunc(size / 32)), 128);
  const offset = freeOffset(size, reserved >= size ? 0 : reserved, random, (candidate) => isTaken(from + candidate));
  return offset === undefined ? undefined : from + offset;
}

/** Throws when the port is not of the range. */
export function checkPort({ from, to }: PortRange, port: number): void {
  if (port >= from && port <= to) return;
  throw new AllocationError(`provided port is not in the valid range. The range of valid ports is ${from}-${to}`);
}
