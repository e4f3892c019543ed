import { collectDefaultMetrics, Registry as PromRegistry } from 'prom-client';
import { patchTypes } from '../../api/request.ts';
import type { Resource } from '../../api/resource.ts';
import type { Exchange } from './exchange.ts';
import { Histogram } from './histogram.ts';
import type { Inflight } from './inflight.ts';
import { streams } from './long-running.ts';

/** Upper bounds of upstream's buckets: seconds and bytes. */
const DURATION_BUCKETS = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60];
const SLI_BUCKETS = DURATION_BUCKETS.slice(2);
const SIZE_BUCKETS = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
const EVENT_BUCKETS = [1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072];
/** Series kept at most: a guard against labels that clients choose. */
const MAX_SERIES = 5_000;

/** Requests of one kind and one code. */
interface Counted {
  readonly labels: string;
  readonly timing: Timing;
  count: number;
}

/** Requests of one kind, whatever their code. */
interface Timing {
  readonly labels: string;
  /** Without `dry_run`. */
  readonly plainLabels: string;
  readonly duration: Histogram;
  readonly sli: Histogram | undefined;
  readonly size: Histogram | undefined;
}

interface WatchSeries {
  readonly labels: string;
  readonly sizes: Histogram;
}

/** What /metrics tells, under upstream's names. Counting a request is one map look-up; text is made when asked for. */
export class Metrics {
  readonly #inflight: Inflight;
  readonly #counted = new Map<string, Counted>();
  readonly #timings = new Map<string, Timing>();
  readonly #running = new Map<string, number>();
  readonly #watches = new Map<string, WatchSeries>();
  readonly #watchesOf = new WeakMap<Resource, WatchSeries>();
  readonly #process = new PromRegistry();
  readonly #others = new Set<PromRegistry>();
  readonly #gauges: (() => string)[] = [];
  #terminated = new Map<string, number>();
  #handshakeErrors = 0;
  #authenticated = 0;
  #unauthenticated = 0;
  #allowed = 0;
  #denied = 0;
  readonly #deprecated = new Map<string, string>();
  #processStarted = false;

  constructor(inflight: Inflight) {
    this.#inflight = inflight;
  }

  /** Text lines to add to every scrape. */
  addSource(source: () => string): void {
    this.#gauges.push(source);
  }

