import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { SpdyConnection, type SpdyConnectionOptions } from './spdy-connection.ts';

/** Whether the request asks for an upgrade to SPDY/3.1. */
export function isSpdyUpgrade(request: IncomingMessage): boolean {
  const connection = (request.headers.connection ?? '').toLowerCase();
  return connection.includes('upgrade') && (request.headers.upgrade ?? '').toLowerCase().includes('spdy/3.1');
}

/**
 * Answers an upgrade to SPDY/3.1 on the server's side (the `upgrade` event of an HTTP server). `protocols` are those the server speaks, best
 * first; the first one the client offers too is chosen. When there is none the client gets 403 with those it may use, as upstream answers,
 * and undefined is returned.
 */
export function acceptSpdyUpgrade(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  protocols: readonly string[],
  options: Omit<SpdyConnectionOptions, 'role'>,
): { readonly connection: SpdyConnection; readonly protocol: string } | undefined {
  const offered = String(request.headers['x-stream-protocol-version'] ?? '')
    .split(',')
    .map((p) => p.trim())
    .filter((p) => p !== '');
  // A client that names none is of the first version, if the server still speaks that: none of ours does.
  const protocol = protocols.find((p) => offered.includes(p));
  if (protocol === undefined) {
    const message = `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${protocols.join(' ')}]`;
    socket.end(
      `HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\n${protocols
        .map((p) => `X-Accepted-Stream-Protocol-Versions: ${p}\r\n`)
        .join('')}Content-Length: ${Buffer.byteLength(message)}\r\nConnection: close\r\n\r\n${message}`,
    );
    return undefined;
  }
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  );
  return { connection: new SpdyConnection(socket, head, { ...options, role: 'server' }), protocol };
}
