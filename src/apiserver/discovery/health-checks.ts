/** One thing that must be well: throws, or rejects, with the reason when it is not. */
export interface HealthCheck {
  readonly name: string;
  check(): void | Promise<void>;
}

/** What stands before the name of a start hook in a list of checks. */
export const HOOK_PREFIX = 'poststarthook/';

/**
 * The parts of a server's start, by upstream's names of its post-start hooks: `/readyz`, `/livez` and `/healthz` tell of each, and fail until it
 * is done.
 */
export class StartHooks {
  readonly #checks: HealthCheck[] = [];

  /** Those named so far, in their order. */
  get checks(): readonly HealthCheck[] {
    return this.#checks;
  }

  /** Names parts that `work` does. What it fails with is what the checks say. */
  add(names: readonly string[], work: Promise<unknown>): void {
    let fault: Error | undefined = new Error('not finished');
    work.then(
      () => {
        fault = undefined;
      },
      (reason: unknown) => {
        fault = reason instanceof Error ? reason : new Error(String(reason));
      },
    );
    const check = (): void => {
      if (fault !== undefined) throw fault;
    };
    for (const name of names) this.#checks.push({ name: HOOK_PREFIX + name, check });
  }
}
