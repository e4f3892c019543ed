import type { Clock } from '../../util/clock.ts';
import { Histogram } from '../http/histogram.ts';
import { metric } from '../http/metrics.ts';

/** Seconds; upstream's latencyBuckets. */
const BUCKETS = [0.005, 0.025, 0.1, 0.5, 1, 2.5];
const SECONDS = 1 / 1000;

type Phase = 'admit' | 'validate';

/** How long the plugins took for one operation in one half of admission. */
export class AdmissionTimes {
  readonly operation: string;
  readonly phase: Phase;
  readonly clock: Clock;
  readonly #steps = { accepted: new Histogram(BUCKETS), rejected: new Histogram(BUCKETS) };
  readonly #plugins = new Map<string, { readonly accepted: Histogram; readonly rejected: Histogram }>();

  constructor(operation: string, phase: Phase, clock: Clock) {
    this.clock = clock;
    this.operation = operation;
    this.phase = phase;
  }

  /** One plugin was asked; `ms` in milliseconds. */
  plugin(name: string, ms: number, rejected: boolean): void {
    let times = this.#plugins.get(name);
    if (times === undefined) {
      this.#plugins.set(name, (times = { accepted: new Histogram(BUCKETS), rejected: new Histogram(BUCKETS) }));
    }
    (rejected ? times.rejected : times.accepted).observe(ms * SECONDS);
  }

  /** All of them together. */
  step(ms: number, rejected: boolean): void {
    (rejected ? this.#steps.rejected : this.#steps.accepted).observe(ms * SECONDS);
  }

  stepLines(name: string): readonly string[] {
    return this.#lines(name, '', this.#steps);
  }

  pluginLines(name: string): readonly string[] {
    return [...this.#plugins].flatMap(([plugin, times]) => this.#lines(name, `name="${plugin}",`, times));
  }

  #lines(name: string, labels: string, times: { readonly accepted: Histogram; readonly rejected: Histogram }): readonly string[] {
    const of = (histogram: Histogram, rejected: boolean): readonly string[] =>
      histogram.count === 0
        ? []
        : histogram.lines(name, `${labels}operation="${this.operation}",rejected="${rejected}",type="${this.phase}"`);
    return [...of(times.accepted, false), ...of(times.rejected, true)];
  }
}

/** The apiserver_admission_* metrics of a server. */
export class AdmissionMetrics {
  readonly #times = new Map<string, AdmissionTimes>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The same for every chain of an operation. */
  times(operation: string, phase: Phase): AdmissionTimes {
    const key = `${operation} ${phase}`;
    let times = this.#times.get(key);
    if (times === undefined) this.#times.set(key, (times = new AdmissionTimes(operation, phase, this.#clock)));
    return times;
  }

  text(): string {
    const all = [...this.#times.values()];
    const step = 'apiserver_admission_step_admission_duration_seconds';
    const plugin = 'apiserver_admission_controller_admission_duration_seconds';
    const each = 'broken out for each operation and API resource';
    return (
      metric(
        step,
        'histogram',
        `Admission sub-step latency histogram in seconds, ${each} and step type (validate or admit).`,
        all.flatMap((times) => times.stepLines(step)),
      ) +
      metric(
        plugin,
        'histogram',
        `Admission controller latency histogram in seconds, identified by name and ${each} and type (validate or admit).`,
        all.flatMap((times) => times.pluginLines(plugin)),
      )
    );
  }
}
