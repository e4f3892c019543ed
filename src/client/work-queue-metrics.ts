import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { sharedMetric } from './shared-metric.ts';

/** What one queue reports. Calls are cheap: labels are resolved once. */
export interface QueueMetrics {
  depth(length: number): void;
  added(): void;
  retried(): void;
  /** Seconds a key waited. */
  waited(seconds: number): void;
  /** Seconds a key was worked on. */
  worked(seconds: number): void;
}

export const noQueueMetrics: QueueMetrics = {
  depth: () => {},
  added: () => {},
  retried: () => {},
  waited: () => {},
  worked: () => {},
};

/** Upstream's buckets: powers of ten from 10 ns to 10 s. */
const BUCKETS = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10];

/** Metrics of the queue `name` in `registry`, under client-go's names (`workqueue_depth` …); families are made at first use. */
export function queueMetrics(registry: Registry, name: string): QueueMetrics {
  const base = { labelNames: ['name'] as const, registers: [registry] };
  const depth = sharedMetric(
    registry,
    'workqueue_depth',
    () => new Gauge({ ...base, name: 'workqueue_depth', help: 'Current depth of workqueue' }),
  );
  const adds = sharedMetric(
    registry,
    'workqueue_adds_total',
    () => new Counter({ ...base, name: 'workqueue_adds_total', help: 'Total number of adds handled by workqueue' }),
  );
  const retries = sharedMetric(
    registry,
    'workqueue_retries_total',
    () => new Counter({ ...base, name: 'workqueue_retries_total', help: 'Total number of retries handled by workqueue' }),
  );
  const waits = sharedMetric(
    registry,
    'workqueue_queue_duration_seconds',
    () =>
      new Histogram({
        ...base,
        name: 'workqueue_queue_duration_seconds',
        help: 'How long in seconds an item stays in workqueue before being requested.',
        buckets: BUCKETS,
      }),
  );
  const works = sharedMetric(
    registry,
    'workqueue_work_duration_seconds',
    () =>
      new Histogram({
        ...base,
        name: 'workqueue_work_duration_seconds',
        help: 'How long in seconds processing an item from workqueue takes.',
        buckets: BUCKETS,
      }),
  );
  const gauge = depth.labels(name);
  const added = adds.labels(name);
  const retried = retries.labels(name);
  const waited = waits.labels(name);
  const worked = works.labels(name);
  return {
    depth: (length) => gauge.set(length),
    added: () => added.inc(),
    retried: () => retried.inc(),
    waited: (seconds) => waited.observe(seconds),
    worked: (seconds) => worked.observe(seconds),
  };
}
