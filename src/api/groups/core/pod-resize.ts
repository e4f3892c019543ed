import { type FieldError, forbidden, invalid } from '../../meta/field-error.ts';
import type { Container, Pod, PodSpec, ResourceList, ResourceRequirements } from '../../types/core-v1.ts';
import { semanticEqual } from '../semantic-equal.ts';
import { mapShared, withFields } from './copy-on-change.ts';
import { isRestartableInit } from './pod-columns.ts';
import { computeQosClass, qosClass } from './pod-qos.ts';
import { mirrorAnnotation } from './pod-validation/annotations.ts';
import type { Errors, PodValidationOptions } from './pod-validation/options.ts';
import { collectPod, ratchet } from './pod-validation.ts';
import { isQosResource } from './resource-names.ts';

/** The `resize` subresource: the resources of a running pod (KEP-1287, KEP-5419). */

const v1 = 'io.k8s.api.core.v1';
const noSpec: PodSpec = Object.freeze({ containers: [] });

/** The old pod with what a resize may change taken from `pod`. With other containers than before, `pod` as it is: validation tells. */
export function keepOnlyResize(pod: Pod, old: Pod): Pod {
  const after = pod.spec ?? noSpec;
  const before = old.spec ?? noSpec;
  if (after.containers.length !== before.containers.length) return pod;
  if ((after.initContainers?.length ?? 0) !== (before.initContainers?.length ?? 0)) return pod;
  const spec = withFields(before, {
    containers: resized(after.containers, before.containers),
    initContainers: before.initContainers && resized(after.initContainers ?? [], before.initContainers),
    resources: after.resources,
  });
  return withFields(pod, { spec, status: old.status });
}

function resized(after: readonly Container[], before: readonly Container[]): readonly Container[] {
  if (after.some((container, i) => container.name !== before[i]?.name)) return after;
  return mapShared(before, (container, i) =>
    withFields(container, { resources: after[i]?.resources, resizePolicy: after[i]?.resizePolicy }),
  );
}

/** Everything wrong with a resize (ValidatePodResize). */
export function validatePodResize(pod: Pod, old: Pod): readonly FieldError[] {
  return ratchet((options) => collectResize(pod, old, options), old.spec, old.metadata);
}

function collectResize(pod: Pod, old: Pod, options: PodValidationOptions): readonly FieldError[] {
  if (old.metadata?.annotations?.[mirrorAnnotation] !== undefined) {
    return [forbidden('', 'static pods cannot be resized')];
  }
  if (old.spec?.os?.name === 'windows') return [forbidden('', 'windows pods cannot be resized')];
  const errors: Errors = [];
  const after = pod.spec ?? noSpec;
  const before = old.spec ?? noSpec;
  collectPod(pod, options, errors);
  if (qosClass(old) !== computeQosClass(pod)) {
    errors.push(invalid('spec', pod.status?.qosClass ?? '', 'Pod QOS Class may not change as a result of resizing'));
  }
  if (!resizeSupported(old)) errors.push(forbidden('spec', 'Pod running on node without support for resize'));
  const ofPod = validatePodLevelResize(after.resources, before.resources, errors);
  const told = errors.length;
  sameOrder(after, before, errors);
  if (errors.length > told) return errors;
  for (const list of ['initContainers', 'containers'] as const) {
    before[list]?.forEach((container, i) => {
      if (list === 'initContainers' && !isRestartableInit(container)) return;
      refuseRemoval(after[list]?.[i]?.resources, container.resources, 'resource', `spec.${list}[${i}].resources`, errors);
    });
  }
  const containers = after.containers.map((container, i) => {
    const reverted = withOldComputeResources(container, before.containers[i]!);
    if (!semanticEqual(`${v1}.Container`, reverted, before.containers[i])) {
      errors.push(forbidden('spec', 'only cpu and memory resources are mutable'));
    }
    return reverted;
  });
  const initContainers = after.initContainers?.map((container, i) => {
    const then = before.initContainers![i]!;
    if (!isRestartableInit(container)) {
      if (!semanticEqual(`${v1}.Container`, container, then)) {
        errors.push(forbidden('spec', 'resources for non-sidecar init containers are immutable'));
      }
      return container;
    }
    const reverted = withOldComputeResources(container, then);
    if (!semanticEqual(`${v1}.Container`, reverted, then)) {
      errors.push(
        forbidden(`spec.initContainers[${i}]`, 'only cpu and memory resources for init or sidecar containers are mutable'),
      );
    }
    return reverted;
  });
  if (errors.length > 0) return errors;
  const rest = withFields(after, { containers, initContainers, resources: ofPod });
  if (!semanticEqual(`${v1}.PodSpec`, rest, before)) {
    errors.push(forbidden('spec', 'only cpu and memory resources are mutable'));
  }
  return errors;
}

