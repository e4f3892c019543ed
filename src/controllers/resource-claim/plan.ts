import { claimNames } from '../../api/groups/core/pod-resource-claims.ts';
import type { OwnerReference } from '../../api/meta/object.ts';
import type { Pod, PodResourceClaim } from '../../api/types/core-v1.ts';
import type { ResourceClaim, ResourceClaimConsumerReference, ResourceClaimTemplate } from '../../api/types/resource-v1.ts';
import { controllerOf, controllerRef } from '../workload/controller-ref.ts';
import { isFinished } from '../workload/pod-state.ts';

/** On a claim made for a pod: which of the pod's claims it is. */
export const POD_CLAIM_ANNOTATION = 'resource.kubernetes.io/pod-claim-name';
const FINALIZER = 'resource.kubernetes.io/delete-protection';
/** Longest prefix of a generated name that leaves room for a dash and the suffix in 63 characters. */
const MAX_BASE = 57;
/** A claim can be used by so many pods at once (resource.k8s.io ResourceClaimReservedForMaxSize). */
const MAX_RESERVED = 256;
const NONE: readonly string[] = [];

/** None of the pod's containers runs, or ever will. */
export const isDone = (pod: Pod): boolean =>
  isFinished(pod) || (pod.metadata?.deletionTimestamp !== undefined && !pod.spec?.nodeName);

/** The pod that a claim was made for. */
export function owningPod(claim: ResourceClaim): OwnerReference | undefined {
  const owner = controllerOf(claim);
  return owner?.apiVersion === 'v1' && owner.kind === 'Pod' ? owner : undefined;
}

/** The names of all claims that a pod uses: of its spec, and the one the scheduler made for extended resources (KEP-5004). */
export function claimsUsedBy(pod: Pod): readonly string[] {
  // Nearly all pods: the question is asked of every pod at every change.
  if (pod.spec?.resourceClaims === undefined && pod.status?.extendedResourceClaimStatus === undefined) return NONE;
  const names: string[] = [];
  for (const { name } of claimNames(pod)) if (name !== undefined && name !== '') names.push(name);
  const extended = pod.status?.extendedResourceClaimStatus?.resourceClaimName;
  if (extended !== undefined && extended !== '') names.push(extended);
  return names;
}

/** The prefix of a claim's name: when it is too long, both parts are cut in proportion. */
export function claimNamePrefix(pod: string, claim: string): string {
  const full = `${pod}-${claim}-`;
  if (full.length <= MAX_BASE) return full;
  const cut = (text: string): string => text.slice(0, Math.floor((text.length * MAX_BASE) / full.length));
  return `${cut(pod)}-${cut(claim)}`;
}

/** The claim that a template makes for a pod; it goes with the pod. */
export function claimFromTemplate(pod: Pod, podClaim: PodResourceClaim, template: ResourceClaimTemplate): ResourceClaim {
  const { metadata, spec } = template.spec;
  return {
    apiVersion: 'resource.k8s.io/v1',
    kind: 'ResourceClaim',
    metadata: {
      generateName: claimNamePrefix(pod.metadata!.name!, podClaim.name),
      namespace: pod.metadata!.namespace!,
      ownerReferences: [controllerRef(pod, 'v1', 'Pod')],
      annotations: { ...metadata?.annotations, [POD_CLAIM_ANNOTATION]: podClaim.name },
      ...(metadata?.labels === undefined ? {} : { labels: metadata.labels }),
    },
    spec,
  };
}

/** Whether the claim is allocated and the pod, which is on a node already, may still be written into it. */
export function shouldReserve(pod: Pod, claim: ResourceClaim): boolean {
  const reservedFor = claim.status?.reservedFor ?? [];
  return (
    claim.status?.allocation !== undefined &&
    reservedFor.length < MAX_RESERVED &&
    !reservedFor.some(({ uid }) => uid === pod.metadata?.uid)
  );
}

/** What is to be written so that a claim is used by no more than `valid`. */
export interface ClaimRelease {
  /** The next status; undefined when it may stay. */
  readonly status: ResourceClaim['status'] | undefined;
  /** The finalizer is to go: nothing is allocated any more. */
  readonly unprotect: boolean;
}

/**
 * A claim whose last user has gone is deallocated, so that its next user can be placed anywhere; one that was never used keeps its allocation
 * until it is deleted. Undefined when nothing is to be done. Pure.
 */
export function planRelease(claim: ResourceClaim, valid: readonly ResourceClaimConsumerReference[]): ClaimRelease | undefined {
  const { status, metadata } = claim;
  const held = metadata?.finalizers?.includes(FINALIZER) === true;
  if (valid.length < (status?.reservedFor ?? []).length) {
    const free = valid.length === 0 && held;
    const { reservedFor: _, allocation, ...rest } = status!;
    return {
      status: {
        ...rest,
        ...(free || allocation === undefined ? {} : { allocation }),
        ...(valid.length === 0 ? {} : { reservedFor: valid }),
      },
      unprotect: held && (free || allocation === undefined),
    };
  }
  if (!held || metadata?.deletionTimestamp === undefined || valid.length > 0) return undefined;
  if (status?.allocation === undefined) return { status: undefined, unprotect: true };
  const { allocation: _, ...rest } = status;
  return { status: rest, unprotect: true };
}

/** The claim without what keeps it from being deleted. */
export function unprotected(claim: ResourceClaim): ResourceClaim {
  const finalizers = (claim.metadata?.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER);
  return { ...claim, metadata: { ...claim.metadata, finalizers } };
}
