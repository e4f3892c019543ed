import type { TLSSocket } from 'node:tls';
import type { UserInfo } from '../../api/request.ts';
import type { TokenReview } from '../../api/types/authentication-v1.ts';
import type { ResourceAttributes, SubjectAccessReview } from '../../api/types/authorization-v1.ts';
import type { Client, ResourceRef } from '../../client/contract.ts';
import type { Clock } from '../../util/clock.ts';

/** Answers are kept this long (the kubelet's webhook cache defaults). Milliseconds. */
const TOKEN_TTL = 120_000;
const ALLOWED_TTL = 300_000;
const DENIED_TTL = 30_000;
/** Answers kept of each kind; then all are forgotten. */
const MAX_CACHED = 4096;

const tokenReviews: ResourceRef<TokenReview> = {
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'TokenReview',
  plural: 'tokenreviews',
  namespaced: false,
};
const accessReviews: ResourceRef<SubjectAccessReview> = {
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SubjectAccessReview',
  plural: 'subjectaccessreviews',
  namespaced: false,
};

/** Who a bearer token stands for; undefined for nobody. */
export type TokenAuthenticator = (token: string) => Promise<UserInfo | undefined>;
/** Whether a user may do this to the node. */
export type NodeAuthorizer = (user: UserInfo, attributes: ResourceAttributes) => Promise<boolean>;

/** Asks the API server who a token stands for. */
export function reviewTokens(client: Client, clock: Clock): TokenAuthenticator {
  const cache = new Map<string, { readonly until: number; readonly user: UserInfo | undefined }>();
  return async (token) => {
    const cached = cache.get(token);
    if (cached !== undefined && cached.until > clock.now()) return cached.user;
    const review = await client
      .resource(tokenReviews)
      .create({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } });
    const found = review.status?.authenticated === true ? review.status.user : undefined;
    const user =
      found === undefined
        ? undefined
        : {
            name: found.username ?? '',
            groups: found.groups ?? [],
            ...(found.uid === undefined ? {} : { uid: found.uid }),
            ...(found.extra === undefined ? {} : { extra: found.extra }),
          };
    if (cache.size >= MAX_CACHED) cache.clear();
    cache.set(token, { until: clock.now() + TOKEN_TTL, user });
    return user;
  };
}

/** Asks the API server whether a user may. */
export function reviewAccess(client: Client, clock: Clock): NodeAuthorizer {
  const cache = new Map<string, { readonly until: number; readonly allowed: boolean }>();
  return async (user, resourceAttributes) => {
    // What every API server answers; spares the question on the way of its own requests.
    if (user.groups.includes('system:masters')) return true;
    const key = JSON.stringify([user.name, user.groups, resourceAttributes]);
    const cached = cache.get(key);
    if (cached !== undefined && cached.until > clock.now()) return cached.allowed;
    const review = await client.resource(accessReviews).create({
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {
        user: user.name,
        groups: user.groups,
        ...(user.uid === undefined ? {} : { uid: user.uid }),
        ...(user.extra === undefined ? {} : { extra: user.extra }),
        resourceAttributes,
      },
    });
    const allowed = review.status?.allowed === true;
    if (cache.size >= MAX_CACHED) cache.clear();
    cache.set(key, { until: clock.now() + (allowed ? ALLOWED_TTL : DENIED_TTL), allowed });
    return allowed;
  };
}

/** The user of a client certificate that the cluster's CA has signed: CN is the name, each O a group. */
export function certificateUser(socket: TLSSocket): UserInfo | undefined {
  if (!socket.authorized) return undefined;
  const { CN, O } = socket.getPeerCertificate().subject ?? {};
  if (typeof CN !== 'string' || CN === '') return undefined;
  const groups = O === undefined ? [] : Array.isArray(O) ? O : [O];
  return { name: CN, groups: [...groups, 'system:authenticated'] };
}

const verbs: Readonly<Record<string, string>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

const under = (path: string, root: string): boolean => path === root || path.startsWith(`${root}/`);

/** What a request asks of the node, most specific first (KEP-2862): any one that is allowed will do. */
export function requestAttributes(method: string, path: string, nodeName: string): readonly ResourceAttributes[] {
  const subresources = under(path, '/stats')
    ? ['stats']
    : under(path, '/metrics')
      ? ['metrics']
      : under(path, '/logs')
        ? ['log']
        : under(path, '/pods') || under(path, '/runningpods')
          ? ['pods', 'proxy']
          : under(path, '/healthz')
            ? ['healthz', 'proxy']
            : under(path, '/configz')
              ? ['configz', 'proxy']
              : ['proxy'];
  return subresources.map((subresource) => ({
    verb: verbs[method] ?? 'get',
    group: '',
    version: 'v1',
    resource: 'nodes',
    subresource,
    name: nodeName,
  }));
}
