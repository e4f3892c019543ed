import type { Random } from './random.ts';

/** How an exponential backoff grows. Times in milliseconds. */
export interface BackoffOptions {
  readonly initial: number;
  readonly max: number;
  /** Growth per failure; 2 unless said. */
  readonly factor?: number;
  /** Adds up to this fraction of the delay at random; 0 unless said. */
  readonly jitter?: number;
}

/** The delay before try number `failures + 1`; `failures` counts from 1 for the first failure. */
export function backoffDelay(options: BackoffOptions, failures: number, random?: Random): number {
  const factor = options.factor ?? 2;
  const base = Math.min(options.max, options.initial * factor ** Math.min(Math.max(failures, 1) - 1, 64));
  const jitter = options.jitter !== undefined && random !== undefined ? base * options.jitter * random.float() : 0;
  return base + jitter;
}
