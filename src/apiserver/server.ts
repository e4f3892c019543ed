import type { Duplex } from 'node:stream';
import type { KubernetesObject, WatchEvent } from '../api/meta/object.ts';
import { genericNotFound, qualified } from '../api/meta/status.ts';
import type { ApiRequest, ApiResponse, RequestHandler, UserInfo } from '../api/request.ts';
import type { Resource } from '../api/resource.ts';
import type { Descriptions } from '../api/schema/openapi.ts';
import type { Store } from '../store/contract.ts';
import { openCollection } from '../store/memory-collection.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { Random } from '../util/random.ts';
import type { AggregatedApis } from './aggregation/contract.ts';
import type {
  AdmissionPlugin,
  ApiAccess,
  AuditSink,
  Authenticator,
  Authorizer,
  ClientCertificate,
  FieldManager,
  SubresourceHandler,
  VirtualResource,
} from './contract.ts';
import { StartHooks } from './discovery/health-checks.ts';
import { managerOfUser } from './field-manager/manager-name.ts';
import type { FlowControl } from './flow-control/flow-control.ts';
import { authorize } from './http/authorize.ts';
import type { Incoming, Outgoing } from './http/exchange.ts';
import { defaultInflightLimits, Inflight, type InflightLimits } from './http/inflight.ts';
import { type Listener, type ListenOptions, listen } from './http/listener.ts';
import { Metrics, metric } from './http/metrics.ts';
import { Pipeline } from './http/pipeline.ts';
import { type RouteHandler, Routes } from './http/routes.ts';
import { ConnectGate, type ConnectHandler, ConnectHandlers } from './proxy/connect.ts';
import { AdmissionChains } from './rest/admission-chain.ts';
import { attributesOf } from './rest/attributes.ts';
import type { Core } from './rest/core.ts';
import { Dispatcher, readyToWatch, toObject } from './rest/dispatch.ts';
import { watchObjects } from './rest/object-watch.ts';
import { Registry } from './rest/registry.ts';
import { methodNotAllowed } from './rest/scope.ts';
import { seed } from './rest/seed.ts';
import { prepareWatch } from './rest/watch.ts';
import type { WriteGuard } from './rest/write-guard.ts';
import type { PortRange } from './services/ranges.ts';

/** What an API server is made of. Chains are asked in the order given. */
export interface ApiServerOptions {
  readonly store: Store;
  readonly resources: readonly Resource[];
  readonly virtualResources?: readonly VirtualResource[];
  readonly subresourceHandlers?: readonly SubresourceHandler[];
  readonly authenticators: readonly Authenticator[];
  readonly authorizer: Authorizer;
  readonly admission: readonly AdmissionPlugin[];
  readonly audit?: AuditSink;
  readonly fieldManager?: FieldManager;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly inflight?: InflightLimits;
  /** Ranges of Service addresses: one, or one of each family. Upstream's default when left out. */
  readonly serviceCidrs?: readonly string[];
  readonly nodePortRange?: PortRange;
  /** Where legacy discovery tells clients to go, `host:port`. */
  readonly advertiseAddress?: string;
  /** What types and fields mean, for OpenAPI: asked for when a document is made, and best not kept. */
  readonly descriptions?: () => Descriptions | undefined;
  /** What the server calls itself in `/version`. */
  readonly version?: Readonly<Record<string, string>>;
  /** What the server was started with, by upstream's names of flags: what `/flagz` tells. No secrets. */
  readonly flags?: Readonly<Record<string, string>>;
}

/** How long running requests may take to finish when the server closes. */
const DEFAULT_GRACE_MS = 2_000;

/** The one pipeline behind both doors: HTTP, and calls in the same process. */
export class ApiServer implements RequestHandler {
  readonly registry: Registry;
  readonly routes = new Routes();
  readonly metrics: Metrics;
  readonly access: ApiAccess;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What must be done before the server counts as ready. */
  readonly startHooks = new StartHooks();
  /** What handlers of streams ask before they connect. */
  readonly connectGate: ConnectGate;
  /** Group versions that other servers serve; undefined while there can be none. */
  aggregated: AggregatedApis | undefined;
  /** Priority and fairness of requests that come over HTTP; `addFlowControl` sets it. */
  flowControl: FlowControl | undefined;
  readonly #authorizer: Authorizer;
  readonly #random: Random;
  readonly #dispatcher: Dispatcher;
  readonly #connect = new ConnectHandlers();
  readonly #pipeline: Pipeline;
  readonly #shutdown = new AbortController();
  readonly #listeners: Listener[] = [];

