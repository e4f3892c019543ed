import type { Exchange } from '../http/exchange.ts';

/** Takes over a request that is a stream: it has been authorized, and its answer is the handler's. A rejection becomes a Status. */
export type ConnectHandler = (exchange: Exchange) => Promise<void>;

/** Subresources that are streams or proxies: `pods/log`, `pods/exec`, `services/proxy`. */
export class ConnectHandlers {
  readonly #handlers = new Map<string, ConnectHandler>();

  add(group: string, resource: string, subresource: string, handler: ConnectHandler): void {
    this.#handlers.set(`${group}/${resource}/${subresource}`, handler);
  }

  find(group: string, resource: string, subresource: string): ConnectHandler | undefined {
    return subresource === '' ? undefined : this.#handlers.get(`${group}/${resource}/${subresource}`);
  }
}
