/**
 * The API server: everything between a request and the store. One pipeline with two doors, HTTP and calls in the same process; what is
 * plugged into it is described in `contract.ts`.
 */
import { type ApiServer, type ApiServerOptions, createCore } from './server.ts';

export type * from './contract.ts';
export { loopbackUser } from './contract.ts';
export type { Listener, ListenOptions, TlsOptions } from './http/listener.ts';
export type { ApiServer, ApiServerOptions } from './server.ts';

/** Puts an API server together over a store. It serves in-process calls at once, and HTTP after `listen`. */
export async function createApiServer(options: ApiServerOptions): Promise<ApiServer> {
  return createCore(options, new Map());
}
