import type { UserInfo } from '../../api/request.ts';
import type { Authorizer } from '../contract.ts';
import { isAnyAllowed } from './permission.ts';

/** Whether a user may `approve` or `sign` for a signer, named or by its domain (`kubernetes.io/*`). */
export function mayActForSigner(
  authorizer: Authorizer,
  user: UserInfo,
  verb: 'approve' | 'sign' | 'attest',
  signer: string,
): Promise<boolean> {
  const permission = { verb, apiGroup: 'certificates.k8s.io', resource: 'signers' };
  return isAnyAllowed(authorizer, user, [
    { ...permission, name: signer },
    { ...permission, name: `${signer.split('/')[0]}/*` },
  ]);
}
