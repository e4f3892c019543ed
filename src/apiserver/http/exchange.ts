import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Duplex } from 'node:stream';
import { gzip, constants as zlibConstants } from 'node:zlib';
import type { UserInfo } from '../../api/request.ts';
import type { AuditedRequest } from '../audit/audited-request.ts';
import type { ClientCertificate, RequestAttributes } from '../contract.ts';
import { managerOfUserAgent } from '../field-manager/manager-name.ts';
import type { Ticket } from '../flow-control/priority-level.ts';
import { parseRequestInfo, type RequestInfo } from './request-info.ts';
import { REQUEST_TIMEOUT_MS } from './request-timeout.ts';

export type Incoming = IncomingMessage | Http2ServerRequest;
export type Outgoing = ServerResponse | Http2ServerResponse;

/** Answers smaller than this are never compressed (upstream: 128 KiB). */
export const GZIP_MIN_BYTES = 128 * 1024;
/** Go's and upstream's choice: the fastest. */
export const GZIP_LEVEL = zlibConstants.Z_BEST_SPEED;
/** All warnings of one answer together, in bytes; the rest is cut off as upstream does. */
const MAX_WARNING_BYTES = 4 * 1024;

/** One HTTP request on its way through the pipeline. */
export class Exchange {
  readonly req: Incoming;
  /** Undefined for upgrades, which answer on the socket. */
  readonly res: Outgoing | undefined;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams | undefined;
  readonly info: RequestInfo;
  readonly auditId: string;
  readonly certificate: ClientCertificate | undefined;
  readonly remoteAddress: string;
  /** Milliseconds, monotonic. */
  readonly startedAt: number;
  readonly upgrade: { readonly socket: Duplex; readonly head: Buffer } | undefined;
  /** Texts of the Warning headers. */
  readonly warnings: string[] = [];
  user: UserInfo | undefined;
  /** Who asked, when `user` is somebody they act as, and the verb that allowed it. */
  impersonator: { readonly user: UserInfo; readonly constraint: string } | undefined;
  attributes: RequestAttributes | undefined;
  /** How the inflight limiter counted it; undefined when it did not. */
  counted: 'mutating' | 'read-only' | undefined;
  /** Takes a watch or stream out of the number of those that run. */
  endLongRunning: (() => void) | undefined;
  /** The time it has, in milliseconds from `startedAt`; watches and streams have no end. */
  timeout = REQUEST_TIMEOUT_MS;
  /** What is recorded of it; undefined when nothing is. */
  audit: AuditedRequest | undefined;
  /** Its place under flow control; undefined where there is none. */
  ticket: Ticket | undefined;
  /** Ends the counting of a watch's watcher. */
  endWatching: (() => void) | undefined;
  /** Called when a watch has sent what there was at its beginning. */
  onFollowing: (() => void) | undefined;
  /** Called once, when the answer has been handed to the socket. */
  onDone: ((exchange: Exchange, code: number, bytes: number) => void) | undefined;
  /** Told of a fault after the answer's head has been sent, when no Status can be given any more. */
  onFault: ((exchange: Exchange, err: unknown) => void) | undefined;
  #gone: AbortController | undefined;

  constructor(
    req: Incoming,
    res: Outgoing | undefined,
    auditId: string,
    certificate: ClientCertificate | undefined,
    remoteAddress: string,
    startedAt: number,
    upgrade?: { readonly socket: Duplex; readonly head: Buffer },
  ) {
    const url = req.url ?? '/';
    const mark = url.indexOf('?');
    this.req = req;
    this.res = res;
    this.method = req.method ?? 'GET';
    this.path = mark < 0 ? url : url.slice(0, mark);
    this.query = mark < 0 ? undefined : new URLSearchParams(url.slice(mark + 1));
    this.info = parseRequestInfo(this.method, this.path, this.query);
    this.auditId = auditId;
    this.certificate = certificate;
    this.remoteAddress = remoteAddress;
    this.startedAt = startedAt;
    this.upgrade = upgrade;
  }

  get headers(): IncomingHttpHeaders {
    return this.req.headers;
  }

  get rawHeaders(): readonly string[] {
    return this.req.rawHeaders;
  }

  get userAgent(): string {
    return this.req.headers['user-agent'] ?? '';
  }

  /** The program's name: the User-Agent up to its slash, as managedFields record it. */
  get agent(): string {
    return managerOfUserAgent(this.userAgent) || 'unknown';
  }

