import { deepEqual } from '../../api/groups/define.ts';
import type { CertificateSigningRequest } from '../../api/types/certificates-v1.ts';
import type { AdmissionPlugin, Authorizer } from '../contract.ts';
import { refuse } from './refusal.ts';
import { mayActForSigner } from './signer-permission.ts';

/** Lets only those write a certificate, or conditions, who may `sign` for the signer. */
export function certificateSigning(authorizer: Authorizer): AdmissionPlugin {
  return {
    name: 'CertificateSigning',
    handles: ({ operation, group, resource, subresource }) =>
      operation === 'UPDATE' &&
      group === 'certificates.k8s.io' &&
      resource === 'certificatesigningrequests' &&
      subresource === 'status',
    validate: async (attributes) => {
      const request = attributes.object as CertificateSigningRequest;
      const old = attributes.oldObject as CertificateSigningRequest;
      const same =
        request.status?.certificate === old.status?.certificate &&
        deepEqual(request.status?.conditions ?? [], old.status?.conditions ?? []);
      if (same) return;
      const { signerName } = old.spec;
      if (await mayActForSigner(authorizer, attributes.user, 'sign', signerName)) return;
      throw refuse(attributes, `user not permitted to sign requests with signerName ${JSON.stringify(signerName)}`);
    },
  };
}
