import { createHash } from 'node:crypto';
import { unauthorized } from '../../api/meta/status.ts';
import type { Clock } from '../../util/clock.ts';
import type { AuthenticatedUser, Authenticator, ClientCertificate } from '../contract.ts';

/** Every user that proved who they are is a member of this group. */
export const AUTHENTICATED_GROUP = 'system:authenticated';
/** Tells in audit logs which credential was used (KEP-3221's authentication.kubernetes.io/credential-id). */
export const CREDENTIAL_ID = 'authentication.kubernetes.io/credential-id';

/**
 * Client certificates: the common name is the user, the organizations are the groups. The chain has been verified by TLS; here only the end
 * of validity is looked at again, as connections live long.
 */
export function x509Authenticator(clock: Clock): Authenticator {
  // One connection's certificate is one object for all its requests.
  const users = new WeakMap<ClientCertificate, AuthenticatedUser>();
  return {
    name: 'x509',
    authenticate({ certificate }) {
      if (certificate === undefined || certificate.commonName === '' || certificate.frontProxy === true) return undefined;
      if (certificate.notAfter < clock.now()) throw unauthorized();
      let known = users.get(certificate);
      if (known === undefined) {
        known = {
          user: {
            name: certificate.commonName,
            groups: [...certificate.organizations, AUTHENTICATED_GROUP],
            extra: { [CREDENTIAL_ID]: [`X509SHA256=${createHash('sha256').update(certificate.raw).digest('hex')}`] },
          },
        };
        users.set(certificate, known);
      }
      return known;
    },
  };
}
