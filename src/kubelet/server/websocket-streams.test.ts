import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { joinPortForward } from './websocket-streams.ts';

describe('ports over WebSocket', () => {
  it('keeps what a client says before the connection stands', async () => {
    const echo = new PassThrough();
    const error = new PassThrough();
    error.end();
    let stands = (): void => {};
    const standing = new Promise<void>((resolve) => {
      stands = resolve;
    });
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    server.on('connection', (socket) => {
      const connect = () => standing.then(() => ({ data: echo, error }));
      void joinPortForward(socket, [8080], { connect, close: () => {}, closed: new Promise(() => {}) });
    });
    const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, 'v4.channel.k8s.io');
    const said: Buffer[] = [];
    client.on('message', (message: Buffer) => said.push(message));
    await once(client, 'open');
    await new Promise((resolve) => client.send(Buffer.from('\0hello'), resolve));
    // Long enough for the message to have been lost; where none is lost it makes no difference.
    await pause(20);
    stands();
    while (said.length < 3) await once(client, 'message');
    expect(said.map((m) => m.toString('latin1'))).toEqual(['\0\x90\x1f', '\x01\x90\x1f', '\0hello']);
    echo.end();
    await once(client, 'close');
    server.close();
  });
});
