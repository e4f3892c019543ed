import { milliValue, quantityValue } from '../api/meta/quantity.ts';
import type { Container, ContainerStatus, Pod, ResourceList, ResourceRequirements } from '../api/types/core-v1.ts';

/** Amounts of resources. CPU in thousandths of a core, memory and ephemeral storage in bytes; other resources by name. */
export interface Resources {
  readonly milliCpu: number;
  readonly memory: number;
  readonly ephemeralStorage: number;
  readonly scalars: ReadonlyMap<string, number>;
}

/** What a pod asks for, and the same with upstream's assumption for containers that ask for nothing: that one is for scores only. */
export interface PodRequests extends Resources {
  readonly nonZeroMilliCpu: number;
  readonly nonZeroMemory: number;
}

const DEFAULT_MILLI_CPU = 100;
const DEFAULT_MEMORY = 200 * 1024 * 1024;
const noScalars: ReadonlyMap<string, number> = new Map();

/** A sum or maximum being built. Native resources have fields of their own: they are what nearly every pod asks for. */
class Amounts {
  milliCpu = 0;
  memory = 0;
  ephemeralStorage = 0;
  nonZeroMilliCpu = 0;
  nonZeroMemory = 0;
  scalars: Map<string, number> | undefined;

  addList(list: ResourceList | undefined): void {
    if (list === undefined) return;
    for (const name in list) {
      const text = list[name];
      if (name === 'cpu') this.milliCpu += milliValue(text);
      else if (name === 'memory') this.memory += quantityValue(text);
      else if (name === 'ephemeral-storage') this.ephemeralStorage += quantityValue(text);
      else if (name !== 'pods') this.#scalar(name, (this.scalars?.get(name) ?? 0) + quantityValue(text));
    }
  }

  /** A container's requests; where it names no cpu or memory, the defaults count for scores. */
  addContainer(list: ResourceList | undefined): void {
    const { milliCpu, memory } = this;
    this.addList(list);
    this.nonZeroMilliCpu += list?.['cpu'] === undefined ? DEFAULT_MILLI_CPU : this.milliCpu - milliCpu;
    this.nonZeroMemory += list?.['memory'] === undefined ? DEFAULT_MEMORY : this.memory - memory;
  }

  add(other: Amounts): void {
    this.milliCpu += other.milliCpu;
    this.memory += other.memory;
    this.ephemeralStorage += other.ephemeralStorage;
    this.nonZeroMilliCpu += other.nonZeroMilliCpu;
    this.nonZeroMemory += other.nonZeroMemory;
    for (const [name, amount] of other.scalars ?? []) this.#scalar(name, (this.scalars?.get(name) ?? 0) + amount);
  }

  raise(other: Amounts): void {
    this.milliCpu = Math.max(this.milliCpu, other.milliCpu);
    this.memory = Math.max(this.memory, other.memory);
    this.ephemeralStorage = Math.max(this.ephemeralStorage, other.ephemeralStorage);
    this.nonZeroMilliCpu = Math.max(this.nonZeroMilliCpu, other.nonZeroMilliCpu);
    this.nonZeroMemory = Math.max(this.nonZeroMemory, other.nonZeroMemory);
    for (const [name, amount] of other.scalars ?? []) this.#scalar(name, Math.max(this.scalars?.get(name) ?? 0, amount));
  }

  /** Pod-level requests take the place of the containers' (KEP-2837); cpu, memory and huge pages have them. */
  override(list: ResourceList): void {
    for (const name in list) {
      if (name === 'cpu') this.milliCpu = this.nonZeroMilliCpu = milliValue(list[name]);
      else if (name === 'memory') this.memory = this.nonZeroMemory = quantityValue(list[name]);
      else if (name.startsWith('hugepages-')) this.#scalar(name, quantityValue(list[name]));
    }
  }

  #scalar(name: string, amount: number): void {
    this.scalars ??= new Map();
    this.scalars.set(name, amount);
  }
}

/**
 * What a pod asks for (component-helpers resource.PodRequests): the containers together with restartable init containers, or the largest init
 * container with the sidecars started before it, plus overhead. While a resize is under way the larger of wish and reality counts (KEP-1287).
 */
export function podRequests(pod: Pod): PodRequests {
  const { spec, status } = pod;
  const sum = new Amounts();
  for (const c of spec?.containers ?? []) sum.addContainer(effectiveRequests(pod, c, status?.containerStatuses));
  const inits = spec?.initContainers;
  if (inits !== undefined && inits.length > 0) {
    const sidecars = new Amounts();
    const peak = new Amounts();
    for (const c of inits) {
      if (c.restartPolicy === 'Always') {
        const requests = effectiveRequests(pod, c, status?.initContainerStatuses);
        sum.addContainer(requests);
        sidecars.addContainer(requests);
        peak.raise(sidecars);
      } else {
        const running = new Amounts();
        running.addContainer(c.resources?.requests);
        running.add(sidecars);
        peak.raise(running);
      }
    }
    sum.raise(peak);
  }
  const level = spec?.resources?.requests;
  if (level !== undefined) {
    const current = status?.resources;
    sum.override(
      current === undefined ? level : (largest(pod, { requests: level }, current.requests, status?.allocatedResources) ?? level),
    );
  }
  if (spec?.overhead !== undefined) {
    const overhead = new Amounts();
    overhead.addList(spec.overhead);
    overhead.nonZeroMilliCpu = overhead.milliCpu;
    overhead.nonZeroMemory = overhead.memory;
    sum.add(overhead);
  }
  const { milliCpu, memory, ephemeralStorage, nonZeroMilliCpu, nonZeroMemory, scalars = noScalars } = sum;
  return { milliCpu, memory, ephemeralStorage, nonZeroMilliCpu, nonZeroMemory, scalars };
}

function effectiveRequests(
  pod: Pod,
  container: Container,
  statuses: readonly ContainerStatus[] | undefined,
): ResourceList | undefined {
  const requests = container.resources?.requests;
  if (statuses === undefined || statuses.length === 0) return requests;
  const status = statuses.find((s) => s.name === container.name);
  if (status?.resources === undefined) return requests;
  return largest(pod, container.resources, status.resources.requests, status.allocatedResources);
}

/** Per resource the largest of what is wished, what is in force and what the node has set aside. A wish that cannot be met does not count. */
function largest(
  pod: Pod,
  wished: ResourceRequirements | undefined,
  actual: ResourceList | undefined,
  allocated: ResourceList | undefined,
): ResourceList | undefined {
  const pending = pod.status?.conditions?.find((c) => c.type === 'PodResizePending');
  const lists = pending?.reason === 'Infeasible' ? [actual, allocated] : [wished?.requests, actual, allocated];
  const first = lists.find((l) => l !== undefined);
  if (lists.every((l) => l === undefined || l === first)) return first;
  const out: Record<string, string> = {};
  for (const list of lists) {
    for (const name in list) {
      const text = list[name]!;
      const known = out[name];
      if (known === undefined || (known !== text && milliValue(known) < milliValue(text))) out[name] = text;
    }
  }
  return out;
}
