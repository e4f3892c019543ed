import { Agent } from 'node:https';
import type { KubernetesObject, Status, WatchEvent } from '../../api/meta/object.ts';
import { internalStatus, isConflict, isNotFound, StatusError, serviceUnavailable } from '../../api/meta/status.ts';
import { formatTime } from '../../api/meta/time.ts';
import type { ApiRequest, ApiResponse, UserInfo } from '../../api/request.ts';
import { deleteBody, requestUrl } from '../../api/request-url.ts';
import type { APIService } from '../../api/types/apiregistration-v1.ts';
import type { Service } from '../../api/types/core-v1.ts';
import type { EndpointSlice } from '../../api/types/discovery-v1.ts';
import { backoffDelay } from '../../util/backoff.ts';
import type { Timer } from '../../util/clock.ts';
import { jsonLines } from '../../util/json-lines.ts';
import { endpointResolver } from '../admission/webhook/service-resolver.ts';
import { loopbackUser, type ResourceView } from '../contract.ts';
import type { Shown } from '../discovery/shown.ts';
import type { Exchange } from '../http/exchange.ts';
import type { RouteAnswer, RouteRequest } from '../http/routes.ts';
import type { ApiServer } from '../server.ts';
import {
  type Availability,
  failedCheck,
  isAvailable,
  localAvailability,
  obstacle,
  passedAvailability,
  withAvailability,
} from './availability.ts';
import { AvailabilityMetrics } from './availability-metrics.ts';
import type { AggregatedApis, OpenApiV2Part, RemoteVersion } from './contract.ts';
import { proxyTo } from './proxy.ts';
import { GROUP, PLURAL, Registration } from './registration.ts';
import { type FrontProxyClient, RemoteApi, remoteKey } from './remote-api.ts';
import { openApiV2Part, openApiV3Hash, typesOf } from './remote-documents.ts';

export type { FrontProxyClient } from './remote-api.ts';

/** How long the availability check waits for an answer, and how many it makes before it gives up. */
const CHECK_TIMEOUT_MS = 5_000;
const CHECK_ATTEMPTS = 5;
/** How often an API that is available is looked at again (upstream's resync), in milliseconds. */
const RECHECK_MS = 30_000;
/** After failures. */
const retry = { initial: 500, max: RECHECK_MS, jitter: 0.1 };
/** What a request of this process may take, in milliseconds. */
const REQUEST_TIMEOUT_MS = 60_000;
/** The longest event of a watch, in bytes. */
const MAX_EVENT_BYTES = 64 * 1024 * 1024;
/** Whom availability is checked as. */
const aggregatorUser: UserInfo = { name: 'system:kube-aggregator', groups: ['system:masters'] };
const SERVICE_LABEL = 'kubernetes.io/service-name';

const methods = {
  get: 'GET',
  list: 'GET',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETE',
} as const;

/** Another server's group version, as it is known now. */
interface Remote {
  readonly key: string;
  readonly api: RemoteApi;
  available: boolean;
  stale: boolean;
  types: readonly Shown[];
  openApiV2: OpenApiV2Part | undefined;
  openApiV2Tag: string;
  openApiV3Hash: string | undefined;
  failures: number;
  timer: Timer | undefined;
}

/**
 * Serves APIs of other servers: keeps the APIService objects of what is served here, finds out which of the others
 * can be reached, and hands requests on to them. Ends with the server.
 */
export function addAggregation(server: ApiServer, client: FrontProxyClient): void {
  const view = server.access.view<APIService>(GROUP, PLURAL);
  if (view === undefined) return;
  const aggregator = new Aggregator(server, view, client);
  server.aggregated = aggregator;
  aggregator.start();
}

class Aggregator implements AggregatedApis {
  readonly #server: ApiServer;
  readonly #view: ResourceView<APIService>;
  readonly #client: FrontProxyClient;
  readonly #registration: Registration;
  readonly #checkAgent: Agent;
  readonly #metrics = new AvailabilityMetrics();
  /** By `group/version`. */
  readonly #remotes = new Map<string, Remote>();
  readonly #working = new Set<string>();
  readonly #again = new Set<string>();
  #registering = false;
  #registerAgain = false;
  #registerFailures = 0;

