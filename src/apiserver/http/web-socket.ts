import { type WebSocket, WebSocketServer } from 'ws';
import type { Exchange } from './exchange.ts';

/** What a client sends on a stream that only goes one way is not kept. */
const MAX_RECEIVED_BYTES = 64 * 1024;
/** A client from a browser names its token as a protocol (see the authenticator); that is none to be spoken. */
const BEARER = /^base64url\.bearer\.authorization\.k8s\.io\./;

export const isWebSocket = (exchange: Exchange): boolean => (exchange.headers.upgrade ?? '').toLowerCase() === 'websocket';

/**
 * Accepts a WebSocket that carries answers and no questions, and gives it to `opened` at once. A handshake that is none has been answered
 * then: false. `chosen` picks the protocol among those offered; the first when left out.
 */
export function acceptWebSocket(
  exchange: Exchange,
  opened: (socket: WebSocket) => void,
  chosen: (offered: readonly string[]) => string | undefined = (offered) => offered[0],
): boolean {
  const { upgrade } = exchange;
  if (upgrade === undefined) throw new Error('not an upgrade');
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_RECEIVED_BYTES,
    perMessageDeflate: false,
    handleProtocols: (offered) => chosen([...offered].filter((protocol) => !BEARER.test(protocol))) ?? false,
  });
  let accepted = false;
  server.handleUpgrade(exchange.req as never, upgrade.socket, upgrade.head, (socket) => {
    accepted = true;
    socket.on('error', () => socket.terminate());
    opened(socket);
  });
  if (!accepted) exchange.done(400, 0);
  return accepted;
}

/** Sends a message; resolves when there is room for another. */
export function sendMessage(socket: WebSocket, data: Uint8Array | string): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState !== socket.OPEN) {
      resolve();
      return;
    }
    const full = socket.bufferedAmount > HIGH_WATER;
    socket.send(data, () => {
      if (full) resolve();
    });
    if (!full) resolve();
  });
}

/** Bytes that wait for the client from which on the source is held back. */
const HIGH_WATER = 1024 * 1024;
