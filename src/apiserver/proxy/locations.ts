import ipaddr from 'ipaddr.js';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { badRequest, notFound, serviceUnavailable } from '../../api/meta/status.ts';
import type { Container, EndpointAddress, Endpoints, Node, Pod, Service } from '../../api/types/core-v1.ts';
import type { Random } from '../../util/random.ts';
import type { ApiAccess } from '../contract.ts';
import { splitSchemeNamePort } from './kubelet-address.ts';

/** A place inside the cluster that a proxy request is for. */
export interface Location {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  /** 0: the scheme's own. */
  readonly port: number;
}

/** Whether the proxy may go to an address. Only those of pods, and not this machine's own or its link's. */
export type AddressRule = (ip: string) => boolean;

const refusedRanges: ReadonlySet<string> = new Set(['loopback', 'linkLocal', 'multicast', 'unspecified', 'broadcast']);

/** Upstream's rule: global unicast, which is everything but loopback, link-local, multicast and the unspecified address. */
export const globalUnicast: AddressRule = (ip) => ipaddr.isValid(ip) && !refusedRanges.has(ipaddr.parse(ip).range());

/** Looks things up for the proxies, with upstream's errors. */
export class Locations {
  readonly #access: ApiAccess;
  readonly #random: Random;
  readonly #mayProxy: AddressRule;

  constructor(access: ApiAccess, random: Random, mayProxy: AddressRule) {
    this.#access = access;
    this.#random = random;
    this.#mayProxy = mayProxy;
  }

  get<T extends KubernetesObject>(resource: string, namespace: string, name: string): T {
    const found = this.#access.view<T>('', resource)?.get(namespace, name);
    if (found === undefined) throw notFound({ group: '', resource }, name);
    return found;
  }

  node(name: string): Node {
    return this.get<Node>('nodes', '', name);
  }

  pod(namespace: string, name: string): Pod {
    return this.get<Pod>('pods', namespace, name);
  }

  /** `pods/proxy`: the port asked for, or the first that a container tells. */
  podLocation(namespace: string, id: string): Location {
    const { scheme, name, port } = splitSchemeNamePort(id, 'pod');
    const pod = this.pod(namespace, name);
    const told = (pod.spec?.containers ?? []).find((c: Container) => (c.ports ?? []).length > 0)?.ports?.[0]?.containerPort;
    const ip = pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? '';
    if (!this.#mayProxy(ip)) throw badRequest('address not allowed');
    return { scheme: schemeOf(scheme), host: ip, port: port === '' ? (told ?? 0) : portNumber(port) };
  }

  /** `services/proxy`: a ready endpoint of the port, at random. */
  serviceLocation(namespace: string, id: string): Location {
    const { scheme, name, port } = splitSchemeNamePort(id, 'service');
    const service = this.get<Service>('services', namespace, name);
    const portName = /^\d+$/.test(port) ? namedPort(service, Number(port), name) : port;
    const endpoints = this.get<Endpoints>('endpoints', namespace, name);
    const subsets = endpoints.subsets ?? [];
    if (subsets.length === 0) throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(name)}`);
    const from = this.#random.int(subsets.length);
    for (let i = 0; i < subsets.length; i++) {
      const subset = subsets[(from + i) % subsets.length]!;
      const target = (subset.ports ?? []).find((p) => (p.name ?? '') === portName)?.port;
      const addresses = subset.addresses ?? [];
      if (target === undefined || addresses.length === 0) continue;
      const address = this.#anyValid(namespace, addresses);
      if (address !== undefined) return { scheme: schemeOf(scheme), host: address.ip, port: target };
    }
    throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(id)}`);
  }

  /** An address that is a pod's own: whoever may write Endpoints shall not make the API server call anything it likes. */
  #anyValid(namespace: string, addresses: readonly EndpointAddress[]): EndpointAddress | undefined {
    const from = this.#random.int(addresses.length);
    for (let i = 0; i < addresses.length; i++) {
      const address = addresses[(from + i) % addresses.length]!;
      const { targetRef } = address;
      if (targetRef?.kind !== 'Pod' || !this.#mayProxy(address.ip)) continue;
      const pod = this.#access.view<Pod>('', 'pods')?.get(targetRef.namespace ?? namespace, targetRef.name ?? '');
      const ips = [pod?.status?.podIP, ...(pod?.status?.podIPs ?? []).map((p) => p.ip)];
      if (ips.includes(address.ip)) return address;
    }
    return undefined;
  }
}

const schemeOf = (scheme: string): 'http' | 'https' => (scheme === 'https' ? 'https' : 'http');

function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw badRequest(`invalid port ${JSON.stringify(text)}`);
  return port;
}

function namedPort(service: Service, number: number, name: string): string {
  const found = (service.spec?.ports ?? []).find((p) => p.port === number);
  if (found === undefined) throw serviceUnavailable(`no service port ${number} found for service ${JSON.stringify(name)}`);
  return found.name ?? '';
}

/** The container of a pod that is meant: the one named, or the only one. Throws upstream's 400s. */
export function chooseContainer(pod: Pod, asked: string | undefined): string {
  const { initContainers = [], containers = [], ephemeralContainers = [] } = pod.spec ?? {};
  const name = pod.metadata?.name ?? '';
  const all = [...initContainers, ...containers, ...ephemeralContainers].map((c) => c.name);
  if (asked !== undefined && asked !== '') {
    if (!all.includes(asked)) throw badRequest(`container ${asked} is not valid for pod ${name}`);
    return asked;
  }
  if (containers.length === 1) return containers[0]!.name;
  if (containers.length === 0) throw badRequest(`a container name must be specified for pod ${name}`);
  throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${all.join(' ')}]`);
}
