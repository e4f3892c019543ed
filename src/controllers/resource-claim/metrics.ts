import { Counter, Gauge, type Registry } from 'prom-client';
import type { ResourceClaim } from '../../api/types/resource-v1.ts';
import { sharedMetric } from '../../client/shared-metric.ts';
import { POD_CLAIM_ANNOTATION } from './plan.ts';

const EXTENDED_ANNOTATION = 'resource.kubernetes.io/extended-resource-claim';

/** Whether devices are claimed for administrators' purposes (KEP-5018). */
export const wantsAdminAccess = ({ spec }: Pick<ResourceClaim, 'spec'>): boolean =>
  (spec?.devices?.requests ?? []).some((request) => request.exactly?.adminAccess === true);

function sourceOf({ metadata }: ResourceClaim): string {
  const annotations = metadata?.annotations ?? {};
  if (annotations[EXTENDED_ANNOTATION] === 'true') return 'extended_resource';
  return annotations[POD_CLAIM_ANNOTATION] === undefined ? '' : 'resource_claim_template';
}

/** Tells of a claim that was made, or could not be. */
export type CountCreation = (status: 'success' | 'failure', adminAccess: boolean) => void;

/** Upstream's metrics of claims; they are counted when somebody asks. */
export function claimMetrics(registry: Registry | undefined, claims: () => readonly ResourceClaim[]): CountCreation {
  const created = 'dynamic_resource_allocation_resourceclaim_creates_total';
  if (registry === undefined) return () => {};
  const makeCounter = (): Counter<'status' | 'admin_access'> =>
    new Counter({
      name: created,
      help: 'Number of ResourceClaims creation requests, categorized by creation status and admin access',
      labelNames: ['status', 'admin_access'] as const,
      registers: [registry],
    });
  const creations = sharedMetric(registry, created, makeCounter);
  const counted = 'dynamic_resource_allocation_resource_claims';
  // It looks at the cache of who runs the controller now: an earlier one's stands still.
  registry.removeSingleMetric(counted);
  new Gauge({
    name: counted,
    help: "Number of ResourceClaims, categorized by allocation status, admin access, and source. Source can be 'resource_claim_template' (created from a template), 'extended_resource' (extended resources), or empty (manually created by a user).",
    labelNames: ['allocated', 'admin_access', 'source'] as const,
    registers: [registry],
    collect() {
      this.reset();
      for (const claim of claims()) {
        const allocated = String(claim.status?.allocation !== undefined);
        this.inc({ allocated, admin_access: String(wantsAdminAccess(claim)), source: sourceOf(claim) });
      }
    },
  });
  return (status, adminAccess) => creations.inc({ status, admin_access: String(adminAccess) });
}
