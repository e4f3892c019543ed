import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { customError } from '../../api/meta/status.ts';
import type { Clock } from '../../util/clock.ts';
import type { Exchange } from '../http/exchange.ts';
import { dialError } from './dial-error.ts';

/** Whom a connection is made to. `tls` undefined: plain TCP. */
export interface Backend {
  readonly host: string;
  readonly port: number;
  readonly tls: ConnectionOptions | undefined;
}

/** A backend must have been reached, and have answered the upgrade, within this time. */
export const CONNECT_TIMEOUT_MS = 30_000;
/** The head of an answer to an upgrade. */
const MAX_HEAD_BYTES = 64 * 1024;

/** Opens a connection; rejects when it cannot be had in time. */
export function dial(backend: Backend, clock: Clock, signal: AbortSignal): Promise<Duplex> {
  const { host, port, tls } = backend;
  return new Promise((resolve, reject) => {
    const socket = tls === undefined ? connect({ host, port }) : connectTls({ host, port, ALPNProtocols: ['http/1.1'], ...tls });
    const stop = (err: Error): void => {
      settle();
      socket.destroy();
      reject(err);
    };
    const onAbort = (): void => stop(new Error('the client is gone'));
    const timer = clock.setTimer(CONNECT_TIMEOUT_MS, () => stop(new Error(`dial tcp ${host}:${port}: i/o timeout`)));
    const settle = (): void => {
      timer.cancel();
      signal.removeEventListener('abort', onAbort);
      socket.off('error', stop);
      // Later errors end the tunnel by its 'close'.
      socket.on('error', () => {});
    };
    socket.once('error', stop);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.setNoDelay(true);
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      settle();
      resolve(socket);
    });
  });
}

/** What a backend said to an upgrade. `raw` is all of it, up to where the other protocol begins. */
interface UpgradeAnswer {
  readonly code: number;
  readonly raw: Buffer;
}

/** Reads up to the end of an answer's head; what came after it stays in the stream. */
export function readAnswer(stream: Duplex, clock: Clock): Promise<UpgradeAnswer> {
  return new Promise((resolve, reject) => {
    let read: Buffer = Buffer.alloc(0);
    const finish = (): void => {
      timer.cancel();
      stream.off('data', onData);
      stream.off('close', onClose);
      stream.pause();
    };
    const fail = (message: string): void => {
      finish();
      stream.destroy();
      reject(new Error(message));
    };
    const timer = clock.setTimer(CONNECT_TIMEOUT_MS, () => fail('the backend did not answer in time'));
    const onClose = (): void => fail('the backend closed the connection before it had answered');
    const onData = (chunk: Buffer): void => {
      read = read.length === 0 ? chunk : Buffer.concat([read, chunk]);
      const end = read.indexOf('\r\n\r\n');
      if (end < 0) {
        if (read.length > MAX_HEAD_BYTES) fail('the head of the answer is too large');
        return;
      }
      const code = Number(/^HTTP\/1\.[01] (\d{3})/.exec(read.toString('latin1', 0, 64))?.[1] ?? 0);
      finish();
      const rest = read.subarray(end + 4);
      if (rest.length > 0) stream.unshift(rest);
      resolve({ code, raw: read.subarray(0, end + 4) });
    };
    stream.on('data', onData);
    stream.once('close', onClose);
  });
}

/** Bytes of credentials are for this server alone; the address chain is told on. */
const notForwarded = /^(host|authorization|impersonate-.*|x-remote-.*|x-forwarded-for)$/i;

/** The head of the request as it goes to the backend. */
export function requestHead(exchange: Exchange, target: string, host: string, extra: readonly string[] = []): string {
  const { rawHeaders } = exchange.req;
  const lines = [`${exchange.method} ${target} HTTP/1.1`, `Host: ${host}`];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (!notForwarded.test(name)) lines.push(`${name}: ${rawHeaders[i + 1]!}`);
  }
  const before = exchange.headers['x-forwarded-for'];
  const chain = before === undefined ? exchange.remoteAddress : `${String(before)}, ${exchange.remoteAddress}`;
  lines.push(`X-Forwarded-For: ${chain}`, ...extra);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/**
 * Repeats an upgrade request at a backend and, when that agrees, carries bytes between the two until either ends. An answer of 400 and
 * above goes to the client as it is. Resolves at the end; rejects with a StatusError while the client can still be told.
 */
export async function tunnel(
  exchange: Exchange,
  backend: Backend,
  target: string,
  host: string,
  clock: Clock,
  extra: readonly string[] = [],
): Promise<void> {
  const { upgrade } = exchange;
  if (upgrade === undefined) throw new Error('not an upgrade');
  const { socket, head } = upgrade;
  const gone = new AbortController();
  const onGone = (): void => gone.abort();
  socket.on('error', onGone);
  socket.once('close', onGone);
  let far: Duplex;
  try {
    far = await dial(backend, clock, gone.signal);
  } catch (err) {
    throw customError(500, '', `error dialing backend: ${dialError(backend, err)}`);
  }
  let answer: UpgradeAnswer;
  try {
    far.write(requestHead(exchange, target, host, extra), 'latin1');
    if (head.length > 0) far.write(head);
    answer = await readAnswer(far, clock);
  } catch (err) {
    far.destroy();
    throw customError(500, '', (err as Error).message);
  }
  if (answer.code !== 101 && answer.code < 400) {
    far.destroy();
    throw customError(500, '', `invalid upgrade response: status code ${answer.code}`);
  }
  socket.write(answer.raw);
  const bytes = await join(socket, far);
  exchange.done(answer.code, bytes);
}

/** Carries bytes both ways, with backpressure, until both have ended or one has failed. Gives the number that went to `near`. */
export function join(near: Duplex, far: Duplex): Promise<number> {
  let bytes = 0;
  far.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  near.pipe(far);
  far.pipe(near);
  return new Promise((resolve) => {
    const end = (): void => {
      near.destroy();
      far.destroy();
      resolve(bytes);
    };
    near.once('close', end);
    far.once('close', () => {
      // What has been read from it is still to be written.
      if (near.writableLength === 0) end();
      else near.end(end);
    });
  });
}
