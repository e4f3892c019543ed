import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import type { UserInfo } from '../../api/request.ts';
import type { MaybePromise } from '../contract.ts';

/** A request for a path that is no resource. */
export interface RouteRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly user: UserInfo;
}

export interface RouteAnswer {
  readonly code: number;
  readonly contentType: string;
  readonly body: Uint8Array;
  readonly headers?: OutgoingHttpHeaders;
}

export type RouteHandler = (request: RouteRequest) => MaybePromise<RouteAnswer>;

/** Paths that are no resources: discovery, health, OpenAPI, version, metrics. Exact paths first, then the longest prefix. */
export class Routes {
  readonly #exact = new Map<string, RouteHandler>();
  readonly #prefixes: { readonly prefix: string; readonly handler: RouteHandler }[] = [];

  /** Serves one path. */
  add(path: string, handler: RouteHandler): void {
    this.#exact.set(path, handler);
  }

  /** Serves a path and all below it. `prefix` ends in a slash. */
  addPrefix(prefix: string, handler: RouteHandler): void {
    this.#prefixes.push({ prefix, handler });
    this.#prefixes.sort((a, b) => b.prefix.length - a.prefix.length);
  }

  find(path: string): RouteHandler | undefined {
    const exact = this.#exact.get(path) ?? (path.endsWith('/') && path !== '/' ? this.#exact.get(path.slice(0, -1)) : undefined);
    if (exact !== undefined) return exact;
    for (const { prefix, handler } of this.#prefixes) if (path.startsWith(prefix)) return handler;
    return undefined;
  }

  /** The exact paths, sorted: what `/` lists. */
  paths(): string[] {
    return [...this.#exact.keys()].filter((p) => p !== '/').sort();
  }
}

/** An answer of JSON text. */
export const jsonAnswer = (code: number, value: unknown): RouteAnswer => ({
  code,
  contentType: 'application/json',
  body: Buffer.from(`${JSON.stringify(value)}\n`),
});

/** An answer of plain text. */
export const textAnswer = (code: number, text: string): RouteAnswer => ({
  code,
  contentType: 'text/plain; charset=utf-8',
  body: Buffer.from(text),
});
