import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../util/clock.ts';
import type { Layout } from './layout.ts';

/** What the background process tells the command that started it, over their IPC channel. */
export type DaemonMessage =
  | { readonly type: 'step'; readonly name: string; readonly ms: number; readonly detail?: string }
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly message: string; readonly isUserError: boolean };

/**
 * Settings of V8 for a server: a young generation that holds what a burst of requests makes, so that it dies young. Growing it step by step from
 * its small default would cost dozens of collections at the start. Twice as large it is no faster, and the pauses are longer.
 * That the C library is called (`util/native-memory.ts`) need not stand in every log.
 */
export const serverFlags: readonly string[] = [
  '--min-semi-space-size=16',
  '--max-semi-space-size=16',
  '--disable-warning=ExperimentalWarning',
];

/**
 * Settings of the C library for a server. Threads share two arenas of memory: each of its own would keep what it once held, and no thread but
 * the first holds anything for long. Buffers as large as the pieces of lists are the kernel's business, however often they come: among the
 * small ones they would leave holes.
 */
export const serverEnvironment: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: String(512 * 1024),
  MALLOC_TRIM_THRESHOLD_: String(8 * 1024 * 1024),
};

/** The program that runs a cluster, beside the command's own file. It takes the data directory as its argument. */
export const serverFile = (directory: string): string => join(directory, 'server.mjs');

/** A log larger than this, in bytes, is put aside at start (one older file is kept). */
const MAX_LOG_BYTES = 50 * 1024 * 1024;
/** How often an ending process is looked at, in milliseconds. */
const POLL_MS = 20;

/** The pid of the k8ts that runs on this data directory; undefined when none does. A stale file, or a reused pid, is nobody. */
export async function runningPid(layout: Layout): Promise<number | undefined> {
  const text = await readFile(layout.pidFile, 'utf8').catch(() => '');
  const [pidText = '', startTime = ''] = text.trim().split(' ');
  const pid = Number(pidText);
  if (!Number.isInteger(pid) || pid <= 0 || !isAlive(pid)) return undefined;
  return processState(pid).startTime === startTime ? pid : undefined;
}

/** Says that this process runs the data directory. */
export async function writePidFile(layout: Layout): Promise<void> {
  const temporary = `${layout.pidFile}.tmp`;
  await writeFile(temporary, `${process.pid} ${processState(process.pid).startTime}\n`);
  await rename(temporary, layout.pidFile);
}

export async function removePidFile(layout: Layout): Promise<void> {
  await rm(layout.pidFile, { force: true });
}

/** Signal 0 asks only whether the process is there. One that has ended and whose parent takes its time to note it is not. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !processState(pid).ended;
  } catch (err) {
    return (err as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * When a process began, in the kernel's ticks (with the pid it names a process for good; '' where /proc is missing), and whether it has ended
 * and only waits for its parent to take note.
 */
function processState(pid: number): { readonly startTime: string; readonly ended: boolean } {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { startTime: fields[19] ?? '', ended: fields[0] === 'Z' || fields[0] === 'X' };
  } catch {
    return { startTime: '', ended: false };
  }
}

/** Starts the cluster of a data directory in the background. It outlives this process; its output goes to the log file. */
export async function startDaemon(layout: Layout): Promise<ChildProcess> {
  await mkdir(dirname(layout.logFile), { recursive: true });
  const size = await stat(layout.logFile).then(
    (s) => s.size,
    () => 0,
  );
  if (size > MAX_LOG_BYTES) await rename(layout.logFile, `${layout.logFile}.1`);
  const log = openSync(layout.logFile, 'a');
  const child = spawn(
    process.execPath,
    [...process.execArgv, ...serverFlags, serverFile(dirname(process.argv[1]!)), layout.root],
    {
      detached: true,
      stdio: ['ignore', log, log, 'ipc'],
      env: { ...process.env, ...serverEnvironment },
      cwd: '/',
    },
  );
  closeSync(log);
  return child;
}

/** Asks a process to end and waits for it, at most `timeoutMs`; then kills it. Resolves false when it had to be killed. */
export async function endProcess(pid: number, timeoutMs: number, clock: Clock): Promise<boolean> {
  process.kill(pid, 'SIGTERM');
  const until = clock.monotonic() + timeoutMs;
  while (isAlive(pid)) {
    if (clock.monotonic() > until) {
      process.kill(pid, 'SIGKILL');
      return false;
    }
    // A ref'd timer: this process has nothing else to live for.
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return true;
}
