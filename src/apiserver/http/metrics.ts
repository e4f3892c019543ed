import { collectDefaultMetrics, Registry as PromRegistry } from 'prom-client';
import type { Resource } from '../../api/resource.ts';
import type { Exchange } from './exchange.ts';
import type { Inflight } from './inflight.ts';

/** Upper bounds of upstream's request duration buckets, in seconds. */
const DURATION_BUCKETS = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60];
/** Series kept at most: a guard against labels that clients choose. */
const MAX_SERIES = 5_000;

interface Series {
  readonly labels: string;
  readonly durationLabels: string;
  readonly timed: boolean;
  count: number;
  sum: number;
  readonly buckets: Float64Array;
}

interface WatchSeries {
  readonly labels: string;
  count: number;
  bytes: number;
}

/** What /metrics tells, under upstream's names. Counting a request is one map look-up; text is made when asked for. */
export class Metrics {
  readonly #inflight: Inflight;
  readonly #series = new Map<string, Series>();
  readonly #watches = new Map<string, WatchSeries>();
  readonly #watchesOf = new WeakMap<Resource, WatchSeries>();
  readonly #process = new PromRegistry();
  readonly #gauges: (() => string)[] = [];
  #processStarted = false;

  constructor(inflight: Inflight) {
    this.#inflight = inflight;
  }

  /** Text lines to add to every scrape. */
  addSource(source: () => string): void {
    this.#gauges.push(source);
  }

  observe(exchange: Exchange, code: number, _bytes: number, milliseconds: number): void {
    const { info } = exchange;
    const key = `${info.verb} ${info.apiGroup} ${info.apiVersion} ${info.resource} ${info.subresource} ${scopeOf(exchange)} ${code}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      if (this.#series.size >= MAX_SERIES) return;
      series = newSeries(exchange, code);
      this.#series.set(key, series);
    }
    series.count++;
    if (!series.timed) return;
    const seconds = milliseconds / 1000;
    series.sum += seconds;
    let i = 0;
    while (i < DURATION_BUCKETS.length && seconds > DURATION_BUCKETS[i]!) i++;
    series.buckets[i]!++;
  }

  watchEvents(resource: Resource, count: number, bytes: number): void {
    const series = this.#watchesOf.get(resource) ?? this.#watchSeries(resource);
    series.count += count;
    series.bytes += bytes;
  }

  /** A type that is defined anew (a CRD) goes on with its numbers. */
  #watchSeries(resource: Resource): WatchSeries {
    const { group, version, plural, kind } = resource;
    const key = `${group} ${version} ${plural}`;
    let series = this.#watches.get(key);
    if (series === undefined) {
      const labels = `group="${group}",version="${version}",resource="${plural}",kind="${kind}"`;
      series = { labels, count: 0, bytes: 0 };
      this.#watches.set(key, series);
    }
    this.#watchesOf.set(resource, series);
    return series;
  }

  /** The Prometheus text format. */
  async text(): Promise<string> {
    if (!this.#processStarted) {
      this.#processStarted = true;
      collectDefaultMetrics({ register: this.#process });
    }
    return [
      this.#requestText(),
      this.#watchText(),
      metric(
        'apiserver_current_inflight_requests',
        'gauge',
        'Maximal number of currently used inflight request limit of this apiserver per request kind in last second.',
        [
          `apiserver_current_inflight_requests{request_kind="mutating"} ${this.#inflight.mutating}`,
          `apiserver_current_inflight_requests{request_kind="readOnly"} ${this.#inflight.readOnly}`,
        ],
      ),
      ...this.#gauges.map((source) => source()),
      await this.#process.metrics(),
    ].join('');
  }

  #requestText(): string {
    const totals: string[] = [];
    const durations = new Map<string, Series>();
    for (const series of this.#series.values()) {
      totals.push(`apiserver_request_total{${series.labels}} ${series.count}`);
      if (!series.timed) continue;
      const merged = durations.get(series.durationLabels);
      if (merged === undefined) {
        durations.set(series.durationLabels, { ...series, buckets: series.buckets.slice() });
        continue;
      }
      merged.count += series.count;
      merged.sum += series.sum;
      series.buckets.forEach((n, i) => {
        merged.buckets[i]! += n;
      });
    }
    const lines: string[] = [];
    for (const series of durations.values()) {
      let below = 0;
      DURATION_BUCKETS.forEach((bound, i) => {
        below += series.buckets[i]!;
        lines.push(`apiserver_request_duration_seconds_bucket{${series.durationLabels},le="${bound}"} ${below}`);
      });
      lines.push(`apiserver_request_duration_seconds_bucket{${series.durationLabels},le="+Inf"} ${series.count}`);
      lines.push(`apiserver_request_duration_seconds_sum{${series.durationLabels}} ${series.sum}`);
      lines.push(`apiserver_request_duration_seconds_count{${series.durationLabels}} ${series.count}`);
    }
    return (
      metric(
        'apiserver_request_total',
        'counter',
        'Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.',
        totals,
      ) +
      metric(
        'apiserver_request_duration_seconds',
        'histogram',
        'Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, scope and component.',
        lines,
      )
    );
  }

  #watchText(): string {
    const all = [...this.#watches.values()];
    return (
      metric(
        'apiserver_watch_events_total',
        'counter',
        'Number of events sent in watch clients',
        all.map((s) => `apiserver_watch_events_total{${s.labels}} ${s.count}`),
      ) +
      metric(
        'apiserver_watch_events_sizes_sum',
        'counter',
        'Watch event size distribution in bytes',
        all.map((s) => `apiserver_watch_events_sizes_sum{${s.labels}} ${s.bytes}`),
      )
    );
  }
}

/** One metric with its head, or nothing when it has no samples. */
export function metric(name: string, type: 'counter' | 'gauge' | 'histogram', help: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `# HELP ${name} [STABLE] ${help}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`;
}

function newSeries(exchange: Exchange, code: number): Series {
  const { info } = exchange;
  // A path that is no resource is not told apart: clients choose them.
  const verb = info.isResourceRequest ? metricVerb(info.verb) : exchange.method;
  const dryRun = exchange.query?.get('dryRun') === 'All' ? 'All' : '';
  const rest = `group="${clean(info.apiGroup)}",version="${clean(info.apiVersion)}",resource="${clean(info.resource)}",subresource="${clean(info.subresource)}",scope="${scopeOf(exchange)}",component="apiserver"`;
  const durationLabels = `verb="${verb}",dry_run="${dryRun}",${rest}`;
  return {
    labels: `${durationLabels},code="${code}"`,
    durationLabels,
    timed: info.verb !== 'watch',
    count: 0,
    sum: 0,
    buckets: new Float64Array(DURATION_BUCKETS.length + 1),
  };
}

const clean = (text: string): string => text.replace(/[\\"\n]/g, '_');

function scopeOf(exchange: Exchange): string {
  const { info } = exchange;
  if (!info.isResourceRequest) return '';
  if (info.name !== '') return 'resource';
  return info.namespace !== '' ? 'namespace' : 'cluster';
}

function metricVerb(verb: string): string {
  switch (verb) {
    case 'create':
      return 'POST';
    case 'update':
      return 'PUT';
    case 'deletecollection':
      return 'DELETECOLLECTION';
    default:
      return verb.toUpperCase();
  }
}
