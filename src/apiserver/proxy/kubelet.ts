import { Agent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import { badRequest, customError, internalStatus, StatusError, serviceUnavailable } from '../../api/meta/status.ts';
import type { PodAttachOptions, PodExecOptions } from '../../api/types/core-v1.ts';
import type { Clock } from '../../util/clock.ts';
import { trusting } from '../../util/trust.ts';
import type { Exchange } from '../http/exchange.ts';
import { methodNotAllowed } from '../rest/scope.ts';
import type { ApiServer } from '../server.ts';
import type { ConnectGate } from './connect.ts';
import {
  logQuery,
  podAttachOptions,
  podExecOptions,
  podLogOptions,
  podPortForwardOptions,
  proxyOptions,
  streamQuery,
} from './connect-options.ts';
import { dialError } from './dial-error.ts';
import { ask, forwardedHeaders, type HttpTarget, relay } from './http-proxy.ts';
import { type KubeletAddress, kubeletAddress, splitSchemeNamePort } from './kubelet-address.ts';
import { type AddressRule, chooseContainer, globalUnicast, type Location, Locations } from './locations.ts';
import { type Backend, tunnel } from './upgrade-tunnel.ts';
import { logOverWebSocket } from './websocket-log.ts';
import { carriesSpdy, tunnelSpdy } from './websocket-tunnel.ts';

/** How the API server calls kubelets, and what in the cluster it may be a proxy to. Certificates and keys are PEM. */
export interface KubeletClientOptions {
  /** What signed the kubelets' serving certificates. */
  readonly ca: string | Buffer;
  /** The client certificate, of a user that may do everything with `nodes/proxy` (`kube-apiserver-kubelet-client`). */
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** Which of a node's addresses is called, best first. */
  readonly preferredAddressTypes?: readonly string[];
  /** To which addresses of pods requests may be handed on; global unicast when left out. */
  readonly mayProxy?: AddressRule;
}

/** Idle connections kept to each kubelet or pod. */
const MAX_FREE_SOCKETS = 8;
/** How much of an error that a kubelet answers is told on. */
const MAX_ERROR_BYTES = 50_000;

const logMethods: ReadonlySet<string> = new Set(['GET', 'HEAD']);
const streamMethods: ReadonlySet<string> = new Set(['GET', 'POST']);

/**
 * Serves what lies at the kubelets and in pods: `pods/log`, `pods/exec`, `pods/attach`, `pods/portforward`, and `proxy` of pods, services
 * and nodes.
 */
export function addKubeletProxy(server: ApiServer, options: KubeletClientOptions): void {
  const proxy = new KubeletProxy(server, options);
  const add = (resource: string, subresource: string, serve: (exchange: Exchange) => Promise<void>): void =>
    server.addConnectHandler('', resource, subresource, serve);
  add('pods', 'log', (exchange) => proxy.log(exchange));
  add('pods', 'exec', (exchange) => proxy.stream(exchange, 'exec', podExecOptions(exchange.query)));
  add('pods', 'attach', (exchange) => proxy.stream(exchange, 'attach', podAttachOptions(exchange.query)));
  add('pods', 'portforward', (exchange) => proxy.portForward(exchange));
  add('pods', 'proxy', (exchange) => proxy.toPod(exchange));
  add('services', 'proxy', (exchange) => proxy.toService(exchange));
  add('nodes', 'proxy', (exchange) => proxy.toNode(exchange));
  server.shutdown.addEventListener('abort', () => proxy.close(), { once: true });
}

class KubeletProxy {
  readonly #clock: Clock;
  readonly #gate: ConnectGate;
  readonly #locations: Locations;
  readonly #mayProxy: AddressRule;
  readonly #preferred: readonly string[] | undefined;
  readonly #kubeletTls: ConnectionOptions;
  readonly #kubelets: HttpsAgent;
  /** For logs of a kubelet whose certificate the client said not to look at. */
  readonly #unverified: HttpsAgent;
  readonly #plain = new Agent({ keepAlive: true, maxFreeSockets: MAX_FREE_SOCKETS });
  /** As upstream: what pods present is nobody's to verify. */
  readonly #secure = new HttpsAgent({ keepAlive: true, maxFreeSockets: MAX_FREE_SOCKETS, rejectUnauthorized: false });

  constructor(server: ApiServer, options: KubeletClientOptions) {
    const { ca, cert, key, mayProxy = globalUnicast } = options;
    this.#clock = server.clock;
    this.#gate = server.connectGate;
    this.#mayProxy = mayProxy;
    this.#locations = new Locations(server.access, server.access.random, mayProxy);
    this.#preferred = options.preferredAddressTypes;
    this.#kubeletTls = { ...trusting(ca), cert, key };
    const common = { keepAlive: true, maxFreeSockets: MAX_FREE_SOCKETS, cert, key };
    this.#kubelets = new HttpsAgent({ ...common, ...trusting(ca) });
    this.#unverified = new HttpsAgent({ ...common, rejectUnauthorized: false });
  }

  close(): void {
    for (const agent of [this.#kubelets, this.#unverified, this.#plain, this.#secure]) agent.destroy();
  }

  /** `pods/log`: the kubelet's stream of text, as it comes. */
  async log(exchange: Exchange): Promise<void> {
    const { namespace, name } = exchange.info;
    if (!logMethods.has(exchange.method)) throw methodNotAllowed();
    const options = podLogOptions(exchange.query, name);
    const pod = this.#locations.pod(namespace, name);
    const container = chooseContainer(pod, options.container);
    const node = pod.spec?.nodeName ?? '';
    if (node === '') {
      // Upstream: nothing has been written yet.
      exchange.send(200, 'text/plain', Buffer.alloc(0));
      return;
    }
    const address = this.#kubelet(node);
    const agent = options.insecureSkipTLSVerifyBackend === true ? this.#unverified : this.#kubelets;
    const query = logQuery(options).toString();
    const path = `/containerLogs/${namespace}/${name}/${container}${query === '' ? '' : `?${query}`}`;
    const answer = await ask(exchange, { scheme: 'https', ...address, agent }, path, {}, false, this.#clock).catch(
      (err: unknown) => {
        throw customError(500, '', `Get ${JSON.stringify(`https://${hostPort(address)}${path}`)}: ${dialError(address, err)}`);
      },
    );
    const code = answer.statusCode ?? 502;
    if (code < 200 || code > 206) throw await kubeletError(answer, code, 'pods/log', name);
    if (exchange.upgrade !== undefined) {
      await logOverWebSocket(exchange, answer);
      return;
    }
    answer.headers = { 'content-type': 'text/plain', 'cache-control': 'no-cache, private' };
    relay(exchange, answer, undefined);
  }

  /** `pods/exec` and `pods/attach`. */
  async stream(exchange: Exchange, kind: 'exec' | 'attach', asked: PodExecOptions | PodAttachOptions): Promise<void> {
    const { namespace, name } = exchange.info;
    await this.#admitStream(exchange);
    const options = await this.#gate.admit(exchange, asked);
    const pod = this.#locations.pod(namespace, name);
    const container = chooseContainer(pod, options.container);
    const address = this.#kubelet(scheduledTo(pod.spec?.nodeName, name));
    if (exchange.upgrade === undefined) throw badRequest('Upgrade request required');
    const target = `/${kind}/${namespace}/${name}/${container}?${streamQuery(options)}`;
    await tunnel(exchange, this.#backend(address), target, hostPort(address), this.#clock);
  }

  async portForward(exchange: Exchange): Promise<void> {
    const { namespace, name } = exchange.info;
    await this.#admitStream(exchange);
    const options = await this.#gate.admit(exchange, podPortForwardOptions(exchange.query));
    const pod = this.#locations.pod(namespace, name);
    const address = this.#kubelet(scheduledTo(pod.spec?.nodeName, name));
    if (exchange.upgrade === undefined) throw badRequest('Upgrade request required');
    const ports = (options.ports ?? []).join(',');
    const target = `/portForward/${namespace}/${name}${ports === '' ? '' : `?port=${encodeURIComponent(ports)}`}`;
    const carry = carriesSpdy(exchange) ? tunnelSpdy : tunnel;
    await carry(exchange, this.#backend(address), target, hostPort(address), this.#clock);
  }

  async #admitStream(exchange: Exchange): Promise<void> {
    if (!streamMethods.has(exchange.method)) throw methodNotAllowed();
    if (exchange.upgrade !== undefined) await this.#gate.authorizeUpgrade(exchange);
  }

  async toPod(exchange: Exchange): Promise<void> {
    await this.#gate.admit(exchange, proxyOptions('PodProxyOptions', exchange.info.rest));
    await this.#hand(exchange, this.#locations.podLocation(exchange.info.namespace, exchange.info.name));
  }

  async toService(exchange: Exchange): Promise<void> {
    await this.#gate.admit(exchange, proxyOptions('ServiceProxyOptions', exchange.info.rest));
    await this.#hand(exchange, this.#locations.serviceLocation(exchange.info.namespace, exchange.info.name));
  }

  /** `nodes/proxy`: the kubelet itself, or another port of its machine. */
  async toNode(exchange: Exchange): Promise<void> {
    await this.#gate.admit(exchange, proxyOptions('NodeProxyOptions', exchange.info.rest));
    const { scheme, name, port } = splitSchemeNamePort(exchange.info.name, 'node');
    const address = this.#kubelet(name);
    if (port === '' || Number(port) === address.port) {
      await this.#hand(exchange, { scheme: 'https', ...address }, true);
      return;
    }
    if (!this.#mayProxy(address.host)) throw badRequest('address not allowed');
    await this.#hand(exchange, { scheme: scheme === 'https' ? 'https' : 'http', host: address.host, port: Number(port) });
  }

  /** Hands a request on to a place in the cluster: below its own path, and with the way back through here. */
  async #hand(exchange: Exchange, location: Location, kubelet = false): Promise<void> {
    const { scheme, host, port } = location;
    const path = backendPath(exchange);
    const query = exchange.query === undefined ? '' : (exchange.req.url ?? '').slice((exchange.req.url ?? '').indexOf('?'));
    const at = hostPort({ host, port: port === 0 ? (scheme === 'https' ? 443 : 80) : port });
    if (exchange.upgrade !== undefined) {
      const tls = kubelet ? this.#kubeletTls : scheme === 'https' ? { rejectUnauthorized: false } : undefined;
      const backend = { host, port: port === 0 ? (scheme === 'https' ? 443 : 80) : port, tls };
      await tunnel(exchange, backend, (path || '/') + query, exchange.headers.host ?? at, this.#clock);
      return;
    }
    if (path === '' && (exchange.method === 'GET' || exchange.method === 'HEAD')) {
      // Relative links of the page need the slash.
      exchange.send(301, 'text/plain', Buffer.alloc(0), { location: `${exchange.path}/${query}` });
      return;
    }
    const agent = kubelet ? this.#kubelets : scheme === 'https' ? this.#secure : this.#plain;
    const target: HttpTarget = { scheme, host, port, agent };
    const prefix = exchange.path.slice(0, exchange.path.length - exchange.info.rest.length).replace(/\/$/, '');
    const headers = forwardedHeaders(exchange);
    headers['x-forwarded-uri'] = prefix + path;
    headers['x-forwarded-host'] = exchange.headers.host ?? '';
    headers['x-forwarded-proto'] = 'https';
    // Pages have to be read to be rewritten.
    delete headers['accept-encoding'];
    const answer = await ask(exchange, target, (path || '/') + query, headers, true, this.#clock).catch((err: unknown) => {
      throw serviceUnavailable(`error trying to reach service: ${dialError(target, err)}`);
    });
    relay(exchange, answer, { prefix, backend: port === 0 ? host : hostPort({ host, port }) });
  }

  #kubelet(node: string): KubeletAddress {
    try {
      return kubeletAddress(this.#locations.node(node), this.#preferred);
    } catch (err) {
      if (err instanceof Error && err.message.startsWith('no preferred addresses')) throw internalStatus(err.message);
      throw err;
    }
  }

  #backend(address: KubeletAddress): Backend {
    return { ...address, tls: this.#kubeletTls };
  }
}

const hostPort = ({ host, port }: KubeletAddress): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);

function scheduledTo(node: string | undefined, pod: string): string {
  if (node === undefined || node === '') throw badRequest(`pod ${pod} does not have a host assigned`);
  return node;
}

/** The path behind the proxy's own, dot segments resolved so that it cannot lead out; '' when there is none. */
function backendPath(exchange: Exchange): string {
  const { rest } = exchange.info;
  if (rest === '') return exchange.path.endsWith('/') ? '/' : '';
  return posix.normalize(rest);
}

/** What a kubelet's error becomes: its text, under a reason of ours. */
async function kubeletError(answer: Readable, code: number, resource: string, name: string): Promise<Error> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    parts.push(chunk);
    size += chunk.length;
    if (size >= MAX_ERROR_BYTES) break;
  }
  const text = Buffer.concat(parts).subarray(0, MAX_ERROR_BYTES).toString();
  if (code === 500) return internalStatus(text);
  if (code === 400) return badRequest(text);
  const said = errorTexts[code] ?? {
    reason: '',
    text: `the server responded with the status code ${code} but did not return more information`,
  };
  const { status } = customError(code, said.reason, `${said.text} ( ${resource} ${name})`);
  const causes = [{ reason: 'UnexpectedServerResponse', message: text }];
  return new StatusError({ ...status, details: { name, kind: resource, causes } });
}

/** Go's client words for what a server says without words of ours (apimachinery's NewGenericServerResponse). */
const errorTexts: Readonly<Record<number, { readonly reason: string; readonly text: string }>> = {
  401: { reason: 'Unauthorized', text: 'the server has asked for the client to provide credentials' },
  403: { reason: 'Forbidden', text: 'unknown' },
  404: { reason: 'NotFound', text: 'the server could not find the requested resource' },
  405: { reason: 'MethodNotAllowed', text: 'the server does not allow this method on the requested resource' },
  429: { reason: 'TooManyRequests', text: 'the server has received too many requests and has asked us to try again later' },
  503: { reason: 'ServiceUnavailable', text: 'the server is currently unable to handle the request' },
};
