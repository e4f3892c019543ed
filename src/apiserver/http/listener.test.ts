import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../util/clock.ts';
import type { Authorizer } from '../contract.ts';
import { TestServer } from '../test-server.ts';
import { REQUEST_TIMEOUT_MS } from './request-timeout.ts';

let api: TestServer;
const maps = '/api/v1/namespaces/x/configmaps';
const merge = 'application/merge-patch+json';
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** An authorizer that makes requests of `slow` wait until it is opened. */
function gate(): { readonly authorizer: Authorizer; readonly waiting: () => number; open(): void } {
  let waiting = 0;
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return {
    authorizer: {
      authorize: async ({ user }) => {
        if (user.name === 'slow') {
          waiting++;
          await opened;
        }
        return { decision: 'allow' };
      },
    },
    waiting: () => waiting,
    open: () => open(),
  };
}

afterEach(() => api.close());

describe('the server', () => {
  it('keeps connections, and speaks both protocols on one port', async () => {
    api = await TestServer.start();
    const first = await api.open('GET', '/version');
    const { socket } = first;
    first.resume();
    await once(first, 'end');
    const second = await api.open('GET', '/version');
    expect(second.socket).toBe(socket);
    second.resume();
    const answers = await Promise.all(Array.from({ length: 20 }, () => api.request2('GET', '/version')));
    expect(answers.map((a) => a.code)).toEqual(Array(20).fill(200));
  });

  it('turns away what is too much', async () => {
    const door = gate();
    api = await TestServer.start({ authorizer: door.authorizer, inflight: { readOnly: 2, mutating: 1 } });
    const slow = [
      api.get(maps, { as: 'slow' }),
      api.get(maps, { as: 'slow' }),
      api.post(maps, { metadata: { name: 'a' } }, { as: 'slow' }),
    ];
    while (door.waiting() < 3) await turn();
    for (const answer of [await api.get(maps), await api.post(maps, { metadata: { name: 'b' } })]) {
      expect(answer.json).toMatchObject({
        code: 429,
        reason: 'TooManyRequests',
        message: 'Too many requests, please try again later.',
        details: { retryAfterSeconds: 1 },
      });
      expect(answer.headers['retry-after']).toBe('1');
    }
    expect((await api.get(maps, { as: 'root' })).code).toBe(200);
    // Watches are not counted.
    (await api.watch(`${maps}?watch=true`)).stop();
    door.open();
    expect((await Promise.all(slow)).map((a) => a.code)).toEqual([200, 200, 201]);
    expect((await api.get(maps)).code).toBe(200);
  });

  it('gives up requests that take too long', async () => {
    const door = gate();
    const clock = new VirtualClock();
    api = await TestServer.start({ authorizer: door.authorizer, clock, inflight: { readOnly: 1, mutating: 1 } });
    const slow = api.get(maps, { as: 'slow' });
    while (door.waiting() < 1) await turn();
    await clock.advance(REQUEST_TIMEOUT_MS + 2_000);
    expect((await slow).json).toMatchObject({
      code: 504,
      reason: 'Timeout',
      message: 'Timeout: request did not complete within the allotted timeout',
    });
    // Its place is free.
    expect((await api.get(maps)).code).toBe(200);
    door.open();
  });

  it('gives up sooner those that say so', async () => {
    const door = gate();
    const clock = new VirtualClock();
    api = await TestServer.start({ authorizer: door.authorizer, clock });
    const slow = api.get(`${maps}?timeout=5s`, { as: 'slow' });
    while (door.waiting() < 1) await turn();
    await clock.advance(5_001);
    expect((await slow).json).toMatchObject({ code: 504, reason: 'Timeout' });
    door.open();
    expect((await api.get(`${maps}?timeout=x`)).json).toMatchObject({
      code: 400,
      message: 'invalid timeout specified in the request URL - time: invalid duration "x"',
    });
    for (const timeout of ['0', '-1s', '1h', '']) expect((await api.get(`${maps}?timeout=${timeout}`)).code).toBe(200);
    // A watch has none.
    const watching = await api.watch(`${maps}?watch=1&timeout=x`);
    expect(watching.head.statusCode).toBe(200);
    watching.stop();
  });

  it('frees the place of a client that has gone', async () => {
    const door = gate();
    api = await TestServer.start({ authorizer: door.authorizer, inflight: { readOnly: 10, mutating: 1 } });
    const socket = connectTls({ host: '127.0.0.1', port: api.port, ca: api.pki.ca, servername: 'localhost' });
    await once(socket, 'secureConnect');
    socket.write(`POST ${maps} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\nContent-Length: 100\r\n\r\n{`);
    while ((await api.get('/metrics')).body.indexOf('apiserver_current_inflight_requests{request_kind="mutating"} 1') < 0)
      await turn();
    socket.destroy();
    while ((await api.get('/metrics')).body.indexOf('apiserver_current_inflight_requests{request_kind="mutating"} 0') < 0)
      await turn();
    expect((await api.post(maps, { metadata: { name: 'after' } })).code).toBe(201);
  });

  it('does not wait for heads for ever', async () => {
    api = await TestServer.start();
    const listener = await api.server.listen({ port: 0, tls: { ...api.pki.server }, headersTimeoutMs: 50 });
    const socket = connectTls({ host: '127.0.0.1', port: listener.address.port, ca: api.pki.ca, servername: 'localhost' });
    await once(socket, 'secureConnect');
    socket.write('GET /version HTTP/1.1\r\nHost: x\r\n');
    socket.resume();
    await once(socket, 'close');
  });

  it('lets requests finish when it closes', async () => {
    const door = gate();
    api = await TestServer.start({ authorizer: door.authorizer });
    const slow = api.get(maps, { as: 'slow' });
    while (door.waiting() < 1) await turn();
    const closing = api.server.close(5_000);
    expect(api.server.closing).toBe(true);
    await expect(api.get(maps)).rejects.toThrow(/ECONNREFUSED|ECONNRESET|socket hang up/);
    door.open();
    expect((await slow).code).toBe(200);
    await closing;
  });

  it('drops a watcher that does not read', async () => {
    api = await TestServer.start();
    await api.post(maps, { metadata: { name: 'big' } });
    const watch = await api.open('GET', `${maps}?watch=true`);
    watch.pause();
    const data = 'x'.repeat(1_000_000);
    // More than the buffers of the two sockets and the server's own will hold.
    for (let i = 0; i < 50; i++) await api.patch(`${maps}/big`, merge, { data: { data, i: String(i) } });
    await expect(once(watch.resume(), 'end')).rejects.toThrow('aborted');
    expect((await api.get(maps)).code).toBe(200);
  });
});
