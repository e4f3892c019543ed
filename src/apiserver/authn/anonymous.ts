import type { Authenticator } from '../contract.ts';
import { hasProtocolToken } from './websocket-token.ts';

const anonymous = { user: { name: 'system:anonymous', groups: ['system:unauthenticated'] } } as const;

/**
 * Who shows nothing is this user. Last in the chain: RBAC gives it the public information and nothing else. Who showed credentials that nobody
 * accepted is refused, not taken for nobody.
 */
export const anonymousAuthenticator: Authenticator = {
  name: 'anonymous',
  authenticate: ({ headers, certificate }) =>
    headers.authorization === undefined && (certificate?.commonName ?? '') === '' && !hasProtocolToken(headers)
      ? anonymous
      : undefined,
};
