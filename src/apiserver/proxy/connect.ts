import type { GroupVersionKind, KubernetesObject } from '../../api/meta/object.ts';
import type { Authorizer } from '../contract.ts';
import { authorize } from '../http/authorize.ts';
import type { Exchange } from '../http/exchange.ts';
import { type AdmissionChains, AdmissionRecord, mutate, validate } from '../rest/admission-chain.ts';

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

/** What a handler has to ask before it connects. Both throw the StatusError that refuses. */
export class ConnectGate {
  readonly #authorizer: Authorizer;
  readonly #chains: AdmissionChains;

  constructor(authorizer: Authorizer, chains: AdmissionChains) {
    this.#authorizer = authorizer;
    this.#chains = chains;
  }

  /**
   * An upgrade by GET, as WebSockets make it, needs the permission to create too: reading a pod shall not be enough to run a command
   * in it (KEP-4006; since v1.35 by AuthorizePodWebsocketUpgradeCreatePermission).
   */
  async authorizeUpgrade(exchange: Exchange): Promise<void> {
    const { attributes } = exchange;
    if (attributes === undefined || attributes.verb === 'create') return;
    await authorize(this.#authorizer, { ...attributes, verb: 'create' });
  }

  /** Admission of a CONNECT. `options` is what admission sees as the object; gives it as it was left. */
  async admit<T extends KubernetesObject>(exchange: Exchange, options: T): Promise<T> {
    const { info, user } = exchange;
    const { apiGroup: group, apiVersion: version, resource, subresource, namespace, name } = info;
    const chain = this.#chains.chain({ operation: 'CONNECT', group, version, resource, subresource });
    if (chain.mutators.length + chain.validators.length === 0) return options;
    const kind: GroupVersionKind = { group: '', version: 'v1', kind: options.kind ?? '' };
    const record = new AdmissionRecord(
      {
        operation: 'CONNECT',
        resource: undefined,
        group,
        version,
        plural: resource,
        kind,
        subresource,
        namespace,
        name,
        options: {},
        user: user!,
        dryRun: false,
        warnings: exchange.warnings,
        annotations: new Map(),
      },
      options,
      undefined,
    );
    await mutate(chain, record);
    await validate(chain, record);
    return (record.object ?? options) as T;
  }
}
