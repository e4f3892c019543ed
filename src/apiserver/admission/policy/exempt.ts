import type { AdmissionTarget } from '../../contract.ts';

/** Reviews tell what is, and no policy may stand between the cluster and them. */
const reviews: ReadonlySet<string> = new Set(['authentication.k8s.io', 'authorization.k8s.io']);
/** Policies must stay changeable whatever they say. Webhooks' configurations are under them. */
const policies: ReadonlySet<string> = new Set([
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
]);

/** Whether policies are asked about a kind of write. */
export const isUnderPolicy = ({ group, resource }: AdmissionTarget): boolean =>
  !reviews.has(group) && !(group === 'admissionregistration.k8s.io' && policies.has(resource));
