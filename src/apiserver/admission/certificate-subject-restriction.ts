import type { CertificateSigningRequest } from '../../api/types/certificates-v1.ts';
import type { AdmissionPlugin } from '../contract.ts';
import { requestedOrganizations } from './csr-organizations.ts';
import { refuse } from './refusal.ts';
import { isWriteOf } from './targets.ts';

const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client';
const MASTERS = 'system:masters';

/** Refuses requests for client certificates that would make their holder a member of system:masters. */
export function certificateSubjectRestriction(): AdmissionPlugin {
  return {
    name: 'CertificateSubjectRestriction',
    handles: (target) => isWriteOf(target, 'certificates.k8s.io', 'certificatesigningrequests', 'CREATE'),
    validate: (attributes) => {
      const { spec } = attributes.object as CertificateSigningRequest;
      if (spec.signerName !== CLIENT_SIGNER) return;
      let organizations: readonly string[];
      try {
        organizations = requestedOrganizations(Buffer.from(String(spec.request), 'base64').toString('latin1'));
      } catch (err) {
        throw refuse(attributes, `failed to parse CSR: ${(err as Error).message}`);
      }
      if (organizations.includes(MASTERS)) {
        throw refuse(attributes, `use of ${CLIENT_SIGNER} signer with ${MASTERS} group is not allowed`);
      }
    },
  };
}
