import { type FieldError, invalid } from '../../api/meta/field-error.ts';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { internalStatus, invalidObject } from '../../api/meta/status.ts';
import type { Service, ServicePort, ServiceSpec } from '../../api/types/core-v1.ts';
import type { Random } from '../../util/random.ts';
import type { Reservation, WriteGuard } from '../rest/write-guard.ts';
import { AddressPool, AllocationError, PortPool, type PortRange } from './address-pool.ts';

type Family = 'IPv4' | 'IPv6';

const HEADLESS = 'None';

/**
 * Gives Services their addresses and node ports. What is taken is known from the Services themselves: the pools are filled from the
 * collection at start, so a crash loses nothing and leaks nothing.
 */
export class ServiceGuard implements WriteGuard {
  readonly #addresses: ReadonlyMap<Family, AddressPool>;
  readonly #defaultFamily: Family;
  readonly #ports: PortPool;

  /** `cidrs`: one range, or one of each family; the first is the default family's. */
  constructor(cidrs: readonly string[], ports: PortRange, random: Random) {
    const pools = cidrs.map((cidr) => new AddressPool(cidr, random));
    this.#addresses = new Map(pools.map((pool) => [pool.family, pool]));
    this.#defaultFamily = pools[0]?.family ?? 'IPv4';
    this.#ports = new PortPool(ports, random);
  }

  /** Marks what existing Services hold. */
  load(services: Iterable<KubernetesObject>): void {
    for (const service of services) {
      const spec = specOf(service);
      for (const address of addressesOf(spec)) quietly(() => this.#poolOf(address)?.take(address));
      for (const port of portsOf(spec)) if (!this.#ports.has(port)) quietly(() => this.#ports.take(port));
    }
  }

  create(object: KubernetesObject, _dryRun: boolean): Reservation {
    return this.#reserve(object as Service, undefined);
  }

  update(object: KubernetesObject, old: KubernetesObject, _dryRun: boolean): Reservation {
    return this.#reserve(object as Service, specOf(old));
  }

  deleted(object: KubernetesObject): void {
    const spec = specOf(object);
    for (const address of addressesOf(spec)) this.#poolOf(address)?.release(address);
    for (const port of portsOf(spec)) this.#ports.release(port);
  }

  #reserve(service: Service, old: ServiceSpec | undefined): Reservation {
    const held = new Set(old === undefined ? [] : addressesOf(old));
    const heldPorts = new Set(old === undefined ? [] : portsOf(old));
    const undo: (() => void)[] = [];
    const rollback = (): void => {
      for (const step of undo.splice(0)) step();
    };
    try {
      const families = this.#withFamilies(service);
      const addressed = this.#withAddresses(families, held, undo);
      const object = this.#withPorts(addressed, heldPorts, undo);
      const spec = specOf(object);
      const kept = new Set(addressesOf(spec));
      const keptPorts = new Set(portsOf(spec));
      return {
        object,
        rollback,
        commit: () => {
          undo.length = 0;
          for (const address of held) if (!kept.has(address)) this.#poolOf(address)?.release(address);
          for (const port of heldPorts) if (!keptPorts.has(port)) this.#ports.release(port);
        },
      };
    } catch (err) {
      rollback();
      throw err;
    }
  }

  /** ipFamilies and ipFamilyPolicy, filled in as upstream does for this cluster's families (KEP-563). */
  #withFamilies(service: Service): Service {
    const spec = specOf(service);
    if (!needsAddress(spec)) return service;
    const other: Family = this.#defaultFamily === 'IPv4' ? 'IPv6' : 'IPv4';
    const headless = addressOf(spec) === HEADLESS;
    const selectorless = Object.keys(spec.selector ?? {}).length === 0;
    let families = [...(spec.ipFamilies ?? [])] as Family[];
    let policy = spec.ipFamilyPolicy;
    for (const [i, address] of addressesOf(spec).entries()) families[i] ??= address.includes(':') ? 'IPv6' : 'IPv4';
    if (headless && selectorless && policy === undefined && families.length === 0) {
      // Nothing is allocated and nothing selected, so both families may be used whatever the cluster has.
      policy = 'RequireDualStack';
      families = [this.#defaultFamily, other];
    }
    if (families.length === 0) families = [this.#defaultFamily];
    policy ??= families.length > 1 ? 'RequireDualStack' : 'SingleStack';
    if (policy !== 'SingleStack' && families.length === 1 && this.#addresses.size > 1) {
      families.push(families[0] === 'IPv4' ? 'IPv6' : 'IPv4');
    }
    if (!(headless && selectorless)) this.#checkFamilies(service, policy, families);
    return { ...service, spec: { ...spec, ipFamilies: families, ipFamilyPolicy: policy } };
  }

  #checkFamilies(service: Service, policy: string, families: readonly Family[]): void {
    const errors: FieldError[] = [];
    if (policy === 'RequireDualStack' && this.#addresses.size < 2) {
      errors.push(invalid('spec.ipFamilyPolicy', policy, 'this cluster is not configured for dual-stack services'));
    }
    families.forEach((family, i) => {
      if (!this.#addresses.has(family)) {
        errors.push(invalid(`spec.ipFamilies[${i}]`, family, 'not configured on this cluster'));
      }
    });
    if (errors.length > 0) throw invalidService(service, errors);
  }

  #withAddresses(service: Service, held: ReadonlySet<string>, undo: (() => void)[]): Service {
    const spec = specOf(service);
    if (!needsAddress(spec)) return service;
    if (addressOf(spec) === HEADLESS) return { ...service, spec: { ...spec, clusterIP: HEADLESS, clusterIPs: [HEADLESS] } };
    const asked = addressesOf(spec);
    const addresses = (spec.ipFamilies ?? []).map((family, i) => {
      const address = asked[i];
      if (address !== undefined && held.has(address)) return address;
      return this.#allocate(service, family as Family, address, undo);
    });
    const clusterIP = addresses[0];
    return { ...service, spec: { ...spec, ...(clusterIP === undefined ? {} : { clusterIP }), clusterIPs: addresses } };
  }

