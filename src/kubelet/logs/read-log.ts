import { watch } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Clock } from '../../util/clock.ts';
import { LogFormatter, type LogOptions } from './cri-log.ts';

/** How much is read at once. Bytes. */
const CHUNK = 64 * 1024;
/** How often a followed log is looked at when nothing tells of a change. Milliseconds. */
const POLL_MS = 1000;
const NEWLINE = 0x0a;

/**
 * Where the last `lines` lines of a file begin; 0 when it has fewer. Lines are what the runtime wrote: a text cut by it counts as several.
 */
export async function tailOffset(file: FileHandle, size: number, lines: number): Promise<number> {
  if (lines === 0) return size;
  // A last line without its newline counts too, so the newline that ends the file is not a beginning.
  let wanted = lines + 1;
  let end = size;
  const buffer = Buffer.alloc(Math.min(CHUNK, Math.max(size, 1)));
  while (end > 0) {
    const start = Math.max(0, end - buffer.length);
    const { bytesRead } = await file.read(buffer, 0, end - start, start);
    if (end === size && bytesRead > 0 && buffer[bytesRead - 1] !== NEWLINE) wanted--;
    for (let i = bytesRead - 1; i >= 0; i--) {
      if (buffer[i] === NEWLINE && --wanted === 0) return start + i + 1;
    }
    end = start;
  }
  return 0;
}

export interface ReadLogInput {
  readonly path: string;
  readonly options: LogOptions;
  readonly clock: Clock;
  /** Whether more may still be written; asked at the end of the file when following. */
  running(): boolean;
  readonly signal: AbortSignal;
}

/**
 * The log of a container, formatted, in pieces. Follows across rotation when asked to, until the container has ended.
 * Rejects with the file system's error when there is no such file.
 */
export async function* readLog(
  input: ReadLogInput,
): AsyncGenerator<{ readonly stream: 'stdout' | 'stderr'; readonly data: Buffer }> {
  const { path, options, signal } = input;
  const formatter = new LogFormatter(options);
  let file = await open(path, 'r');
  try {
    const size = (await file.stat()).size;
    let position = options.tailLines === undefined ? 0 : await tailOffset(file, size, options.tailLines);
    let rest: Buffer = Buffer.alloc(0);
    let lastLook = false;
    while (!signal.aborted && !formatter.exhausted) {
      const buffer = Buffer.allocUnsafe(CHUNK);
      const { bytesRead } = await file.read(buffer, 0, CHUNK, position);
      if (bytesRead > 0) {
        position += bytesRead;
        const data = rest.length === 0 ? buffer.subarray(0, bytesRead) : Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
        let from = 0;
        const out: { stream: 'stdout' | 'stderr'; data: Buffer[] }[] = [];
        for (let nl = data.indexOf(NEWLINE, from); nl >= 0; nl = data.indexOf(NEWLINE, from)) {
          const piece = formatter.format(data.subarray(from, nl));
          from = nl + 1;
          if (piece === undefined) {
            if (formatter.exhausted) break;
            continue;
          }
          // Runs of one stream go out together.
          const last = out.at(-1);
          if (last?.stream === piece.stream) last.data.push(piece.data);
          else out.push({ stream: piece.stream, data: [piece.data] });
        }
        rest = Buffer.from(data.subarray(from));
        for (const { stream, data: parts } of out) yield { stream, data: Buffer.concat(parts) };
        continue;
      }
      if (!options.follow) break;
      const moved = await movedOn(file, path, position);
      if (moved) {
        await file.close();
        file = await open(path, 'r');
        position = 0;
        continue;
      }
      if (lastLook) break;
      // What was written just before the end must not be missed: look once more after learning of it.
      if (input.running()) await change(path, input.clock, signal);
      else lastLook = true;
    }
    if (!formatter.exhausted && rest.length > 0) {
      const piece = formatter.format(rest);
      if (piece !== undefined) yield piece;
    }
  } finally {
    await file.close();
  }
}

/** The log was rotated: another file stands at the path, or the file was cut. */
async function movedOn(file: FileHandle, path: string, position: number): Promise<boolean> {
  const [mine, there] = await Promise.all([file.stat(), stat(path).catch(() => undefined)]);
  return there !== undefined && (there.ino !== mine.ino || there.size < position);
}

/** Resolves when something happens to the file, or after a while. */
function change(path: string, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const name = basename(path);
    const done = (): void => {
      timer.cancel();
      watcher?.close();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.setTimer(POLL_MS, done);
    signal.addEventListener('abort', done, { once: true });
    let watcher: ReturnType<typeof watch> | undefined;
    try {
      watcher = watch(dirname(path), (_event, file) => {
        if (file === null || file === name) done();
      });
      watcher.on('error', done);
    } catch {
      // No watches left on this machine: the timer does it.
    }
  });
}

/** What the time, stream and tag of a line take. Bytes. */
const LINE_HEAD = 48;

/** The end of a log, without times, for termination messages: at most so many lines and bytes. '' when it cannot be read. */
export async function logTail(path: string, lines: number, bytes: number): Promise<string> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const start = Math.max(await tailOffset(file, size, lines), size - bytes - lines * LINE_HEAD);
    const buffer = Buffer.alloc(size - start);
    await file.read(buffer, 0, buffer.length, start);
    const formatter = new LogFormatter({ follow: false, timestamps: false });
    const parts: Buffer[] = [];
    for (let from = 0; from < buffer.length; ) {
      const nl = buffer.indexOf(NEWLINE, from);
      const end = nl < 0 ? buffer.length : nl;
      const piece = formatter.format(buffer.subarray(from, end));
      if (piece !== undefined) parts.push(piece.data);
      from = end + 1;
    }
    return Buffer.concat(parts).subarray(-bytes).toString('utf8');
  } finally {
    await file.close();
  }
}
