import { podRequests } from '../../api/groups/core/pod-resources.ts';
import { deepEqual } from '../../api/groups/define.ts';
import { milliValue, quantityValue } from '../../api/meta/quantity.ts';
import type { Container, Node, Pod, PodStatus, ResourceRequirements } from '../../api/types/core-v1.ts';
import { misfit } from '../pods/admission.ts';
import { isRestartableInit } from '../pods/pod-spec.ts';

/** In-place resize of pods (KEP-1287): what is asked for, what the node has granted, and what is in force may differ for a while. */

/** Resources granted to containers, by name; to the pod as a whole (KEP-5419), where it asks for some, by `WHOLE_POD`. */
export type Allocation = ReadonlyMap<string, ResourceRequirements>;
/** No container is called so. */
export const WHOLE_POD = '';

const resizable = (pod: Pod): readonly Container[] => [
  ...(pod.spec?.initContainers ?? []).filter(isRestartableInit),
  ...(pod.spec?.containers ?? []),
];

/** What a pod asks for. */
export function desired(pod: Pod): Allocation {
  const ofPod = pod.spec?.resources;
  return new Map([
    ...(ofPod === undefined ? [] : [[WHOLE_POD, ofPod] as const]),
    ...resizable(pod).map((c) => [c.name, c.resources ?? {}] as const),
  ]);
}

/** What a pod that ran before this kubelet was granted: its status tells; its spec for containers that did not run yet. */
export function allocationFromStatus(pod: Pod, status: PodStatus | undefined): Allocation {
  const statuses = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])];
  const allocation = new Map(
    resizable(pod).map((c): readonly [string, ResourceRequirements] => {
      const told = statuses.find((s) => s.name === c.name);
      if (told?.state?.running === undefined || told.resources === undefined) return [c.name, c.resources ?? {}];
      const { limits, requests } = { ...told.resources, requests: told.allocatedResources ?? told.resources.requests };
      return [c.name, { ...c.resources, ...without(limits, 'limits'), ...without(requests, 'requests') }];
    }),
  );
  const ofPod = pod.spec?.resources;
  if (ofPod === undefined) return allocation;
  const { allocatedResources: requests, resources } = status ?? {};
  const granted = requests === undefined ? ofPod : { ...without(resources?.limits, 'limits'), requests };
  return allocation.set(WHOLE_POD, granted);
}

const without = (value: unknown, name: string): object => (value === undefined ? {} : { [name]: value });

/** The pod with what it was granted in place of what it asks for; the pod itself when that is the same. */
export function withAllocation(pod: Pod, allocation: Allocation): Pod {
  let changed = false;
  const granted = <C extends Container>(c: C): C => {
    const resources = allocation.get(c.name);
    if (resources === undefined || sameResources(resources, c.resources)) return c;
    changed = true;
    return { ...c, resources };
  };
  const containers = (pod.spec?.containers ?? []).map(granted);
  const initContainers = pod.spec?.initContainers?.map((c) => (isRestartableInit(c) ? granted(c) : c));
  const ofPod = allocation.get(WHOLE_POD);
  const resources = ofPod === undefined || sameResources(ofPod, pod.spec?.resources) ? undefined : ofPod;
  if (!changed && resources === undefined) return pod;
  const spec = { ...pod.spec!, containers, ...(initContainers === undefined ? {} : { initContainers }) };
  return { ...pod, spec: { ...spec, ...(resources === undefined ? {} : { resources }) } };
}

/** Whether two containers may use the same. */
export function sameResources(a: ResourceRequirements | undefined, b: ResourceRequirements | undefined): boolean {
  return deepEqual(a?.requests ?? {}, b?.requests ?? {}) && deepEqual(a?.limits ?? {}, b?.limits ?? {});
}

/** Why a resize has to wait. */
export interface ResizePending {
  readonly reason: 'Infeasible' | 'Deferred';
  readonly message: string;
}

/** Whether the node can grant what the pod now asks for, beside what it has granted to `others`. Undefined: it can. */
export function resizeObstacle(pod: Pod, node: Node, others: readonly Pod[]): ResizePending | undefined {
  const allocatable = node.status?.allocatable ?? {};
  const requests = podRequests(pod);
  for (const [name, read] of [
    ['cpu', milliValue],
    ['memory', quantityValue],
  ] as const) {
    const requested = read(requests[name]);
    const capacity = read(allocatable[name]);
    if (allocatable[name] !== undefined && requested > capacity) {
      return {
        reason: 'Infeasible',
        message: `Node didn't have enough capacity: ${name}, requested: ${requested}, capacity: ${capacity}`,
      };
    }
  }
  const lacking = misfit(pod, node, others);
  return lacking === undefined ? undefined : { reason: 'Deferred', message: lacking.message };
}

/** Whether the change of a container's resources takes effect only by starting it anew. */
export function needsRestart(container: Container, from: ResourceRequirements, to: ResourceRequirements): boolean {
  return (container.resizePolicy ?? []).some(
    (p) =>
      p.restartPolicy === 'RestartContainer' &&
      (from.limits?.[p.resourceName] !== to.limits?.[p.resourceName] ||
        from.requests?.[p.resourceName] !== to.requests?.[p.resourceName]),
  );
}

/** The text of the events of a resize: what is asked for, as JSON (events.podResizeMessage). */
export function resizeMessage(prefix: string, pod: Pod, error?: string): string {
  const list = (containers: readonly Container[] | undefined) =>
    containers?.map((c) => ({ name: c.name, ...(c.resources === undefined ? {} : { resources: c.resources }) }));
  const init = list(pod.spec?.initContainers);
  const summary = {
    ...(init === undefined || init.length === 0 ? {} : { initContainers: init }),
    containers: list(pod.spec?.containers),
    ...(pod.spec?.resources === undefined ? {} : { resources: pod.spec.resources }),
    generation: pod.metadata?.generation ?? 0,
    ...(error === undefined ? {} : { error }),
  };
  return `${prefix}: ${JSON.stringify(summary)}`;
}