  #allocate(service: Service, family: Family, asked: string | undefined, undo: (() => void)[]): string {
    const pool = this.#addresses.get(family);
    if (pool === undefined) throw internalStatus(`failed to allocate a serviceIP: no range of family ${family}`);
    try {
      if (asked === undefined) {
        const address = pool.next();
        undo.push(() => pool.release(address));
        return address;
      }
      pool.take(asked);
      undo.push(() => pool.release(asked));
      return asked;
    } catch (err) {
      if (!(err instanceof AllocationError)) throw err;
      if (asked === undefined) throw internalStatus(`failed to allocate a serviceIP: ${err.message}`);
      const { clusterIPs } = specOf(service);
      throw invalidService(service, [invalid('spec.clusterIPs', clusterIPs, `failed to allocate IP ${asked}: ${err.message}`)]);
    }
  }

  #takePort(asked: number | undefined): number {
    if (asked === undefined || asked === 0) return this.#ports.next();
    this.#ports.take(asked);
    return asked;
  }

  #withPorts(service: Service, held: ReadonlySet<number>, undo: (() => void)[]): Service {
    const spec = specOf(service);
    const mine = new Set(held);
    const take = (asked: number | undefined, path: string): number => {
      if (asked !== undefined && asked !== 0 && mine.has(asked)) return asked;
      try {
        const port = this.#takePort(asked);
        undo.push(() => this.#ports.release(port));
        mine.add(port);
        return port;
      } catch (err) {
        if (!(err instanceof AllocationError)) throw err;
        if (asked === undefined || asked === 0) throw internalStatus(`failed to allocate a nodePort: ${err.message}`);
        throw invalidService(service, [invalid(path, asked, err.message)]);
      }
    };
    let next: ServiceSpec = spec;
    if (needsNodePorts(spec) && spec.ports !== undefined) {
      // Those asked for go first, so that a port chosen at random does not take one of them.
      const chosen = spec.ports.map((p, i) => (p.nodePort ? take(p.nodePort, `spec.ports[${i}].nodePort`) : 0));
      const ports = spec.ports.map((p, i): ServicePort => {
        const nodePort = chosen[i] || this.#shared(spec.ports!, chosen, i) || take(undefined, '');
        chosen[i] = nodePort;
        return p.nodePort === nodePort ? p : { ...p, nodePort };
      });
      next = { ...next, ports };
    }
    if (needsHealthPort(spec)) {
      const healthCheckNodePort = take(spec.healthCheckNodePort, 'spec.healthCheckNodePort');
      next = { ...next, healthCheckNodePort };
    }
    return next === spec ? service : { ...service, spec: next };
  }

  /** One port number in two protocols gets one node port. */
  #shared(ports: readonly ServicePort[], chosen: readonly number[], index: number): number {
    const mine = ports[index]!;
    const twin = ports.findIndex(
      (p, i) => i !== index && p.port === mine.port && p.protocol !== mine.protocol && chosen[i] !== 0,
    );
    return twin < 0 ? 0 : chosen[twin]!;
  }

  #poolOf(address: string): AddressPool | undefined {
    return this.#addresses.get(address.includes(':') ? 'IPv6' : 'IPv4');
  }
}

const specOf = (service: KubernetesObject): ServiceSpec => (service as Service).spec ?? {};

const needsAddress = (spec: ServiceSpec): boolean => spec.type !== 'ExternalName';

const needsNodePorts = (spec: ServiceSpec): boolean =>
  spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);

const needsHealthPort = (spec: ServiceSpec): boolean => spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';

const addressOf = (spec: ServiceSpec): string => spec.clusterIPs?.[0] ?? spec.clusterIP ?? '';

/** The addresses that are real ones. */
function addressesOf(spec: ServiceSpec): string[] {
  const all = spec.clusterIPs?.length ? spec.clusterIPs : spec.clusterIP ? [spec.clusterIP] : [];
  return all.filter((a) => a !== HEADLESS && a !== '');
}

function portsOf(spec: ServiceSpec): number[] {
  const out = (spec.ports ?? []).flatMap((p) => (p.nodePort ? [p.nodePort] : []));
  return spec.healthCheckNodePort ? [...out, spec.healthCheckNodePort] : out;
}

function invalidService(service: Service, errors: readonly FieldError[]): Error {
  return invalidObject({ group: '', kind: 'Service' }, service.metadata?.name ?? '', errors);
}

/** What two Services hold by an old fault is held once; starting is not prevented by it. */
function quietly(fn: () => void): void {
  try {
    fn();
  } catch (err) {
    if (!(err instanceof AllocationError)) throw err;
  }
}
