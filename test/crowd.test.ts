import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { MAX_CONNECTIONS } from '../src/apiserver/http/connection-limits.ts';
import { TestServer } from '../src/apiserver/test-server.ts';
import type { CrowdReport, CrowdTask } from './support/crowd.ts';

/** More than an idle connection was ever measured to cost, in bytes of resident memory. */
const CONNECTION_BYTES = 128 * 1024;

let api: TestServer;
const crowd = fork(join(import.meta.dirname, 'support', 'crowd.ts'));

beforeAll(async () => {
  api = await TestServer.start();
});

afterAll(async () => {
  if (crowd.connected) crowd.disconnect();
  await api.close();
});

it('ten thousand idle connections are held and served, one more is turned away, and all of them cost a bounded amount', async () => {
  // Who says nothing at all is let go; here they may, however long it takes this machine to connect them.
  const listener = await api.server.listen({ port: 0, tls: { ...api.pki.server }, headersTimeoutMs: 600_000 });
  const before = process.memoryUsage().rss;
  const answered = once(crowd, 'message');
  crowd.send({ port: listener.address.port, ca: api.pki.ca, count: MAX_CONNECTIONS } satisfies CrowdTask);
  const [report] = (await answered) as [CrowdReport];
  expect(report).toEqual({ connected: MAX_CONNECTIONS, another: false, answer: 'HTTP/1.1 200 OK' });
  expect(listener.connections()).toBe(MAX_CONNECTIONS);
  expect((process.memoryUsage().rss - before) / MAX_CONNECTIONS).toBeLessThan(CONNECTION_BYTES);
  // Others are heard meanwhile, and there is room again when they are gone.
  expect((await api.get('/readyz')).code).toBe(200);
  const gone = once(crowd, 'exit');
  crowd.disconnect();
  await gone;
  while (listener.connections() > 0) await new Promise((resolve) => setImmediate(resolve));
  await listener.close(0);
});
