import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { StatusError } from '../../api/meta/status.ts';
import type { UserInfo } from '../../api/request.ts';
import type { Clock } from '../../util/clock.ts';
import type { AuditEvent, AuditRule, AuditSink, AuditStage, RequestAttributes } from '../contract.ts';

/** Addresses that are told at most: clients write them. */
const MAX_ADDRESSES = 32;

/** What is told of the exchange itself. */
interface Told {
  readonly auditId: string;
  readonly req: { readonly url?: string | undefined };
  readonly headers: IncomingHttpHeaders;
  readonly userAgent: string;
  readonly remoteAddress: string;
  /** Milliseconds, monotonic. */
  readonly startedAt: number;
  readonly user: UserInfo | undefined;
  readonly impersonator: { readonly constraint: string } | undefined;
}

/** What is remembered of a request that is recorded, from its coming to its end. */
export class AuditedRequest {
  readonly rule: AuditRule;
  readonly #sink: AuditSink;
  readonly #clock: Clock;
  readonly #attributes: RequestAttributes;
  readonly #annotations = new Map<string, string>();
  #request: unknown;
  #response: unknown;
  #failure: AuditEvent['failure'];

  constructor(sink: AuditSink, rule: AuditRule, attributes: RequestAttributes, clock: Clock) {
    this.#sink = sink;
    this.rule = rule;
    this.#attributes = attributes;
    this.#clock = clock;
  }

  /** What admission and authorization have to say of it. */
  get annotations(): Map<string, string> {
    return this.#annotations;
  }

  requested(body: unknown): void {
    if (this.rule.level !== 'Metadata') this.#request = body;
  }

  /** `make` is called only when the answer is recorded. */
  answered(make: () => unknown): void {
    if (this.rule.level === 'RequestResponse') this.#response = make();
  }

  failed(err: unknown): void {
    if (!(err instanceof StatusError)) return;
    const { status = 'Failure', message = '', reason = '' } = err.status;
    this.#failure = { status, message, reason };
    this.answered(() => err.status);
  }

  record(exchange: Told, stage: AuditStage, code?: number): void {
    const { user, impersonator } = exchange;
    const now = this.#clock.now();
    this.#sink.record({
      auditId: exchange.auditId,
      stage,
      rule: this.rule,
      attributes: this.#attributes,
      ...(impersonator === undefined || user === undefined
        ? {}
        : { impersonatedUser: user, impersonationConstraint: impersonator.constraint }),
      requestUri: exchange.req.url ?? '',
      sourceAddresses: sourceAddresses(exchange),
      userAgent: exchange.userAgent,
      receivedAt: now - (this.#clock.monotonic() - exchange.startedAt),
      stageAt: now,
      annotations: this.#annotations,
      ...(code === undefined ? {} : { code }),
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
      ...(this.#request === undefined ? {} : { requestObject: this.#request }),
      ...(this.#response === undefined || stage !== 'ResponseComplete' ? {} : { responseObject: this.#response }),
    });
  }
}

/** Upstream's SourceIPs: those that proxies tell of, then the peer. */
function sourceAddresses({ headers, remoteAddress }: Told): readonly string[] {
  const forwarded = String(headers['x-forwarded-for'] ?? '').split(',');
  const real = headers['x-real-ip'];
  const told = [...forwarded, ...(typeof real === 'string' ? [real] : [])].map((a) => a.trim()).filter((a) => isIP(a) !== 0);
  const all = told.slice(0, MAX_ADDRESSES);
  const peer = remoteAddress.replace(/^::ffff:/, '');
  return peer === '' || all.at(-1) === peer ? all : [...all, peer];
}
