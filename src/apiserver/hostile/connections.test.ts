import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../util/clock.ts';
import { MAX_BODY_BYTES } from '../http/body.ts';
import { LINGER_MS, STALLED_AFTER_MS } from '../http/connection-limits.ts';
import { REQUEST_TIMEOUT_MS } from '../http/request-timeout.ts';
import { TestServer } from '../test-server.ts';
import { inTime } from './hostile-server.ts';

/** Idle connections opened; more with `HOSTILE_CONNECTIONS`, as far as the machine has file descriptors for both ends. */
const CROWD = Number(process.env['HOSTILE_CONNECTIONS'] ?? 300);

let api: TestServer;
const maps = '/api/v1/namespaces/x/configmaps';
const head = (method: string, path: string, ...headers: readonly string[]): string =>
  `${[`${method} ${path} HTTP/1.1`, 'Host: x', 'Authorization: Bearer admin', ...headers].join('\r\n')}\r\n\r\n`;

afterEach(() => api.close());

async function dial(port = api.port): Promise<TLSSocket> {
  const socket = connectTls({ host: '127.0.0.1', port, ca: api.pki.ca, servername: 'localhost' });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  return socket;
}

/** The first lines of what a socket is told, as they come. */
function said(socket: TLSSocket): { text: string } {
  const out = { text: '' };
  socket.on('data', (d: Buffer) => {
    out.text += d.toString('latin1');
  });
  return out;
}

const closed = (socket: { once(name: 'close', f: () => void): unknown; readonly destroyed: boolean }): Promise<void> =>
  inTime(new Promise((resolve) => (socket.destroyed ? resolve() : socket.once('close', () => resolve()))), 'close');

const sound = async (): Promise<void> => {
  expect((await inTime(api.get('/readyz'), 'readyz')).code).toBe(200);
};

async function until(met: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await met())) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets virtual time pass until something has happened; the server may first have to hear of it. */
async function pass(clock: VirtualClock, step: number, met: () => boolean): Promise<void> {
  await inTime(
    until(async () => {
      await clock.advance(step);
      return met();
    }),
    'time',
  );
}

