/**
 * Memory that the process holds and has no use for at the moment: what the C library keeps of what was freed, and pages of mapped files. Nobody
 * gives it back unasked. On Linux, with a Node that can call the C library (`node:ffi`); elsewhere nothing is done.
 */
import { readFileSync } from 'node:fs';
import type { Clock } from './clock.ts';

const MADV_DONTNEED = 4;
/** How often a process is looked at, in milliseconds. */
const TICK_MS = 10_000;
/** A process that has worked for a larger share of the last tick is not at rest. */
const REST_SHARE = 0.1;
/** What is worth giving back has been worked for: this long, in milliseconds. */
const WORK_MS = 500;
/** Ticks at rest in which memory is given back after work: V8 collects what the work has left a little later. */
const ROUNDS = 3;

type Library = ReturnType<typeof open>;

function open(ffi: typeof import('node:ffi')) {
  return ffi.dlopen(null, {
    malloc_trim: { arguments: ['u64'], return: 'i32' },
    madvise: { arguments: ['u64', 'u64', 'i32'], return: 'i32' },
  }).functions;
}

/** Undefined where the C library cannot be called, or has no such functions. */
function openLibrary(): Library | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    return open(process.getBuiltinModule('node:ffi'));
  } catch {
    return undefined;
  }
}

/** Gives memory back that was freed. Takes up to some ten milliseconds when there is much of it: for times of rest. */
export function trimHeap(): void {
  openLibrary()?.malloc_trim(0n);
}

/**
 * Lets go of pages of a file that this process has mapped, to read from: they stay in the kernel's cache, and come back when they are looked at.
 * `file` is its real path, `from` and `length` are bytes. 64 MB take about a millisecond.
 */
export function releaseMapped(file: string, from: number, length: number): void {
  const library = openLibrary();
  if (library === undefined) return;
  for (const line of readFileSync('/proc/self/maps', 'utf8').split('\n')) {
    if (!line.endsWith(` ${file}`)) continue;
    // Shared and read only: nothing can be lost. What is private would be.
    const [, start, end] = /^([0-9a-f]+)-([0-9a-f]+) r--s 00000000 /.exec(line) ?? [];
    if (start === undefined) continue;
    const address = BigInt(`0x${start}`) + BigInt(from);
    const room = BigInt(`0x${end}`) - address;
    if (room > 0n) library.madvise(address, room < length ? room : BigInt(length), MADV_DONTNEED);
  }
}

/** Gives the process's memory back when it comes to rest after work, until the signal aborts. */
export function trimAtRest(clock: Clock, signal: AbortSignal): void {
  let last = performance.eventLoopUtilization();
  let worked = 0;
  let rounds = 0;
  const tick = (): void => {
    const now = performance.eventLoopUtilization();
    const { active, utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    worked += active;
    if (worked >= WORK_MS) rounds = ROUNDS;
    if (rounds > 0 && utilization < REST_SHARE) {
      trimHeap();
      worked = 0;
      rounds--;
    }
    timer = clock.setTimer(TICK_MS, tick);
  };
  let timer = clock.setTimer(TICK_MS, tick);
  signal.addEventListener('abort', () => timer.cancel(), { once: true });
}
