import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { Agent, request as httpsRequest } from 'node:https';
import { builtinResources } from '../api/groups/index.ts';
import type { Store } from '../store/contract.ts';
import { type Clock, systemClock } from '../util/clock.ts';
import { silentLogger } from '../util/logger.ts';
import { SeededRandom } from '../util/random.ts';
import type { Authorizer } from './contract.ts';
import { type ApiServer, type ApiServerOptions, createApiServer } from './index.ts';
import { createTestPki, type TestPki } from './test-certificates.ts';
import { openTestStore } from './test-store.ts';

/** An answer as a client sees it, whole. */
export interface Answer {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The body as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: what a test looks at is its own affair
  readonly json: any;
}

export interface Ask {
  readonly body?: unknown;
  readonly headers?: OutgoingHttpHeaders;
  /** Who asks; `admin`, who may do everything, unless said. `root` is one of the masters. */
  readonly as?: string;
}

/** A real API server over the memory store, spoken to over TLS. Time is the host's unless a clock is given. */
export class TestServer {
  readonly server: ApiServer;
  readonly store: Store;
  readonly pki: TestPki;
  readonly port: number;
  readonly #agent: Agent;
  #session: ClientHttp2Session | undefined;

  private constructor(server: ApiServer, store: Store, pki: TestPki, port: number) {
    this.server = server;
    this.store = store;
    this.pki = pki;
    this.port = port;
    this.#agent = new Agent({ keepAlive: true, ca: pki.ca, maxSockets: 64 });
  }

  static async start(options: Partial<ApiServerOptions> & { readonly pki?: TestPki } = {}): Promise<TestServer> {
    const clock: Clock = options.clock ?? systemClock;
    const store = options.store ?? (await openTestStore(clock));
    const pki = options.pki ?? (await createTestPki());
    const server = await createApiServer({
      store,
      resources: builtinResources,
      authenticators: [
        {
          name: 'test',
          authenticate: ({ headers }) => {
            const name = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
            return name === undefined
              ? undefined
              : { user: { name, groups: name === 'root' ? ['system:masters'] : ['system:authenticated'] } };
          },
        },
      ],
      authorizer: everything,
      admission: [],
      clock,
      random: new SeededRandom(1),
      logger: silentLogger,
      ...options,
    });
    const listener = await server.listen({ port: 0, tls: { ...pki.server, clientCa: pki.ca } });
    return new TestServer(server, store, pki, listener.address.port);
  }

  async close(): Promise<void> {
    const closing = this.server.close(100);
    // Answers that end now reach their readers before the connections go; the server's own patience may be on a virtual clock.
    await new Promise((resolve) => setTimeout(resolve, 20));
    this.#agent.destroy();
    this.#session?.destroy();
    await closing;
    await this.store.close();
  }

  /** Opens a request over HTTP/1.1 and gives the answer when its head has come. */
  open(method: string, path: string, ask: Ask = {}): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const { headers, body } = prepared(ask);
      const request = httpsRequest(
        { host: '127.0.0.1', port: this.port, method, path, headers, agent: this.#agent, servername: 'localhost' },
        resolve,
      );
      request.on('error', reject);
      request.end(body);
    });
  }

  async request(method: string, path: string, ask: Ask = {}): Promise<Answer> {
    const answer = await this.open(method, path, ask);
    return whole(answer.statusCode ?? 0, answer.headers, await read(answer));
  }

  /** As `request`, over HTTP/2. */
  async request2(method: string, path: string, ask: Ask = {}): Promise<Answer> {
    this.#session ??= connectHttp2(`https://localhost:${this.port}`, { ca: this.pki.ca });
    const { headers, body } = prepared(ask);
    const stream = this.#session.request({ ...headers, ':method': method, ':path': path });
    stream.end(body);
    const head = await new Promise<IncomingHttpHeaders & { readonly ':status'?: number }>((resolve, reject) => {
      stream.once('response', resolve);
      stream.once('error', reject);
    });
    return whole(head[':status'] ?? 0, head, await read(stream));
  }

  get = (path: string, ask?: Ask): Promise<Answer> => this.request('GET', path, ask);
  post = (path: string, body: unknown, ask: Ask = {}): Promise<Answer> => this.request('POST', path, { ...ask, body });
  put = (path: string, body: unknown, ask: Ask = {}): Promise<Answer> => this.request('PUT', path, { ...ask, body });
  remove = (path: string, body?: unknown, ask: Ask = {}): Promise<Answer> =>
    this.request('DELETE', path, body === undefined ? ask : { ...ask, body });
  patch = (path: string, type: string, body: unknown, ask: Ask = {}): Promise<Answer> =>
    this.request('PATCH', path, { ...ask, body, headers: { 'content-type': type, ...ask.headers } });

  /** A watch, read event by event. */
  async watch(path: string, ask: Ask = {}): Promise<Watching> {
    return new Watching(await this.open('GET', path, ask));
  }
}

const everything: Authorizer = { authorize: () => ({ decision: 'allow' }) };

function prepared({ body, headers = {}, as = 'admin' }: Ask): { headers: OutgoingHttpHeaders; body: Buffer | undefined } {
  const bytes =
    body === undefined
      ? undefined
      : Buffer.isBuffer(body)
        ? body
        : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return {
    body: bytes,
    headers: {
      authorization: `Bearer ${as}`,
      ...(bytes === undefined ? {} : { 'content-type': 'application/json', 'content-length': bytes.length }),
      ...headers,
    },
  };
}

async function read(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

function whole(code: number, headers: IncomingHttpHeaders, body: Buffer): Answer {
  return {
    code,
    headers,
    body,
    get json() {
      return JSON.parse(body.toString()) as unknown;
    },
  };
}

/** The events of a watch in JSON. */
export class Watching {
  readonly head: IncomingMessage;
  readonly #lines: AsyncIterator<string>;

  constructor(head: IncomingMessage) {
    this.head = head;
    this.#lines = lines(head);
  }

  /** The next event; undefined at the end. */
  // biome-ignore lint/suspicious/noExplicitAny: what a test looks at is its own affair
  async next(): Promise<any> {
    const { value, done } = await this.#lines.next();
    return done === true ? undefined : (JSON.parse(value) as unknown);
  }

  async take(count: number): Promise<unknown[]> {
    const out: unknown[] = [];
    for (let i = 0; i < count; i++) out.push(await this.next());
    return out;
  }

  stop(): void {
    this.head.destroy();
  }
}

async function* lines(stream: AsyncIterable<Buffer>): AsyncGenerator<string, void, undefined> {
  let rest = '';
  for await (const part of stream) {
    rest += part.toString();
    const found = rest.split('\n');
    rest = found.pop() ?? '';
    yield* found;
  }
}
