import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { posix } from 'node:path';
import type { ServiceReference, WebhookClientConfig } from '../../../api/types/admissionregistration-v1.ts';
import { parseExactly } from '../../../api/wire/exact-integers.ts';
import type { Clock } from '../../../util/clock.ts';
import { checkAlternativeNames, trusting } from '../../../util/trust.ts';
import { dialError } from '../../proxy/dial-error.ts';

/** What an answer may be, in bytes. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** Connections to one webhook at a time. */
const MAX_SOCKETS = 64;
/** Webhooks whose connections are kept. */
const MAX_AGENTS = 200;
/** How often a webhook may send elsewhere, as Go's client has it; only to paths of its own. */
const MAX_REDIRECTS = 10;
const DEFAULT_PORT = 443;

/** Where a Service is reached, by its name and one of its ports. Throws an Error when it cannot be. */
export type ResolveService = (namespace: string, name: string, port: number) => { readonly host: string; readonly port: number };

/** Calls webhooks over HTTPS, each trusted by its own CA bundle. Connections are kept and shared by what they are trusted by. */
export class WebhookClient {
  readonly #resolve: ResolveService;
  readonly #clock: Clock;
  readonly #agents = new Map<string, Agent>();

  constructor(resolve: ResolveService, clock: Clock) {
    this.#resolve = resolve;
    this.#clock = clock;
  }

  /** POSTs JSON and answers the parsed JSON. Rejects with an Error as Go's HTTP client words it. */
  async post(config: WebhookClientConfig, body: object, timeoutSeconds: number): Promise<unknown> {
    const { service } = config;
    const text = `${service === undefined ? webhookUrl(config.url ?? '') : serviceUrl(service)}?timeout=${timeoutSeconds}s`;
    try {
      const address =
        service === undefined ? undefined : this.#resolve(service.namespace, service.name, service.port ?? DEFAULT_PORT);
      const payload = Buffer.from(JSON.stringify(body));
      const until = this.#clock.monotonic() + timeoutSeconds * 1000;
      let target = new URL(text);
      let answer = await this.#send(target, address, config.caBundle ?? '', payload, until);
      for (let n = 1; answer.location !== undefined; n++) {
        if (n > MAX_REDIRECTS) throw new Error(`stopped after ${MAX_REDIRECTS} redirects`);
        const next = URL.parse(answer.location, target);
        if (next?.origin !== target.origin) break;
        target = next;
        answer = await this.#send(target, address, config.caBundle ?? '', payload, until);
      }
      if (answer.status < 200 || answer.status > 206) throw new AnswerFault(httpMessage(answer.status, answer.text.trim()));
      return parse(answer.text);
    } catch (err) {
      if (err instanceof AnswerFault) throw err;
      const target = URL.parse(text);
      const called = { host: target?.hostname ?? '', port: Number(target?.port || DEFAULT_PORT) };
      throw new Error(`Post ${JSON.stringify(text)}: ${dialError(called, err)}`);
    }
  }

  #send(
    target: URL,
    address: { readonly host: string; readonly port: number } | undefined,
    caBundle: string,
    payload: Buffer,
    until: number,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      let late: Error | undefined;
      const name = target.hostname.replace(/^\[|\]$/g, '');
      const request = httpsRequest(
        {
          agent: this.#agent(target.host, caBundle),
          method: 'POST',
          host: address?.host ?? name,
          port: address?.port ?? (target.port === '' ? DEFAULT_PORT : Number(target.port)),
          // Names are proved by SNI; addresses have none, and are proved by themselves.
          ...(isIP(name) === 0 ? { servername: name } : {}),
          path: `${target.pathname}${target.search}`,
          headers: {
            host: target.host,
            'content-type': 'application/json',
            accept: 'application/json, */*',
            'content-length': payload.length,
            'user-agent': 'kube-apiserver-admission',
          },
        },
        (answer) => {
          read(answer).then(resolve, (err: unknown) => reject(late ?? err));
        },
      );
      const timer = this.#clock.setTimer(until - this.#clock.monotonic(), () => {
        late = new Error('context deadline exceeded');
        request.destroy(late);
      });
      request.on('error', reject);
      request.on('close', () => timer.cancel());
      request.end(payload);
    });
  }

  #agent(host: string, caBundle: string): Agent {
    const key = `${host} ${caBundle}`;
    let agent = this.#agents.get(key);
    if (agent === undefined) {
      const oldest = this.#agents.keys().next().value;
      if (this.#agents.size >= MAX_AGENTS && oldest !== undefined) {
        this.#agents.get(oldest)?.destroy();
        this.#agents.delete(oldest);
      }
      agent = new Agent({
        keepAlive: true,
        maxSockets: MAX_SOCKETS,
        checkServerIdentity: checkAlternativeNames,
        ...(caBundle === '' ? {} : trusting(Buffer.from(caBundle, 'base64'))),
      });
      this.#agents.set(key, agent);
    }
    return agent;
  }
}

const serviceUrl = ({ name, namespace, path = '', port = DEFAULT_PORT }: ServiceReference): string =>
  `https://${name}.${namespace}.svc:${port}${goPath(path)}`;

function webhookUrl(url: string): string {
  const [, origin = url, path = ''] = /^([a-z]+:\/\/[^/?#]*)([^?#]*)/i.exec(url) ?? [];
  return origin + goPath(unescaped(path));
}

/** A path as upstream's client asks for it: from the root, without empty and dot segments or a slash at the end, escaped as Go does. */
const goPath = (path: string): string =>
  encodeURI(posix.resolve('/', path).toWellFormed()).replace(
    /[?#!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );

function unescaped(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function parse(text: string): unknown {
  try {
    return parseExactly(text);
  } catch (err) {
    throw new AnswerFault((err as Error).message);
  }
}

interface Answer {
  readonly status: number;
  readonly text: string;
  /** Where the same is to be asked instead: servers written in Go send from one form of a path to another. */
  readonly location: string | undefined;
}

async function read(answer: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new Error(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  const status = answer.statusCode ?? 0;
  const location = status === 307 || status === 308 ? answer.headers.location : undefined;
  return { status, text: Buffer.concat(chunks).toString(), location };
}

/** There was an answer, but it is no use. */
class AnswerFault extends Error {}

/** What client-go says of an answer that is not a 200. */
function httpMessage(status: number, text: string): string {
  switch (status) {
    case 400:
      return 'the server rejected our request for an unknown reason';
    case 401:
      return 'the server has asked for the client to provide credentials';
    case 403:
      return text === '' ? 'forbidden' : text;
    case 404:
      return 'the server could not find the requested resource';
    case 405:
      return 'the server does not allow this method on the requested resource';
    case 409:
      return 'the server reported a conflict';
    case 429:
      return 'the server has received too many requests and has asked us to try again later';
    case 503:
      return 'the server is currently unable to handle the request';
    case 504:
      return 'the server was unable to return a response in the time allotted, but may still be processing the request';
    default:
      return status >= 500
        ? `an error on the server (${JSON.stringify(text || 'unknown')}) has prevented the request from succeeding`
        : `the server responded with the status code ${status} but did not return more information`;
  }
}
