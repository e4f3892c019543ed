/** The longest that clients are told to wait, in seconds. */
const MAX_SECONDS = 32;

/**
 * How long clients that are turned away should wait: longer while many are, shorter again when it was few. One for each priority level.
 * Doubled when a period had three refusals a second, a second less when it had fewer than one.
 */
export class RetryAfter {
  /** Seconds. */
  seconds = 1;
  #changedAt = 0;
  #current = 0;
  #count = 0;
  /** Whole seconds before this one, and how many were turned away in each; the oldest first. */
  #history: { readonly second: number; readonly count: number }[] = [];

  /** One was turned away; `now` in milliseconds. */
  refused(now: number): void {
    const second = Math.floor(now / 1000);
    if (second === this.#current) {
      this.#count++;
      return;
    }
    const kept = this.#current - Math.min(2 * this.seconds, MAX_SECONDS);
    this.#history.push({ second: this.#current, count: this.#count });
    this.#history = this.#history.filter((h) => h.second >= kept);
    this.#current = second;
    this.#count = 1;
    this.#adjust(second);
  }

  #adjust(second: number): void {
    let refused = 0;
    for (const h of this.#history) if (second - h.second <= this.seconds && h.second < second) refused += h.count;
    if (second - this.#changedAt >= this.seconds && refused >= 3 * this.seconds) {
      this.seconds = Math.min(2 * this.seconds, MAX_SECONDS);
      this.#changedAt = second;
    } else if (refused < this.seconds && this.seconds > 1) this.seconds--;
  }
}
