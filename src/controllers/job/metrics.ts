import { Counter, Histogram, type Registry } from 'prom-client';
import type { Job, JobCondition, JobStatus } from '../../api/types/batch-v1.ts';
import { sharedMetric } from '../../client/shared-metric.ts';

/** What a pass over a job came to. */
export type JobSyncAction = 'reconciling' | 'tracking' | 'pods_created' | 'pods_deleted';

/** Upstream's stable metrics of Jobs. */
export interface JobMetrics {
  synced(job: Job, action: JobSyncAction, failed: boolean, seconds: number): void;
  /** The numbers in the status went from `before` to `after`. */
  counted(job: Job, before: JobStatus | undefined, after: JobStatus): void;
  finished(job: Job, condition: JobCondition): void;
}

const silent: JobMetrics = { synced: () => {}, counted: () => {}, finished: () => {} };
/** A millisecond, doubled until 16 seconds. */
const SYNC_BUCKETS = Array.from({ length: 15 }, (_, i) => 0.001 * 2 ** i);

const modeOf = ({ spec }: Job): string => spec?.completionMode ?? 'NonIndexed';

export function jobMetrics(registry: Registry | undefined): JobMetrics {
  if (registry === undefined) return silent;
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> =>
    sharedMetric(registry, name, () => new Counter<L>({ name, help, labelNames, registers }));
  const perSync = ['completion_mode', 'result', 'action'] as const;
  const duration = sharedMetric(
    registry,
    'job_controller_job_sync_duration_seconds',
    () =>
      new Histogram({
        name: 'job_controller_job_sync_duration_seconds',
        help: 'The time it took to sync a job',
        labelNames: perSync,
        buckets: SYNC_BUCKETS,
        registers,
      }),
  );
  const syncs = counter('job_controller_job_syncs_total', 'The number of job syncs', perSync);
  const jobs = counter('job_controller_jobs_finished_total', 'The number of finished jobs', [
    'completion_mode',
    'result',
    'reason',
  ]);
  const pods = counter('job_controller_job_pods_finished_total', 'The number of finished Pods that are fully tracked', [
    'completion_mode',
    'result',
  ]);
  return {
    synced(job, action, failed, seconds) {
      const labels = { completion_mode: modeOf(job), result: failed ? 'error' : 'success', action };
      duration.observe(labels, seconds);
      syncs.inc(labels);
    },
    counted(job, before, after) {
      for (const result of ['succeeded', 'failed'] as const) {
        const more = (after[result] ?? 0) - (before?.[result] ?? 0);
        if (more > 0) pods.inc({ completion_mode: modeOf(job), result }, more);
      }
    },
    finished(job, { type, reason = '' }) {
      jobs.inc({ completion_mode: modeOf(job), result: type === 'Complete' ? 'succeeded' : 'failed', reason });
    },
  };
}
