import type { Duplex } from 'node:stream';
import { genericNotFound, isStatusError, unauthorized } from '../../api/meta/status.ts';
import { type ApiRequest, patchTypes, type UserInfo, type Verb } from '../../api/request.ts';
import { RepeatedText } from '../../api/wire/repeated-text.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import type { Random } from '../../util/random.ts';
import { TurnBudget } from '../../util/turn-budget.ts';
import type { AggregatedApis } from '../aggregation/contract.ts';
import { AuditedRequest } from '../audit/audited-request.ts';
import { asksToImpersonate, Impersonation } from '../authz/impersonation.ts';
import type { AuditSink, Authenticator, Authorizer, ClientCertificate, RequestAttributes } from '../contract.ts';
import type { FlowControl } from '../flow-control/flow-control.ts';
import type { Ticket } from '../flow-control/priority-level.ts';
import type { ConnectHandlers } from '../proxy/connect.ts';
import { isCustom } from '../rest/decode-body.ts';
import { type Dispatcher, type Outcome, readyToWatch, toObject } from '../rest/dispatch.ts';
import type { Endpoint } from '../rest/endpoint.ts';
import { acceptedPatches } from '../rest/patch.ts';
import type { Registry } from '../rest/registry.ts';
import { methodNotAllowed } from '../rest/scope.ts';
import { prepareWatch } from '../rest/watch.ts';
import { authenticate, authorize } from './authorize.ts';
import { readBody } from './body.ts';
import { leaveBody } from './connection-limits.ts';
import { Deadlines } from './deadlines.ts';
import { deprecationWarning } from './deprecation.ts';
import { Exchange, type Incoming, type Outgoing } from './exchange.ts';
import type { Inflight } from './inflight.ts';
import { isLongRunning } from './long-running.ts';
import type { Metrics } from './metrics.ts';
import { builtinOffer, customOffer, type MediaType, Negotiator, plainOffer } from './negotiation.ts';
import { PiecePool } from './piece-pool.ts';
import { parseOptions } from './query.ts';
import {
  isYaml,
  objectEncoding,
  patchTypeOf,
  type RequestBody,
  readObject,
  readPatch,
  withDeleteOptions,
} from './request-body.ts';
import type { RequestInfo } from './request-info.ts';
import { requestTimeout } from './request-timeout.ts';
import { CLIENT_GONE, respond, respondError } from './respond.ts';
import type { Routes } from './routes.ts';
import { unreadableObject, unreadablePatch } from './unreadable-body.ts';
import { WatchEncoders } from './watch-encoder-choice.ts';
import type { WatchEncoder } from './watch-encoders.ts';
import { WatchSocket } from './watch-socket.ts';
import { WatchStream } from './watch-stream.ts';
import { isWebSocket } from './web-socket.ts';
import { YamlReader } from './yaml-reader.ts';

/** What the stages of a request are made of. */
export interface PipelineParts {
  readonly registry: Registry;
  readonly dispatcher: Dispatcher;
  readonly routes: Routes;
  readonly connect: ConnectHandlers;
  /** Group versions that other servers serve. */
  readonly aggregated: () => AggregatedApis | undefined;
  readonly authenticators: readonly Authenticator[];
  readonly authorizer: Authorizer;
  readonly audit: AuditSink | undefined;
  readonly inflight: Inflight;
  /** Priority and fairness; without it only the number of requests is limited. */
  readonly flowControl: () => FlowControl | undefined;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Aborts when the server stops: watches end. */
  readonly shutdown: AbortSignal;
}

const noDuplicates: readonly string[] = [];
const nobody: UserInfo = { name: '', groups: [] };
const MASTERS = 'system:masters';
const NO_PAGE = Buffer.from('404 page not found\n');
const TOO_MANY = Buffer.from('Too many requests, please try again later.\n');

/**
 * The way of an HTTP request: information → authentication → limit → audit → authorization → the operation → the answer.
 * Every stage goes on at once when nothing has to be awaited, so that a read of what is in memory makes no promise.
 */
export class Pipeline {
  readonly #parts: PipelineParts;
  readonly #negotiator = new Negotiator();
  readonly #pool = new PiecePool();
  readonly #deadlines: Deadlines;
  readonly #encoders: WatchEncoders;
  readonly #impersonation: Impersonation;
  readonly #repeated: RepeatedText;
  readonly #yaml: YamlReader;
  readonly #turn = new TurnBudget();