  /** Metrics of what runs in the same process: controllers, scheduler. Their names must be no one else's. Until the signal aborts. */
  addRegistry(registry: PromRegistry, signal?: AbortSignal): void {
    this.#others.add(registry);
    signal?.addEventListener('abort', () => this.#others.delete(registry), { once: true });
  }

  observe(exchange: Exchange, code: number, bytes: number, milliseconds: number): void {
    const { info } = exchange;
    const verb = metricVerb(exchange);
    const dryRun = exchange.query?.get('dryRun') === 'All' ? 'All' : '';
    const kind = `${verb} ${dryRun} ${info.apiGroup} ${info.apiVersion} ${info.resource} ${info.subresource} ${scopeOf(exchange)}`;
    const key = `${kind} ${code}`;
    let counted = this.#counted.get(key);
    if (counted === undefined) {
      if (this.#counted.size >= MAX_SERIES) return;
      const timing = this.#timing(kind, exchange, verb, dryRun);
      counted = { labels: `${timing.labels},code="${code}"`, timing, count: 0 };
      this.#counted.set(key, counted);
    }
    counted.count++;
    const { duration, sli, size } = counted.timing;
    duration.observe(milliseconds / 1000);
    sli?.observe(milliseconds / 1000);
    size?.observe(bytes);
  }

  #timing(kind: string, exchange: Exchange, verb: string, dryRun: string): Timing {
    const known = this.#timings.get(kind);
    if (known !== undefined) return known;
    const rest = labelsOf(exchange);
    const timing: Timing = {
      labels: `verb="${verb}",dry_run="${dryRun}",${rest}`,
      plainLabels: `verb="${verb}",${rest}`,
      duration: new Histogram(DURATION_BUCKETS),
      sli: dryRun === '' ? new Histogram(SLI_BUCKETS) : undefined,
      size: verb === 'GET' || verb === 'LIST' ? new Histogram(SIZE_BUCKETS) : undefined,
    };
    this.#timings.set(kind, timing);
    return timing;
  }

  /** A watch or a stream begins. Gives what ends it. */
  longRunning(exchange: Exchange): () => void {
    const labels = `verb="${metricVerb(exchange)}",${labelsOf(exchange)}`;
    if (!this.#running.has(labels) && this.#running.size >= MAX_SERIES) return () => {};
    this.#running.set(labels, (this.#running.get(labels) ?? 0) + 1);
    return () => this.#running.set(labels, (this.#running.get(labels) ?? 1) - 1);
  }

  /** A request was turned away or given up, to protect the server. */
  terminated(exchange: Exchange, code: number): void {
    const labels = `verb="${metricVerb(exchange)}",${labelsOf(exchange)},code="${code}"`;
    if (this.#terminated.has(labels) || this.#terminated.size < MAX_SERIES) {
      this.#terminated.set(labels, (this.#terminated.get(labels) ?? 0) + 1);
    }
  }

  /** Credentials were looked at. */
  authenticated(success: boolean): void {
    if (success) this.#authenticated++;
    else this.#unauthenticated++;
  }

  /** A request was allowed, or not. */
  authorized(allowed: boolean): void {
    if (allowed) this.#allowed++;
    else this.#denied++;
  }

  /** Somebody asked for a type that is deprecated. */
  deprecatedApi(exchange: Exchange): void {
    const { apiGroup, apiVersion, resource, subresource } = exchange.info;
    const key = `${apiGroup}/${apiVersion}/${resource}/${subresource}`;
    if (this.#deprecated.has(key) || this.#deprecated.size >= MAX_SERIES) return;
    const what = `group="${clean(apiGroup)}",removed_release="",resource="${clean(resource)}"`;
    this.#deprecated.set(key, `${what},subresource="${clean(subresource)}",version="${clean(apiVersion)}"`);
  }

  handshakeError(): void {
    this.#handshakeErrors++;
  }

  /** `count` events of `bytes` together went to a watcher. */
  watchEvents(resource: Resource, count: number, bytes: number): void {
    const series = this.#watchesOf.get(resource) ?? this.#watchSeries(resource);
    series.sizes.observe(bytes / count, count);
  }

  /** A type that is defined anew (a CRD) goes on with its numbers. */
  #watchSeries(resource: Resource): WatchSeries {
    const { group, version, plural } = resource;
    const labels = `group="${group}",version="${version}",resource="${plural}"`;
    let series = this.#watches.get(labels);
    if (series === undefined) this.#watches.set(labels, (series = { labels, sizes: new Histogram(EVENT_BUCKETS) }));
    this.#watchesOf.set(resource, series);
    return series;
  }

  /** The Prometheus text format. */
  async text(): Promise<string> {
    if (!this.#processStarted) {
      this.#processStarted = true;
      collectDefaultMetrics({ register: this.#process });
    }
    const { readOnly, mutating } = this.#inflight;
    return [
      this.#requestText(),
      this.#watchText(),
      metric(
        'apiserver_current_inflight_requests',
        'gauge',
        'Maximal number of currently used inflight request limit of this apiserver per request kind in last second.',
        [
          `apiserver_current_inflight_requests{request_kind="mutating"} ${mutating}`,
          `apiserver_current_inflight_requests{request_kind="readOnly"} ${readOnly}`,
        ],
      ),
      metric(
        'apiserver_tls_handshake_errors_total',
        'counter',
        "Number of requests dropped with 'TLS handshake error from' error",
        [`apiserver_tls_handshake_errors_total ${this.#handshakeErrors}`],
        'ALPHA',
      ),
      this.#accessText(),
      ...this.#gauges.map((source) => source()),
      ...(await Promise.all([this.#process, ...this.#others].map((registry) => registry.metrics()))),
    ].join('');
  }

  #accessText(): string {
    const attempts = (name: string, help: string, results: Readonly<Record<string, number>>): string =>
      metric(
        name,
        'counter',
        help,
        Object.entries(results).flatMap(([result, value]) => (value === 0 ? [] : [`${name}{result="${result}"} ${value}`])),
        'ALPHA',
      );
    return [
      attempts('authentication_attempts', 'Counter of authenticated attempts.', {
        failure: this.#unauthenticated,
        success: this.#authenticated,
      }),
      attempts(
        'authorization_attempts_total',
        "Counter of authorization attempts broken down by result. It can be either 'allowed', 'denied', 'no-opinion' or 'error'.",
        { allowed: this.#allowed, 'no-opinion': this.#denied },
      ),
      metric(
        'apiserver_requested_deprecated_apis',
        'gauge',
        'Gauge of deprecated APIs that have been requested, broken out by API group, version, resource, subresource, and removed_release.',
        [...this.#deprecated.values()].map((labels) => `apiserver_requested_deprecated_apis{${labels}} 1`),
      ),
    ].join('');
  }

  #requestText(): string {
    const timings = [...this.#timings.values()];
    const perKind = 'for each verb, group, version, resource, subresource, scope and component.';
    return [
      metric(
        'apiserver_request_total',
        'counter',
        'Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.',
        [...this.#counted.values()].map((c) => `apiserver_request_total{${c.labels}} ${c.count}`),
      ),
      metric(
        'apiserver_request_duration_seconds',
        'histogram',
        'Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, scope and component.',
        timings.flatMap((t) => t.duration.lines('apiserver_request_duration_seconds', t.labels)),
      ),
      metric(
        'apiserver_request_sli_duration_seconds',
        'histogram',
        `Response latency distribution (not counting webhook duration and priority & fairness queue wait times) in seconds ${perKind}`,
        timings.flatMap((t) => t.sli?.lines('apiserver_request_sli_duration_seconds', t.plainLabels) ?? []),
        'ALPHA',
      ),
      metric(
        'apiserver_response_sizes',
        'histogram',
        'Response size distribution in bytes for each group, version, verb, resource, subresource, scope and component.',
        timings.flatMap((t) => t.size?.lines('apiserver_response_sizes', t.plainLabels) ?? []),
      ),
      metric(
        'apiserver_longrunning_requests',
        'gauge',
        'Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope and component. Not all requests are tracked this way.',
        [...this.#running].map(([labels, count]) => `apiserver_longrunning_requests{${labels}} ${count}`),
      ),
      metric(
        'apiserver_request_terminations_total',
        'counter',
        'Number of requests which apiserver terminated in self-defense.',
        [...this.#terminated].map(([labels, count]) => `apiserver_request_terminations_total{${labels}} ${count}`),
        'ALPHA',
      ),
    ].join('');
  }

  #watchText(): string {
    const all = [...this.#watches.values()];
    return (
      metric(
        'apiserver_watch_events_total',
        'counter',
        'Number of events sent in watch clients',
        all.map((s) => `apiserver_watch_events_total{${s.labels}} ${s.sizes.count}`),
        'ALPHA',
      ) +
      metric(
        'apiserver_watch_events_sizes',
        'histogram',
        'Watch event size distribution in bytes',
        all.flatMap((s) => s.sizes.lines('apiserver_watch_events_sizes', s.labels)),
        'ALPHA',
      )
    );
  }
}

/** One metric with its head, or nothing when it has no samples. */
export function metric(
  name: string,
  type: 'counter' | 'gauge' | 'histogram',
  help: string,
  lines: readonly string[],
  stability: 'ALPHA' | 'BETA' | 'STABLE' = 'STABLE',
): string {
  return lines.length === 0 ? '' : `# HELP ${name} [${stability}] ${help}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`;
}

const clean = (text: string): string => text.replace(/[\\"\n]/g, '_');

function labelsOf(exchange: Exchange): string {
  const { info } = exchange;
  return `group="${clean(info.apiGroup)}",version="${clean(info.apiVersion)}",resource="${clean(info.resource)}",subresource="${clean(info.subresource)}",scope="${scopeOf(exchange)}",component="apiserver"`;
}

/** Upstream's CleanScope. */
function scopeOf(exchange: Exchange): string {
  const { info } = exchange;
  if (info.name !== '' || info.verb === 'create') return 'resource';
  if (info.namespace !== '') return 'namespace';
  return info.isResourceRequest ? 'cluster' : '';
}

const methods: ReadonlySet<string> = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']);

/** Upstream's cleanVerb: the method, and what is told apart from it. Paths that are no resource are not told apart: clients choose them. */
function metricVerb(exchange: Exchange): string {
  const { info, method } = exchange;
  if (info.isResourceRequest) {
    if (info.verb === 'watch') return 'WATCH';
    if (streams.has(info.subresource)) return 'CONNECT';
    if (info.verb === 'list') return info.name === '' ? 'LIST' : 'GET';
    if (info.verb === 'patch' && exchange.headers['content-type'] === patchTypes.apply) return 'APPLY';
  }
  return method === 'HEAD' ? 'GET' : methods.has(method) ? method : 'other';
}
