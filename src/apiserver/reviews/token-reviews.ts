import type { KubernetesObject } from '../../api/meta/object.ts';
import { badRequest } from '../../api/meta/status.ts';
import { formatTime } from '../../api/meta/time.ts';
import type { SelfSubjectReview, TokenReview, TokenReviewStatus } from '../../api/types/authentication-v1.ts';
import type { ServiceAccountAuthenticator } from '../authn/service-account-token.ts';
import type { Authenticator, VirtualResource } from '../contract.ts';

/** The reviews of authentication.k8s.io/v1: whose token is this, and who am I? */
export function authenticationReviews(
  tokens: ServiceAccountAuthenticator,
  others: readonly Authenticator[] = [],
): readonly VirtualResource[] {
  const review = (kind: string, handle: VirtualResource['handle']): VirtualResource => ({
    group: 'authentication.k8s.io',
    version: 'v1',
    kind,
    plural: `${kind.toLowerCase()}s`,
    singular: kind.toLowerCase(),
    namespaced: false,
    verbs: ['create'],
    type: `io.k8s.api.authentication.v1.${kind}`,
    handle,
  });
  return [
    review('TokenReview', async (scope) => {
      const body = scope.request.body as TokenReview;
      if (!body.spec.token) throw badRequest('token is required for TokenReview in authentication');
      const status = await tokenStatus(tokens, others, body.spec);
      return { code: 201, object: { ...body, status } as KubernetesObject, warnings: [] };
    }),
    review('SelfSubjectReview', (scope) => {
      const { kind, apiVersion } = scope.request.body as SelfSubjectReview;
      const metadata = { creationTimestamp: formatTime(scope.now) };
      const { name, uid, groups, extra } = scope.user;
      const userInfo = {
        username: name,
        ...(uid === undefined ? {} : { uid }),
        groups,
        ...(extra === undefined ? {} : { extra }),
      };
      return { code: 201, object: { kind, apiVersion, metadata, status: { userInfo } } as KubernetesObject, warnings: [] };
    }),
  ];
}

async function tokenStatus(
  tokens: ServiceAccountAuthenticator,
  others: readonly Authenticator[],
  spec: TokenReview['spec'],
): Promise<TokenReviewStatus> {
  const { token = '', audiences } = spec;
  try {
    const found = await tokens.verify(token, audiences);
    const { name, uid, groups, extra } = found.user;
    return {
      authenticated: true,
      user: { username: name, ...(uid === undefined ? {} : { uid }), groups, ...(extra === undefined ? {} : { extra }) },
      audiences: found.audiences ?? [],
    };
  } catch {
    for (const other of others) {
      const credentials = { headers: { authorization: `Bearer ${token}` }, remoteAddress: '', path: '' };
      const found = await Promise.resolve(other.authenticate(credentials)).catch(() => undefined);
      if (found !== undefined) return { authenticated: true, user: { username: found.user.name, groups: found.user.groups } };
    }
    return { user: {}, error: '[invalid bearer token, token lookup failed]' };
  }
}
