import type { Readable } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Exchange } from '../http/exchange.ts';
import { acceptWebSocket, sendMessage } from '../http/web-socket.ts';

const BASE64 = 'base64.binary.k8s.io';
/** What upstream's reader of logs speaks; without one of them, messages are bytes. */
const protocols: readonly string[] = ['binary.k8s.io', BASE64];

/** A log as messages of a WebSocket. Resolves at its end, or the client's. */
export async function logOverWebSocket(exchange: Exchange, log: Readable): Promise<void> {
  const accepted: WebSocket[] = [];
  const choose = (offered: readonly string[]): string | undefined => offered.find((protocol) => protocols.includes(protocol));
  acceptWebSocket(exchange, (opened) => accepted.push(opened), choose);
  const [socket] = accepted;
  if (socket === undefined) {
    log.destroy();
    return;
  }
  socket.once('close', () => log.destroy());
  let bytes = 0;
  try {
    for await (const chunk of log as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      await sendMessage(socket, socket.protocol === BASE64 ? chunk.toString('base64') : chunk);
    }
  } catch (err) {
    // The client's going is the usual end of a log that is followed.
    if (socket.readyState === socket.OPEN) exchange.onFault?.(exchange, err);
  }
  socket.close();
  exchange.done(101, bytes);
}
