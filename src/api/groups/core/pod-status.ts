import { duplicate, type FieldError, forbidden, invalid, notSupported } from '../../meta/field-error.ts';
import { isQualifiedName, nameIsDNSSubdomain } from '../../meta/names.ts';
import type {
  ContainerStatus,
  Pod,
  PodCondition,
  PodResourceClaim,
  PodResourceClaimStatus,
  PodStatus,
} from '../../types/core-v1.ts';
import { isIPv6, validateLegacyIP } from '../ip.ts';
import { validateContainerReports, validateExtendedResourceClaim } from './container-status.ts';
import { withFields } from './copy-on-change.ts';
import { isRestartableInit } from './pod-columns.ts';
import { validatePodAnnotationUpdates } from './pod-validation/annotations.ts';
import { type Errors, type PodValidationOptions, report } from './pod-validation/options.ts';
import { ratchet } from './pod-validation.ts';

/** The `status` subresource of pods: what the kubelet and the scheduler report. */

const negative = 'must be a non-negative integer';
const systemConditions = new Set(['PodScheduled', 'Ready', 'Initialized']);

/** The pod a status update makes: the old spec, and of the metadata what status writers may touch. */
export function prepareStatus(pod: Pod, old: Pod): Pod {
  const { deletionTimestamp: _deletion, ownerReferences: _owners, generation: _generation, ...metadata } = pod.metadata ?? {};
  const { deletionTimestamp, ownerReferences, generation } = old.metadata ?? {};
  const spec = old.spec;
  let status: PodStatus = pod.status ?? {};
  // Who forgets the class or a generation has not meant to.
  if (!status.qosClass) status = withFields(status, { qosClass: old.status?.qosClass });
  if (!status.observedGeneration) status = withFields(status, { observedGeneration: old.status?.observedGeneration });
  status = withObservedGenerations(status, old.status?.conditions ?? []);
  return {
    ...pod,
    metadata: {
      ...metadata,
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
      ...(generation === undefined ? {} : { generation }),
    },
    ...(spec === undefined ? {} : { spec }),
    status,
  };
}

/** Conditions without an observed generation keep the one they had; of equal types, one after the other. */
function withObservedGenerations(status: PodStatus, old: readonly PodCondition[]): PodStatus {
  if (status.conditions === undefined || old.every((c) => !c.observedGeneration)) return status;
  const before = new Map<string, PodCondition[]>();
  for (const condition of old) before.set(condition.type, [...(before.get(condition.type) ?? []), condition]);
  const conditions = status.conditions.map((condition) => {
    const then = before.get(condition.type)?.shift()?.observedGeneration;
    return condition.observedGeneration || !then ? condition : { ...condition, observedGeneration: then };
  });
  return { ...status, conditions };
}

/** Everything wrong with a status update (ValidatePodStatusUpdate). */
export function validatePodStatusUpdate(pod: Pod, old: Pod): readonly FieldError[] {
  return ratchet((options) => collectStatus(pod, old, options), old.spec, old.metadata);
}

