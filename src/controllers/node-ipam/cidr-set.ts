import ipaddr from 'ipaddr.js';

/** Most ranges one set is cut into (upstream's limit, 2^16). */
const MAX_BITS = 16;

interface Range {
  readonly base: bigint;
  readonly prefix: number;
  readonly width: 32 | 128;
}

/** Reads `10.244.0.0/16`; the address is masked. Throws on anything else. */
function parseRange(cidr: string): Range {
  const [address, prefix] = ipaddr.parseCIDR(cidr);
  const bytes = address.toByteArray();
  const width = bytes.length === 4 ? 32 : 128;
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  const hostBits = BigInt(width - prefix);
  return { base: (value >> hostBits) << hostBits, prefix, width };
}

function formatRange({ base, prefix, width }: Range): string {
  const bytes = Array.from({ length: width / 8 }, (_, i) => Number((base >> BigInt(width - 8 * (i + 1))) & 0xffn));
  const address = ipaddr.fromByteArray(bytes);
  return `${address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString()}/${prefix}`;
}

/** A range of addresses cut into equal parts, one for each node. */
export class CidrSet {
  readonly #range: Range;
  readonly #partPrefix: number;
  readonly #count: number;
  /** Parts in use, with the number of claims on each: two nodes may hold one by mistake. */
  readonly #used = new Map<number, number>();
  #next = 0;

  /** `partPrefix`: the prefix length of each part, `/24`. Throws when the range cannot be cut so. */
  constructor(cidr: string, partPrefix: number) {
    this.#range = parseRange(cidr);
    this.#partPrefix = partPrefix;
    const bits = partPrefix - this.#range.prefix;
    if (bits < 0 || bits > MAX_BITS || partPrefix > this.#range.width) {
      throw new Error(`node CIDR mask /${partPrefix} does not fit the cluster CIDR ${cidr}`);
    }
    this.#count = 2 ** bits;
  }

  get isIPv6(): boolean {
    return this.#range.width === 128;
  }

  /** A part that nobody uses: the first after the last given out, so that a range is not used again at once. Undefined when all are used. */
  allocate(): string | undefined {
    for (let i = 0; i < this.#count; i++) {
      const index = (this.#next + i) % this.#count;
      if (this.#used.has(index)) continue;
      this.#used.set(index, 1);
      this.#next = (index + 1) % this.#count;
      return this.#format(index);
    }
    return undefined;
  }

  /** Marks the parts that `cidr` lies in, or covers, as used. Gives false when it lies elsewhere. */
  occupy(cidr: string): boolean {
    const parts = this.#partsOf(cidr);
    if (parts === undefined) return false;
    for (let i = parts.from; i <= parts.to; i++) this.#used.set(i, (this.#used.get(i) ?? 0) + 1);
    return true;
  }

  release(cidr: string): void {
    const parts = this.#partsOf(cidr);
    if (parts === undefined) return;
    for (let i = parts.from; i <= parts.to; i++) {
      const claims = (this.#used.get(i) ?? 0) - 1;
      if (claims > 0) this.#used.set(i, claims);
      else this.#used.delete(i);
    }
  }

  #format(index: number): string {
    const { base, width } = this.#range;
    return formatRange({ base: base + (BigInt(index) << BigInt(width - this.#partPrefix)), prefix: this.#partPrefix, width });
  }

  #partsOf(cidr: string): { readonly from: number; readonly to: number } | undefined {
    const { base, prefix, width } = this.#range;
    const other = parseRange(cidr);
    if (other.width !== width) return undefined;
    const end = base + (1n << BigInt(width - prefix));
    const otherEnd = other.base + (1n << BigInt(width - other.prefix));
    if (other.base >= end || otherEnd <= base) return undefined;
    const from = bigger(base, other.base);
    const to = -bigger(-end, -otherEnd);
    const shift = BigInt(width - this.#partPrefix);
    return { from: Number((from - base) >> shift), to: Number((to - 1n - base) >> shift) };
  }
}

/** Math.max knows no bigints. */
function bigger(a: bigint, b: bigint): bigint {
  if (a > b) return a;
  return b;
}
