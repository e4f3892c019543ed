import type { RequestHandler, UserInfo } from '../api/request.ts';
import type { Transport } from './contract.ts';

/**
 * A transport into an API server of the same process: no bytes, no JSON, the frozen objects themselves.
 * `user` is who every request comes from; the handler authorizes it like any other.
 */
export function inProcessTransport(handler: RequestHandler, user: UserInfo): Transport {
  return {
    request: (request) => handler.handle(request, user),
    watch: (request) => handler.watch(request, user),
    raw: (path, signal) => handler.raw(path, user, signal),
  };
}
