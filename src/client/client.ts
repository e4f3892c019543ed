import { apiVersionOf, type KubernetesList, type KubernetesObject, type WatchEvent } from '../api/meta/object.ts';
import type { ApiRequest, PatchType, RequestOptions, Verb } from '../api/request.ts';
import type { CallOptions, Client, ResourceClient, ResourceRef, Transport } from './contract.ts';

/** A client over any transport. Resource clients are made once per ref and kept. */
export function createClient(transport: Transport): Client {
  const known = new WeakMap<object, ResourceClient<KubernetesObject>>();
  return {
    resource<T extends KubernetesObject>(ref: ResourceRef<T>): ResourceClient<T> {
      let client = known.get(ref);
      if (client === undefined) {
        client = new TransportResourceClient(transport, ref as ResourceRef);
        known.set(ref, client);
      }
      return client as unknown as ResourceClient<T>;
    },
    raw: (path, signal) => transport.raw(path, signal),
  };
}

const noOptions: RequestOptions = {};

class TransportResourceClient implements ResourceClient<KubernetesObject> {
  readonly #transport: Transport;
  readonly #ref: ResourceRef;
  readonly #apiVersion: string;

  constructor(transport: Transport, ref: ResourceRef) {
    this.#transport = transport;
    this.#ref = ref;
    this.#apiVersion = apiVersionOf(ref);
  }

  get(name: string, namespace: string, options?: CallOptions): Promise<KubernetesObject> {
    return this.#call('get', name, namespace, options);
  }

  async list(namespace: string, options?: CallOptions): Promise<KubernetesList> {
    const list = (await this.#call('list', '', namespace, options)) as KubernetesList;
    const first = list.items?.[0];
    if (first === undefined) return { ...list, metadata: list.metadata ?? {}, items: [] };
    // Upstream leaves kind and apiVersion out of the items of a typed list; everything here counts on them.
    if (first.kind !== undefined) return list;
    return { ...list, items: list.items.map((item) => this.#stamped(item)) };
  }

  create(object: KubernetesObject, options?: CallOptions): Promise<KubernetesObject> {
    return this.#call('create', '', object.metadata?.namespace ?? '', options, undefined, this.#stamped(object));
  }

  update(object: KubernetesObject, options?: CallOptions): Promise<KubernetesObject> {
    return this.#put(object, undefined, options);
  }

  updateStatus(object: KubernetesObject, options?: CallOptions): Promise<KubernetesObject> {
    return this.#put(object, 'status', options);
  }

  patch(
    name: string,
    namespace: string,
    patchType: PatchType,
    patch: unknown,
    options?: CallOptions & { readonly subresource?: string },
  ): Promise<KubernetesObject> {
    if (options?.subresource === undefined) return this.#call('patch', name, namespace, options, undefined, patch, patchType);
    const { subresource, ...rest } = options;
    return this.#call('patch', name, namespace, rest, subresource, patch, patchType);
  }

  async delete(name: string, namespace: string, options?: CallOptions): Promise<void> {
    await this.#call('delete', name, namespace, options);
  }

  async deleteCollection(namespace: string, options?: CallOptions): Promise<void> {
    await this.#call('deletecollection', '', namespace, options);
  }

  watch(namespace: string, options?: CallOptions): AsyncIterable<WatchEvent> {
    return this.#transport.watch(this.#request('watch', '', namespace, options));
  }

  subresource<R extends KubernetesObject>(
    verb: 'get' | 'create' | 'update',
    name: string,
    namespace: string,
    subresource: string,
    body?: KubernetesObject,
    options?: CallOptions,
  ): Promise<R> {
    return this.#call(verb, name, namespace, options, subresource, body) as Promise<R>;
  }

  #put(object: KubernetesObject, subresource: string | undefined, options: CallOptions | undefined): Promise<KubernetesObject> {
    const { name = '', namespace = '' } = object.metadata ?? {};
    return this.#call('update', name, namespace, options, subresource, this.#stamped(object));
  }

  #stamped(object: KubernetesObject): KubernetesObject {
    if (object.kind !== undefined && object.apiVersion !== undefined) return object;
    return { apiVersion: this.#apiVersion, kind: this.#ref.kind, ...object };
  }

  async #call(
    verb: Verb,
    name: string,
    namespace: string,
    options: CallOptions | undefined,
    subresource?: string,
    body?: unknown,
    patchType?: PatchType,
  ): Promise<KubernetesObject> {
    const request = this.#request(verb, name, namespace, options, subresource, body, patchType);
    return (await this.#transport.request(request)).object;
  }

  #request(
    verb: Verb,
    name: string,
    namespace: string,
    callOptions: CallOptions | undefined,
    subresource?: string,
    body?: unknown,
    patchType?: PatchType,
  ): ApiRequest {
    let options: RequestOptions = callOptions ?? noOptions;
    const signal = callOptions?.signal;
    if (callOptions !== undefined && ('signal' in callOptions || 'metadataOnly' in callOptions)) {
      const { signal: _, metadataOnly: __, ...rest } = callOptions;
      options = rest;
    }
    return {
      verb,
      group: this.#ref.group,
      version: this.#ref.version,
      resource: this.#ref.plural,
      namespace,
      name,
      options,
      ...(subresource === undefined ? {} : { subresource }),
      ...(body === undefined ? {} : { body }),
      ...(patchType === undefined ? {} : { patchType }),
      ...(signal === undefined ? {} : { signal }),
      ...(callOptions?.metadataOnly === true ? { metadataOnly: true } : {}),
    };
  }
}
