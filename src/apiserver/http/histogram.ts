/** A Prometheus histogram of one set of labels. Observing allocates nothing. */
export class Histogram {
  readonly #bounds: readonly number[];
  /** Not cumulative; the last is beyond every bound. */
  readonly #counts: Float64Array;
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  get count(): number {
    return this.#count;
  }

  /** Counts `value`, as often as `times` says. */
  observe(value: number, times = 1): void {
    let i = 0;
    while (i < this.#bounds.length && value > this.#bounds[i]!) i++;
    this.#counts[i]! += times;
    this.#sum += value * times;
    this.#count += times;
  }

  /** The text lines of this one. */
  lines(name: string, labels: string): string[] {
    let below = 0;
    const out = this.#bounds.map((bound, i) => {
      below += this.#counts[i]!;
      return `${name}_bucket{${labels},le="${bound}"} ${below}`;
    });
    out.push(`${name}_bucket{${labels},le="+Inf"} ${this.#count}`);
    out.push(`${name}_sum{${labels}} ${this.#sum}`, `${name}_count{${labels}} ${this.#count}`);
    return out;
  }
}