describe('clients over HTTP/1.1', () => {
  it('that connect and say nothing are let go', async () => {
    api = await TestServer.start();
    const listener = await api.server.listen({ port: 0, tls: { ...api.pki.server }, headersTimeoutMs: 100 });
    const socket = await dial(listener.address.port);
    socket.resume();
    await closed(socket);
    await sound();
  });

  it('that are too many are turned away, and the others served', async () => {
    api = await TestServer.start();
    const listener = await api.server.listen({ port: 0, tls: { ...api.pki.server }, maxConnections: 2 });
    const { port } = listener.address;
    const [first, second] = [await dial(port), await dial(port)];
    const third = connectTcp(port, '127.0.0.1');
    third.on('error', () => {});
    await closed(third.resume());
    first.destroy();
    await closed(first);
    await inTime(
      until(async () => {
        const next = connectTls({ host: '127.0.0.1', port, ca: api.pki.ca, servername: 'localhost' });
        next.on('error', () => {});
        return new Promise((resolve) => {
          next.once('secureConnect', () => resolve(true));
          next.once('close', () => resolve(false));
        });
      }),
      'a place',
    );
    const answer = said(second);
    second.write(head('GET', '/readyz'));
    await inTime(
      until(() => answer.text.startsWith('HTTP/1.1 200')),
      'answer',
    );
  });

  it('that sit idle in a crowd cost little', { timeout: 120_000 }, async () => {
    api = await TestServer.start();
    const before = process.memoryUsage().rss;
    const crowd: TLSSocket[] = [];
    for (let i = 0; i < CROWD; i += 50) crowd.push(...(await Promise.all(Array.from({ length: 50 }, () => dial()))));
    await sound();
    // Both ends are in this process.
    expect((process.memoryUsage().rss - before) / CROWD).toBeLessThan(1024 * 1024);
    for (const socket of crowd) socket.destroy();
    await sound();
  });

  it('whose bodies trickle are answered in the end', async () => {
    const clock = new VirtualClock();
    api = await TestServer.start({ clock });
    const socket = await dial();
    const answer = said(socket);
    socket.write(`${head('POST', maps, 'Content-Length: 100', 'Content-Type: application/json')}{`);
    await pass(clock, REQUEST_TIMEOUT_MS / 4, () => answer.text !== '');
    expect(answer.text).toMatch(/^HTTP\/1\.1 504 /);
    await pass(clock, LINGER_MS, () => socket.destroyed);
    await sound();
  });

  it('that go on sending after their answer are cut off', async () => {
    const clock = new VirtualClock();
    api = await TestServer.start({ clock });
    for (const start of [
      head('POST', maps, `Content-Length: ${MAX_BODY_BYTES * 1000}`),
      head('POST', maps, 'Content-Length: 1000', 'Content-Encoding: gzip'),
      head('POST', maps, 'Content-Length: 1000', 'Content-Type: text/plain'),
      head('GET', maps, 'Transfer-Encoding: chunked'),
      head('POST', '/nowhere', 'Transfer-Encoding: chunked'),
    ]) {
      const socket = await dial();
      const answer = said(socket);
      socket.write(start);
      await inTime(
        until(() => answer.text !== ''),
        start,
      );
      expect(answer.text).toMatch(/^HTTP\/1\.1 (200|404|405|413|415) /);
      await pass(clock, LINGER_MS, () => socket.destroyed);
    }
    await sound();
  });

  it('that send without end in chunks hear 413 and are cut off', async () => {
    const clock = new VirtualClock();
    api = await TestServer.start({ clock });
    const socket = await dial();
    const answer = said(socket);
    socket.write(head('POST', maps, 'Transfer-Encoding: chunked', 'Content-Type: application/json'));
    const chunk = Buffer.from(`10000\r\n${'x'.repeat(0x10000)}\r\n`);
    const send = (): void => {
      if (!socket.destroyed && socket.writable) socket.write(chunk, () => setImmediate(send));
    };
    send();
    await inTime(
      until(() => answer.text !== ''),
      '413',
    );
    expect(answer.text).toMatch(/^HTTP\/1\.1 413 /);
    await pass(clock, LINGER_MS, () => socket.destroyed);
    await sound();
  });

  it('that wait to be told to go on are told', async () => {
    api = await TestServer.start();
    const socket = await dial();
    const answer = said(socket);
    const body = JSON.stringify({ metadata: { name: 'a' } });
    socket.write(head('POST', maps, `Content-Length: ${body.length}`, 'Content-Type: application/json', 'Expect: 100-continue'));
    await inTime(
      until(() => answer.text.startsWith('HTTP/1.1 100 ')),
      '100',
    );
    socket.write(body);
    await inTime(
      until(() => answer.text.includes('HTTP/1.1 201 ')),
      '201',
    );
    socket.destroy();
  });

  it('that ask for much and read nothing are dropped', { timeout: 60_000 }, async () => {
    const clock = new VirtualClock();
    api = await TestServer.start({ clock });
    const data = { a: 'x'.repeat(900_000) };
    for (let i = 0; i < 12; i++) await api.post(maps, { metadata: { name: `big${i}` }, data });
    // A list is given up as a request that takes too long; a single object lies in the connection until that is closed.
    const listener = await api.server.listen({ port: 0, tls: { ...api.pki.server } });
    for (const path of [maps, `${maps}?watch=true`, `${maps}/big1`]) {
      const socket = await dial(listener.address.port);
      await until(() => listener.connections() === 1);
      socket.pause();
      // More than the buffers between the two can hold.
      socket.write(head('GET', path).repeat(path.endsWith('big1') ? 20 : 1));
      // What has been asked for lies in the connection when somebody else, who asks later, has an answer: time does not run for the store.
      await api.get(`${maps}/big2`);
      await pass(clock, STALLED_AFTER_MS / 4, () => listener.connections() === 0);
      socket.destroy();
    }
    await sound();
  });

  it('that ask for other protocols are refused', async () => {
    api = await TestServer.start();
    for (const protocol of ['websocket', 'SPDY/3.1', 'h2c', 'x']) {
      for (const path of ['/', maps, `${maps}/a`, '/version', '/nowhere', `${maps}/a/exec`]) {
        const socket = await dial();
        const answer = said(socket);
        socket.write(head('GET', path, 'Connection: Upgrade', `Upgrade: ${protocol}`));
        await inTime(
          until(() => answer.text !== ''),
          path,
        );
        expect(answer.text, `${protocol} ${path}`).not.toMatch(/^HTTP\/1\.1 (101|5)/);
        socket.destroy();
      }
    }
    await sound();
  });

  it('may not negotiate TLS anew', async () => {
    api = await TestServer.start();
    const socket = connectTls({
      host: '127.0.0.1',
      port: api.port,
      ca: api.pki.ca,
      servername: 'localhost',
      maxVersion: 'TLSv1.2',
    });
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    const err = await inTime(
      new Promise((resolve) => {
        socket.once('error', resolve);
        socket.once('close', () => resolve(new Error('closed')));
        socket.renegotiate({}, (failure) => resolve(failure));
      }),
      'renegotiation',
    );
    expect(err).toBeInstanceOf(Error);
    socket.destroy();
    await sound();
  });
});

