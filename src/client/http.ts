import { readFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import type { KubernetesObject, WatchEvent } from '../api/meta/object.ts';
import { customError, StatusError } from '../api/meta/status.ts';
import type { ApiRequest, ApiResponse, Verb } from '../api/request.ts';
import { deleteBody, requestUrl } from '../api/request-url.ts';
import type { Status } from '../api/types/meta-v1.ts';
import { type Clock, systemClock } from '../util/clock.ts';
import { jsonLines } from '../util/json-lines.ts';
import { turn } from '../util/slice.ts';
import { checkAlternativeNames, trusting } from '../util/trust.ts';
import type { Transport } from './contract.ts';

/** Tries of a request that the server puts off with Retry-After (client-go's maxRetries). */
const MAX_RETRIES = 10;
const MAX_RETRY_AFTER_MS = 60_000;
/** A request that is not a watch fails after this long. */
const REQUEST_TIMEOUT_MS = 60_000;
/** A watch line may hold one object: twice what an API server takes in. */
const MAX_EVENT_BYTES = 8 * 1024 * 1024;
/** Larger than any list that fits the memory this is made for. */
const MAX_BODY_BYTES = 1024 * 1024 * 1024;
/** Tokens are read from their file at most this often. */
const TOKEN_FILE_MS = 60_000;
const KEEP_ALIVE_MS = 30_000;
const MAX_IDLE_SOCKETS = 32;

type Pem = string | Buffer;

export interface HttpTransportOptions {
  /** `https://127.0.0.1:6443`, with a path prefix if there is one. */
  readonly server: string;
  readonly ca?: Pem;
  readonly cert?: Pem;
  readonly key?: Pem;
  readonly token?: string;
  /** Read again every minute: service account tokens are rotated in place. */
  readonly tokenFile?: string;
  readonly username?: string;
  readonly password?: string;
  readonly insecureSkipTlsVerify?: boolean;
  readonly tlsServerName?: string;
  readonly impersonate?: { readonly user: string; readonly groups?: readonly string[] };
  readonly userAgent?: string;
  readonly requestTimeoutMs?: number;
  readonly clock?: Clock;
}

/** A transport that can be closed: idle connections are let go at once, others when they end. */
export interface HttpTransport extends Transport {
  close(): void;
}

/** What is asked for in place of whole objects; those, where the server has nothing less. */
function acceptOf({ verb, metadataOnly }: ApiRequest): string | undefined {
  if (metadataOnly !== true) return undefined;
  const kind = verb === 'list' ? 'PartialObjectMetadataList' : 'PartialObjectMetadata';
  return `application/json;as=${kind};g=meta.k8s.io;v=v1,application/json`;
}

const methods: Readonly<Record<Verb, string>> = {
  get: 'GET',
  list: 'GET',
  watch: 'GET',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETE',
};

/**
 * A transport over HTTP/1.1 with kept connections (in Node it costs the client less CPU a request than HTTP/2 does).
 * Non-2xx answers are thrown as `StatusError`; 429 and 5xx with Retry-After are tried again after that time.
 */
export function httpTransport(options: HttpTransportOptions): HttpTransport {
  return new NodeHttpTransport(options);
}

interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly body?: Buffer | undefined;
  readonly contentType?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly streaming?: boolean;
  /** What is asked for in place of the whole, as JSON. */
  readonly accept?: string | undefined;
}

class NodeHttpTransport implements HttpTransport {
  readonly #options: HttpTransportOptions;
  readonly #clock: Clock;
  readonly #base: URL;
  readonly #prefix: string;
  readonly #secure: boolean;
  readonly #agent: http.Agent;
  readonly #headers: Record<string, string | string[]>;
  #token: string | undefined;
  #tokenAt = Number.NEGATIVE_INFINITY;