/** Whether the pod's kubelet told that it can: it reports what containers have been given. */
function resizeSupported(pod: Pod): boolean {
  const running = pod.status?.containerStatuses?.find((c) => c.state?.running !== undefined);
  return running === undefined || running.resources !== undefined;
}

/** The resources of the pod as a whole (KEP-5419), with the cpu and memory of before. */
function validatePodLevelResize(
  after: ResourceRequirements | undefined,
  before: ResourceRequirements | undefined,
  errors: Errors,
): ResourceRequirements | undefined {
  if (before !== undefined && after === undefined) {
    errors.push(forbidden('spec.resources', 'pod-level resources cannot be removed'));
    return after;
  }
  refuseRemoval(after, before, 'pod-level resource', 'spec.resources', errors);
  if (after === undefined) return undefined;
  const limits = withOldCompute(after.limits, before?.limits);
  const requests = withOldCompute(after.requests, before?.requests);
  const reverted = { ...(after.claims && { claims: after.claims }), ...(limits && { limits }), ...(requests && { requests }) };
  if (!semanticEqual(`${v1}.ResourceRequirements`, reverted, before ?? {})) {
    errors.push(forbidden('spec', 'only cpu and memory resources are mutable at pod-level'));
  }
  return before === undefined && isEmpty(limits) && isEmpty(requests) && after.claims === undefined ? undefined : reverted;
}

const isEmpty = (list: ResourceList | undefined): boolean => Object.keys(list ?? {}).length === 0;

/** A resize neither adds nor removes containers, and they keep names and places. */
function sameOrder(after: PodSpec, before: PodSpec, errors: Errors): void {
  for (const list of ['containers', 'initContainers'] as const) {
    const [now, then] = [after[list] ?? [], before[list] ?? []];
    if (now.length !== then.length) {
      errors.push(forbidden(`spec.${list}`, `${list} may not be added or removed on resize`));
      continue;
    }
    then.forEach(({ name }, i) => {
      if (now[i]!.name === name) return;
      errors.push(forbidden(`spec.${list}[${i}].name`, `${list} may not be renamed or reordered on resize`));
    });
  }
}

/** What is asked for can be more or less, but not withdrawn. */
function refuseRemoval(
  after: ResourceRequirements | undefined,
  before: ResourceRequirements | undefined,
  what: string,
  at: string,
  errors: Errors,
): void {
  for (const list of ['requests', 'limits'] as const) {
    if (removes(after?.[list], before?.[list])) errors.push(forbidden(`${at}.${list}`, `${what} ${list} cannot be removed`));
  }
}

function removes(after: ResourceList | undefined, before: ResourceList | undefined): boolean {
  return Object.keys(before ?? {}).some((name) => after?.[name] === undefined);
}

/** The container with the cpu and memory of `before`, and no claims: one that has any cannot be resized. */
function withOldComputeResources(container: Container, before: Container): Container {
  const limits = withOldCompute(container.resources?.limits, before.resources?.limits);
  const requests = withOldCompute(container.resources?.requests, before.resources?.requests);
  return withFields(container, { resources: { ...(limits && { limits }), ...(requests && { requests }) } });
}

/** A list with the cpu and memory of another. */
function withOldCompute(list: ResourceList | undefined, old: ResourceList | undefined): ResourceList | undefined {
  if (list === undefined && old === undefined) return undefined;
  const kept = Object.entries(list ?? {}).filter(([name]) => !isQosResource(name));
  return Object.fromEntries([...kept, ...Object.entries(old ?? {}).filter(([name]) => isQosResource(name))]);
}
