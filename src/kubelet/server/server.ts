import { readdir, readFile, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join, normalize } from 'node:path';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { UserInfo } from '../../api/request.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { ContainerRuntime } from '../../runtime/contract.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import { trusting } from '../../util/trust.ts';
import { readLog } from '../logs/read-log.ts';
import { activeSandbox, isRunning, type ObservedContainer, type ObservedPod } from '../observed/observed.ts';
import { errorText } from '../observed/runtime-errors.ts';
import { findContainer, podUid } from '../pods/pod-spec.ts';
import { cadvisorMetrics, resourceMetrics } from '../stats/stats-metrics.ts';
import { RateKeeper, type StatsSnapshot, summary } from '../stats/summary.ts';
import { certificateUser, type NodeAuthorizer, requestAttributes, type TokenAuthenticator } from './auth.ts';
import { refuse, Streaming, type StreamRequest, streamFlags } from './streaming.ts';

/** Go's limit of a request's head. Commands to run are in the URL. */
const MAX_HEADER_BYTES = 1024 * 1024;

/** How the server is set up. PEM texts. */
export interface ServerOptions {
  /** `0.0.0.0` unless said. */
  readonly address?: string;
  /** 10250 unless said; 0 for any. */
  readonly port?: number;
  readonly cert: string;
  readonly key: string;
  /** Clients with a certificate of this CA are who it says they are. */
  readonly clientCa?: string;
  /** TokenReview through the client unless said. */
  readonly authenticateToken?: TokenAuthenticator;
  /** SubjectAccessReview through the client unless said. */
  readonly authorize?: NodeAuthorizer;
}

/** What the server shows. */
export interface ServerContext {
  readonly nodeName: string;
  readonly runtime: ContainerRuntime;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where /logs/ looks. */
  readonly logRoot: string;
  readonly authenticateToken: TokenAuthenticator;
  readonly authorize: NodeAuthorizer;
  pods(): readonly Pod[];
  pod(namespace: string, name: string): Pod | undefined;
  observed(uid: string): ObservedPod;
  observedPods(): readonly ObservedPod[];
  /** What pods and node use now. */
  stats(): Promise<StatsSnapshot>;
  /** The text of /metrics. */
  metrics(): Promise<string>;
  /** The text of /metrics/probes. */
  probeMetrics(): Promise<string>;
  /** The body of /configz. */
  configz(): object;
  healthy(): string | undefined;
}

/** An answer that is not 200. */
class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** The kubelet's HTTPS server: `listen` resolves with the port. */
export class KubeletServer {
  readonly #options: ServerOptions;
  readonly #context: ServerContext;
  readonly #server: Server;
  readonly #streaming: Streaming;
  readonly #rates = new RateKeeper();
  readonly #sockets = new Set<Socket>();

