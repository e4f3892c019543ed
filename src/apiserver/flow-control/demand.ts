/** How much a level was asked for between two adjustments. */
export interface DemandSummary {
  readonly average: number;
  readonly deviation: number;
  readonly highest: number;
}

/** Demand of seats over time: its mean, deviation and maximum, weighted by how long each value stood. */
export class DemandMeter {
  #value = 0;
  #since: number;
  #span = 0;
  #sum = 0;
  #squares = 0;
  #highest = 0;

  /** `now` in milliseconds, monotonic. */
  constructor(now: number) {
    this.#since = now;
  }

  set(value: number, now: number): void {
    this.#advance(now);
    this.#value = value;
    if (value > this.#highest) this.#highest = value;
  }

  /** What it was since the last call; counts anew from here. Undefined averages (no time has passed) are the value itself. */
  take(now: number): DemandSummary {
    this.#advance(now);
    const average = this.#span > 0 ? this.#sum / this.#span : this.#value;
    const variance = this.#span > 0 ? this.#squares / this.#span - average * average : 0;
    const summary = { average, deviation: Math.sqrt(Math.max(0, variance)), highest: this.#highest };
    this.#span = 0;
    this.#sum = 0;
    this.#squares = 0;
    this.#highest = this.#value;
    return summary;
  }

  #advance(now: number): void {
    const passed = now - this.#since;
    if (passed <= 0) return;
    this.#since = now;
    this.#span += passed;
    this.#sum += passed * this.#value;
    this.#squares += passed * this.#value * this.#value;
  }
}