  constructor(options: ApiServerOptions, registry: Registry, guards: ReadonlyMap<string, WriteGuard>) {
    const { clock, random, logger, authorizer } = options;
    this.registry = registry;
    this.clock = clock;
    this.logger = logger;
    this.#authorizer = authorizer;
    this.#random = random;
    this.access = {
      view: (group, resource) => registry.view(group, resource),
      resources: () => registry.resources(),
      seed: (target, objects, manager) => {
        const endpoint = registry.find(target.group, target.version, target.resource);
        return endpoint === undefined ? Promise.resolve() : seed(core, endpoint, objects, manager);
      },
      handler: this,
      clock,
      random,
      logger,
    };
    const core: Core = {
      registry,
      chains: new AdmissionChains(options.admission, clock),
      access: this.access,
      clock,
      random,
      logger,
      fieldManager: options.fieldManager,
      authorizer,
      guards,
    };
    this.#dispatcher = new Dispatcher(core);
    this.connectGate = new ConnectGate(authorizer, core.chains);
    for (const handler of options.subresourceHandlers ?? []) this.#dispatcher.addHandler(handler);
    for (const virtual of options.virtualResources ?? []) {
      registry.addVirtual(
        virtual,
        options.resources.find((r) => r.group === virtual.group && r.version === virtual.version && r.plural === virtual.plural),
      );
    }
    const inflight = new Inflight(options.inflight ?? defaultInflightLimits);
    this.metrics = new Metrics(inflight);
    this.#pipeline = new Pipeline({
      registry,
      dispatcher: this.#dispatcher,
      routes: this.routes,
      connect: this.#connect,
      aggregated: () => this.aggregated,
      authenticators: options.authenticators,
      authorizer,
      audit: options.audit,
      inflight,
      flowControl: () => this.flowControl,
      metrics: this.metrics,
      clock,
      random,
      logger,
      shutdown: this.#shutdown.signal,
    });
    for (const plugin of options.admission) plugin.initialize?.(this.access);
    this.metrics.addSource(() => core.chains.metrics.text());
    this.metrics.addSource(() => options.admission.map((plugin) => plugin.metrics?.() ?? '').join(''));
    this.metrics.addSource(() => objectCounts(registry));
    this.metrics.addSource(() => options.audit?.metrics?.() ?? '');
  }

  /** Serves a path that is no resource. */
  addRoute(path: string, handler: RouteHandler): void {
    this.routes.add(path, handler);
  }

  /** Serves a path and everything below it; `prefix` ends in a slash. */
  addRoutePrefix(prefix: string, handler: RouteHandler): void {
    this.routes.addPrefix(prefix, handler);
  }

  /** Serves a subresource that is not a view of its parent. */
  addSubresourceHandler(handler: SubresourceHandler): void {
    this.#dispatcher.addHandler(handler);
  }

  hasSubresourceHandler(group: string, resource: string, subresource: string): boolean {
    return (
      this.#dispatcher.hasHandler(group, resource, subresource) || this.#connect.find(group, resource, subresource) !== undefined
    );
  }

  /** Serves a subresource that is a stream or a proxy. */
  addConnectHandler(group: string, resource: string, subresource: string, handler: ConnectHandler): void {
    this.#connect.add(group, resource, subresource, handler);
  }

  async handle(request: ApiRequest, user: UserInfo): Promise<ApiResponse> {
    const waiting = authorize(this.#authorizer, attributesOf(request, user));
    if (waiting !== undefined) await waiting;
    const elsewhere = this.aggregated?.handle(request, user);
    if (elsewhere !== undefined) return elsewhere;
    const warnings: string[] = [];
    const outcome = this.#dispatcher.dispatch(request, user, managerOfUser(user), warnings);
    const done = outcome instanceof Promise ? await outcome : outcome;
    return { code: 'entries' in done ? 200 : done.code, object: toObject(done), warnings };
  }

  async *watch(request: ApiRequest, user: UserInfo): AsyncIterable<WatchEvent> {
    const waiting = authorize(this.#authorizer, attributesOf({ ...request, verb: 'watch' }, user));
    if (waiting !== undefined) await waiting;
    const elsewhere = this.aggregated?.watch(request, user);
    if (elsewhere !== undefined) {
      yield* elsewhere;
      return;
    }
    const endpoint = this.registry.find(request.group, request.version, request.resource);
    if (endpoint === undefined) throw genericNotFound();
    if (!endpoint.resource.verbs.includes('watch')) throw methodNotAllowed();
    const ready = readyToWatch(endpoint, request, this.clock);
    if (ready !== undefined) await ready;
    const prepared = prepareWatch(endpoint, request, this.clock, this.#random);
    yield* watchObjects(endpoint, prepared, request.signal, this.#shutdown.signal);
  }

  async raw(path: string, user: UserInfo, _signal?: AbortSignal): Promise<unknown> {
    const mark = path.indexOf('?');
    const plain = mark < 0 ? path : path.slice(0, mark);
    const query = mark < 0 ? undefined : new URLSearchParams(path.slice(mark + 1));
    const waiting = authorize(this.#authorizer, {
      user,
      verb: 'get',
      isResourceRequest: false,
      apiGroup: '',
      apiVersion: '',
      resource: '',
      subresource: '',
      namespace: '',
      name: '',
      path: plain,
    });
    if (waiting !== undefined) await waiting;
    const elsewhere = this.aggregated?.raw(path, user);
    if (elsewhere !== undefined) return elsewhere;
    const handler = this.routes.find(plain);
    if (handler === undefined) throw genericNotFound();
    const answer = await handler({ method: 'GET', path: plain, query, headers: { accept: 'application/json' }, user });
    const text = Buffer.from(answer.body).toString();
    return answer.contentType.startsWith('application/json') ? (JSON.parse(text) as unknown) : text;
  }

  /** Opens a port. */
  async listen(options: ListenOptions): Promise<Listener> {
    const listener = await listen(options, this.#pipeline, this.clock);
    this.#listeners.push(listener);
    return listener;
  }

  /** The pipeline's HTTP door, for hosts that bring their own server. */
  serve(req: Incoming, res: Outgoing, certificate: ClientCertificate | undefined, remoteAddress: string): void {
    this.#pipeline.handle(req, res, certificate, remoteAddress);
  }

  serveUpgrade(
    req: Incoming,
    socket: Duplex,
    head: Buffer,
    certificate: ClientCertificate | undefined,
    remoteAddress: string,
  ): void {
    this.#pipeline.handleUpgrade(req, socket, head, certificate, remoteAddress);
  }

  /** Aborts when the server closes. */
  get shutdown(): AbortSignal {
    return this.#shutdown.signal;
  }

  /** Whether `close` has been called: `/readyz` says so first. */
  get closing(): boolean {
    return this.#shutdown.signal.aborted;
  }

  /** Ends watches, lets requests finish, closes ports and collections. The store stays open: it was not opened here. */
  async close(graceMs = DEFAULT_GRACE_MS): Promise<void> {
    this.#shutdown.abort();
    await Promise.all(this.#listeners.map((l) => l.close(graceMs)));
    await this.registry.close();
  }
}

/** How many objects there are of every type. */
function objectCounts(registry: Registry): string {
  const counts = new Map<string, { readonly group: string; readonly resource: string; readonly count: number }>();
  for (const { id, subject, collection } of registry.endpoints()) {
    if (!counts.has(id)) counts.set(id, { ...subject, count: collection.snapshot().size });
  }
  const all = [...counts.values()];
  const help =
    'Number of stored objects at the time of last check split by kind. In case of a fetching error, the value will be -1.';
  return (
    metric(
      'apiserver_resource_objects',
      'gauge',
      help,
      all.map(({ group, resource, count }) => `apiserver_resource_objects{group="${group}",resource="${resource}"} ${count}`),
      'ALPHA',
    ) +
    metric(
      'apiserver_storage_objects',
      'gauge',
      `[DEPRECATED, consider using apiserver_resource_objects instead] ${help}`,
      all.map((of) => `apiserver_storage_objects{resource="${qualified(of)}"} ${of.count}`),
    )
  );
}

/** Where component statuses would be stored, if they were: they are in memory only. */
const COMPONENT_STATUS_PREFIX = '/registry/componentstatuses';

/** What can only be created is answered and forgotten: the reviews. Somebody has to answer them (`virtualResources`). */
const isStored = (resource: Resource): boolean => resource.verbs.length > 1 || resource.verbs[0] !== 'create';

/** Opens every collection and puts the server together; it serves from here on. */
export async function createCore(options: ApiServerOptions, guards: Map<string, WriteGuard>): Promise<ApiServer> {
  const { store, clock, logger } = options;
  const registry = new Registry((prefix, codec) =>
    openCollection<KubernetesObject>({
      store: prefix === COMPONENT_STATUS_PREFIX ? createMemoryStore({ clock, logger }) : store,
      prefix,
      codec,
      clock,
      logger: logger.child({ collection: prefix }),
    }),
  );
  await registry.add(options.resources.filter(isStored));
  return new ApiServer(options, registry, guards);
}