function collectStatus(pod: Pod, old: Pod, options: PodValidationOptions): readonly FieldError[] {
  const errors: Errors = [];
  const status = pod.status ?? {};
  const before = old.status ?? {};
  validatePodAnnotationUpdates(pod, old, options, errors);
  (status.conditions ?? []).forEach((condition, i) => {
    const { observedGeneration = 0 } = condition;
    if (observedGeneration < 0) errors.push(invalid(`status.conditions[${i}].observedGeneration`, observedGeneration, negative));
    if (systemConditions.has(condition.type)) return;
    // The path is upstream's.
    report(errors, `status.conditions[${i}].Type`, condition.type ?? '', isQualifiedName(condition.type ?? ''));
  });
  if ((pod.spec?.nodeName ?? '') !== (old.spec?.nodeName ?? '')) {
    errors.push(forbidden('status.nodeName', 'may not be changed directly'));
  }
  const nominated = status.nominatedNodeName ?? '';
  if (nominated !== '' && nominated !== before.nominatedNodeName) {
    report(errors, 'status.nominatedNodeName', nominated, nameIsDNSSubdomain(nominated, false));
    if (old.spec?.nodeName) {
      errors.push(forbidden('status.nominatedNodeName', 'may not be set on pods that are already bound to a node'));
    }
  }
  const { observedGeneration = 0 } = status;
  if (observedGeneration < 0) errors.push(invalid('status.observedGeneration', observedGeneration, negative));
  if ((status.qosClass ?? '') !== (before.qosClass ?? '')) {
    errors.push(invalid('status.qosClass', status.qosClass ?? '', 'field is immutable'));
  }
  const policy = old.spec?.restartPolicy;
  const ruled = new Set(
    [...(old.spec?.containers ?? []), ...(old.spec?.initContainers ?? [])]
      .filter((c) => isRestartableInit(c) || c.restartPolicyRules?.length || c.restartPolicy === 'OnFailure')
      .map((c) => c.name),
  );
  transitions(status.containerStatuses, before.containerStatuses, policy, ruled, 'status.containerStatuses', errors);
  transitions(status.initContainerStatuses, before.initContainerStatuses, policy, ruled, 'status.initContainerStatuses', errors);
  transitions(
    status.ephemeralContainerStatuses,
    before.ephemeralContainerStatuses,
    'Never',
    new Set(),
    'status.ephemeralContainerStatuses',
    errors,
  );
  validateClaimStatuses(status.resourceClaimStatuses ?? [], pod.spec?.resourceClaims ?? [], errors);
  if (status.extendedResourceClaimStatus !== undefined) {
    validateExtendedResourceClaim(status.extendedResourceClaimStatus, pod.spec, errors);
  }
  validateIPs(status.podIPs ?? [], 'status.podIPs', errors);
  const hostIPs = status.hostIPs ?? [];
  if (hostIPs.length > 0) {
    if ((status.hostIP ?? '') !== hostIPs[0]?.ip) {
      errors.push(invalid('status.hostIPs[0].ip', hostIPs[0]?.ip, 'must be equal to `hostIP`'));
    }
    validateIPs(hostIPs, 'status.hostIPs', errors);
  }
  validateContainerReports(pod, errors);
  return errors;
}

/** A container that has ended for good does not run again. */
function transitions(
  after: readonly ContainerStatus[] | undefined,
  before: readonly ContainerStatus[] | undefined,
  policy: string | undefined,
  mayRestart: ReadonlySet<string>,
  at: string,
  errors: Errors,
): void {
  if (policy === 'Always') return;
  before?.forEach((old, i) => {
    const ended = old.state?.terminated;
    if (ended === undefined || mayRestart.has(old.name)) return;
    if (ended.exitCode !== 0 && policy === 'OnFailure') return;
    if (after?.some((now) => now.name === old.name && now.state?.terminated === undefined)) {
      errors.push(forbidden(`${at}[${i}].state`, 'may not be transitioned to non-terminated state'));
    }
  });
}

function validateClaimStatuses(
  statuses: readonly PodResourceClaimStatus[],
  claims: readonly PodResourceClaim[],
  errors: Errors,
): void {
  const seen = new Set<string>();
  statuses.forEach(({ name, resourceClaimName }, i) => {
    const path = `status.resourceClaimStatuses[${i}]`;
    const at = `${path}.name`;
    if (!claims.some((claim) => claim.name === name)) {
      errors.push(invalid(at, name, 'must match the name of an entry in `spec.resourceClaims`'));
    }
    if (seen.has(name)) errors.push(duplicate(at, name));
    seen.add(name);
    if (resourceClaimName !== undefined) {
      report(errors, `${path}.resourceClaimName`, resourceClaimName, nameIsDNSSubdomain(resourceClaimName, false));
    }
  });
}

/** At most one address of each family. */
function validateIPs(ips: readonly { readonly ip: string }[], at: string, errors: Errors): void {
  ips.forEach(({ ip }, i) => {
    errors.push(...validateLegacyIP(`${at}[${i}]`, ip));
  });
  if (ips.length < 2) return;
  const families = new Set(ips.map(({ ip }) => isIPv6(ip)));
  if (families.size < 2 || ips.length > 2) {
    errors.push(invalid(at, ips, 'may specify no more than one IP for each IP family'));
  }
  const seen = new Set<string>();
  ips.forEach((entry, i) => {
    if (seen.has(entry.ip)) errors.push(duplicate(`${at}[${i}]`, entry));
    seen.add(entry.ip);
  });
}

/** What a binding's target must be (ValidatePodBinding). */
export function validateBindingTarget(target: { readonly kind?: string; readonly name?: string }): readonly FieldError[] {
  const errors: Errors = [];
  if (target.kind && target.kind !== 'Node') errors.push(notSupported('target.kind', target.kind, ['Node', '<empty>']));
  if (!target.name) errors.push({ type: 'FieldValueRequired', path: 'target.name', detail: '' });
  return errors;
}
