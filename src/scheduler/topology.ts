import type { NodeInfo } from './node-info.ts';
import { grown } from './typed-array.ts';

/** The domain of a node that lacks the label. */
export const NO_DOMAIN = -1;

/** The nodes by their value of one label, each value a small number: so that counting by domain is adding in an array. */
export class Topology {
  readonly key: string;
  /** Domain by node slot. */
  #domains: Int32Array<ArrayBuffer> = new Int32Array(0);
  readonly #numbers = new Map<string, number>();
  readonly #values: (string | undefined)[] = [];
  /** Nodes in each domain. A domain without nodes gives its number back. */
  #sizes: Int32Array<ArrayBuffer> = new Int32Array(0);
  readonly #free: number[] = [];

  constructor(key: string) {
    this.key = key;
  }

  /** The domain of the node in a slot; NO_DOMAIN without the label. */
  domain(slot: number): number {
    return this.#domains[slot] ?? NO_DOMAIN;
  }

  add(node: NodeInfo): void {
    this.#domains = grown(this.#domains, node.slot + 1, NO_DOMAIN);
    const value = Object.hasOwn(node.labels, this.key) ? node.labels[this.key] : undefined;
    if (value === undefined) {
      this.#domains[node.slot] = NO_DOMAIN;
      return;
    }
    let domain = this.#numbers.get(value);
    if (domain === undefined) {
      domain = this.#free.pop() ?? this.#values.length;
      this.#values[domain] = value;
      this.#numbers.set(value, domain);
      this.#sizes = grown(this.#sizes, domain + 1);
    }
    this.#sizes[domain]!++;
    this.#domains[node.slot] = domain;
  }

  remove(slot: number): void {
    const domain = this.domain(slot);
    if (domain === NO_DOMAIN) return;
    this.#domains[slot] = NO_DOMAIN;
    if (--this.#sizes[domain]! > 0) return;
    this.#numbers.delete(this.#values[domain]!);
    this.#values[domain] = undefined;
    this.#free.push(domain);
  }
}
