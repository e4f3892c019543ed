import { request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { HTTPGetAction } from '../../api/types/core-v1.ts';

/** Most of an answer's body that is read. Bytes. */
const MAX_BODY = 10 * 1024;
const MAX_REDIRECTS = 10;

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  /** Set when a redirect led to another host, where it was not followed. */
  readonly redirectedTo?: string;
}

/** The URL of an httpGet action against an address. */
export function actionUrl(action: HTTPGetAction, port: number, defaultHost: string): URL {
  const host = action.host !== undefined && action.host !== '' ? action.host : defaultHost;
  const scheme = (action.scheme ?? 'HTTP').toLowerCase();
  const path = action.path ?? '/';
  return new URL(`${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}${path.startsWith('/') ? '' : '/'}${path}`);
}

/** GETs as kubelet probes and hooks do: certificates are not checked, nothing is kept alive, redirects stay on the host. `timeout` in ms. */
export async function httpGet(
  url: URL,
  headers: HTTPGetAction['httpHeaders'],
  userAgent: string,
  timeout: number,
  signal?: AbortSignal,
): Promise<HttpAnswer> {
  const deadline = AbortSignal.timeout(timeout);
  const either = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
  let at = url;
  for (let hops = 0; ; hops++) {
    let answer: HttpAnswer & { readonly location?: string };
    try {
      answer = await once(at, headers, userAgent, either);
    } catch (err) {
      if (deadline.aborted) {
        throw new Error(
          `Get ${JSON.stringify(at.href)}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
        );
      }
      throw new Error(`Get ${JSON.stringify(at.href)}: ${goNetworkError(err as NodeJS.ErrnoException, at)}`);
    }
    if (answer.status < 300 || answer.status >= 400 || answer.location === undefined) return answer;
    const next = new URL(answer.location, at);
    if (next.hostname !== url.hostname) return { ...answer, redirectedTo: next.href };
    if (hops >= MAX_REDIRECTS) throw new Error(`Get ${JSON.stringify(next.href)}: stopped after 10 redirects`);
    at = next;
  }
}

function once(
  url: URL,
  headers: HTTPGetAction['httpHeaders'],
  userAgent: string,
  signal: AbortSignal,
): Promise<HttpAnswer & { readonly location?: string }> {
  return new Promise((resolve, reject) => {
    const all: Record<string, string | string[]> = { 'User-Agent': userAgent, Accept: '*/*', Connection: 'close' };
    for (const { name, value } of headers ?? []) {
      const known = Object.keys(all).find((k) => k.toLowerCase() === name.toLowerCase());
      if (known !== undefined && ['user-agent', 'accept', 'host'].includes(name.toLowerCase())) delete all[known];
      const before = all[name];
      all[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
    }
    const options: RequestOptions & { rejectUnauthorized?: boolean } = { headers: all, signal, agent: false };
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const req = send(url, url.protocol === 'https:' ? { ...options, rejectUnauthorized: false } : options, (res) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const finish = (): void =>
        resolve({
          status: res.statusCode ?? 0,
          body: Buffer.concat(chunks).subarray(0, MAX_BODY).toString('utf8'),
          ...(res.headers.location === undefined ? {} : { location: res.headers.location }),
        });
      res.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size >= MAX_BODY) {
          finish();
          req.destroy();
        }
      });
      res.on('end', finish);
      res.on('error', reject);
    });
    req.on('error', reject);
    req.end();
  });
}

/** An error of a connection in the words of Go's net package, which users search for. */
function goNetworkError(err: NodeJS.ErrnoException, url: URL): string {
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return dialError(err, `${url.hostname}:${port}`);
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ETIMEDOUT: 'connect: connection timed out',
};

function dialError(err: NodeJS.ErrnoException, address: string): string {
  const reason = reasons[err.code ?? ''];
  if (reason !== undefined) return `dial tcp ${address}: ${reason}`;
  if (err.code === 'ECONNRESET') return 'EOF';
  if (err.code === 'ENOTFOUND') return `dial tcp: lookup ${address.replace(/:\d+$/, '')}: no such host`;
  return err.message;
}

/** Opens a TCP connection and closes it again; rejects with Go's words for what went wrong. `timeout` in ms. */
export function dialTcp(host: string, port: number, timeout: number, signal?: AbortSignal): Promise<void> {
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  const deadline = AbortSignal.timeout(timeout);
  const either = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal: either });
    socket.on('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.on('error', (err: NodeJS.ErrnoException) => {
      reject(new Error(deadline.aborted ? `dial tcp ${address}: i/o timeout` : dialError(err, address)));
    });
  });
}
