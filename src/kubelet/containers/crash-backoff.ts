import { formatDuration } from '../../api/meta/duration.ts';

/** First wait between restarts, milliseconds. */
export const CRASH_BACKOFF_INITIAL = 10_000;
/** Longest wait between restarts, milliseconds. A container that then ran twice as long starts afresh. */
export const CRASH_BACKOFF_MAX = 300_000;

/** The wait a container has earned, and when it last did. Milliseconds. */
export interface BackoffEntry {
  readonly delay: number;
  readonly updatedAt: number;
}

const expired = (entry: BackoffEntry, at: number, max: number): boolean => at - entry.updatedAt > 2 * max;

/**
 * Milliseconds still to wait before what failed at `failedAt` is tried again; 0 when it may be now, and then `entry` is the wait that the next
 * failure meets (client-go flowcontrol.Backoff: the first retry is at once, then initial, doubling to max).
 */
export function nextTry(
  entry: BackoffEntry | undefined,
  failedAt: number,
  now: number,
  initial: number = CRASH_BACKOFF_INITIAL,
  max: number = CRASH_BACKOFF_MAX,
): { readonly wait: number; readonly entry: BackoffEntry } {
  if (entry !== undefined && !expired(entry, failedAt, max)) {
    const wait = failedAt + entry.delay - now;
    if (wait > 0) return { wait, entry };
    return { wait: 0, entry: { delay: Math.min(entry.delay * 2, max), updatedAt: now } };
  }
  return { wait: 0, entry: { delay: initial, updatedAt: now } };
}

/** A duration as Go prints it: `10s`, `2m40s`, `5m0s`, `1h0m0s`, `1.5s`, `20ms`. `ms` in milliseconds. */
export const goDuration = (ms: number): string => formatDuration(BigInt(Math.round(ms * 1_000_000)));
