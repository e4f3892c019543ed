import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { UserInfo } from '../../api/request.ts';
import type { APIService } from '../../api/types/apiregistration-v1.ts';
import type { Clock } from '../../util/clock.ts';
import { checkAlternativeNames, trusting } from '../../util/trust.ts';
import type { ResolveService } from '../admission/webhook/client.ts';
import { DEFAULT_SERVICE_PORT } from './availability.ts';
import { userHeaders } from './remote-headers.ts';

/** What this server shows to aggregated ones: the front proxy's certificate, PEM. */
export interface FrontProxyClient {
  readonly cert: string;
  readonly key: string;
}

/** A whole answer of an aggregated API server. */
export interface RemoteAnswer {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Connections to one aggregated API server at a time. */
const MAX_SOCKETS = 256;
/** Longest answer that is taken whole, in bytes. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** The way to the server behind one APIService. */
export class RemoteApi {
  readonly name: string;
  readonly group: string;
  readonly version: string;
  readonly agent: Agent;
  readonly tls: {
    readonly cert: string;
    readonly key: string;
    readonly servername: string;
    readonly rejectUnauthorized: boolean;
    readonly ca?: Buffer;
    readonly allowPartialTrustChain?: true;
    readonly checkServerIdentity: typeof checkAlternativeNames;
  };
  readonly #service: { readonly namespace: string; readonly name: string; readonly port: number };
  readonly #resolve: ResolveService;
  readonly #clock: Clock;

  constructor(api: APIService, client: FrontProxyClient, resolve: ResolveService, clock: Clock) {
    const { group = '', version = '', service = {}, caBundle = '', insecureSkipTLSVerify = false } = api.spec ?? {};
    const { namespace = '', name = '', port = DEFAULT_SERVICE_PORT } = service;
    this.name = api.metadata?.name ?? '';
    this.group = group;
    this.version = version;
    this.#service = { namespace, name, port };
    this.#resolve = resolve;
    this.#clock = clock;
    this.tls = {
      cert: client.cert,
      key: client.key,
      servername: `${name}.${namespace}.svc`,
      rejectUnauthorized: !insecureSkipTLSVerify,
      checkServerIdentity: checkAlternativeNames,
      ...(caBundle === '' ? {} : trusting(Buffer.from(caBundle, 'base64'))),
    };
    this.agent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS, ...this.tls });
  }

  /** A ready endpoint of the Service. Throws an Error when there is none. */
  endpoint(): { readonly host: string; readonly port: number } {
    const { namespace, name, port } = this.#service;
    return this.#resolve(namespace, name, port);
  }

  /** Asks for a whole answer, as `user`. Rejects when none comes in time. */
  async request(
    method: string,
    path: string,
    user: UserInfo,
    options: {
      readonly headers?: OutgoingHttpHeaders;
      readonly body?: string;
      readonly timeoutMs: number;
      /** The availability check does not look at the server's certificate, as upstream's does not. */
      readonly agent?: Agent;
    },
  ): Promise<RemoteAnswer> {
    const { headers, body, timeoutMs, agent } = options;
    const answer = await this.#open(method, path, { ...headers, ...userHeaders(user) }, body, timeoutMs, agent ?? this.agent);
    const parts: Buffer[] = [];
    let size = 0;
    for await (const part of answer as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > MAX_ANSWER_BYTES) throw new Error(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`);
      parts.push(part);
    }
    return { code: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(parts) };
  }

  /** Asks for a stream, as `user`. Resolves with the head of the answer; `timeoutMs` is for that alone. */
  stream(path: string, user: UserInfo, headers: OutgoingHttpHeaders, timeoutMs: number): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const { host, port } = this.endpoint();
      const options = { agent: this.agent, host, port, path, headers: { ...headers, ...userHeaders(user) } };
      const asking = httpsRequest(options, (answer) => {
        timer.cancel();
        resolve(answer);
      });
      const timer = this.#clock.setTimer(timeoutMs, () => asking.destroy(new Error('context deadline exceeded')));
      asking.on('error', reject);
      asking.once('close', () => timer.cancel());
      asking.end();
    });
  }

  #open(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    body: string | undefined,
    timeoutMs: number,
    agent: Agent,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const { host, port } = this.endpoint();
      const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
      const asking = httpsRequest({ agent, method, host, port, path, headers: { ...headers, ...length } }, resolve);
      const timer = this.#clock.setTimer(timeoutMs, () => asking.destroy(new Error('context deadline exceeded')));
      asking.on('error', reject);
      asking.once('close', () => timer.cancel());
      asking.end(body);
    });
  }

  close(): void {
    this.agent.destroy();
  }
}

/** What the connection to a server depends on: another value, another `RemoteApi`. */
export const remoteKey = (api: APIService): string => {
  const { group, version, service, caBundle, insecureSkipTLSVerify } = api.spec ?? {};
  return JSON.stringify([group, version, service, caBundle, insecureSkipTLSVerify]);
};