  constructor(options: ServerOptions, context: ServerContext) {
    this.#options = options;
    this.#context = context;
    this.#streaming = new Streaming(context.runtime, context.logger);
    this.#server = createServer({
      cert: options.cert,
      key: options.key,
      minVersion: 'TLSv1.2',
      requestCert: options.clientCa !== undefined,
      // Those without a certificate may still have a token.
      rejectUnauthorized: false,
      maxHeaderSize: MAX_HEADER_BYTES,
      ...(options.clientCa === undefined ? {} : trusting(options.clientCa)),
    });
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('request', (req, res) => void this.#answer(req, res));
    this.#server.on('upgrade', (req, socket, head) => void this.#upgrade(req, socket, head));
    this.#server.on('tlsClientError', (err) => context.logger.debug({ err }, 'TLS handshake failed'));
  }

  listen(): Promise<number> {
    const { port = 10_250, address = '0.0.0.0' } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, address, () => resolve((this.#server.address() as AddressInfo).port));
    });
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      // Streams too, which the server no longer counts as connections of its own.
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  /** Who asks, and whether they may. Throws HttpError. */
  async #admit(req: IncomingMessage, path: string): Promise<UserInfo> {
    const { authenticateToken, authorize, nodeName, logger } = this.#context;
    const socket = req.socket as TLSSocket;
    let user = this.#options.clientCa === undefined ? undefined : certificateUser(socket);
    const bearer = /^Bearer\s+(\S+)$/i.exec(req.headers.authorization ?? '')?.[1];
    if (user === undefined && bearer !== undefined) {
      try {
        user = await authenticateToken(bearer);
      } catch (err) {
        logger.warn({ err }, 'unable to authenticate the request due to an error');
      }
    }
    if (user === undefined) throw new HttpError(401, 'Unauthorized');
    const method = req.method ?? 'GET';
    const attributes = requestAttributes(method, path, nodeName);
    for (const a of attributes) {
      try {
        if (await authorize(user, a)) return user;
      } catch (err) {
        throw new HttpError(
          500,
          `Authorization error (user=${user.name}, verb=${a.verb}, resource=nodes, subresource=${a.subresource}): ${errorText(err)}`,
        );
      }
    }
    throw new HttpError(
      403,
      `Forbidden (user=${user.name}, verb=${attributes[0]!.verb}, resource=nodes, subresource(s)=[${attributes.map((a) => a.subresource).join(' ')}])`,
    );
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    try {
      const url = new URL(req.url ?? '/', 'https://kubelet');
      await this.#admit(req, url.pathname);
      await this.#route(url, req, res);
    } catch (err) {
      const code = err instanceof HttpError ? err.code : 500;
      if (code === 500) this.#context.logger.warn({ err, url: req.url }, 'request failed');
      if (res.headersSent) {
        res.end();
        return;
      }
      res.writeHead(code, { 'content-type': 'text/plain; charset=utf-8' });
      res.end(`${errorText(err)}\n`);
    }
  }

  async #route(url: URL, req: IncomingMessage, res: ServerResponse): Promise<void> {
    const context = this.#context;
    const path = url.pathname.length > 1 ? url.pathname.replace(/\/+$/, '') : url.pathname;
    const parts = path
      .split('/')
      .filter((p) => p !== '')
      .map(decodeURIComponent);
    const json = (value: unknown): void => {
      res.writeHead(200, { 'content-type': 'application/json' });
      res.end(JSON.stringify(value));
    };
    const text = (value: string, type = 'text/plain; charset=utf-8'): void => {
      res.writeHead(200, { 'content-type': type });
      res.end(value);
    };
    const prometheus = 'text/plain; version=0.0.4; charset=utf-8';
    switch (parts[0]) {
      case 'healthz': {
        const sick = context.healthy();
        if (sick !== undefined && parts.length === 1) throw new HttpError(500, sick);
        return text('ok');
      }
      case 'pods':
        return json(podList(context.pods()));
      case 'runningpods':
        return json(
          podList(
            context
              .observedPods()
              .filter((p) => p.containers.some(isRunning))
              .map(runningPod),
          ),
        );
      case 'configz':
        return json(context.configz());
      case 'metrics':
        if (parts[1] === undefined) return text(await context.metrics(), prometheus);
        if (parts[1] === 'resource') return text(resourceMetrics(await context.stats()), prometheus);
        if (parts[1] === 'cadvisor') return text(cadvisorMetrics(await context.stats()), prometheus);
        if (parts[1] === 'probes') return text(await context.probeMetrics(), prometheus);
        break;
      case 'stats':
        if (parts[1] === 'summary') return json(summary(await context.stats(), this.#rates));
        break;
      case 'containerLogs':
        return this.#containerLogs(parts.slice(1), url.searchParams, req, res);
      case 'logs':
        return this.#hostLogs(parts.slice(1), res);
      case 'run': {
        const { container } = this.#container(parts.slice(1));
        const command = (url.searchParams.get('cmd') ?? '').split(' ').filter((w) => w !== '');
        const result = await context.runtime.execSync(container.id, command, 0);
        return text(Buffer.concat([result.stdout, result.stderr]).toString('utf8'));
      }
      case 'exec':
      case 'attach':
      case 'portForward':
        throw new HttpError(400, 'Upgrade request required');
      default:
        break;
    }
    throw new HttpError(404, '404 page not found');
  }

  async #upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    try {
      const url = new URL(req.url ?? '/', 'https://kubelet');
      await this.#admit(req, url.pathname);
      const parts = url.pathname
        .split('/')
        .filter((p) => p !== '')
        .map(decodeURIComponent);
      await this.#streaming.serve(this.#streamRequest(parts, url.searchParams), req, socket, head);
    } catch (err) {
      refuse(socket, err instanceof HttpError ? err.code : 500, errorText(err));
    }
  }

  #streamRequest(parts: readonly string[], query: URLSearchParams): StreamRequest {
    const [kind, ...rest] = parts;
    if (kind === 'portForward' && rest.length >= 2) {
      const sandbox = activeSandbox(this.#observedPod(rest[0]!, rest[1]!).observed);
      if (sandbox === undefined) throw new HttpError(500, `unable to do port forwarding: pod is not running`);
      const ports = query
        .getAll('port')
        .flatMap((p) => p.split(','))
        .map(Number)
        .filter((p) => p > 0);
      return { kind, sandboxId: sandbox.id, ports };
    }
    if (kind !== 'exec' && kind !== 'attach') throw new HttpError(404, '404 page not found');
    const flags = streamFlags(query);
    if (!flags.stdin && !flags.stdout && !flags.stderr)
      throw new HttpError(400, 'you must specify at least 1 of stdin, stdout, stderr');
    const { container } = this.#container(rest);
    if (!isRunning(container)) throw new HttpError(500, `container not running (${container.id})`);
    return kind === 'exec'
      ? { kind, containerId: container.id, command: query.getAll('command'), ...flags }
      : { kind, containerId: container.id, ...flags };
  }

  #observedPod(namespace: string, name: string): { readonly pod: Pod | undefined; readonly observed: ObservedPod } {
    const pod = this.#context.pod(namespace, name);
    if (pod === undefined) throw new HttpError(404, `pod does not exist`);
    return { pod, observed: this.#context.observed(podUid(pod)) };
  }

  /** The newest container at `namespace/pod[/uid]/container`. Throws HttpError. */
  #container(parts: readonly string[]): { readonly pod: Pod | undefined; readonly container: ObservedContainer } {
    const [namespace = '', name = ''] = parts;
    const containerName = parts[parts.length - 1] ?? '';
    const { pod, observed } = this.#observedPod(namespace, name);
    const container = observed.containers.find((c) => c.name === containerName);
    if (parts.length < 3 || container === undefined)
      throw new HttpError(404, `container not found (${JSON.stringify(containerName)})`);
    return { pod, container };
  }

  async #containerLogs(
    parts: readonly string[],
    query: URLSearchParams,
    req: IncomingMessage,
    res: ServerResponse,
  ): Promise<void> {
    const context = this.#context;
    const [namespace = '', name = '', containerName = ''] = parts;
    if (containerName === '') throw new HttpError(400, '{"message": "missing container name."}');
    const { pod, observed } = this.#observedPod(namespace, name);
    if (pod !== undefined && findContainer(pod, containerName) === undefined) {
      throw new HttpError(
        404,
        `container ${JSON.stringify(containerName)} not found in pod ${JSON.stringify(`${name}_${namespace}`)}`,
      );
    }
    const previous = query.get('previous') === 'true';
    const own = observed.containers.filter((c) => c.name === containerName && c.state !== 'created');
    const status = [
      ...(pod?.status?.containerStatuses ?? []),
      ...(pod?.status?.initContainerStatuses ?? []),
      ...(pod?.status?.ephemeralContainerStatuses ?? []),
    ].find((s) => s.name === containerName);
    // While it waits to be started again the last one to end is the previous one; the status knows.
    const before = status?.lastState?.terminated?.containerID;
    const container = previous ? own.find((c) => before?.endsWith(`://${c.id}`)) : own[0];
    const where = `pod ${JSON.stringify(name)}`;
    if (container === undefined) {
      if (previous)
        throw new HttpError(400, `previous terminated container ${JSON.stringify(containerName)} in ${where} not found`);
      const waiting = status?.state?.waiting?.reason ?? 'ContainerCreating';
      const reason =
        waiting === 'ErrImagePull'
          ? `image can't be pulled`
          : waiting === 'ImagePullBackOff'
            ? `trying and failing to pull image`
            : waiting;
      throw new HttpError(400, `container ${JSON.stringify(containerName)} in ${where} is waiting to start: ${reason}`);
    }
    const number = (key: string): number | undefined => {
      const value = query.get(key);
      if (value === null || value === '') return undefined;
      const parsed = Number(value);
      if (!Number.isInteger(parsed) || parsed < 0) throw new HttpError(400, `{"message": "Unable to decode query."}`);
      return parsed;
    };
    const sinceSeconds = number('sinceSeconds');
    const sinceTime = query.get('sinceTime');
    const since =
      sinceSeconds !== undefined ? context.clock.now() - sinceSeconds * 1000 : sinceTime ? Date.parse(sinceTime) : undefined;
    const tailLines = number('tailLines') ?? number('tail');
    const limitBytes = number('limitBytes');
    const stream = query.get('stream');
    const stop = new AbortController();
    res.on('close', () => stop.abort());
    req.on('aborted', () => stop.abort());
    const uid = pod === undefined ? '' : podUid(pod);
    const pieces = readLog({
      path: container.logPath,
      options: {
        follow: query.get('follow') === 'true',
        timestamps: query.get('timestamps') === 'true',
        ...(tailLines === undefined ? {} : { tailLines }),
        ...(since === undefined ? {} : { since }),
        ...(limitBytes === undefined ? {} : { limitBytes }),
        ...(stream === 'Stdout' || stream === 'Stderr'
          ? { stream: stream === 'Stdout' ? ('stdout' as const) : ('stderr' as const) }
          : {}),
      },
      clock: context.clock,
      running: () => context.observed(uid).containers.some((c) => c.id === container.id && isRunning(c)),
      signal: stop.signal,
    });
    res.writeHead(200, { 'content-type': 'text/plain', 'transfer-encoding': 'chunked' });
    // A client that follows wants to know that it is connected, before there is a line.
    res.flushHeaders();
    try {
      for await (const { data } of pieces) {
        if (!res.write(data))
          await new Promise<void>((resolve) => {
            const done = (): void => {
              res.off('drain', done);
              res.off('close', done);
              resolve();
            };
            res.on('drain', done);
            res.on('close', done);
          });
      }
    } catch (err) {
      // A container that has only just been made has no log yet: nothing to read.
      if ((err as NodeJS.ErrnoException).code !== 'ENOENT')
        res.write(`failed to try resolving symlinks in path ${JSON.stringify(container.logPath)}: ${errorText(err)}\n`);
    }
    res.end();
  }

  async #hostLogs(parts: readonly string[], res: ServerResponse): Promise<void> {
    const path = normalize(join(this.#context.logRoot, ...parts));
    if (path !== this.#context.logRoot && !path.startsWith(`${this.#context.logRoot}/`))
      throw new HttpError(404, '404 page not found');
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) throw new HttpError(404, '404 page not found');
    if (found.isDirectory()) {
      const names = (await readdir(path, { withFileTypes: true })).map((e) => (e.isDirectory() ? `${e.name}/` : e.name)).sort();
      res.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
      res.end(
        `<!doctype html>\n<pre>\n${names.map((n) => `<a href="${encodeURI(n)}">${n.replaceAll('<', '&lt;')}</a>`).join('\n')}\n</pre>\n`,
      );
      return;
    }
    if (!found.isFile()) throw new HttpError(404, '404 page not found');
    res.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
    res.end(await readFile(path));
  }
}

const podList = (items: readonly Pod[]): object => ({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items });

/** A pod as the runtime alone knows it. */
function runningPod(observed: ObservedPod): Pod {
  return {
    metadata: { name: observed.name, namespace: observed.namespace, uid: observed.uid },
    spec: { containers: observed.containers.filter(isRunning).map((c) => ({ name: c.name, image: c.image, resources: {} })) },
    status: {},
  };
}
