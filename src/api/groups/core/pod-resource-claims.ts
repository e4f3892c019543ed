import type { Pod, PodResourceClaim } from '../../types/core-v1.ts';

/** A claim of a pod, and the ResourceClaim that stands for it. */
export interface PodClaimName {
  readonly claim: PodResourceClaim;
  /** Undefined until the pod's status tells the name of one made from a template; '' when none is needed. */
  readonly name: string | undefined;
  /** Made for the pod from a template, and owned by it. */
  readonly generated: boolean;
}

/** The resource claims a pod uses, in the order of its spec. */
export function claimNames({ spec, status }: Pod): readonly PodClaimName[] {
  return (spec?.resourceClaims ?? []).map((claim) => {
    if (claim.resourceClaimName !== undefined) return { claim, name: claim.resourceClaimName, generated: false };
    const made = status?.resourceClaimStatuses?.find((s) => s.name === claim.name);
    return { claim, name: made === undefined ? undefined : (made.resourceClaimName ?? ''), generated: true };
  });
}
