import { Histogram } from '../../http/histogram.ts';
import { metric } from '../../http/metrics.ts';

const PREFIX = 'apiserver_admission_webhook_';
const BUCKETS = [0.005, 0.025, 0.1, 0.5, 1, 2.5, 10, 25];
/** Upstream's bound of codes that are told apart. */
const MAX_CODE = 600;
/** Series kept at most: webhooks come and go. */
const MAX_SERIES = 2_000;

/** How a call of a webhook ended. */
export interface HookOutcome {
  readonly name: string;
  readonly operation: string;
  readonly mutating: boolean;
  /** Milliseconds. */
  readonly took: number;
  /** HTTP code of the verdict: 200, or that of a refusal. */
  readonly code: number;
  readonly rejected: boolean;
  /** It could not be asked. */
  readonly failed: boolean;
}

/** The apiserver_admission_webhook_* metrics. */
export class WebhookMetrics {
  readonly #durations = new Map<string, Histogram>();
  readonly #requests = new Map<string, number>();
  readonly #rejections = new Map<string, number>();
  readonly #failedOpen = new Map<string, number>();

  called(outcome: HookOutcome): void {
    const { name, operation, rejected, failed } = outcome;
    const type = outcome.mutating ? 'admit' : 'validating';
    const code = Math.min(outcome.code, MAX_CODE);
    const labels = `name="${name}",operation="${operation}"`;
    const key = `${labels},rejected="${rejected}",type="${outcome.mutating ? 'admit' : 'validating'}"`;
    let duration = this.#durations.get(key);
    if (duration === undefined) {
      if (this.#durations.size >= MAX_SERIES) return;
      this.#durations.set(key, (duration = new Histogram(BUCKETS)));
    }
    duration.observe(outcome.took / 1000);
    count(this.#requests, `code="${code}",${labels},rejected="${rejected}",type="${type}"`);
    if (!rejected) return;
    const error = failed ? 'calling_webhook_error' : 'no_error';
    count(this.#rejections, `error_type="${error}",${labels},rejection_code="${failed ? 0 : code}",type="${type}"`);
  }

  failedOpen(name: string, mutating: boolean): void {
    count(this.#failedOpen, `name="${name}",type="${mutating ? 'admit' : 'validating'}"`);
  }

  text(): string {
    const duration = `${PREFIX}admission_duration_seconds`;
    const counter = (name: string, help: string, values: ReadonlyMap<string, number>): string =>
      metric(
        PREFIX + name,
        'counter',
        help,
        [...values].map(([labels, value]) => `${PREFIX}${name}{${labels}} ${value}`),
        'ALPHA',
      );
    return [
      metric(
        duration,
        'histogram',
        'Admission webhook latency histogram in seconds, identified by name and broken out for each operation and API resource and type (validate or admit).',
        [...this.#durations].flatMap(([labels, histogram]) => histogram.lines(duration, labels)),
      ),
      counter(
        'rejection_count',
        'Admission webhook rejection count, identified by name and broken out for each admission type (validating or admit) and operation. Additional labels specify an error type (calling_webhook_error or apiserver_internal_error if an error occurred; no_error otherwise) and optionally a non-zero rejection code if the webhook rejects the request with an HTTP status code (honored by the apiserver when the code is greater or equal to 400). Codes greater than 600 are truncated to 600, to keep the metrics cardinality bounded.',
        this.#rejections,
      ),
      counter(
        'fail_open_count',
        'Admission webhook fail open count, identified by name and broken out for each admission type (validating or admit).',
        this.#failedOpen,
      ),
      counter(
        'request_total',
        'Admission webhook request total, identified by name and broken out for each admission type (validating or admit) and operation. Additional labels specify whether the request was rejected or not and an HTTP status code. Codes greater than 600 are truncated to 600, to keep the metrics cardinality bounded.',
        this.#requests,
      ),
    ].join('');
  }
}

function count(values: Map<string, number>, labels: string): void {
  if (values.has(labels) || values.size < MAX_SERIES) values.set(labels, (values.get(labels) ?? 0) + 1);
}
