import { quantityValue } from '../api/meta/quantity.ts';
import type { NodeSelector, NodeSelectorTerm } from '../api/types/core-v1.ts';
import type {
  AllocationResult,
  DeviceAllocationConfiguration,
  DeviceAttribute,
  DeviceClass,
  DeviceConstraint,
  DeviceRequest,
  DeviceRequestAllocationResult,
  DeviceToleration,
  ExactDeviceRequest,
  ResourceClaim,
} from '../api/types/resource-v1.ts';
import type { PooledDevice } from './device-pools.ts';
import type { DeviceSelectors } from './device-selector.ts';

/** Devices tried for all claims of a pod on one node before it is given up. */
const MAX_TRIES = 20_000;

export interface AllocationInput {
  readonly claims: readonly ResourceClaim[];
  /** The devices that the node can use. */
  readonly devices: readonly PooledDevice[];
  readonly selectors: DeviceSelectors;
  deviceClass(name: string): DeviceClass | undefined;
  /** Whether a device belongs to another claim. */
  taken(id: string): boolean;
}

/** One way to satisfy a request. */
interface Alternative {
  /** `request`, or `request/subrequest`. */
  readonly name: string;
  readonly spec: ExactDeviceRequest;
}

interface Chosen {
  readonly claim: number;
  readonly alternative: Alternative;
  readonly device: PooledDevice;
}

/**
 * Chooses devices for claims, all of them or none (KEP-4381, structured parameters). Undefined: there is no choice that satisfies every request.
 * Throws when an expression cannot be evaluated.
 */
export function allocateDevices(input: AllocationInput): readonly AllocationResult[] | undefined {
  const search = new Search(input);
  return search.solve(0) ? input.claims.map((claim, i) => search.result(claim, i)) : undefined;
}

class Search {
  readonly #input: AllocationInput;
  readonly #requests: readonly { readonly claim: number; readonly alternatives: readonly Alternative[] }[];
  readonly #chosen: Chosen[] = [];
  readonly #mine = new Set<string>();
  readonly #candidates = new Map<Alternative, readonly PooledDevice[]>();
  /** What the devices of claims have used up of what their pools share. */
  readonly #used = new Map<string, number>();
  #tries = 0;

