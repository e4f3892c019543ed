/**
 * Watchers of the API server's benchmark, in a process of their own: what reads events must cost less than what writes them, or it is the
 * reader that is measured. So it speaks TLS itself and looks at no more than where events end and when those that it shows were sent.
 */
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';

/** What this process is told first. */
export interface WatchersTask {
  readonly port: number;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly watchers: number;
  readonly path: string;
  /** How many events all of them together wait for. */
  readonly wanted: number;
}

/** What it answers: first that all watch, then what they saw. */
export type WatchersReport =
  | { readonly type: 'watching' }
  | { readonly type: 'seen'; readonly cpu: number; readonly p50: number; readonly p99: number };

/** What the sender writes into the annotation: milliseconds of the system's clock. */
const SENT = Buffer.from('"sent":"');
const SENT_DIGITS = 13;
const NEWLINE = 10;
/** An event's annotations come behind its managed fields. */
const LOOK_BYTES = 3_072;
const READ_BYTES = 64 * 1024;

async function watchAll(task: WatchersTask): Promise<void> {
  const latencies: number[] = [];
  let seen = 0;
  const report = (message: WatchersReport): void => void process.send!(message);
  let begun = process.cpuUsage();
  const look = (chunk: Buffer, length: number): void => {
    const now = Date.now();
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0 && at < length; at = chunk.indexOf(NEWLINE, at + 1)) {
      // Chunked coding has line ends of its own, after a carriage return.
      if (chunk[at - 1] !== 0x7d) continue;
      seen++;
      from = at + 1;
      const sent = chunk.subarray(from, Math.min(from + LOOK_BYTES, length)).indexOf(SENT);
      if (sent < 0 || from + sent + SENT.length + SENT_DIGITS > length) continue;
      const start = from + sent + SENT.length;
      latencies.push(now - Number(chunk.toString('latin1', start, start + SENT_DIGITS)));
    }
    if (seen < task.wanted) return;
    seen = Number.NEGATIVE_INFINITY;
    const { user, system } = process.cpuUsage(begun);
    latencies.sort((a, b) => a - b);
    const rank = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
    report({ type: 'seen', cpu: user + system, p50: rank(0.5), p99: rank(0.99) });
  };
  const sockets = await Promise.all(Array.from({ length: task.watchers }, () => watch(task, look)));
  begun = process.cpuUsage();
  report({ type: 'watching' });
  await once(process, 'disconnect');
  for (const socket of sockets) socket.destroy();
}

/** Resolves when the head of the answer has come. */
async function watch(task: WatchersTask, look: (chunk: Buffer, length: number) => void): Promise<TLSSocket> {
  const { port, ca, cert, key } = task;
  let answered = (): void => {};
  const head = new Promise<void>((resolve) => {
    answered = resolve;
  });
  let take = (chunk: Buffer, length: number): void => {
    if (!chunk.toString('latin1', 0, length).startsWith('HTTP/1.1 200')) throw new Error(chunk.toString('latin1', 0, length));
    take = look;
    answered();
  };
  // One buffer for everything that is read: none is kept.
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  const onread = {
    buffer,
    callback: (length: number): boolean => {
      take(buffer, length);
      return true;
    },
  };
  const socket = connect({ host: '127.0.0.1', port, ca, cert, key, servername: 'localhost', ...{ onread } });
  socket.on('error', (error) => {
    throw error;
  });
  await once(socket, 'secureConnect');
  socket.write(`GET ${task.path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await head;
  return socket;
}

const [task] = (await once(process, 'message')) as [WatchersTask];
await watchAll(task);
process.exit(0);