  constructor(options: HttpTransportOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#base = new URL(options.server);
    this.#prefix = this.#base.pathname === '/' ? '' : this.#base.pathname.replace(/\/$/, '');
    this.#secure = this.#base.protocol === 'https:';
    const kept = {
      keepAlive: true,
      keepAliveMsecs: KEEP_ALIVE_MS,
      maxFreeSockets: MAX_IDLE_SOCKETS,
      scheduling: 'lifo' as const,
    };
    this.#agent = this.#secure ? new https.Agent({ ...kept, ...tlsOptions(options) }) : new http.Agent(kept);
    const { username, password, impersonate } = options;
    this.#headers = {
      accept: 'application/json',
      'user-agent': options.userAgent ?? 'k8ts',
      ...(username === undefined
        ? {}
        : { authorization: `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}` }),
      ...(impersonate === undefined ? {} : { 'impersonate-user': impersonate.user }),
      ...(impersonate?.groups === undefined ? {} : { 'impersonate-group': [...impersonate.groups] }),
    };
  }

  async request(request: ApiRequest): Promise<ApiResponse> {
    const isDelete = request.verb === 'delete' || request.verb === 'deletecollection';
    const body = isDelete ? deleteBody(request.options) : request.body;
    const { response, bytes } = await this.#exchange({
      method: methods[request.verb],
      path: requestUrl(request),
      body: body === undefined ? undefined : Buffer.from(JSON.stringify(body)),
      contentType: request.patchType ?? 'application/json',
      signal: request.signal,
      accept: acceptOf(request),
    });
    // A large list is megabytes to parse: whatever else is due goes first.
    if (bytes.length > 4 * 1024 * 1024) await turn();
    return {
      code: response.statusCode ?? 200,
      object: JSON.parse(bytes.toString('utf8')) as KubernetesObject,
      warnings: warningTexts(response.headers['warning']),
    };
  }

  async *watch(request: ApiRequest): AsyncGenerator<WatchEvent> {
    const { signal } = request;
    const { response } = await this.#exchange({
      method: 'GET',
      path: requestUrl(request),
      signal,
      streaming: true,
      accept: acceptOf(request),
    });
    try {
      for await (const line of jsonLines(response, MAX_EVENT_BYTES)) {
        const event = line as WatchEvent;
        if (event.type === 'ERROR') throw new StatusError(event.object as Status);
        yield event;
      }
      signal?.throwIfAborted();
    } catch (err) {
      signal?.throwIfAborted();
      throw err;
    } finally {
      response.destroy();
    }
  }

  async raw(path: string, signal?: AbortSignal): Promise<unknown> {
    const { response, bytes } = await this.#exchange({ method: 'GET', path, signal });
    const text = bytes.toString('utf8');
    return response.headers['content-type']?.includes('json') ? JSON.parse(text) : text;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Sends, and again when the server asks for it. The answer has been read, unless it is a stream. */
  async #exchange(exchange: Exchange): Promise<{ readonly response: http.IncomingMessage; readonly bytes: Buffer }> {
    for (let tries = 0; ; tries++) {
      exchange.signal?.throwIfAborted();
      const headers = await this.#requestHeaders(exchange);
      const response = await this.#send(exchange, headers);
      const code = response.statusCode ?? 0;
      if (code >= 200 && code < 300) {
        return { response, bytes: exchange.streaming ? Buffer.alloc(0) : await readBody(response, exchange.signal) };
      }
      const bytes = await readBody(response, exchange.signal);
      const retryAfter = retryAfterMs(response);
      if (retryAfter === undefined || tries >= MAX_RETRIES || (code !== 429 && code < 500)) throw errorOf(code, bytes);
      await this.#clock.sleep(retryAfter, exchange.signal);
    }
  }

  async #requestHeaders(exchange: Exchange): Promise<Record<string, string | string[]>> {
    const token = await this.#currentToken();
    return {
      ...this.#headers,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(exchange.accept === undefined ? {} : { accept: exchange.accept }),
      ...(exchange.body === undefined
        ? {}
        : { 'content-type': exchange.contentType ?? 'application/json', 'content-length': String(exchange.body.length) }),
    };
  }

  async #currentToken(): Promise<string | undefined> {
    const { token, tokenFile } = this.#options;
    if (tokenFile === undefined) return token;
    const now = this.#clock.monotonic();
    if (now - this.#tokenAt < TOKEN_FILE_MS) return this.#token;
    this.#token = (await readFile(tokenFile, 'utf8')).trim();
    this.#tokenAt = now;
    return this.#token;
  }

  async #send(exchange: Exchange, headers: Record<string, string | string[]>): Promise<http.IncomingMessage> {
    try {
      return await this.#sendOnce(exchange, headers);
    } catch (err) {
      // The server may close a kept connection just as it is used again. A read is then sent anew; a write may have been done.
      if (!(err instanceof ReusedConnectionError)) throw err;
      if (exchange.method !== 'GET') throw err.cause;
      return await this.#sendOnce(exchange, headers);
    }
  }

  #sendOnce(exchange: Exchange, headers: Record<string, string | string[]>): Promise<http.IncomingMessage> {
    return new Promise((resolve, reject) => {
      const { signal } = exchange;
      const request = (this.#secure ? https : http).request(
        {
          agent: this.#agent,
          host: this.#base.hostname.replace(/^\[|\]$/g, ''),
          port: this.#base.port,
          method: exchange.method,
          path: this.#prefix + exchange.path,
          headers,
          ...(signal === undefined ? {} : { signal }),
        },
        (response) => {
          timer.cancel();
          resolve(response);
        },
      );
      const timer = this.#clock.setTimer(this.#options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS, () =>
        request.destroy(new Error(`no answer from ${this.#base.host} in time`)),
      );
      if (exchange.streaming) request.setSocketKeepAlive(true, KEEP_ALIVE_MS);
      request.on('error', (err: NodeJS.ErrnoException) => {
        timer.cancel();
        if (signal?.aborted) reject(signal.reason);
        else if (request.reusedSocket && (err.code === 'ECONNRESET' || err.code === 'EPIPE'))
          reject(new ReusedConnectionError(err));
        else reject(err);
      });
      request.end(exchange.body);
    });
  }
}

