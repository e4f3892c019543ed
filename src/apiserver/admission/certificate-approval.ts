import type { CertificateSigningRequest } from '../../api/types/certificates-v1.ts';
import type { AdmissionPlugin, Authorizer } from '../contract.ts';
import { refuse } from './refusal.ts';
import { mayActForSigner } from './signer-permission.ts';

/** Lets only those approve or deny certificate requests who may `approve` for their signer. */
export function certificateApproval(authorizer: Authorizer): AdmissionPlugin {
  return {
    name: 'CertificateApproval',
    handles: ({ operation, group, resource, subresource }) =>
      operation === 'UPDATE' &&
      group === 'certificates.k8s.io' &&
      resource === 'certificatesigningrequests' &&
      subresource === 'approval',
    validate: async (attributes) => {
      // The old object's signer: a new one could be named in the same request.
      const { signerName } = (attributes.oldObject as CertificateSigningRequest).spec;
      if (await mayActForSigner(authorizer, attributes.user, 'approve', signerName)) return;
      throw refuse(attributes, `user not permitted to approve requests with signerName ${JSON.stringify(signerName)}`);
    },
  };
}
