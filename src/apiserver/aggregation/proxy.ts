import type { Clock } from '../../util/clock.ts';
import type { Exchange } from '../http/exchange.ts';
import { dialError } from '../proxy/dial-error.ts';
import { ask, forwardedHeaders, relay } from '../proxy/http-proxy.ts';
import { tunnel } from '../proxy/upgrade-tunnel.ts';
import type { RemoteApi } from './remote-api.ts';
import { userHeaderLines, userHeaders } from './remote-headers.ts';

/** Carries one request to the server that serves its group version. What goes wrong is told as upstream's aggregator tells it: in plain text. */
export async function proxyTo(remote: RemoteApi, available: boolean, exchange: Exchange, clock: Clock): Promise<void> {
  if (!available) {
    plain(exchange, 503, 'service unavailable');
    return;
  }
  let at: { readonly host: string; readonly port: number };
  try {
    at = remote.endpoint();
  } catch {
    plain(exchange, 503, 'service unavailable');
    return;
  }
  const user = exchange.user!;
  const target = exchange.req.url ?? exchange.path;
  if (exchange.upgrade !== undefined) {
    const host = exchange.headers.host ?? `${at.host}:${at.port}`;
    await tunnel(exchange, { ...at, tls: remote.tls }, target, host, clock, userHeaderLines(user));
    return;
  }
  const headers = { ...forwardedHeaders(exchange), ...userHeaders(user) };
  const withBody = exchange.headers['content-length'] !== undefined || exchange.headers['transfer-encoding'] !== undefined;
  const hasBody = withBody || (exchange.req.httpVersionMajor === 2 && !exchange.req.readableEnded && exchange.method !== 'GET');
  try {
    const answer = await ask(exchange, { scheme: 'https', ...at, agent: remote.agent }, target, headers, hasBody, clock);
    const { statusCode = 0 } = answer;
    // A server might send the front proxy's credentials elsewhere by it (CVE-2022-3172).
    if (statusCode >= 300 && statusCode < 400 && answer.headers.location !== undefined) {
      answer.destroy();
      plain(exchange, 502, 'the backend attempted to redirect this request, which is not permitted');
      return;
    }
    relay(exchange, answer, undefined);
  } catch (err) {
    plain(exchange, 503, `error trying to reach service: ${dialError(at, err)}`);
  }
}

const plain = (exchange: Exchange, code: number, text: string): void =>
  exchange.send(code, 'text/plain; charset=utf-8', Buffer.from(`${text}\n`), { 'x-content-type-options': 'nosniff' });
