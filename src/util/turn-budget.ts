/** Work that one turn of the event loop takes on, in milliseconds; half as much again may come from what is in the middle of it. */
const TURN_MS = 8;

/**
 * Bounds what many pieces of work that arrive at once hold the event loop for: beyond the budget of a turn they wait for later ones, in their
 * order. Each piece is run with what it has put off to microtasks.
 */
export class TurnBudget {
  #open = false;
  #end = 0;

  run(work: () => void): void {
    if (!this.#open) {
      this.#open = true;
      this.#end = performance.now() + TURN_MS;
      setImmediate(this.#close);
    } else if (performance.now() >= this.#end) {
      setImmediate(() => this.run(work));
      return;
    }
    work();
  }

  readonly #close = (): void => {
    this.#open = false;
  };
}
