import type { Clock } from '../../util/clock.ts';

/** After this long a create or delete that no watch event told of is given up on (upstream's ExpectationsTimeout). */
const TIMEOUT_MS = 300_000;

interface Expectation {
  creations: number;
  /** Keys of objects whose deletion has been asked for. */
  readonly deletions: Set<string>;
  readonly at: number;
}

/**
 * What a controller has done but not yet seen in its informer. Until it has, its counts are wrong and it must not act on them:
 * it would create or delete twice.
 */
export class Expectations {
  readonly #clock: Clock;
  readonly #byKey = new Map<string, Expectation>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether everything expected of `key` has been seen, or has taken too long. */
  satisfied(key: string): boolean {
    const expectation = this.#byKey.get(key);
    if (expectation === undefined) return true;
    if (expectation.creations <= 0 && expectation.deletions.size === 0) return true;
    return this.#clock.monotonic() - expectation.at > TIMEOUT_MS;
  }

  expectCreations(key: string, count: number): void {
    this.#byKey.set(key, { creations: count, deletions: new Set(), at: this.#clock.monotonic() });
  }

  expectDeletions(key: string, objects: readonly string[]): void {
    this.#byKey.set(key, { creations: 0, deletions: new Set(objects), at: this.#clock.monotonic() });
  }

  /** Both at once, for controllers that create and delete in one pass. */
  expect(key: string, creations: number, objects: readonly string[]): void {
    this.#byKey.set(key, { creations, deletions: new Set(objects), at: this.#clock.monotonic() });
  }

  /** A creation was seen, or failed. */
  creationObserved(key: string): void {
    const expectation = this.#byKey.get(key);
    if (expectation !== undefined) expectation.creations--;
  }

  /** A deletion was seen, or failed. */
  deletionObserved(key: string, object: string): void {
    this.#byKey.get(key)?.deletions.delete(object);
  }

  forget(key: string): void {
    this.#byKey.delete(key);
  }
}