  constructor(input: AllocationInput) {
    this.#input = input;
    this.#requests = input.claims.flatMap((claim, i) =>
      (claim.spec.devices?.requests ?? []).map((request) => ({ claim: i, alternatives: alternativesOf(request) })),
    );
    for (const device of input.devices) if (input.taken(device.id)) this.#consume(device, 1);
  }

  /** Satisfies the requests from the i-th on. */
  solve(i: number): boolean {
    const request = this.#requests[i];
    if (request === undefined) return true;
    for (const alternative of request.alternatives) {
      const candidates = this.#candidatesFor(alternative);
      const mark = this.#chosen.length;
      if (alternative.spec.allocationMode === 'All') {
        // Zero devices are not all there are: a request is never satisfied by nothing.
        const all = candidates.length > 0 && candidates.every((device) => this.#take(request.claim, alternative, device));
        if (all && this.solve(i + 1)) return true;
      } else if (this.#pick(i, request.claim, alternative, candidates, 0, alternative.spec.count ?? 1)) return true;
      this.#backTo(mark);
    }
    return false;
  }

  #pick(
    i: number,
    claim: number,
    alternative: Alternative,
    candidates: readonly PooledDevice[],
    from: number,
    missing: number,
  ): boolean {
    if (missing === 0) return this.solve(i + 1);
    for (let k = from; k <= candidates.length - missing; k++) {
      if (++this.#tries > MAX_TRIES) return false;
      const mark = this.#chosen.length;
      if (this.#take(claim, alternative, candidates[k]!)) {
        if (this.#pick(i, claim, alternative, candidates, k + 1, missing - 1)) return true;
        this.#backTo(mark);
      }
    }
    return false;
  }

  result(claim: ResourceClaim, index: number): AllocationResult {
    const own = this.#chosen.filter((c) => c.claim === index);
    const results = own.map(({ alternative: { name, spec }, device }): DeviceRequestAllocationResult => {
      const { adminAccess, tolerations } = spec;
      return {
        request: name,
        driver: device.driver,
        pool: device.pool.name,
        device: device.device.name,
        ...(adminAccess === undefined ? {} : { adminAccess }),
        ...(tolerations === undefined ? {} : { tolerations }),
      };
    });
    const config = configurationOf(claim, [...new Set(own.map((c) => c.alternative))], this.#input);
    const nodeSelector = commonSelector(own.map((c) => c.device.selector));
    return {
      devices: { results, ...(config.length === 0 ? {} : { config }) },
      ...(nodeSelector === undefined ? {} : { nodeSelector }),
    };
  }

  #candidatesFor(alternative: Alternative): readonly PooledDevice[] {
    let found = this.#candidates.get(alternative);
    if (found === undefined) {
      const { spec, name } = alternative;
      const selectors = [...(this.#input.deviceClass(spec.deviceClassName)?.spec.selectors ?? []), ...(spec.selectors ?? [])];
      found = this.#input.devices.filter(
        ({ device, driver }) =>
          selectors.every((selector, i) => {
            try {
              return this.#input.selectors.matches(selector.cel?.expression ?? '', device, driver);
            } catch (err) {
              throw new Error(`request ${name}: selector #${i}: ${(err as Error).message}`, { cause: err });
            }
          }) && (device.taints ?? []).every((t) => t.effect === 'None' || (spec.tolerations ?? []).some((o) => tolerates(o, t))),
      );
      this.#candidates.set(alternative, found);
    }
    return found;
  }

  /** Takes a device, if it is free, what it needs of its pool is there, and the claim's constraints hold with it. */
  #take(claim: number, alternative: Alternative, device: PooledDevice): boolean {
    const admin = alternative.spec.adminAccess === true;
    if (!admin && (this.#mine.has(device.id) || this.#input.taken(device.id) || !this.#consume(device, 1))) return false;
    const chosen = { claim, alternative, device };
    const constraints = this.#input.claims[claim]!.spec.devices?.constraints ?? [];
    if (!constraints.every((constraint) => this.#holds(constraint, chosen))) {
      if (!admin) this.#consume(device, -1);
      return false;
    }
    if (!admin) this.#mine.add(device.id);
    this.#chosen.push(chosen);
    return true;
  }

  #backTo(mark: number): void {
    while (this.#chosen.length > mark) {
      const { alternative, device } = this.#chosen.pop()!;
      if (alternative.spec.adminAccess === true) continue;
      this.#mine.delete(device.id);
      this.#consume(device, -1);
    }
  }

  #holds(constraint: DeviceConstraint, chosen: Chosen): boolean {
    if (!appliesTo(constraint, chosen.alternative.name)) return true;
    const attribute = constraint.matchAttribute ?? constraint.distinctAttribute;
    if (attribute === undefined) return false;
    const value = attributeOf(chosen.device, attribute);
    if (value === undefined) return false;
    const others = this.#chosen.filter((c) => c.claim === chosen.claim && appliesTo(constraint, c.alternative.name));
    return others.every((c) => (attributeOf(c.device, attribute) === value) === (constraint.matchAttribute !== undefined));
  }

  /** Uses up, or gives back, what a device needs of its pool. False, and nothing done, when there is not enough. */
  #consume({ device, pool }: PooledDevice, sign: 1 | -1): boolean {
    const needs = (device.consumesCounters ?? []).flatMap((c) =>
      Object.entries(c.counters ?? {}).map(([name, counter]) => ({
        name: `${c.counterSet}/${name}`,
        amount: quantityValue(counter.value),
      })),
    );
    if (needs.length === 0) return true;
    const key = (name: string): string => `${pool.driver}/${pool.name}/${name}`;
    const enough = needs.every(({ name, amount }) => (this.#used.get(key(name)) ?? 0) + amount <= (pool.counters.get(name) ?? 0));
    if (sign === 1 && !enough) return false;
    for (const { name, amount } of needs) this.#used.set(key(name), (this.#used.get(key(name)) ?? 0) + sign * amount);
    return true;
  }
}

function alternativesOf(request: DeviceRequest): readonly Alternative[] {
  if (request.exactly !== undefined) return [{ name: request.name, spec: request.exactly }];
  return (request.firstAvailable ?? []).map((sub) => ({ name: `${request.name}/${sub.name}`, spec: sub }));
}

/** The classes that a claim's requests name. */
export const classNames = (claim: ResourceClaim): readonly { readonly request: string; readonly className: string }[] =>
  (claim.spec.devices?.requests ?? [])
    .flatMap(alternativesOf)
    .map(({ name, spec }) => ({ request: name, className: spec.deviceClassName }));

/** A list of requests names a request, with all its subrequests, or a subrequest. None: all. */
const names = (requests: readonly string[] | undefined, name: string): boolean =>
  requests === undefined || requests.length === 0 || requests.includes(name) || requests.includes(name.split('/')[0]!);

const appliesTo = (constraint: DeviceConstraint, name: string): boolean => names(constraint.requests, name);

/** An attribute by its full name, as one value that can be compared. Without domain it is the driver's. */
function attributeOf({ device, driver }: PooledDevice, name: string): string | undefined {
  const slash = name.indexOf('/');
  const own = name.slice(0, slash) === driver ? device.attributes?.[name.slice(slash + 1)] : undefined;
  const attribute: DeviceAttribute | undefined = device.attributes?.[name] ?? own;
  return attribute === undefined ? undefined : JSON.stringify(attribute);
}

function tolerates(
  toleration: DeviceToleration,
  taint: { readonly key: string; readonly value?: string; readonly effect: string },
): boolean {
  if (toleration.effect !== undefined && toleration.effect !== taint.effect) return false;
  if (toleration.key !== undefined && toleration.key !== '' && toleration.key !== taint.key) return false;
  return toleration.operator === 'Exists' || (toleration.value ?? '') === (taint.value ?? '');
}

function configurationOf(
  claim: ResourceClaim,
  alternatives: readonly Alternative[],
  input: AllocationInput,
): readonly DeviceAllocationConfiguration[] {
  const fromClasses = alternatives.flatMap(({ name, spec }) =>
    (input.deviceClass(spec.deviceClassName)?.spec.config ?? []).map(
      (config): DeviceAllocationConfiguration => ({ source: 'FromClass', requests: [name], ...config }),
    ),
  );
  const fromClaim = (claim.spec.devices?.config ?? [])
    .filter((config) => alternatives.some(({ name }) => names(config.requests, name)))
    .map((config): DeviceAllocationConfiguration => ({ source: 'FromClaim', ...config }));
  return [...fromClasses, ...fromClaim];
}

/** Nodes that reach every one of the devices; undefined: all. A single node says it all. */
function commonSelector(selectors: readonly (NodeSelector | undefined)[]): NodeSelector | undefined {
  const different = new Map<string, NodeSelector>();
  for (const selector of selectors) if (selector !== undefined) different.set(JSON.stringify(selector), selector);
  const all = [...different.values()];
  const named = all.find((s) => s.nodeSelectorTerms.some((t) => t.matchFields !== undefined));
  if (named !== undefined || all.length <= 1) return named ?? all[0];
  // Validation allows one term in a slice's selector: all their conditions must hold.
  const merged: NodeSelectorTerm = {
    matchExpressions: all.flatMap((s) => s.nodeSelectorTerms.flatMap((t) => t.matchExpressions ?? [])),
  };
  return { nodeSelectorTerms: [merged] };
}