  constructor(server: ApiServer, view: ResourceView<APIService>, client: FrontProxyClient) {
    this.#server = server;
    this.#view = view;
    this.#client = client;
    this.#registration = new Registration(server, view);
    this.#checkAgent = new Agent({ ...client, keepAlive: false, rejectUnauthorized: false });
  }

  start(): void {
    const { access, shutdown, registry } = this.#server;
    for (const api of this.#view.list()) this.#look(api);
    this.#view.watch(({ object, type }) => {
      this.#look(object);
      if (type === 'deleted') this.#register();
    }, shutdown);
    access.view<Service>('', 'services')?.watch(({ object: { metadata } }) => {
      this.#lookAtService(metadata?.namespace ?? '', metadata?.name ?? '');
    }, shutdown);
    access.view<EndpointSlice>('discovery.k8s.io', 'endpointslices')?.watch(({ object: { metadata } }) => {
      this.#lookAtService(metadata?.namespace ?? '', metadata?.labels?.[SERVICE_LABEL] ?? '');
    }, shutdown);
    let generation = registry.generation;
    registry.onChange(() => {
      if (registry.generation === generation) return;
      generation = registry.generation;
      this.#register();
    });
    this.#register();
    this.#server.metrics.addSource(() => this.#metrics.text());
    shutdown.addEventListener('abort', () => this.#close(), { once: true });
  }

  #close(): void {
    for (const remote of this.#remotes.values()) this.#forget(remote);
    this.#remotes.clear();
    this.#checkAgent.destroy();
  }

