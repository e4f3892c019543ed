import {
  type Agent,
  request as httpRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from 'node:http';
import { type Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { pipeline } from 'node:stream';
import type { Clock } from '../../util/clock.ts';
import type { Exchange } from '../http/exchange.ts';
import { HtmlRewriter } from './rewrite-html.ts';
import { CONNECT_TIMEOUT_MS } from './upgrade-tunnel.ts';

/** Where an ordinary request goes. */
export interface HttpTarget {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  /** 0: the scheme's own. */
  readonly port: number;
  readonly agent: Agent | HttpsAgent;
}

/** Headers of one hop (RFC 9110, 7.6.1), which mean nothing behind it. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Credentials and what this server takes for its own; a backend must not get them. */
const ours = /^(authorization|impersonate-.*|x-remote-.*)$/;

export function forwardedHeaders(exchange: Exchange): OutgoingHttpHeaders {
  const out: OutgoingHttpHeaders = {};
  const named = String(exchange.headers.connection ?? '')
    .toLowerCase()
    .split(',')
    .map((s) => s.trim());
  for (const [name, value] of Object.entries(exchange.headers)) {
    if (name.startsWith(':') || hopByHop.has(name) || named.includes(name) || ours.test(name)) continue;
    out[name] = value;
  }
  const before = exchange.headers['x-forwarded-for'];
  out['x-forwarded-for'] = before === undefined ? exchange.remoteAddress : `${String(before)}, ${exchange.remoteAddress}`;
  const { host, authority } = clientHost(exchange);
  if (host !== undefined || authority !== undefined) out.host = host ?? authority;
  return out;
}

function clientHost(exchange: Exchange): { readonly host: string | undefined; readonly authority: string | undefined } {
  return { host: exchange.headers.host, authority: exchange.headers[':authority'] as string | undefined };
}

/** Asks a target; resolves with the head of its answer. Rejects when it cannot be reached. The client's going ends it. */
export function ask(
  exchange: Exchange,
  target: HttpTarget,
  path: string,
  headers: OutgoingHttpHeaders,
  withBody: boolean,
  clock: Clock,
): Promise<IncomingMessage> {
  const { scheme, host, port, agent } = target;
  return new Promise((resolve, reject) => {
    const make = scheme === 'https' ? httpsRequest : httpRequest;
    const outgoing = make({
      method: exchange.method,
      host,
      ...(port === 0 ? {} : { port }),
      path,
      headers,
      agent: agent as HttpsAgent,
    });
    const onClose = (): void => void outgoing.destroy(new Error('the client is gone'));
    exchange.res?.once('close', onClose);
    outgoing.once('close', () => exchange.res?.off('close', onClose));
    outgoing.on('error', reject);
    outgoing.once('response', resolve);
    outgoing.once('socket', (socket) => {
      if (!socket.connecting) return;
      const timer = clock.setTimer(CONNECT_TIMEOUT_MS, () => {
        outgoing.destroy(new Error(`dial tcp ${host}:${port}: i/o timeout`));
      });
      socket.once('connect', () => timer.cancel());
      outgoing.once('close', () => timer.cancel());
    });
    if (withBody) {
      pipeline(exchange.req, outgoing, () => {});
    } else outgoing.end();
  });
}

/** How URLs in an answer are made to go through the proxy: `prefix` is the path of the proxy, without a slash at its end. */
export interface Rewriting {
  readonly prefix: string;
  /** The backend as URLs name it, `host:port`. */
  readonly backend: string;
}

/** Hands a backend's answer on as it comes, its redirects and pages rewritten. */
export function relay(exchange: Exchange, answer: IncomingMessage, rewriting: Rewriting | undefined): void {
  const res = exchange.res as ServerResponse;
  const headers: OutgoingHttpHeaders = { 'audit-id': exchange.auditId };
  for (const [name, value] of Object.entries(answer.headers)) if (!hopByHop.has(name)) headers[name] = value;
  const code = answer.statusCode ?? 502;
  let bytes = 0;
  res.once('close', () => exchange.done(code, bytes));
  const rewrite = rewriting === undefined ? undefined : (url: string): string => rewriteUrl(url, rewriting, exchange);
  if (rewrite !== undefined && typeof headers['location'] === 'string') headers['location'] = rewrite(headers['location']);
  const html = /^\s*text\/html\s*(;|$)/i.test(String(headers['content-type'] ?? ''));
  // Compressed pages pass as they are: none are asked for.
  const plain = (headers['content-encoding'] ?? 'identity') === 'identity';
  if (rewrite !== undefined && html && plain && exchange.method !== 'HEAD') {
    delete headers['content-length'];
    res.writeHead(code, headers);
    pipeline(answer, pages(rewrite), res, () => {});
    return;
  }
  res.writeHead(code, headers);
  // Who follows a log of nothing yet wants to know that it is connected.
  res.flushHeaders();
  answer.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  pipeline(answer, res, () => {});
}

/** A stage of a pipeline that rewrites pages. Bytes are Latin-1 to it, so that it changes nothing but ASCII. */
function pages(rewrite: (url: string) => string): (source: AsyncIterable<Buffer>) => AsyncIterable<Buffer> {
  return async function* (source) {
    const rewriter = new HtmlRewriter(rewrite);
    for await (const chunk of source) yield Buffer.from(rewriter.push(chunk.toString('latin1')), 'latin1');
    yield Buffer.from(rewriter.end(), 'latin1');
  };
}

/** An absolute path of the backend, with or without its host, as one below the proxy's; anything else as it is. */
export function rewriteUrl(url: string, { prefix, backend }: Rewriting, exchange: Pick<Exchange, 'headers'>): string {
  const parts = /^(?:([a-z][a-z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(.*)$/i.exec(url);
  if (parts === null) return url;
  const [, scheme = '', host = '', path = '', rest = ''] = parts;
  if ((scheme !== '' && host === '') || !path.startsWith('/')) return url;
  const asked = exchange.headers.host ?? (exchange.headers[':authority'] as string | undefined) ?? '';
  if (host !== '' && host !== backend && host !== asked) return url;
  return path.startsWith(prefix) ? path + rest : prefix + path + rest;
}
