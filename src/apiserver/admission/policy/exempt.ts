import type { AdmissionTarget } from '../../contract.ts';

/** Reviews tell what is, and the configuration of admission must stay changeable whatever it says. */
const exempt: ReadonlySet<string> = new Set(['admissionregistration.k8s.io', 'authentication.k8s.io', 'authorization.k8s.io']);

/** Whether policies are asked about a kind of write. */
export const isUnderPolicy = ({ group }: AdmissionTarget): boolean => !exempt.has(group);