class ReusedConnectionError extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause });
  }
}

function tlsOptions(options: HttpTransportOptions): https.AgentOptions {
  const { ca, cert, key, insecureSkipTlsVerify, tlsServerName } = options;
  return {
    checkServerIdentity: checkAlternativeNames,
    ...(ca === undefined ? {} : trusting(ca)),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(insecureSkipTlsVerify === true ? { rejectUnauthorized: false } : {}),
    ...(tlsServerName === undefined ? {} : { servername: tlsServerName }),
  };
}

async function readBody(response: http.IncomingMessage, signal: AbortSignal | undefined): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > MAX_BODY_BYTES) throw new Error('the answer is too large');
    }
  } catch (err) {
    signal?.throwIfAborted();
    throw err;
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length);
}

function retryAfterMs(response: http.IncomingMessage): number | undefined {
  const header = response.headers['retry-after'];
  if (header === undefined) return undefined;
  const seconds = Number(header);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1000, MAX_RETRY_AFTER_MS) : undefined;
}

/** The error an answer stands for: its Status, or one made from the code when the body is none (a proxy's page). */
function errorOf(code: number, bytes: Buffer): StatusError {
  const text = bytes.toString('utf8');
  try {
    const parsed = JSON.parse(text) as Status;
    if (parsed.kind === 'Status') return new StatusError(parsed);
  } catch {
    // Not JSON: the text itself is the message.
  }
  const reason = reasonsByCode[code] ?? '';
  return customError(code, reason, text.trim() === '' ? (http.STATUS_CODES[code] ?? `HTTP ${code}`) : text.slice(0, 2048).trim());
}

const reasonsByCode: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Gone',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** The texts of `Warning: 299 - "…"` headers. */
function warningTexts(header: string | undefined): readonly string[] {
  if (header === undefined) return [];
  return [...header.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map((match) => match[1]!.replace(/\\(.)/g, '$1'));
}
