import type { IncomingHttpHeaders } from 'node:http';
import { badRequest, forbiddenError } from '../../api/meta/status.ts';
import type { UserInfo } from '../../api/request.ts';
import { serviceAccountGroups } from '../authn/service-account-user.ts';
import { AUTHENTICATED_GROUP } from '../authn/x509.ts';
import type { Authorizer, RequestAttributes } from '../contract.ts';

const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;
const EXTRA_PREFIX = 'impersonate-extra-';

/** Whether the headers ask to act as somebody else. A quick look, as almost none do. */
export const asksToImpersonate = (headers: IncomingHttpHeaders): boolean =>
  headers['impersonate-user'] !== undefined ||
  headers['impersonate-group'] !== undefined ||
  headers['impersonate-uid'] !== undefined ||
  Object.keys(headers).some((h) => h.startsWith(EXTRA_PREFIX));

/**
 * The user that the `Impersonate-*` headers name, after `user` was found allowed to be each part of it (user, groups, uid, extra fields).
 * Throws Forbidden, or BadRequest for headers without a user.
 */
export async function impersonate(user: UserInfo, headers: IncomingHttpHeaders, authorizer: Authorizer): Promise<UserInfo> {
  const name = first(headers['impersonate-user']);
  const groups = list(headers['impersonate-group']);
  const uid = first(headers['impersonate-uid']);
  // A key may be called as what all objects have.
  const extra: Record<string, readonly string[]> = Object.create(null) as Record<string, readonly string[]>;
  for (const [header, value] of Object.entries(headers)) {
    if (header.startsWith(EXTRA_PREFIX)) extra[unescapeKey(header.slice(EXTRA_PREFIX.length))] = list(value);
  }
  if (name === '') throw badRequest('requested impersonation without impersonating a user');
  const check = async (resource: string, namespace: string, object: string, subresource = '', apiGroup = ''): Promise<void> => {
    const attributes: RequestAttributes = {
      user,
      verb: 'impersonate',
      isResourceRequest: true,
      apiGroup,
      apiVersion: 'v1',
      resource,
      subresource,
      namespace,
      name: object,
      path: '',
    };
    const { decision, reason } = await authorizer.authorize(attributes);
    if (decision === 'allow') return;
    const where = namespace === '' ? ' at the cluster scope' : ` in the namespace ${JSON.stringify(namespace)}`;
    const text = `User ${JSON.stringify(user.name)} cannot impersonate resource ${JSON.stringify(subresource === '' ? resource : `${resource}/${subresource}`)} in API group ${JSON.stringify(apiGroup)}${where}`;
    throw forbiddenError({ group: apiGroup, resource }, object, reason ? `${text}: ${reason}` : text);
  };
  const account = SERVICE_ACCOUNT.exec(name);
  if (account !== null) await check('serviceaccounts', account[1]!, account[2]!);
  else await check('users', '', name);
  for (const group of groups) await check('groups', '', group);
  if (uid !== '') await check('uids', '', uid, '', 'authentication.k8s.io');
  for (const [key, values] of Object.entries(extra))
    for (const value of values) await check('userextras', '', value, key, 'authentication.k8s.io');
  const own = account !== null && groups.length === 0 ? serviceAccountGroups(account[1]!) : groups;
  const member =
    name === 'system:anonymous' || own.includes(AUTHENTICATED_GROUP) || own.includes('system:unauthenticated')
      ? own
      : [...own, AUTHENTICATED_GROUP];
  const all =
    name === 'system:anonymous' && !own.includes('system:unauthenticated') ? [...own, 'system:unauthenticated'] : member;
  return { name, groups: all, ...(uid === '' ? {} : { uid }), ...(Object.keys(extra).length === 0 ? {} : { extra }) };
}

const first = (value: string | readonly string[] | undefined): string => (typeof value === 'string' ? value : (value?.[0] ?? ''));
/** Node joins repeated headers with ", ". */
const list = (value: string | readonly string[] | undefined): readonly string[] =>
  value === undefined ? [] : typeof value === 'string' ? value.split(', ') : value;

/** What is no percent-encoding stays as it is, as upstream has it. */
function unescapeKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
