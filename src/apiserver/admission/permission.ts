import type { UserInfo } from '../../api/request.ts';
import type { Authorizer, MaybePromise, RequestAttributes } from '../contract.ts';

/** What a plugin asks the authorizer about: a verb on something that may exist for authorization alone (`sign` on `signers`). */
export type Permission = Pick<RequestAttributes, 'verb' | 'apiGroup' | 'resource' | 'name'> & {
  readonly apiVersion?: string;
  readonly namespace?: string;
  readonly subresource?: string;
  /** With `isResourceRequest` false: the path that is asked about. */
  readonly path?: string;
  readonly isResourceRequest?: boolean;
};

/** Whether a user may. Synchronous where the authorizer is. */
export function isAllowed(authorizer: Authorizer, user: UserInfo, permission: Permission): MaybePromise<boolean> {
  const result = authorizer.authorize({
    user,
    isResourceRequest: true,
    apiVersion: '*',
    subresource: '',
    namespace: '',
    path: '',
    ...permission,
  });
  return result instanceof Promise ? result.then((r) => r.decision === 'allow') : result.decision === 'allow';
}

/** Whether a user may do one of several things; asked in order. */
export async function isAnyAllowed(authorizer: Authorizer, user: UserInfo, permissions: readonly Permission[]): Promise<boolean> {
  for (const permission of permissions) if (await isAllowed(authorizer, user, permission)) return true;
  return false;
}
