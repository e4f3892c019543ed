/**
 * Memory that the process holds and has no use for at the moment: what the C library keeps of what was freed, and pages of mapped files. Nobody
 * gives it back unasked. On Linux, with a Node that can call the C library (`node:ffi`); elsewhere nothing is done.
 */
import { readFileSync } from 'node:fs';

const MADV_DONTNEED = 4;
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