  #forget(remote: Remote): void {
    remote.timer?.cancel();
    remote.api.close();
  }

  /** One pass at a time; what changes meanwhile is another. */
  #register(): void {
    if (this.#registering) {
      this.#registerAgain = true;
      return;
    }
    this.#registering = true;
    const { access, shutdown } = this.#server;
    // Not in the middle of the change that it was called by.
    void Promise.resolve()
      .then(() => this.#registration.reconcile())
      .then(() => {
        this.#registerFailures = 0;
      })
      .catch((err: unknown) => {
        if (shutdown.aborted) return;
        const failures = ++this.#registerFailures;
        access.logger.error({ err, failures }, 'APIServices could not be registered');
        access.clock.setTimer(backoffDelay(retry, failures, access.random), () => this.#register());
      })
      .finally(() => {
        this.#registering = false;
        const again = this.#registerAgain && !shutdown.aborted;
        this.#registerAgain = false;
        if (again) this.#register();
      });
  }

  #lookAtService(namespace: string, name: string): void {
    if (name === '' || this.#remotes.size === 0) return;
    for (const { api } of this.#remotes.values()) {
      const stored = this.#view.get('', api.name);
      if (stored?.spec?.service?.name === name && stored.spec.service.namespace === namespace) this.#look(stored);
    }
  }

  /** Brings the table in line with an APIService at once, and finds out about its availability beside it. */
  #look(object: APIService): void {
    const name = object.metadata?.name ?? '';
    const api = this.#view.get('', name);
    this.#route(api ?? object, api !== undefined);
    if (api === undefined) {
      this.#metrics.forget(name);
      return;
    }
    if (this.#working.has(name)) this.#again.add(name);
    else void this.#work(name);
  }

  #route(api: APIService, exists: boolean): void {
    const at = `${api.spec?.group ?? ''}/${api.spec?.version ?? ''}`;
    const known = this.#remotes.get(at);
    if (!exists || api.spec?.service === undefined) {
      if (known === undefined) return;
      this.#forget(known);
      this.#remotes.delete(at);
      this.#server.registry.touch();
      return;
    }
    const key = remoteKey(api);
    if (known?.key === key) {
      known.available = isAvailable(api);
      return;
    }
    if (known !== undefined) this.#forget(known);
    const { access } = this.#server;
    this.#remotes.set(at, {
      key,
      api: new RemoteApi(api, this.#client, endpointResolver(access), access.clock),
      available: isAvailable(api),
      stale: true,
      types: known?.types ?? [],
      openApiV2: known?.openApiV2,
      openApiV2Tag: '',
      openApiV3Hash: known?.openApiV3Hash,
      failures: 0,
      timer: undefined,
    });
    this.#server.registry.touch();
  }

  async #work(name: string): Promise<void> {
    this.#working.add(name);
    const { access, shutdown } = this.#server;
    try {
      do {
        this.#again.delete(name);
        await this.#reconcile(name);
      } while (this.#again.has(name) && !shutdown.aborted);
    } catch (err) {
      if (shutdown.aborted) return;
      access.logger.error({ err, apiService: name }, 'the availability of an API could not be told');
      access.clock.setTimer(RECHECK_MS, () => this.#lookAgain(name));
    } finally {
      this.#working.delete(name);
    }
  }

  #lookAgain(name: string): void {
    const api = this.#view.get('', name);
    if (api !== undefined && !this.#server.shutdown.aborted) this.#look(api);
  }

  async #reconcile(name: string): Promise<void> {
    const api = this.#view.get('', name);
    if (api === undefined) return;
    if (api.spec?.service === undefined) {
      await this.#writeStatus(api, localAvailability);
      return;
    }
    const remote = this.#remotes.get(`${api.spec.group ?? ''}/${api.spec.version ?? ''}`);
    if (remote === undefined) return;
    const availability = this.#obstacle(api) ?? (await this.#check(remote));
    if (this.#remotes.get(`${remote.api.group}/${remote.api.version}`) !== remote) return;
    const good = availability.status === 'True';
    remote.failures = good ? 0 : remote.failures + 1;
    if (remote.stale === good) {
      remote.stale = !good;
      this.#server.registry.touch();
    }
    await this.#writeStatus(api, availability);
    if (good) await this.#readOpenApi(remote);
    const { access, shutdown } = this.#server;
    remote.timer?.cancel();
    if (shutdown.aborted) return;
    const wait = good ? RECHECK_MS : backoffDelay(retry, remote.failures, access.random);
    remote.timer = access.clock.setTimer(wait, () => this.#lookAgain(name));
  }

  #obstacle(api: APIService): Availability | undefined {
    const { namespace = '', name = '' } = api.spec?.service ?? {};
    const { access } = this.#server;
    const service = access.view<Service>('', 'services')?.get(namespace, name);
    const slices = [...(access.view<EndpointSlice>('discovery.k8s.io', 'endpointslices')?.list(namespace) ?? [])];
    return obstacle(
      api,
      service,
      slices.filter((s) => s.metadata?.labels?.[SERVICE_LABEL] === name),
    );
  }

  /** Asks for the group version's resources, of several endpoints when one does not answer; what comes is discovery's too. */
  async #check(remote: Remote): Promise<Availability> {
    const { group, version } = remote.api;
    const path = `/apis/${group}/${version}`;
    let last = '';
    for (let attempt = 0; attempt < CHECK_ATTEMPTS && !this.#server.shutdown.aborted; attempt++) {
      let url = path;
      try {
        const { host, port } = remote.api.endpoint();
        url = `https://${host.includes(':') ? `[${host}]` : host}:${port}${path}`;
        const headers = { accept: 'application/json' };
        const options = { headers, timeoutMs: CHECK_TIMEOUT_MS, agent: this.#checkAgent };
        const { code, body } = await remote.api.request('GET', path, aggregatorUser, options);
        if (code < 200 || code >= 300) throw new Error(`bad status from ${url}: ${code}`);
        this.#learn(remote, body);
        return passedAvailability;
      } catch (err) {
        last = `failing or missing response from ${url}: ${(err as Error).message}`;
      }
    }
    return failedCheck(last);
  }

  /** An API may be available and yet tell nothing that can be read. */
  #learn(remote: Remote, body: Buffer): void {
    const { group, version, name } = remote.api;
    try {
      const types = typesOf(JSON.parse(body.toString()), group, version);
      if (JSON.stringify(types) === JSON.stringify(remote.types)) return;
      remote.types = types;
      this.#server.registry.touch();
    } catch (err) {
      this.#server.logger.warn({ err, apiService: name }, 'the resources of an aggregated API could not be read');
    }
  }

  /** OpenAPI is a courtesy: a server without it is as good. */
  async #readOpenApi(remote: Remote): Promise<void> {
    const { group, version, name } = remote.api;
    try {
      const headers = { accept: 'application/json' };
      const v3 = await remote.api.request('GET', '/openapi/v3', aggregatorUser, { headers, timeoutMs: CHECK_TIMEOUT_MS });
      const hash = v3.code === 200 ? openApiV3Hash(JSON.parse(v3.body.toString()), `apis/${group}/${version}`) : undefined;
      const known = remote.openApiV2Tag === '' ? {} : { 'if-none-match': remote.openApiV2Tag };
      const options = { headers: { ...headers, ...known }, timeoutMs: REQUEST_TIMEOUT_MS };
      const v2 = await remote.api.request('GET', '/openapi/v2', aggregatorUser, options);
      let changed = hash !== remote.openApiV3Hash;
      remote.openApiV3Hash = hash;
      if (v2.code === 200) {
        remote.openApiV2 = openApiV2Part(JSON.parse(v2.body.toString()), group, version);
        remote.openApiV2Tag = v2.headers.etag ?? '';
        changed = true;
      }
      if (changed) this.#server.registry.touch();
    } catch (err) {
      this.#server.logger.debug({ err, apiService: name }, 'the OpenAPI documents of an aggregated API could not be read');
    }
  }

  async #writeStatus(api: APIService, availability: Availability): Promise<void> {
    const available = availability.status === 'True';
    this.#metrics.set(api.metadata?.name ?? '', available);
    const body = withAvailability(api, availability, formatTime(this.#server.clock.now()));
    if (body === api) return;
    if (!available && (isAvailable(api) || api.status?.conditions === undefined)) {
      this.#metrics.lost(api.metadata?.name ?? '', availability.reason);
    }
    try {
      await this.#server.handle(
        {
          verb: 'update',
          group: GROUP,
          version: 'v1',
          resource: PLURAL,
          subresource: 'status',
          namespace: '',
          name: api.metadata?.name ?? '',
          options: { fieldManager: 'kube-aggregator' },
          body,
        },
        loopbackUser,
      );
    } catch (err) {
      // The change that was quicker is looked at anyway.
      if (!isConflict(err) && !isNotFound(err)) throw err;
    }
  }

  #find(path: string): Remote | undefined {
    if (this.#remotes.size === 0 || !path.startsWith('/apis/')) return undefined;
    const [group = '', version = ''] = path.slice('/apis/'.length).split('/', 2);
    return this.#remotes.get(`${group}/${version.split('?', 1)[0]}`);
  }

  serve(exchange: Exchange): Promise<void> | undefined {
    const remote = this.#find(exchange.path);
    return remote === undefined ? undefined : proxyTo(remote.api, remote.available, exchange, this.#server.clock);
  }

  handle(request: ApiRequest, user: UserInfo): Promise<ApiResponse> | undefined {
    if (this.#remotes.size === 0 || request.verb === 'watch') return undefined;
    const remote = this.#remotes.get(`${request.group}/${request.version}`);
    return remote === undefined ? undefined : this.#ask(remote, request, request.verb, user);
  }

  async #ask(remote: Remote, request: ApiRequest, verb: keyof typeof methods, user: UserInfo): Promise<ApiResponse> {
    const isDelete = verb === 'delete' || verb === 'deletecollection';
    const body = isDelete ? deleteBody(request.options) : request.body;
    const { code, object } = await this.#object(
      remote,
      methods[verb],
      requestUrl(request),
      user,
      {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': request.patchType ?? 'application/json' }),
      },
      body === undefined ? undefined : JSON.stringify(body),
    );
    return { code, object: object as KubernetesObject, warnings: [] };
  }

  watch(request: ApiRequest, user: UserInfo): AsyncIterable<WatchEvent> | undefined {
    const remote = this.#remotes.get(`${request.group}/${request.version}`);
    return remote === undefined ? undefined : this.#events(remote, request, user);
  }

  async *#events(remote: Remote, request: ApiRequest, user: UserInfo): AsyncGenerator<WatchEvent> {
    const path = requestUrl({ ...request, verb: 'watch' });
    if (!remote.available) throw unavailable();
    const answer = await remote.api.stream(path, user, { accept: 'application/json' }, REQUEST_TIMEOUT_MS).catch(unreachable);
    const { shutdown } = this.#server;
    const end = (): void => void answer.destroy();
    const signal = request.signal === undefined ? shutdown : AbortSignal.any([request.signal, shutdown]);
    signal.addEventListener('abort', end, { once: true });
    try {
      const code = answer.statusCode ?? 0;
      for await (const line of jsonLines(answer, MAX_EVENT_BYTES)) {
        if (code !== 200) throw statusOf(remote, code, line);
        const event = line as WatchEvent;
        if (event.type === 'ERROR') throw statusOf(remote, 500, event.object);
        yield event;
      }
    } catch (err) {
      if (!signal.aborted) throw err;
    } finally {
      signal.removeEventListener('abort', end);
      answer.destroy();
    }
  }

  /** The object of an answer, or its Status thrown. */
  async #object(
    remote: Remote,
    method: string,
    path: string,
    user: UserInfo,
    headers: Record<string, string>,
    body?: string,
  ): Promise<{ readonly code: number; readonly object: unknown }> {
    if (!remote.available) throw unavailable();
    const answer = await remote.api
      .request(method, path, user, { headers, timeoutMs: REQUEST_TIMEOUT_MS, ...(body === undefined ? {} : { body }) })
      .catch(unreachable);
    const text = answer.body.toString();
    let object: unknown = text;
    try {
      if (String(answer.headers['content-type']).includes('json')) object = JSON.parse(text);
    } catch {
      throw internalStatus(`the answer of ${remote.api.name} is no JSON`);
    }
    if (answer.code >= 200 && answer.code < 300) return { code: answer.code, object };
    throw statusOf(remote, answer.code, object);
  }

  raw(path: string, user: UserInfo): Promise<unknown> | undefined {
    const remote = this.#find(path);
    if (remote === undefined) return undefined;
    return this.#object(remote, 'GET', path, user, { accept: 'application/json' }).then(({ object }) => object);
  }

  discovery(): readonly RemoteVersion[] {
    const out: RemoteVersion[] = [];
    for (const {
      api: { name, group, version },
      types,
      stale,
    } of this.#remotes.values()) {
      const { groupPriorityMinimum = 0, versionPriority = 0 } = this.#view.get('', name)?.spec ?? {};
      out.push({ group, version, priority: { group: groupPriorityMinimum, version: versionPriority }, types, stale });
    }
    return out;
  }

  openApiV2(): readonly OpenApiV2Part[] {
    return [...this.#remotes.values()].flatMap(({ openApiV2 }) => openApiV2 ?? []);
  }

  openApiV3(): readonly (readonly [string, string])[] {
    return [...this.#remotes.values()].flatMap(({ api, openApiV3Hash: hash }) =>
      hash === undefined ? [] : [[`apis/${api.group}/${api.version}`, hash] as const],
    );
  }

  openApiV3Document(path: string, request: RouteRequest): Promise<RouteAnswer> | undefined {
    const remote = this.#find(`/${path}`);
    if (remote?.openApiV3Hash === undefined) return undefined;
    const query = request.query === undefined ? '' : `?${request.query}`;
    return this.#object(remote, 'GET', `/openapi/v3/${path}${query}`, aggregatorUser, { accept: 'application/json' }).then(
      ({ code, object }) => ({ code, contentType: 'application/json', body: Buffer.from(JSON.stringify(object)) }),
    );
  }
}

const unavailable = (): StatusError => serviceUnavailable('the server is currently unable to handle the request');

function unreachable(err: unknown): never {
  throw serviceUnavailable(`error trying to reach service: ${(err as Error).message}`);
}

/** What a server's refusal is to callers in this process: its own Status where it told one. */
function statusOf(remote: Remote, code: number, told: unknown): StatusError {
  const status = told as Partial<Status> | undefined;
  if (status?.kind === 'Status') return new StatusError({ ...(status as Status), code: status.code ?? code });
  return serviceUnavailable(`${remote.api.name} answered with ${code}: ${JSON.stringify(told).slice(0, 200)}`);
}
