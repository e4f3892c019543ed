import { Histogram } from '../../http/histogram.ts';
import { metric } from '../../http/metrics.ts';

const PREFIX = 'apiserver_validating_admission_policy_';
const BUCKETS = [0.0000005, 0.001, 0.01, 0.1, 1];
/** Series kept at most: policies come and go. */
const MAX_SERIES = 2_000;

export type Enforcement = 'deny' | 'audit' | 'warn';

/** The apiserver_validating_admission_policy_* metrics: what expressions that did not hold led to. */
export class PolicyMetrics {
  readonly #checks = new Map<string, Histogram>();

  /** `ms` in milliseconds. */
  enforced(policy: string, binding: string, action: Enforcement, error: string, ms: number): void {
    const labels = `enforcement_action="${action}",error_type="${error}",policy="${policy}",policy_binding="${binding}"`;
    let checks = this.#checks.get(labels);
    if (checks === undefined) {
      if (this.#checks.size >= MAX_SERIES) return;
      this.#checks.set(labels, (checks = new Histogram(BUCKETS)));
    }
    checks.observe(ms / 1000);
  }

  text(): string {
    const all = [...this.#checks];
    return (
      metric(
        `${PREFIX}check_total`,
        'counter',
        'Validation admission policy check total, labeled by policy and further identified by binding and enforcement action taken.',
        all.map(([labels, { count }]) => `${PREFIX}check_total{${labels}} ${count}`),
        'BETA',
      ) +
      metric(
        `${PREFIX}check_duration_seconds`,
        'histogram',
        'Validation admission latency for individual validation expressions in seconds, labeled by policy and further including binding and enforcement action taken.',
        all.flatMap(([labels, histogram]) => histogram.lines(`${PREFIX}check_duration_seconds`, labels)),
        'BETA',
      )
    );
  }
}
