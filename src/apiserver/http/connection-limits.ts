import type { Socket } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import type { Clock, Timer } from '../../util/clock.ts';
import type { Incoming } from './exchange.ts';

/** Connections at a time; those beyond are closed as they come. An idle one costs some 75 KiB. */
export const MAX_CONNECTIONS = 10_000;
/** A TLS handshake must be done within this time. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;
/** A connection whose peer has not taken a byte of what waits for it is closed after this. */
export const STALLED_AFTER_MS = 120_000;
/** How often is looked for those. */
const SWEEP_MS = 30_000;
/** What is left of a request's body may still arrive for this long after its answer, so that the client gets to read that. */
export const LINGER_MS = 5_000;

interface Progress {
  sent: number;
  readonly since: number;
}

/** Bounds the number of connections, and closes those that do not read what they have asked for. Ends with the server. */
export function limitConnections(
  tls: TlsServer,
  connections: ReadonlySet<Socket>,
  clock: Clock,
  maximum = MAX_CONNECTIONS,
): void {
  tls.maxConnections = maximum;
  let waiting = new Map<Socket, Progress>();
  let timer: Timer;
  const sweep = (): void => {
    const now = clock.monotonic();
    const still = new Map<Socket, Progress>();
    for (const socket of connections) {
      if (socket.writableLength === 0) continue;
      const sent = socket.bytesWritten - socket.writableLength;
      const before = waiting.get(socket);
      const progress = before !== undefined && before.sent === sent ? before : { sent, since: now };
      if (now - progress.since >= STALLED_AFTER_MS) socket.destroy();
      else still.set(socket, progress);
    }
    waiting = still;
    timer = clock.setTimer(SWEEP_MS, sweep);
  };
  timer = clock.setTimer(SWEEP_MS, sweep);
  tls.once('close', () => timer.cancel());
}

/** Called when a request has been answered: what is still to come of its body is thrown away, for a short while. */
export function leaveBody(req: Incoming, clock: Clock): void {
  if (req.complete || req.destroyed) return;
  const timer = clock.setTimer(LINGER_MS, () => {
    if (!req.complete) req.destroy();
  });
  req.once('close', () => timer.cancel());
  req.resume();
}
