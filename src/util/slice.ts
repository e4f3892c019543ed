/** How long a piece of a long computation holds the event loop, in milliseconds: several may share a turn. */
const SLICE_MS = 4;

/** Resolves in a later turn of the event loop, when all else that waits has had its own. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * The time that a long computation may take until others are let in: `if (slice.over) await slice.next();` after each step of it. Time of the
 * processor, not of the cluster: it is measured on the machine, whatever clock the component has.
 */
export class Slice {
  #end = performance.now() + SLICE_MS;

  /** Whether it is time to let others in. */
  get over(): boolean {
    return performance.now() >= this.#end;
  }

  /** Begins anew, in this turn. */
  restart(): void {
    this.#end = performance.now() + SLICE_MS;
  }

  /** Lets others in, and begins anew. */
  async next(): Promise<void> {
    await turn();
    this.restart();
  }
}

/** Runs a computation to its end, others between its slices; what it yields are the places where it may rest. */
export async function inSlices<T>(steps: Iterator<unknown, T>): Promise<T> {
  const slice = new Slice();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (slice.over) await slice.next();
  }
}
