import type { Histogram } from '../http/histogram.ts';
import { metric } from '../http/metrics.ts';
import type { FlowControl } from './flow-control.ts';
import type { FlowSeries } from './flow-series.ts';
import type { PriorityLevel } from './priority-level.ts';

const PREFIX = 'apiserver_flowcontrol_';
type Stability = 'ALPHA' | 'BETA';

/** The text of upstream's apiserver_flowcontrol_* metrics, but for those of every nanosecond. */
export function flowControlMetrics(flow: FlowControl): string {
  const series = [...flow.series()];
  const levels = flow.levels();
  const perFlow = (
    name: string,
    type: 'counter' | 'gauge',
    help: string,
    stability: Stability,
    value: (s: FlowSeries) => number,
  ) =>
    metric(
      PREFIX + name,
      type,
      help,
      series.filter((s) => s.dispatched > 0 || s.refused.size > 0).map((s) => `${PREFIX}${name}{${s.labels}} ${value(s)}`),
      stability,
    );
  const perLevel = (name: string, help: string, stability: Stability, value: (level: PriorityLevel) => number) =>
    metric(
      PREFIX + name,
      'gauge',
      help,
      levels.map((level) => `${PREFIX}${name}{priority_level="${level.name}"} ${value(level)}`),
      stability,
    );
  const histogram = (
    name: string,
    help: string,
    stability: Stability,
    of: (s: FlowSeries) => readonly { readonly more: string; readonly values: Histogram }[],
  ) =>
    metric(
      PREFIX + name,
      'histogram',
      help,
      series.flatMap((s) =>
        of(s).flatMap(({ more, values }) => (values.count === 0 ? [] : values.lines(PREFIX + name, more + s.labels))),
      ),
      stability,
    );
  return [
    metric(
      `${PREFIX}rejected_requests_total`,
      'counter',
      'Number of requests rejected by API Priority and Fairness subsystem',
      series.flatMap((s) =>
        [...s.refused].map(([reason, count]) => `${PREFIX}rejected_requests_total{${s.labels},reason="${reason}"} ${count}`),
      ),
      'BETA',
    ),
    perFlow(
      'dispatched_requests_total',
      'counter',
      'Number of requests executed by API Priority and Fairness subsystem',
      'BETA',
      (s) => s.dispatched,
    ),
    perFlow(
      'current_inqueue_requests',
      'gauge',
      'Number of requests currently pending in queues of the API Priority and Fairness subsystem',
      'BETA',
      (s) => s.waiting,
    ),
    perFlow(
      'current_inqueue_seats',
      'gauge',
      'Number of seats currently pending in queues of the API Priority and Fairness subsystem',
      'ALPHA',
      (s) => s.waitingSeats,
    ),
    perFlow(
      'current_executing_requests',
      'gauge',
      'Number of requests in initial (for a WATCH) or any (for a non-WATCH) execution stage in the API Priority and Fairness subsystem',
      'BETA',
      (s) => s.executing,
    ),
    perFlow(
      'current_executing_seats',
      'gauge',
      'Concurrency (number of seats) occupied by the currently executing (initial stage for a WATCH, any stage otherwise) requests in the API Priority and Fairness subsystem',
      'BETA',
      (s) => s.executingSeats,
    ),
    perFlow(
      'request_dispatch_no_accommodation_total',
      'counter',
      'Number of times a dispatch attempt resulted in a non accommodation due to lack of available seats',
      'ALPHA',
      (s) => s.notAccommodated,
    ),
    histogram(
      'request_queue_length_after_enqueue',
      'Length of queue in the API Priority and Fairness subsystem, as seen by each request after it is enqueued',
      'ALPHA',
      (s) => [{ more: '', values: s.queueLength }],
    ),
    histogram('request_wait_duration_seconds', 'Length of time a request spent waiting in its queue', 'BETA', (s) => [
      { more: 'execute="true",', values: s.waitedAndRan },
      { more: 'execute="false",', values: s.waitedInVain },
    ]),
    histogram(
      'request_execution_seconds',
      'Duration of initial stage (for a WATCH) or any (for a non-WATCH) stage of request execution in the API Priority and Fairness subsystem',
      'ALPHA',
      (s) => [
        { more: 'type="regular",', values: s.ran },
        { more: 'type="watch",', values: s.watchStarts },
      ],
    ),
    histogram(
      'work_estimated_seats',
      'Number of estimated seats (maximum of initial and final seats) associated with requests in API Priority and Fairness',
      'ALPHA',
      (s) => [{ more: '', values: s.seats }],
    ),
    histogram('watch_count_samples', 'count of watchers for mutating requests in API Priority and Fairness', 'ALPHA', (s) => [
      { more: '', values: s.watchers },
    ]),
    perLevel(
      'nominal_limit_seats',
      'Nominal number of execution seats configured for each priority level',
      'BETA',
      (l) => l.limits.nominal,
    ),
    perLevel(
      'lower_limit_seats',
      'Configured lower bound on number of execution seats available to each priority level',
      'ALPHA',
      (l) => l.limits.least,
    ),
    perLevel(
      'upper_limit_seats',
      'Configured upper bound on number of execution seats available to each priority level',
      'ALPHA',
      (l) => l.limits.most,
    ),
    perLevel(
      'current_limit_seats',
      'current derived number of execution seats available to each priority level',
      'ALPHA',
      (l) => l.limit,
    ),
    perLevel(
      'demand_seats_high_watermark',
      'High watermark, over last adjustment period, of demand_seats',
      'ALPHA',
      (l) => l.lastDemand.highest,
    ),
    perLevel(
      'demand_seats_average',
      'Time-weighted average, over last adjustment period, of demand_seats',
      'ALPHA',
      (l) => l.lastDemand.average,
    ),
    perLevel(
      'demand_seats_stdev',
      'Time-weighted standard deviation, over last adjustment period, of demand_seats',
      'ALPHA',
      (l) => l.lastDemand.deviation,
    ),
    perLevel('demand_seats_smoothed', 'Smoothed seat demands', 'ALPHA', (l) => l.smoothed),
    perLevel('target_seats', 'Seat allocation targets', 'ALPHA', (l) => l.target),
    metric(
      `${PREFIX}seat_fair_frac`,
      'gauge',
      "Fair fraction of server's concurrency to allocate to each priority level that can use it",
      [`${PREFIX}seat_fair_frac ${flow.fairFraction}`],
      'ALPHA',
    ),
  ].join('');
}
