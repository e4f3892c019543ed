import { type FieldError, forbidden, invalid } from '../../meta/field-error.ts';
import type { Container, ContainerResizePolicy, Pod, PodSpec, ResourceList, ResourceRequirements } from '../../types/core-v1.ts';
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
  const sameContainers =
    after.containers.length === before.containers.length &&
    (after.initContainers?.length ?? 0) === (before.initContainers?.length ?? 0);
  if (!sameContainers) return [...errors, forbidden('spec', 'only cpu and memory resources are mutable')];
  if (qosClass(old) !== computeQosClass(pod)) {
    errors.push(invalid('spec', pod.status?.qosClass ?? '', 'Pod QOS Class may not change as a result of resizing'));
  }
  if (!resizeSupported(old)) errors.push(forbidden('spec', 'Pod running on node without support for resize'));
  validateRequirementsResize(after.resources, before.resources, undefined, 'spec.resources', errors);
  for (const list of ['initContainers', 'containers'] as const) {
    before[list]?.forEach((container, i) => {
      if (list === 'initContainers' && !isRestartableInit(container)) return;
      const now = after[list]?.[i];
      validateRequirementsResize(
        now?.resources,
        container.resources,
        now?.resizePolicy ?? [],
        `spec.${list}[${i}].resources`,
        errors,
      );
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
      errors.push(forbidden('spec', 'only cpu and memory resources for sidecar containers are mutable'));
    }
    return reverted;
  });
  if (errors.length > 0) return errors;
  const rest = withFields(after, { containers, initContainers, resources: before.resources });
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

/** What is asked for cannot be withdrawn, and memory is not taken from a container that is not restarted for it. */
function validateRequirementsResize(
  after: ResourceRequirements | undefined,
  before: ResourceRequirements | undefined,
  policies: readonly ContainerResizePolicy[] | undefined,
  at: string,
  errors: Errors,
): void {
  if (removes(after?.requests, before?.requests)) {
    errors.push(forbidden(`${at}.requests`, 'resource requests cannot be removed'));
  }
  if (removes(after?.limits, before?.limits)) {
    errors.push(forbidden(`${at}.limits`, 'resource limits cannot be removed'));
  }
  if (policies === undefined) return;
  const policy = policies.find((p) => p.resourceName === 'memory')?.restartPolicy || 'NotRequired';
  const limit = after?.limits?.['memory'];
  if (policy !== 'NotRequired' || limit === undefined) return;
  // A best-effort decrease is allowed since v1.34; a limit where there was none still needs a restart.
  if (before?.limits?.['memory'] === undefined) {
    errors.push(forbidden(`${at}.limits[memory]`, 'memory limits cannot be added unless resizePolicy is RestartContainer'));
  }
}

function removes(after: ResourceList | undefined, before: ResourceList | undefined): boolean {
  return Object.keys(before ?? {}).some((name) => after?.[name] === undefined);
}

/** The container with the cpu and memory of `before`. */
function withOldComputeResources(container: Container, before: Container): Container {
  const revert = (list: ResourceList | undefined, old: ResourceList | undefined): ResourceList | undefined => {
    if (old === undefined) return undefined;
    const kept = Object.entries(list ?? {}).filter(([name]) => !isQosResource(name));
    return Object.fromEntries([...kept, ...Object.entries(old).filter(([name]) => isQosResource(name))]);
  };
  const limits = revert(container.resources?.limits, before.resources?.limits);
  const requests = revert(container.resources?.requests, before.resources?.requests);
  return withFields(container, {
    resources: {
      ...(container.resources?.claims === undefined ? {} : { claims: container.resources.claims }),
      ...(limits === undefined ? {} : { limits }),
      ...(requests === undefined ? {} : { requests }),
    },
  });
}
