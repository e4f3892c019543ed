import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex, Readable, Writable } from 'node:stream';
import { SpdyConnection, type SpdyStream } from './spdy-connection.ts';

/** Protocol of exec and attach: v4 carries the exit code as a Status on the error stream. */
export const REMOTE_COMMAND_PROTOCOL = 'v4.channel.k8s.io';
export const PORT_FORWARD_PROTOCOL = 'portforward.k8s.io';
/** The upgrade must be answered in this time, milliseconds. */
const UPGRADE_TIMEOUT_MS = 30_000;
/** Most read of an answer that refuses the upgrade, and of the error stream, bytes. */
const MAX_TEXT_BYTES = 64 * 1024;

/** Which streams a remote command has. `stderr` is not opened when `tty` is set: a terminal has one output. */
export interface RemoteCommandOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
  /** Ends the session when it aborts. */
  readonly signal?: AbortSignal;
}

/** A running exec or attach session. Every stream that is there must be read: one that is not stops the others when it is full. */
export interface RemoteCommand {
  /** `end()` gives the command its end of file. */
  readonly stdin: Writable | undefined;
  readonly stdout: Readable | undefined;
  readonly stderr: Readable | undefined;
  /** Says, at the end, how the command went: empty or a Status; see `remoteCommandStatus`. */
  readonly error: Readable;
  /** Tells the terminal's size in characters; does nothing without `tty`. */
  resize(width: number, height: number): void;
  /** Ends the session; the command itself may go on. */
  close(): void;
  /** Resolves when the connection is over. */
  readonly closed: Promise<void>;
}

/** The Status on the error stream of remotecommand v4. */
export interface RemoteCommandStatus {
  readonly status: 'Success' | 'Failure';
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
}

/** Opens an exec or attach session at a runtime's URL. Rejects when it refuses. */
export async function openRemoteCommand(url: string, options: RemoteCommandOptions): Promise<RemoteCommand> {
  const { connection, closed } = await upgrade(url, REMOTE_COMMAND_PROTOCOL, options.signal);
  try {
    const open = (streamtype: string): Promise<SpdyStream> => connection.open({ streamtype });
    // The other side waits for all of them before it answers the command: open them together.
    const [error, stdin, stdout, stderr, size] = await Promise.all([
      open('error'),
      options.stdin ? open('stdin') : undefined,
      options.stdout ? open('stdout') : undefined,
      options.stderr && !options.tty ? open('stderr') : undefined,
      options.tty ? open('resize') : undefined,
    ]);
    return {
      stdin,
      stdout,
      stderr,
      error,
      resize: (width, height) => {
        size?.write(`${JSON.stringify({ Width: width, Height: height })}\n`);
      },
      close: () => connection.close(),
      closed,
    };
  } catch (err) {
    connection.close();
    throw err;
  }
}

/** Reads the error stream to its end. An empty one is success; text that is no Status is a failure with that message. */
export async function remoteCommandStatus(error: Readable): Promise<RemoteCommandStatus> {
  const text = await readText(error);
  if (text === '') return { status: 'Success' };
  try {
    return JSON.parse(text) as RemoteCommandStatus;
  } catch {
    return { status: 'Failure', reason: 'InternalError', message: text };
  }
}

/** The exit code in a Status: 0 for success, undefined when the command never ran to an end. */
export function remoteCommandExitCode(status: RemoteCommandStatus): number | undefined {
  if (status.status === 'Success') return 0;
  if (status.reason !== 'NonZeroExitCode') return undefined;
  const cause = status.details?.causes?.find((c) => c.reason === 'ExitCode');
  const code = Number.parseInt(cause?.message ?? '', 10);
  return Number.isNaN(code) ? undefined : code;
}

/** A port-forward session to a pod. */
export interface PortForward {
  /** One connection to `port` of the pod. `error` ends empty, or says why the connection failed. */
  connect(port: number): Promise<{ readonly data: Duplex; readonly error: Readable }>;
  close(): void;
  readonly closed: Promise<void>;
}

/** Opens a port-forward session at a runtime's URL. Rejects when it refuses. */
export async function openPortForward(url: string, options: { readonly signal?: AbortSignal } = {}): Promise<PortForward> {
  const { connection, closed } = await upgrade(url, PORT_FORWARD_PROTOCOL, options.signal);
  let requests = 0;
  return {
    async connect(port) {
      const headers = { port: String(port), requestid: String(requests++) };
      const error = await connection.open({ ...headers, streamtype: 'error' });
      // Nothing is ever written to it.
      error.end();
      const data = await connection.open({ ...headers, streamtype: 'data' });
      return { data, error };
    },
    close: () => connection.close(),
    closed,
  };
}

interface Upgraded {
  readonly connection: SpdyConnection;
  readonly closed: Promise<void>;
}

function upgrade(url: string, protocol: string, signal: AbortSignal | undefined): Promise<Upgraded> {
  return new Promise((resolve, reject) => {
    const target = new URL(url);
    const request = (target.protocol === 'https:' ? httpsRequest : httpRequest)(target, {
      method: 'POST',
      agent: false,
      timeout: UPGRADE_TIMEOUT_MS,
      headers: {
        connection: 'Upgrade',
        upgrade: 'SPDY/3.1',
        'x-stream-protocol-version': protocol,
        'content-length': '0',
      },
      ...(signal === undefined ? {} : { signal }),
    });
    request.on('error', reject);
    request.on('timeout', () => request.destroy(new Error(`no answer to the upgrade at ${target.host}`)));
    request.on('response', (response: IncomingMessage) => {
      readText(response).then(
        (text) => reject(new Error(`the upgrade to SPDY was refused with ${response.statusCode}: ${text.trim()}`)),
        reject,
      );
    });
    request.on('upgrade', (response, socket, head) => {
      const chosen = response.headers['x-stream-protocol-version'];
      if (chosen !== protocol) {
        socket.destroy();
        reject(new Error(`the runtime chose the stream protocol ${String(chosen)}, want ${protocol}`));
        return;
      }
      socket.setTimeout(0);
      socket.setNoDelay(true);
      let over = (): void => {};
      const closed = new Promise<void>((done) => {
        over = done;
      });
      const connection = new SpdyConnection(socket, head, { role: 'client', onClose: () => over() });
      if (signal !== undefined) {
        const onAbort = (): void => connection.close();
        signal.addEventListener('abort', onAbort, { once: true });
        void closed.then(() => signal.removeEventListener('abort', onAbort));
      }
      resolve({ connection, closed });
    });
    request.end();
  });
}

async function readText(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= MAX_TEXT_BYTES) chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
