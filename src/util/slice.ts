/** How long a piece of a long computation holds the event loop, in milliseconds: several may share a turn. */
const SLICE_MS = 4;

/** What slices that were waited for take of one turn of the event loop, in milliseconds, and as much again as the last of them takes. */
const TURN_MS = 3;

/** Resolves in a later turn of the event loop, when all else that waits has had its own. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Where long computations wait for their next slice, one behind another: however many there are, a turn is given to no more of them than fit into
 * it.
 */
class Line {
  #waiting: (() => void)[] = [];
  #moving = false;

  /** Resolves when it is this one's turn. */
  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#moving) return;
      this.#moving = true;
      setImmediate(this.#move);
    });
  }

  readonly #move = (): void => {
    const end = performance.now() + TURN_MS;
    const one = (): void => {
      const next = this.#waiting.shift();
      if (next === undefined) {
        this.#moving = false;
        return;
      }
      next();
      // A tick made in a microtask comes when all microtasks have run: the computation rests again, or has ended.
      queueMicrotask(() => process.nextTick(() => (performance.now() < end ? one() : setImmediate(this.#move))));
    };
    one();
  };
}

/** Of this thread, whose loop is one: that is why it is nobody's own. */
const line = new Line();

/** Resolves when the next piece of a long computation may be done: in a later turn, and not in the same as everybody else's. */
export const nextSlice = (): Promise<void> => line.wait();

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
    await nextSlice();
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
