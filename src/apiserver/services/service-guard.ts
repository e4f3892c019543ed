import { type FieldError, invalid } from '../../api/meta/field-error.ts';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { internalStatus, invalidObject } from '../../api/meta/status.ts';
import type { Service, ServicePort, ServiceSpec } from '../../api/types/core-v1.ts';
import type { StoreOp } from '../../store/contract.ts';
import type { Reservation, WriteGuard } from '../rest/write-guard.ts';
import { type Allocations, addressesOf, holdingsOf, portsOf } from './allocations.ts';
import { AllocationError, type Family } from './ranges.ts';

const HEADLESS = 'None';

/** Gives Services their addresses and node ports, and says what has to be written with them so that nobody else gets the same. */
export class ServiceGuard implements WriteGuard {
  readonly #families: readonly Family[];
  #allocations: Allocations | undefined;

  /** `families`: those of the cluster's Services, the default one first. */
  constructor(families: readonly Family[]) {
    this.#families = families;
  }

  /** What it hands out of. Called once, before the first request is served. */
  start(allocations: Allocations): void {
    this.#allocations = allocations;
  }

  create(object: KubernetesObject, dryRun: boolean): Reservation {
    return this.#reserve(object as Service, undefined, dryRun);
  }

  update(object: KubernetesObject, old: KubernetesObject, dryRun: boolean): Reservation {
    return this.#reserve(object as Service, old as Service, dryRun);
  }

  release(object: KubernetesObject): readonly StoreOp[] | undefined {
    const held = holdingsOf((object as Service).spec);
    return held.length === 0 ? undefined : this.#pool.operations(object as Service, [], held);
  }

  lost(key: string): void {
    this.#pool.lost(key);
  }

  get #pool(): Allocations {
    if (this.#allocations === undefined) throw new Error('Services are written before the server is put together');
    return this.#allocations;
  }

  get #defaultFamily(): Family {
    return this.#families[0] ?? 'IPv4';
  }

  #reserve(service: Service, old: Service | undefined, dryRun: boolean): Reservation {
    const pool = this.#pool;
    const held = new Set(holdingsOf(old?.spec));
    const reserved: (string | number)[] = [];
    const free = (): void => pool.free(reserved);
    try {
      const families = this.#withFamilies(service);
      const addressed = this.#withAddresses(families, new Set(addressesOf(old?.spec)), reserved);
      const object = this.#withPorts(addressed, new Set(portsOf(old?.spec)), reserved);
      const wanted = new Set(holdingsOf(object.spec));
      const also = pool.operations(object, wanted.difference(held), held.difference(wanted));
      return { object, also: dryRun || also.length === 0 ? undefined : also, commit: free, rollback: free };
    } catch (err) {
      free();
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
    if (policy !== 'SingleStack' && families.length === 1 && this.#families.length > 1) {
      families.push(families[0] === 'IPv4' ? 'IPv6' : 'IPv4');
    }
    if (!(headless && selectorless)) this.#checkFamilies(service, policy, families);
    return { ...service, spec: { ...spec, ipFamilies: families, ipFamilyPolicy: policy } };
  }

  #checkFamilies(service: Service, policy: string, families: readonly Family[]): void {
    const errors: FieldError[] = [];
    if (policy === 'RequireDualStack' && this.#families.length < 2) {
      errors.push(invalid('spec.ipFamilyPolicy', policy, 'this cluster is not configured for dual-stack services'));
    }
    families.forEach((family, i) => {
      if (!this.#families.includes(family)) {
        errors.push(invalid(`spec.ipFamilies[${i}]`, family, 'not configured on this cluster'));
      }
    });
    if (errors.length > 0) throw invalidService(service, errors);
  }

  #withAddresses(service: Service, held: ReadonlySet<string>, reserved: (string | number)[]): Service {
    const spec = specOf(service);
    if (!needsAddress(spec)) return service;
    if (addressOf(spec) === HEADLESS) return { ...service, spec: { ...spec, clusterIP: HEADLESS, clusterIPs: [HEADLESS] } };
    const asked = addressesOf(spec);
    const addresses = (spec.ipFamilies ?? []).map((family, i) => {
      const address = asked[i];
      if (address !== undefined && held.has(address)) return address;
      return this.#allocate(service, family as Family, address, reserved);
    });
    const clusterIP = addresses[0];
    return { ...service, spec: { ...spec, ...(clusterIP === undefined ? {} : { clusterIP }), clusterIPs: addresses } };
  }

  #allocate(service: Service, family: Family, asked: string | undefined, reserved: (string | number)[]): string {
    try {
      const address = this.#pool.reserveAddress(family, asked);
      reserved.push(address);
      return address;
    } catch (err) {
      if (!(err instanceof AllocationError)) throw err;
      if (asked === undefined) throw internalStatus(`failed to allocate a serviceIP: ${err.message}`);
      const { clusterIPs } = specOf(service);
      throw invalidService(service, [invalid('spec.clusterIPs', clusterIPs, `failed to allocate IP ${asked}: ${err.message}`)]);
    }
  }

  #withPorts(service: Service, held: ReadonlySet<number>, reserved: (string | number)[]): Service {
    const spec = specOf(service);
    const mine = new Set(held);
    const take = (asked: number | undefined, path: string): number => {
      const chosen = asked === 0 ? undefined : asked;
      if (chosen !== undefined && mine.has(chosen)) return chosen;
      try {
        const port = this.#pool.reservePort(chosen);
        reserved.push(port);
        mine.add(port);
        return port;
      } catch (err) {
        if (!(err instanceof AllocationError)) throw err;
        if (chosen === undefined) throw internalStatus(`failed to allocate a nodePort: ${err.message}`);
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
}

const specOf = (service: KubernetesObject): ServiceSpec => (service as Service).spec ?? {};

const needsAddress = (spec: ServiceSpec): boolean => spec.type !== 'ExternalName';

const needsNodePorts = (spec: ServiceSpec): boolean =>
  spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);

const needsHealthPort = (spec: ServiceSpec): boolean => spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';

const addressOf = (spec: ServiceSpec): string => spec.clusterIPs?.[0] ?? spec.clusterIP ?? '';

function invalidService(service: Service, errors: readonly FieldError[]): Error {
  return invalidObject({ group: '', kind: 'Service' }, service.metadata?.name ?? '', errors);
}
