import type { Pod } from '../../api/types/core-v1.ts';
import { backoffDelay } from '../../util/backoff.ts';
import { failuresBefore, finishedAt } from './job-pods.ts';

/** How long a job waits after a failure before it makes the next pod, milliseconds. */
const FAILURE_BACKOFF = { initial: 10_000, max: 600_000 };

/** Failures of a job since its last success. Times in milliseconds since the epoch. */
export interface BackoffRecord {
  readonly failures: number;
  readonly lastFailure: number;
}

export const noFailures: BackoffRecord = { failures: 0, lastFailure: 0 };

/** The record after these pods finished. Pure. */
export function nextBackoff(before: BackoffRecord, succeeded: readonly Pod[], failed: readonly Pod[]): BackoffRecord {
  let { failures, lastFailure } = before;
  let since = Number.NEGATIVE_INFINITY;
  if (succeeded.length > 0) {
    since = Math.max(...succeeded.map(finishedAt));
    failures = 0;
    lastFailure = 0;
  }
  for (const pod of failed) {
    const at = finishedAt(pod);
    if (at <= since) continue;
    failures++;
    lastFailure = Math.max(lastFailure, at);
  }
  return failures === before.failures && lastFailure === before.lastFailure ? before : { failures, lastFailure };
}

function remaining(failures: number, lastFailure: number, now: number): number {
  if (failures === 0) return 0;
  return Math.max(0, lastFailure + backoffDelay(FAILURE_BACKOFF, failures) - now);
}

/** Milliseconds until the job may make its next pod. */
export const backoffLeft = (record: BackoffRecord, now: number): number => remaining(record.failures, record.lastFailure, now);

/** The same for one index, by its last failed pod. */
export function indexBackoffLeft(failed: Pod | undefined, now: number): number {
  return failed === undefined ? 0 : remaining(failuresBefore(failed) + 1, finishedAt(failed), now);
}
