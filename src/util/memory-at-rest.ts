import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import type { Clock } from './clock.ts';
import { trimHeap } from './native-memory.ts';

/** How often a process is looked at, in milliseconds. */
const TICK_MS = 10_000;
/** A process that has worked for a larger share of the last tick is not at rest. */
const REST_SHARE = 0.1;
/** What must have come together since the last time to be worth the work, in bytes. */
const WORTH_BYTES = 32 * 1024 * 1024;
/**
 * Collections in one rest, a tick apart. The first frees what is garbage, the others move together what is left, each finding what the one before
 * has made free.
 */
const ROUNDS = 3;
/** So many ticks later comes one more rest: what was remembered for a minute or two, as the changes for watchers are, has become garbage by then. */
const AGAIN_TICKS = 12;
/** Heaps in use up to this size, in bytes, are moved together: that stops everything for about half a millisecond for each megabyte. */
const MOVED_BYTES = 64 * 1024 * 1024;
/** External memory that makes V8 begin a collection: it lets 64 MB more come together than the last one has left. */
const NUDGE_BYTES = 100 * 1024 * 1024;
/** What a collection takes at most, all in all, in milliseconds: most of it is done beside other work. */
const COLLECTION_MS = 3_000;

/**
 * Gives memory back when the process comes to rest after work, until the signal aborts. V8 would keep its garbage until somebody works again: it
 * collects when memory is asked for, and what it has freed it keeps for the next burst.
 */
export function giveBackAtRest(clock: Clock, signal: AbortSignal): void {
  let last = performance.eventLoopUtilization();
  let kept = 0;
  let rounds = 0;
  let again = 0;
  const tick = (): void => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    if (rounds === 0 && (again === 1 || anonymousBytes() >= kept + WORTH_BYTES)) {
      rounds = ROUNDS;
      again = again === 1 ? 0 : AGAIN_TICKS;
    } else if (again > 1) again--;
    if (utilization >= REST_SHARE || rounds === 0) {
      timer = clock.setTimer(TICK_MS, tick);
      return;
    }
    collect(rounds-- < ROUNDS && process.memoryUsage().heapUsed <= MOVED_BYTES);
    timer = clock.setTimer(COLLECTION_MS, () => {
      setFlagsFromString('--no-memory-saver-mode');
      trimHeap();
      kept = anonymousBytes();
      timer = clock.setTimer(TICK_MS - COLLECTION_MS, tick);
    });
  };
  let timer = clock.setTimer(TICK_MS, tick);
  signal.addEventListener('abort', () => timer.cancel(), { once: true });
}

/** Begins a collection. There is no call for one that does not stop everything else meanwhile. `move`: so that whole pages can be given back. */
function collect(move: boolean): void {
  if (move) setFlagsFromString('--memory-saver-mode');
  // Never written to, so it takes no memory.
  new ArrayBuffer(NUDGE_BYTES);
}

/** What the process holds of its own: without the pages of files, where the system tells them apart. */
function anonymousBytes(): number {
  if (process.platform !== 'linux') return process.memoryUsage.rss();
  const kilobytes = /RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return kilobytes === undefined ? process.memoryUsage.rss() : Number(kilobytes) * 1024;
}