  /** Whether nobody waits for the answer any more. HTTP/2's responses do not say it themselves. */
  get isGone(): boolean {
    const { res, upgrade } = this;
    if (res === undefined) return upgrade?.socket.destroyed === true;
    return (res as ServerResponse).destroyed || (res as Partial<Http2ServerResponse>).stream?.destroyed === true;
  }

  /** Aborts when the client goes away. Made at the first use. */
  get signal(): AbortSignal {
    if (this.#gone === undefined) {
      const gone = new AbortController();
      this.#gone = gone;
      (this.res ?? this.req).once('close', () => gone.abort(new Error('the client is gone')));
      if (this.req.destroyed && this.res?.writableEnded !== true && this.req.aborted) gone.abort();
    }
    return this.#gone.signal;
  }

  /** The headers that every answer has, with the given type. */
  responseHeaders(contentType: string): OutgoingHttpHeaders {
    const headers: Record<string, string | string[]> = {
      'audit-id': this.auditId,
      'cache-control': 'no-cache, private',
      'content-type': contentType,
    };
    if (this.ticket !== undefined) {
      // Upstream shows uids, not names: those are not for everyone.
      headers['x-kubernetes-pf-flowschema-uid'] = this.ticket.schemaUid;
      headers['x-kubernetes-pf-prioritylevel-uid'] = this.ticket.levelUid;
    }
    if (this.warnings.length > 0) headers['warning'] = warningHeaders(this.warnings);
    return headers;
  }

  /** Answers with a whole body. Compresses it when it is large and the client can take it. */
  send(code: number, contentType: string, body: Uint8Array, more?: OutgoingHttpHeaders): void {
    const { res } = this;
    if (res === undefined) {
      this.#sendOnSocket(code, contentType, body);
      return;
    }
    if (res.headersSent || res.destroyed) {
      // Something went wrong in the middle of an answer, or its client takes too long to read it: it must not look complete.
      if (!res.writableEnded) res.destroy();
      this.done(code, 0);
      return;
    }
    const headers = this.responseHeaders(contentType);
    if (more !== undefined) Object.assign(headers, more);
    if (body.length >= GZIP_MIN_BYTES && acceptsGzip(this.headers)) {
      gzip(body, { level: GZIP_LEVEL }, (err, compressed) => {
        if (err !== null) {
          this.#write(res, code, headers, body);
          return;
        }
        headers['content-encoding'] = 'gzip';
        headers['vary'] = 'Accept-Encoding';
        this.#write(res, code, headers, compressed);
      });
      return;
    }
    this.#write(res, code, headers, body);
  }

  #write(res: Outgoing, code: number, headers: OutgoingHttpHeaders, body: Uint8Array): void {
    headers['content-length'] = body.length;
    // The two response types have the same shape, but not one that a union of overloads can be called by.
    const target = res as ServerResponse;
    target.writeHead(code, headers);
    if (this.method === 'HEAD') target.end();
    else target.end(body);
    this.done(code, body.length);
  }

  #sendOnSocket(code: number, contentType: string, body: Uint8Array): void {
    const socket = this.upgrade?.socket;
    if (socket === undefined || socket.destroyed) {
      this.done(code, 0);
      return;
    }
    const lines = [
      `HTTP/1.1 ${code} ${code >= 400 ? 'Error' : 'OK'}`,
      `Audit-Id: ${this.auditId}`,
      'Cache-Control: no-cache, private',
      `Content-Type: ${contentType}`,
      `Content-Length: ${body.length}`,
      'Connection: close',
    ];
    socket.end(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body]));
    this.done(code, body.length);
  }

  done(code: number, bytes: number): void {
    const { onDone } = this;
    this.onDone = undefined;
    onDone?.(this, code, bytes);
  }
}

export function acceptsGzip(headers: IncomingHttpHeaders): boolean {
  const accepted = headers['accept-encoding'];
  return accepted !== undefined && String(accepted).includes('gzip');
}

/** RFC 7234 warnings, code 299, without an agent; repeated ones once, line breaks and control characters gone. */
export function warningHeaders(warnings: readonly string[]): string[] {
  const out: string[] = [];
  let size = 0;
  for (const text of new Set(warnings)) {
    const plain = text.replace(/\p{Cc}+/gu, ' ');
    const header = `299 - "${encodeLatin(plain).replace(/(["\\])/g, '\\$1')}"`;
    size += header.length;
    if (size > MAX_WARNING_BYTES) break;
    out.push(header);
  }
  return out;
}

/** Header values are bytes: UTF-8 written as Latin-1, as Go sends it. */
const encodeLatin = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