  constructor(parts: PipelineParts) {
    this.#parts = parts;
    this.#impersonation = new Impersonation(parts.authorizer);
    this.#encoders = new WatchEncoders(parts.clock);
    this.#yaml = new YamlReader(parts.clock, parts.shutdown);
    this.#repeated = new RepeatedText(parts.random.uuid());
    this.#deadlines = new Deadlines(parts.clock, (exchange, error) => {
      parts.metrics.terminated(exchange, 504);
      this.#fail(exchange, error);
    });
  }

  /** A request that is answered by a response. */
  handle(req: Incoming, res: Outgoing, certificate: ClientCertificate | undefined, remoteAddress: string): void {
    this.#begin(this.#exchange(req, res, certificate, remoteAddress, undefined));
  }

  /** A client did not come through the TLS handshake. */
  handshakeFailed(): void {
    this.#parts.metrics.handshakeError();
  }

  /** A request that wants its connection for itself. */
  handleUpgrade(
    req: Incoming,
    socket: Duplex,
    head: Buffer,
    certificate: ClientCertificate | undefined,
    remoteAddress: string,
  ): void {
    this.#begin(this.#exchange(req, undefined, certificate, remoteAddress, { socket, head }));
  }

  #exchange(
    req: Incoming,
    res: Outgoing | undefined,
    certificate: ClientCertificate | undefined,
    remoteAddress: string,
    upgrade: { readonly socket: Duplex; readonly head: Buffer } | undefined,
  ): Exchange {
    const { clock, random } = this.#parts;
    const given = req.headers['audit-id'];
    const auditId = typeof given === 'string' && given !== '' ? given.slice(0, 64) : random.uuid();
    const exchange = new Exchange(req, res, auditId, certificate, remoteAddress, clock.monotonic(), upgrade);
    exchange.onDone = this.#done;
    exchange.onFault = this.#fault;
    return exchange;
  }

  readonly #done = (exchange: Exchange, code: number, bytes: number): void => {
    const { inflight, metrics, clock } = this.#parts;
    if (exchange.counted !== undefined) {
      inflight.leave(exchange.counted === 'mutating');
      this.#deadlines.end(exchange);
    }
    exchange.endLongRunning?.();
    exchange.endWatching?.();
    if (exchange.ticket !== undefined) this.#leaveFlow(exchange.ticket);
    if (exchange.upgrade === undefined) leaveBody(exchange.req, clock);
    metrics.observe(exchange, code, bytes, clock.monotonic() - exchange.startedAt);
    exchange.audit?.record(exchange, 'ResponseComplete', code);
  };

  readonly #fault = (exchange: Exchange, err: unknown): void => {
    const { method, path, auditId } = exchange;
    this.#parts.logger.error({ err, method, path, auditId }, 'answer broke off');
  };

  #begin(exchange: Exchange): void {
    try {
      const user = authenticate(this.#parts.authenticators, exchange);
      if (user instanceof Promise) {
        user.then(
          (u) => this.#authenticated(exchange, u),
          (err: unknown) => this.#unauthenticated(exchange, err),
        );
        return;
      }
      this.#authenticated(exchange, user);
    } catch (err) {
      this.#unauthenticated(exchange, err);
    }
  }

  #unauthenticated(exchange: Exchange, err: unknown): void {
    this.#parts.metrics.authenticated(false);
    this.#fail(exchange, err);
    this.#auditUnauthenticated(exchange);
  }

  /** Who could not tell who they are is recorded as nobody. */
  #auditUnauthenticated(exchange: Exchange): void {
    const { audit, clock } = this.#parts;
    if (audit === undefined) return;
    const attributes = attributesOf(exchange, nobody);
    const rule = audit.rule(attributes);
    if (rule === undefined) return;
    const { authorization = '' } = exchange.headers;
    const attempted = /^(basic|bearer) /i.exec(authorization)?.[1]?.toLowerCase();
    const audited = new AuditedRequest(audit, rule, attributes, clock);
    const how = attempted === undefined ? 'no credentials provided' : `attempted: ${attempted}`;
    audited.failed(unauthorized(`Authentication failed, ${how}`));
    audited.record(exchange, 'ResponseStarted', 401);
  }

  #fail(exchange: Exchange, err: unknown): void {
    exchange.audit?.failed(err);
    respondError(exchange, err, this.#parts.logger, this.#negotiator);
  }

  #authenticated(exchange: Exchange, user: UserInfo): void {
    const { metrics, audit, clock } = this.#parts;
    metrics.authenticated(true);
    if (audit !== undefined) {
      const attributes = attributesOf(exchange, user);
      const rule = audit.rule(attributes);
      if (rule !== undefined) {
        exchange.audit = new AuditedRequest(audit, rule, attributes, clock);
        exchange.audit.record(exchange, 'RequestReceived');
      }
    }
    if (!asksToImpersonate(exchange.headers)) {
      this.#known(exchange, user);
      return;
    }
    this.#impersonation
      .impersonate(attributesOf(exchange, user), exchange.rawHeaders)
      .then((other) => {
        if (other !== undefined) exchange.impersonator = { user, constraint: other.constraint };
        this.#known(exchange, other?.user ?? user);
      })
      .catch((err: unknown) => this.#fail(exchange, err));
  }

  #known(exchange: Exchange, user: UserInfo): void {
    try {
      exchange.user = user;
      const attributes = attributesOf(exchange, user);
      exchange.attributes = attributes;
      const longRunning = isLongRunning(exchange);
      if (longRunning) exchange.endLongRunning = this.#parts.metrics.longRunning(exchange);
      else if (exchange.query !== undefined) exchange.timeout = requestTimeout(exchange.query);
      const flow = this.#parts.flowControl();
      if (flow === undefined || (longRunning && attributes.verb !== 'watch')) this.#admitted(exchange, attributes, longRunning);
      else this.#enterFlow(flow, exchange, attributes, longRunning);
    } catch (err) {
      this.#fail(exchange, err);
    }
  }

  /** Goes on at once when there is room at the request's priority level, later when it has to wait its turn. */
  #enterFlow(flow: FlowControl, exchange: Exchange, attributes: RequestAttributes, longRunning: boolean): void {
    const ticket = flow.arrive(attributes, exchange.query, exchange.startedAt, exchange.timeout);
    exchange.ticket = ticket;
    if (ticket.state === 'running') {
      this.#admitted(exchange, attributes, longRunning);
      return;
    }
    if (ticket.state === 'refused') {
      this.#turnAway(flow, ticket, exchange);
      return;
    }
    const gone = (): void => flow.giveUp(ticket, 'cancelled');
    const closing = exchange.res ?? exchange.req;
    closing.once('close', gone);
    ticket.onDecision = () => {
      closing.off('close', gone);
      if (ticket.state !== 'running') this.#turnAway(flow, ticket, exchange);
      else if (exchange.isGone) exchange.done(CLIENT_GONE, 0);
      else this.#admitted(exchange, attributes, longRunning);
    };
  }

  /** Upstream's answer is a sentence, not a Status. */
  #turnAway(flow: FlowControl, ticket: Ticket, exchange: Exchange): void {
    this.#parts.metrics.terminated(exchange, 429);
    exchange.send(429, 'text/plain; charset=utf-8', TOO_MANY, {
      'retry-after': String(flow.retryAfter(ticket)),
      'x-content-type-options': 'nosniff',
    });
  }

  #leaveFlow(ticket: Ticket): void {
    const flow = this.#parts.flowControl();
    if (ticket.state === 'running') flow?.finish(ticket, this.#parts.clock.monotonic());
    else if (ticket.state === 'waiting') flow?.giveUp(ticket, 'cancelled');
  }

  #admitted(exchange: Exchange, attributes: RequestAttributes, longRunning: boolean): void {
    try {
      if (!longRunning) {
        const mutating = exchange.method !== 'GET' && exchange.method !== 'HEAD' && exchange.method !== 'OPTIONS';
        this.#enter(exchange, mutating);
        exchange.counted = mutating ? 'mutating' : 'read-only';
        this.#deadlines.begin(exchange, exchange.timeout);
      }
      const { audit } = exchange;
      const waiting = authorize(
        this.#parts.authorizer,
        attributes,
        audit === undefined ? undefined : ({ decision, reason = '' }) => noteDecision(audit.annotations, decision, reason),
      );
      if (waiting === undefined) this.#authorized(exchange);
      else {
        waiting.then(
          () => this.#authorized(exchange),
          (err: unknown) => this.#forbidden(exchange, err),
        );
      }
    } catch (err) {
      this.#forbidden(exchange, err);
    }
  }

  #forbidden(exchange: Exchange, err: unknown): void {
    if (isStatusError(err, 'Forbidden')) this.#parts.metrics.authorized(false);
    this.#fail(exchange, err);
  }

  #enter(exchange: Exchange, mutating: boolean): void {
    try {
      // Upstream never turns the cluster's masters away: they are who can mend it. Whom flow control let in is only counted.
      this.#parts.inflight.enter(mutating, exchange.ticket !== undefined || exchange.user?.groups.includes(MASTERS) === true);
    } catch (err) {
      this.#parts.metrics.terminated(exchange, 429);
      throw err;
    }
  }

  #authorized(exchange: Exchange): void {
    this.#parts.metrics.authorized(true);
    try {
      const elsewhere = this.#parts.aggregated()?.serve(exchange);
      if (elsewhere !== undefined) {
        // A watch of another server's holds no seat of this one.
        if (exchange.info.verb === 'watch' && exchange.ticket !== undefined) this.#leaveFlow(exchange.ticket);
        elsewhere.catch((err: unknown) => this.#fail(exchange, err));
      } else if (!exchange.info.isResourceRequest) this.#route(exchange);
      else this.#resource(exchange);
    } catch (err) {
      this.#fail(exchange, err);
    }
  }

  #route(exchange: Exchange): void {
    const handler = this.#parts.routes.find(exchange.path);
    if (handler === undefined) {
      this.#nowhere(exchange);
      return;
    }
    const { method, path, query, headers } = exchange;
    if (method !== 'GET' && method !== 'HEAD') throw methodNotAllowed();
    const answer = handler({ method, path, query, headers, user: exchange.user! });
    const send = (a: Awaited<typeof answer>): void => exchange.send(a.code, a.contentType, a.body, a.headers);
    if (answer instanceof Promise) answer.then(send).catch((err: unknown) => this.#fail(exchange, err));
    else send(answer);
  }

  /** The path is nobody's: upstream's multiplexer says so in Go's words. Known group versions answer with a Status. */
  #nowhere(exchange: Exchange): void {
    exchange.send(404, 'text/plain; charset=utf-8', NO_PAGE, { 'x-content-type-options': 'nosniff' });
  }

  #resource(exchange: Exchange): void {
    const { info } = exchange;
    const connect = this.#parts.connect.find(info.apiGroup, info.resource, info.subresource);
    if (connect !== undefined) {
      connect(exchange).catch((err: unknown) => this.#fail(exchange, err));
      return;
    }
    const { registry } = this.#parts;
    const known = registry.find(info.apiGroup, info.apiVersion, info.resource);
    const isKnown = known !== undefined;
    if (!isKnown && !registry.hasGroupVersion(info.apiGroup, info.apiVersion)) {
      this.#nowhere(exchange);
      return;
    }
    if (info.rest !== '') throw genericNotFound();
    if (isKnown) checkScope(known, info);
    if (info.verb === '' || exchange.method === 'HEAD') throw isKnown ? methodNotAllowed() : genericNotFound();
    if (exchange.upgrade !== undefined && !(info.verb === 'watch' && isWebSocket(exchange))) throw genericNotFound();
    const request = toApiRequest(exchange);
    const endpoint = this.#parts.registry.find(request.group, request.version, request.resource);
    const warning = endpoint === undefined ? undefined : deprecationWarning(endpoint.resource);
    if (warning !== undefined) {
      exchange.warnings.push(warning);
      this.#parts.metrics.deprecatedApi(exchange);
    }
    switch (request.verb) {
      case 'watch':
        this.#watch(exchange, request);
        break;
      case 'get':
      case 'list':
        this.#finish(exchange, request, noDuplicates, this.#media(exchange, request));
        break;
      case 'delete':
      case 'deletecollection':
        this.#delete(exchange, request, this.#media(exchange, request));
        break;
      default:
        this.#write(exchange, request, this.#media(exchange, request));
    }
  }

  #media(exchange: Exchange, request: ApiRequest): MediaType {
    const { accept } = exchange.headers;
    const endpoint = this.#parts.registry.find(request.group, request.version, request.resource);
    const offer = endpoint === undefined ? plainOffer : endpoint.protobuf === undefined ? customOffer : builtinOffer;
    return this.#negotiator.choose(accept, offer);
  }

  #delete(exchange: Exchange, request: ApiRequest, media: MediaType): void {
    this.#body(exchange, (body, read) => {
      const complete = withDeleteOptions(request, body, exchange.headers['content-type'], read);
      this.#finish(exchange, complete, noDuplicates, media);
    });
  }

  #write(exchange: Exchange, request: ApiRequest, media: MediaType): void {
    const contentType = exchange.headers['content-type'];
    const duplicates = request.options.fieldValidation !== 'Ignore';
    if (request.verb === 'patch') {
      const endpoint = this.#parts.registry.find(request.group, request.version, request.resource);
      if (endpoint === undefined) throw genericNotFound();
      const patchType = patchTypeOf(contentType, acceptedPatches(endpoint.resource));
      this.#body(
        exchange,
        (body, read) => {
          const repeated = patchType === patchTypes.apply ? this.#repeated : undefined;
          const { value, duplicateFields } =
            read ?? readPatch(body, patchType, duplicates, repeated, isCustom(endpoint.resource));
          this.#finish(exchange, { ...request, patchType, body: value }, duplicates ? duplicateFields : noDuplicates, media);
        },
        (err) => unreadablePatch(err, patchType),
      );
      return;
    }
    const type = this.#parts.dispatcher.bodyType(request);
    const encoding = objectEncoding(contentType, type);
    this.#body(
      exchange,
      (body, read) => {
        // An update comes with a status of its own, and what ends otherwise each time is not recognized.
        const repeated = request.verb === 'create' ? this.#repeated : undefined;
        const { value, duplicateFields } = readObject(body, encoding, type, duplicates, repeated, read);
        this.#finish(exchange, { ...request, body: value }, duplicates ? duplicateFields : noDuplicates, media);
      },
      (err, body) => unreadableObject(err, body, type?.kind),
    );
  }

  /**
   * Reads the whole body, then goes on with `use`; what it throws is answered. Long YAML comes with its value, or ends as `explain` has it.
   */
  #body(
    exchange: Exchange,
    use: (body: Buffer, read: RequestBody | undefined) => void,
    explain: (err: unknown, body: Buffer) => unknown = (err) => err,
  ): void {
    const go = (body: Buffer, read: RequestBody | undefined): void => {
      try {
        use(body, read);
      } catch (failure) {
        this.#fail(exchange, failure);
      }
    };
    readBody(exchange.req, this.#parts.clock, (err, body) => {
      if (err !== undefined) {
        this.#fail(exchange, err);
        return;
      }
      const reading = isYaml(exchange.headers['content-type']) ? this.#yaml.read(body) : undefined;
      if (reading === undefined) this.#turn.run(() => go(body, undefined));
      else
        reading.then(
          (read) => go(body, read),
          (failure: unknown) => this.#fail(exchange, explain(failure, body)),
        );
    });
  }

  #finish(exchange: Exchange, request: ApiRequest, duplicates: readonly string[], media: MediaType): void {
    const { dispatcher, clock } = this.#parts;
    const { audit } = exchange;
    audit?.requested(request.verb.startsWith('delete') ? deleteOptions(request) : request.body);
    const outcome = dispatcher.dispatch(
      request,
      exchange.user!,
      exchange.agent,
      exchange.warnings,
      duplicates,
      audit?.annotations,
    );
    const done = (o: Outcome): void => {
      audit?.answered(() => toObject(o));
      respond(exchange, o, media, clock, this.#pool);
    };
    if (outcome instanceof Promise) outcome.then(done).catch((err: unknown) => this.#fail(exchange, err));
    else done(outcome);
  }

  #watch(exchange: Exchange, request: ApiRequest): void {
    const endpoint = this.#parts.registry.find(request.group, request.version, request.resource);
    if (endpoint === undefined || request.subresource !== undefined) throw genericNotFound();
    if (!endpoint.resource.verbs.includes('watch')) throw methodNotAllowed();
    if (endpoint.resource.deprecation !== undefined) exchange.warnings.push(endpoint.resource.deprecation);
    const media = this.#media(exchange, request);
    const encoder = this.#encoders.choose(exchange, endpoint, media);
    const waiting = readyToWatch(endpoint, request, this.#parts.clock);
    if (waiting === undefined) this.#startWatch(exchange, request, endpoint, encoder);
    else {
      waiting
        .then(() => this.#startWatch(exchange, request, endpoint, encoder))
        .catch((err: unknown) => this.#fail(exchange, err));
    }
  }

  #startWatch(exchange: Exchange, request: ApiRequest, endpoint: Endpoint, encoder: WatchEncoder): void {
    const { clock, random, shutdown, metrics } = this.#parts;
    const prepared = prepareWatch(endpoint, request, clock, random);
    const onEvents = (count: number, bytes: number): void => metrics.watchEvents(endpoint.resource, count, bytes);
    exchange.audit?.record(exchange, 'ResponseStarted', 200);
    const { ticket } = exchange;
    if (ticket !== undefined) {
      exchange.endWatching = this.#parts.flowControl()?.watching(ticket.request);
      exchange.onFollowing = () => this.#leaveFlow(ticket);
    }
    if (exchange.upgrade !== undefined) new WatchSocket(exchange, endpoint, encoder, onEvents).run(prepared, shutdown);
    else if (exchange.isGone) exchange.done(CLIENT_GONE, 0);
    else new WatchStream(exchange, endpoint, encoder, onEvents).run(prepared, shutdown);
  }
}

function noteDecision(annotations: Map<string, string>, decision: string, reason: string): void {
  annotations.set('authorization.k8s.io/decision', decision === 'allow' ? 'allow' : 'forbid');
  annotations.set('authorization.k8s.io/reason', reason);
}

/** What the body of a delete said. */
function deleteOptions({ options }: ApiRequest): object {
  const { gracePeriodSeconds, propagationPolicy, orphanDependents, preconditions, dryRun } = options;
  return {
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(preconditions === undefined ? {} : { preconditions }),
    ...(orphanDependents === undefined ? {} : { orphanDependents }),
    ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
    ...(dryRun === undefined ? {} : { dryRun }),
  };
}

function attributesOf(exchange: Exchange, user: UserInfo): RequestAttributes {
  const { info, query } = exchange;
  const selects = query !== undefined && (info.verb === 'list' || info.verb === 'watch' || info.verb === 'deletecollection');
  return {
    user,
    verb: info.verb,
    isResourceRequest: info.isResourceRequest,
    apiGroup: info.apiGroup,
    apiVersion: info.apiVersion,
    resource: info.resource,
    subresource: info.subresource,
    namespace: info.namespace,
    name: info.name,
    path: info.path,
    ...(selects ? selectorsOf(query) : undefined),
  };
}

function selectorsOf(query: URLSearchParams): { readonly fieldSelector?: string; readonly labelSelector?: string } {
  const fieldSelector = query.get('fieldSelector');
  const labelSelector = query.get('labelSelector');
  return {
    ...(fieldSelector === null ? {} : { fieldSelector }),
    ...(labelSelector === null ? {} : { labelSelector }),
  };
}

/**
 * Objects are found where they are: those of the cluster in no namespace, the others in theirs. Across namespaces they are listed and
 * watched; upstream has a path for that, so that other methods on it are not allowed, but for custom resources none.
 */
function checkScope({ id, resource, protobuf }: Endpoint, info: RequestInfo): void {
  if (!resource.namespaced) {
    if (info.namespace !== '' && id !== '/namespaces') throw genericNotFound();
  } else if (info.namespace === '' && info.verb !== 'list' && info.verb !== 'watch') {
    throw info.name === '' && protobuf !== undefined ? methodNotAllowed() : genericNotFound();
  }
}

function toApiRequest(exchange: Exchange): ApiRequest {
  const { info } = exchange;
  // `/api/v1/namespaces/x` is about the namespace object, which lies in no namespace.
  const namespace = info.resource === 'namespaces' && info.apiGroup === '' ? '' : info.namespace;
  const options = parseOptions(exchange.query);
  const waits = info.verb === 'deletecollection' || (options.resourceVersion !== undefined && info.verb !== 'watch');
  return {
    verb: info.verb as Verb,
    group: info.apiGroup,
    version: info.apiVersion,
    resource: info.resource,
    ...(info.subresource === '' ? undefined : { subresource: info.subresource }),
    namespace,
    name: info.nameFromSelector ? '' : info.name,
    options,
    // What may have to wait, or goes on for long, ends with its client.
    ...(waits ? { signal: exchange.signal } : undefined),
  };
}
