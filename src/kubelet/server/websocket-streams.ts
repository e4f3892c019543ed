import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { type PortForward, type RemoteCommand, remoteCommandStatus } from '../../runtime/spdy-client.ts';

/** Channels of a remote command over WebSocket; the first byte of each message (remotecommand v4, v5). */
const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

/** The versions spoken, best first. v5 can end stdin alone (KEP-4006); those without a number tell of failures in words, and not of success. */
export const REMOTE_COMMAND_VERSIONS = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
] as const;
export const PORT_FORWARD_VERSIONS = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io', 'portforward.k8s.io'] as const;

/** Bytes waiting to go out from which on the source is held back. */
const HIGH_WATER = 1024 * 1024;

function sender(socket: WebSocket): (channel: number, data: Buffer) => Promise<void> {
  const base64 = socket.protocol.includes('base64');
  return (channel, data) =>
    new Promise((resolve) => {
      if (socket.readyState !== socket.OPEN) return resolve();
      const message = base64 ? `${channel}${data.toString('base64')}` : Buffer.concat([Buffer.from([channel]), data]);
      const full = socket.bufferedAmount > HIGH_WATER;
      socket.send(message, () => {
        if (full) resolve();
      });
      if (!full) resolve();
    });
}

/** A message as its channel and its bytes. */
function receive(data: Buffer, isBinary: boolean): { readonly channel: number; readonly payload: Buffer } {
  if (isBinary) return { channel: data[0] ?? -1, payload: data.subarray(1) };
  const text = data.toString('latin1');
  return { channel: Number(text[0]), payload: Buffer.from(text.slice(1), 'base64') };
}

/** Joins a WebSocket with a session of the runtime, until either ends. */
export async function joinRemoteCommand(socket: WebSocket, command: RemoteCommand): Promise<void> {
  const send = sender(socket);
  const v5 = socket.protocol.startsWith('v5');
  socket.on('message', (raw: Buffer, isBinary: boolean) => {
    const { channel, payload } = receive(raw, isBinary);
    if (channel === channels.stdin) {
      if (command.stdin?.write(payload) === false) {
        socket.pause();
        command.stdin.once('drain', () => socket.resume());
      }
    } else if (channel === channels.resize) {
      const size = parseSize(payload);
      if (size !== undefined) command.resize(size.Width, size.Height);
    } else if (channel === channels.close && v5 && payload[0] === channels.stdin) command.stdin?.end();
  });
  socket.on('close', () => command.close());
  socket.on('error', () => command.close());
  const pump = async (stream: AsyncIterable<Buffer> | undefined, channel: number): Promise<void> => {
    if (stream === undefined) return;
    try {
      for await (const chunk of stream) await send(channel, chunk);
    } catch {
      // The session broke: the error channel tells of it.
    }
  };
  // Clients take the first empty messages for the channels' being open.
  const outcome = remoteCommandStatus(command.error).catch(() => undefined);
  await Promise.all([pump(command.stdout, channels.stdout), pump(command.stderr, channels.stderr)]);
  const status = (await Promise.race([outcome, command.closed.then(() => undefined)])) ?? (await outcome);
  if (status !== undefined && /^v\d/.test(socket.protocol)) {
    await send(channels.error, Buffer.from(JSON.stringify({ metadata: {}, ...status })));
  } else if (status !== undefined && status.status !== 'Success') {
    await send(channels.error, Buffer.from(status.message ?? ''));
  }
  socket.close(1000);
  command.close();
}

function parseSize(payload: Buffer): { readonly Width: number; readonly Height: number } | undefined {
  try {
    const size = JSON.parse(payload.toString('utf8')) as { Width?: unknown; Height?: unknown };
    return typeof size.Width === 'number' && typeof size.Height === 'number'
      ? { Width: size.Width, Height: size.Height }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Joins a WebSocket with connections to ports of a pod: two channels for each port, data and error, each opened by the port's number. */
export async function joinPortForward(socket: WebSocket, ports: readonly number[], forward: PortForward): Promise<void> {
  const send = sender(socket);
  const connections: Duplex[] = [];
  socket.on('close', () => forward.close());
  socket.on('error', () => forward.close());
  socket.on('message', (raw: Buffer, isBinary: boolean) => {
    const { channel, payload } = receive(raw, isBinary);
    const connection = connections[channel / 2];
    if (connection?.write(payload) !== false) return;
    socket.pause();
    connection.once('drain', () => socket.resume());
  });
  // Clients speak before the connections stand: what they say waits until it can go somewhere.
  socket.pause();
  let opening = ports.length;
  await Promise.all(
    ports.map(async (port, i) => {
      const name = Buffer.alloc(2);
      name.writeUInt16LE(port);
      await send(2 * i, name);
      await send(2 * i + 1, name);
      const { data, error } = await forward.connect(port);
      connections[i] = data;
      if (--opening === 0) socket.resume();
      const errors = (async () => {
        for await (const chunk of error as AsyncIterable<Buffer>) await send(2 * i + 1, chunk);
      })().catch(() => undefined);
      try {
        for await (const chunk of data as AsyncIterable<Buffer>) await send(2 * i, chunk);
      } catch {
        // The connection broke; its error channel has said so.
      }
      await errors;
    }),
  );
  socket.close(1000);
  forward.close();
}
