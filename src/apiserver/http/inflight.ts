import { tooManyRequests } from '../../api/meta/status.ts';

/** How many requests are worked on at a time (upstream's --max-requests-inflight and --max-mutating-requests-inflight). */
export interface InflightLimits {
  readonly readOnly: number;
  readonly mutating: number;
}

export const defaultInflightLimits: InflightLimits = { readOnly: 400, mutating: 200 };

/** Counts requests that are neither watches nor streams; beyond the limit they are turned away at once. */
export class Inflight {
  readonly #limits: InflightLimits;
  readOnly = 0;
  mutating = 0;

  constructor(limits: InflightLimits) {
    this.#limits = limits;
  }

  /** Throws 429 when there are too many, but for the `privileged`. Every return is followed by exactly one `leave`. */
  enter(mutating: boolean, privileged: boolean): void {
    if (privileged) this.#count(mutating);
    else this.#enter(mutating);
  }

  #enter(mutating: boolean): void {
    if (mutating ? this.mutating >= this.#limits.mutating : this.readOnly >= this.#limits.readOnly) {
      throw tooManyRequests('Too many requests, please try again later.', 1);
    }
    this.#count(mutating);
  }

  #count(mutating: boolean): void {
    if (mutating) this.mutating++;
    else this.readOnly++;
  }

  leave(mutating: boolean): void {
    if (mutating) this.mutating--;
    else this.readOnly--;
  }
}
