import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { customError } from '../../api/meta/status.ts';
import type { Clock } from '../../util/clock.ts';
import type { Exchange } from '../http/exchange.ts';
import { dialError } from './dial-error.ts';
import { type Backend, dial, join, readAnswer } from './upgrade-tunnel.ts';

/** SPDY's bytes as messages of a WebSocket (KEP-4006): what kubectl port-forward speaks since v1.31. */
const TUNNELED_PORT_FORWARD = 'SPDY/3.1+portforward.k8s.io';
const PORT_FORWARD = 'portforward.k8s.io';
/** Largest message of a client. */
const MAX_PAYLOAD = 1024 * 1024;

/** Whether a WebSocket carries SPDY. */
export const carriesSpdy = (exchange: Exchange): boolean =>
  (exchange.headers.upgrade ?? '').toLowerCase() === 'websocket' &&
  String(exchange.headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .some((protocol) => protocol.trim() === TUNNELED_PORT_FORWARD);

/** The protocol's name has a slash, which RFC 6455 does not allow and `ws` does not take: it is answered beside `ws`. */
function sockets(): WebSocketServer {
  const server = new WebSocketServer({ noServer: true, maxPayload: MAX_PAYLOAD, perMessageDeflate: false });
  server.on('headers', (headers) => headers.push(`Sec-WebSocket-Protocol: ${TUNNELED_PORT_FORWARD}`));
  return server;
}

/** Takes SPDY out of a WebSocket, for a kubelet that speaks it plainly. Resolves at the end. */
export async function tunnelSpdy(
  exchange: Exchange,
  backend: Backend,
  target: string,
  host: string,
  clock: Clock,
): Promise<void> {
  const { upgrade } = exchange;
  if (upgrade === undefined) throw new Error('not an upgrade');
  const far = await openSpdy(exchange, backend, target, host, clock);
  delete exchange.req.headers['sec-websocket-protocol'];
  const accepted: Duplex[] = [];
  sockets().handleUpgrade(exchange.req as never, upgrade.socket, upgrade.head, (ws) => {
    accepted.push(createWebSocketStream(ws, { allowHalfOpen: false }));
  });
  const [near] = accepted;
  if (near === undefined) {
    // No handshake of a WebSocket: it has been answered.
    far.destroy();
    exchange.done(400, 0);
    return;
  }
  near.on('error', () => near.destroy());
  exchange.done(101, await join(near, far));
}

async function openSpdy(exchange: Exchange, backend: Backend, target: string, host: string, clock: Clock): Promise<Duplex> {
  const gone = new AbortController();
  exchange.upgrade?.socket.once('close', () => gone.abort());
  let far: Duplex | undefined;
  try {
    far = await dial(backend, clock, gone.signal);
    const lines = [
      `POST ${target} HTTP/1.1`,
      `Host: ${host}`,
      'Connection: Upgrade',
      'Upgrade: SPDY/3.1',
      `X-Stream-Protocol-Version: ${PORT_FORWARD}`,
      'Content-Length: 0',
    ];
    far.write(`${lines.join('\r\n')}\r\n\r\n`);
    const { code } = await readAnswer(far, clock);
    if (code !== 101) throw new Error(`unable to upgrade connection: status code ${code}`);
    return far;
  } catch (err) {
    far?.destroy();
    throw customError(500, '', `error dialing backend: ${dialError(backend, err)}`);
  }
}
