import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { ContainerRuntime } from '../../runtime/contract.ts';
import { openPortForward, openRemoteCommand } from '../../runtime/spdy-client.ts';
import type { Logger } from '../../util/logger.ts';
import { errorText } from '../observed/runtime-errors.ts';
import { joinPortForward, joinRemoteCommand, PORT_FORWARD_VERSIONS, REMOTE_COMMAND_VERSIONS } from './websocket-streams.ts';

/** Largest message of a WebSocket client, bytes. */
const MAX_PAYLOAD = 4 * 1024 * 1024;

/** A stream that a client has asked for, found and allowed. */
export type StreamRequest =
  | ({ readonly kind: 'exec'; readonly containerId: string; readonly command: readonly string[] } & StreamFlags)
  | ({ readonly kind: 'attach'; readonly containerId: string } & StreamFlags)
  | { readonly kind: 'portForward'; readonly sandboxId: string; readonly ports: readonly number[] };

interface StreamFlags {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** The flags in a query: the kubelet's names (input, output, error) and the API's (stdin, stdout, stderr). */
export function streamFlags(query: URLSearchParams): StreamFlags {
  const on = (...names: readonly string[]): boolean => names.some((n) => query.get(n) === '1' || query.get(n) === 'true');
  const tty = on('tty');
  return { stdin: on('input', 'stdin'), stdout: on('output', 'stdout'), stderr: on('error', 'stderr') && !tty, tty };
}

const isWebSocket = (request: IncomingMessage): boolean => (request.headers.upgrade ?? '').toLowerCase() === 'websocket';

/** Serves upgrades: SPDY is handed through to the runtime byte by byte, WebSocket is translated for it. */
export class Streaming {
  readonly #runtime: ContainerRuntime;
  readonly #logger: Logger;
  readonly #sockets: WebSocketServer;
  readonly #forwards: WebSocketServer;

  constructor(runtime: ContainerRuntime, logger: Logger) {
    this.#runtime = runtime;
    this.#logger = logger;
    const choose = (versions: readonly string[]) => (offered: Set<string>) => versions.find((v) => offered.has(v)) ?? false;
    const common = { noServer: true, maxPayload: MAX_PAYLOAD, perMessageDeflate: false } as const;
    this.#sockets = new WebSocketServer({ ...common, handleProtocols: choose(REMOTE_COMMAND_VERSIONS) });
    this.#forwards = new WebSocketServer({ ...common, handleProtocols: choose(PORT_FORWARD_VERSIONS) });
  }

  async serve(stream: StreamRequest, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    try {
      const url = await this.#open(stream);
      if (isWebSocket(request)) await this.#webSocket(stream, url, request, socket, head);
      else passThrough(url, request, socket, head);
    } catch (err) {
      this.#logger.debug({ err, kind: stream.kind }, 'stream could not be opened');
      refuse(socket, 500, errorText(err));
    }
  }

  #open(stream: StreamRequest): Promise<string> {
    switch (stream.kind) {
      case 'exec': {
        const { containerId, command, stdin, stdout, stderr, tty } = stream;
        return this.#runtime.exec({ containerId, cmd: command, stdin, stdout, stderr, tty });
      }
      case 'attach': {
        const { containerId, stdin, stdout, stderr, tty } = stream;
        return this.#runtime.attach({ containerId, stdin, stdout, stderr, tty });
      }
      case 'portForward':
        return this.#runtime.portForward({ podSandboxId: stream.sandboxId, ports: stream.ports });
    }
  }

  async #webSocket(stream: StreamRequest, url: string, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    if (stream.kind === 'portForward') {
      const forward = await openPortForward(url);
      this.#forwards.handleUpgrade(request, socket, head, (ws) => {
        joinPortForward(ws, stream.ports, forward).catch((err: unknown) => {
          this.#logger.debug({ err }, 'port forwarding ended');
          ws.close(1011);
          forward.close();
        });
      });
      return;
    }
    const command = await openRemoteCommand(url, stream);
    this.#sockets.handleUpgrade(request, socket, head, (ws) => void joinRemoteCommand(ws, command));
  }
}

/** Repeats the request at the runtime's own server, and from then on only carries bytes. */
function passThrough(url: string, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const target = new URL(url);
  const upstream = connect({ host: target.hostname.replace(/^\[|\]$/g, ''), port: Number(target.port || 80) });
  upstream.setNoDelay(true);
  const end = (): void => {
    upstream.destroy();
    socket.destroy();
  };
  upstream.on('connect', () => {
    const lines = [`${request.method} ${target.pathname}${target.search} HTTP/1.1`, `Host: ${target.host}`];
    for (let i = 0; i < request.rawHeaders.length; i += 2) {
      const name = request.rawHeaders[i]!;
      // The credentials are for us, not for the runtime.
      if (!/^(host|authorization|cookie)$/i.test(name)) lines.push(`${name}: ${request.rawHeaders[i + 1]}`);
    }
    upstream.write(`${lines.join('\r\n')}\r\n\r\n`);
    if (head.length > 0) upstream.write(head);
    socket.pipe(upstream);
    upstream.pipe(socket);
  });
  upstream.on('error', (err) => {
    if (upstream.connecting) refuse(socket, 502, errorText(err));
    end();
  });
  upstream.on('close', () => socket.end());
  socket.on('error', end);
  socket.on('close', () => upstream.end());
}

/** Answers an upgrade that is not to be. */
export function refuse(socket: Duplex, code: number, message: string): void {
  const reasons: Readonly<Record<number, string>> = {
    400: 'Bad Request',
    401: 'Unauthorized',
    403: 'Forbidden',
    404: 'Not Found',
    500: 'Internal Server Error',
    502: 'Bad Gateway',
  };
  socket.end(
    `HTTP/1.1 ${code} ${reasons[code] ?? 'Error'}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(message)}\r\nConnection: close\r\n\r\n${message}`,
  );
}
