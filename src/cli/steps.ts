import type { Clock } from '../util/clock.ts';

/** A step under way. */
export interface Step {
  /** What it is doing just now; shown on a terminal only. */
  progress(text: string): void;
  done(detail?: string): void;
}

/** Shows the steps of a start with the time each took. On a terminal the step under way is shown too. */
export class Steps {
  readonly #out: NodeJS.WriteStream;
  readonly #clock: Clock;
  readonly #started: number;

  constructor(out: NodeJS.WriteStream, clock: Clock) {
    this.#out = out;
    this.#clock = clock;
    this.#started = clock.monotonic();
  }

  begin(name: string): Step {
    const started = this.#clock.monotonic();
    this.#transient(`… ${name}`);
    return {
      progress: (text) => this.#transient(`… ${name}: ${text}`),
      done: (detail) => this.show(name, this.#clock.monotonic() - started, detail),
    };
  }

  /** A finished step. `ms` in milliseconds. */
  show(name: string, ms: number, detail?: string): void {
    this.#transient('');
    this.#out.write(`✓ ${name.padEnd(44)} ${formatMs(ms).padStart(8)}${detail === undefined ? '' : `   ${detail}`}\n`);
  }

  note(text: string): void {
    this.#out.write(`  ${text}\n`);
  }

  end(text: string): void {
    this.#out.write(`${text} (${formatMs(this.#clock.monotonic() - this.#started)}).\n`);
  }

  /** A line that the next one overwrites. */
  #transient(text: string): void {
    if (!this.#out.isTTY) return;
    const width = Math.max(20, this.#out.columns ?? 80);
    this.#out.write(`\r\x1b[2K${text.slice(0, width - 1)}`);
  }
}

/** Milliseconds as people read them: `35 ms`, `1.8 s`. */
export function formatMs(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