describe('clients over HTTP/2', () => {
  const session = async (): Promise<ClientHttp2Session> => {
    const made = connectHttp2(`https://localhost:${api.port}`, { ca: api.pki.ca });
    made.on('error', () => {});
    await once(made, 'connect');
    return made;
  };

  it('that open streams only to reset them are cut off', async () => {
    api = await TestServer.start();
    const client = await session();
    const gone = closed(client);
    const flood = (): void => {
      for (let i = 0; i < 200 && !client.destroyed && !client.closed; i++) {
        const stream = client.request({ ':path': maps, authorization: 'Bearer admin' });
        stream.on('error', () => {});
        stream.close(constants.NGHTTP2_CANCEL);
      }
      if (!client.destroyed && !client.closed) setImmediate(flood);
    };
    flood();
    await gone;
    await sound();
  });

  it('that open many streams at once are served or refused', async () => {
    api = await TestServer.start({ inflight: { readOnly: 50, mutating: 10 } });
    const client = await session();
    const codes = await inTime(
      Promise.all(
        Array.from({ length: 3_000 }, () => {
          const stream = client.request({ ':path': maps, authorization: 'Bearer admin' });
          stream.resume();
          return new Promise<number>((resolve) => {
            stream.once('response', (h) => resolve(h[':status'] ?? 0));
            stream.once('error', () => resolve(-1));
          });
        }),
      ),
      'streams',
    );
    expect(codes.every((c) => [200, 429, -1].includes(c))).toBe(true);
    expect(codes.filter((c) => c === 200).length).toBeGreaterThan(0);
    client.destroy();
    await sound();
  });

  it.each<readonly [string, () => Buffer]>([
    ['settings', () => frame(4, 0, 0, Buffer.from([0, 3, 0, 0, 0, 1]))],
    ['pings', () => frame(6, 0, 0, Buffer.alloc(8))],
    ['headers that go on', () => frame(9, 0, 1, Buffer.alloc(16_000, 0x40))],
    ['resets of idle streams', () => frame(3, 0, 99, Buffer.from([0, 0, 0, 8]))],
    ['window updates of nothing', () => frame(8, 0, 0, Buffer.from([0, 0, 0, 0]))],
    ['priorities', () => frame(2, 0, 1, Buffer.from([0, 0, 0, 1, 0]))],
    ['unknown frames', () => frame(0xee, 0, 0, Buffer.alloc(1_000))],
    ['frames beyond all size', () => frame(0, 0, 1, Buffer.alloc(1_000_000))],
  ])('that flood with %s do no harm', { timeout: 60_000 }, async (name, make) => {
    api = await TestServer.start();
    const socket = connectTls({
      host: '127.0.0.1',
      port: api.port,
      ca: api.pki.ca,
      servername: 'localhost',
      ALPNProtocols: ['h2'],
    });
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    // It never reads: answers pile up at the server.
    socket.pause();
    socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0, Buffer.alloc(0))]));
    if (name === 'headers that go on') socket.write(frame(1, 0, 1, Buffer.from([0x82, 0x84, 0x87])));
    const before = process.memoryUsage().rss;
    const batch = Buffer.concat(Array.from({ length: 200 }, make));
    for (let i = 0; i < 100 && !socket.destroyed; i++) {
      if (!socket.write(batch))
        await Promise.race([once(socket, 'drain').catch(() => {}), new Promise((r) => setTimeout(r, 20))]);
    }
    await sound();
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 * 1024);
    socket.destroy();
  });
});

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const out = Buffer.alloc(9 + payload.length);
  out.writeUIntBE(payload.length, 0, 3);
  out[3] = type;
  out[4] = flags;
  out.writeUInt32BE(stream, 5);
  payload.copy(out, 9);
  return out;
}
