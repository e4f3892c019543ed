import type { WatchEvent } from '../../api/meta/object.ts';
import type { ApiRequest, ApiResponse, UserInfo } from '../../api/request.ts';
import type { Shown } from '../discovery/shown.ts';
import type { Exchange } from '../http/exchange.ts';
import type { RouteAnswer, RouteRequest } from '../http/routes.ts';
import type { ApiPriority } from './priorities.ts';

/** A group version that another server serves, as discovery shows it. */
export interface RemoteVersion {
  readonly group: string;
  readonly version: string;
  readonly priority: ApiPriority;
  /** What it told when it last answered. */
  readonly types: readonly Shown[];
  /** It does not answer now. */
  readonly stale: boolean;
}

/** What another server adds to `/openapi/v2`. */
export interface OpenApiV2Part {
  readonly paths: Readonly<Record<string, unknown>>;
  readonly definitions: Readonly<Record<string, unknown>>;
  /** What the paths' operations refer to. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/**
 * The group versions that other servers serve, as the rest of this one sees them. Authentication and authorization have been done here before
 * anything is handed on. Answers of undefined mean: it is served here.
 */
export interface AggregatedApis {
  /** Carries an HTTP request there; the promise rejects with what the client shall be told. */
  serve(exchange: Exchange): Promise<void> | undefined;
  /** A request of this process. */
  handle(request: ApiRequest, user: UserInfo): Promise<ApiResponse> | undefined;
  /** A watch of this process; ends with its signal. */
  watch(request: ApiRequest, user: UserInfo): AsyncIterable<WatchEvent> | undefined;
  /** GET of a path with its query: JSON where it is, else text. */
  raw(path: string, user: UserInfo): Promise<unknown> | undefined;
  discovery(): readonly RemoteVersion[];
  openApiV2(): readonly OpenApiV2Part[];
  /** Paths below `/openapi/v3/`, with their hashes. */
  openApiV3(): readonly (readonly [string, string])[];
  openApiV3Document(path: string, request: RouteRequest): Promise<RouteAnswer> | undefined;
}
