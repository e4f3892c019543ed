import { forbiddenError, unauthorized } from '../../api/meta/status.ts';
import type { UserInfo } from '../../api/request.ts';
import type {
  AuthenticatedUser,
  Authenticator,
  AuthorizationResult,
  Authorizer,
  Credentials,
  MaybePromise,
  RequestAttributes,
} from '../contract.ts';

/**
 * Asks authenticators in order. The first that knows the credentials tells the user; when none does, a refusal on the way is thrown, or a 401.
 * Makes no promise unless one of them does.
 */
export function authenticate(authenticators: readonly Authenticator[], credentials: Credentials): MaybePromise<UserInfo> {
  return next(authenticators, credentials, 0, undefined);
}

function next(
  authenticators: readonly Authenticator[],
  credentials: Credentials,
  from: number,
  refusal: unknown,
): MaybePromise<UserInfo> {
  let refused = refusal;
  for (let i = from; i < authenticators.length; i++) {
    let result: MaybePromise<AuthenticatedUser | undefined>;
    try {
      result = authenticators[i]!.authenticate(credentials);
    } catch (err) {
      refused ??= err;
      continue;
    }
    if (result instanceof Promise) {
      const later = i + 1;
      return result.then(
        (found) => found?.user ?? next(authenticators, credentials, later, refused),
        (err) => next(authenticators, credentials, later, refused ?? err),
      );
    }
    if (result !== undefined) return result.user;
  }
  throw refused ?? unauthorized();
}

/** Throws the 403 unless the authorizer allows. Undefined when it answered at once. `told` hears what it said. */
export function authorize(
  authorizer: Authorizer,
  attributes: RequestAttributes,
  told?: (result: AuthorizationResult) => void,
): Promise<void> | undefined {
  const result = authorizer.authorize(attributes);
  if (result instanceof Promise) {
    return result.then((r) => {
      told?.(r);
      check(attributes, r);
    });
  }
  told?.(result);
  check(attributes, result);
  return undefined;
}

function check(attributes: RequestAttributes, result: AuthorizationResult): void {
  if (result.decision !== 'allow') throw forbidden(attributes, result.reason);
}

/** Upstream's sentence about what was refused. */
export function forbidden(attributes: RequestAttributes, reason = ''): Error {
  const { user, verb, resource, subresource, namespace, apiGroup } = attributes;
  const who = JSON.stringify(user.name);
  let message: string;
  if (!attributes.isResourceRequest) message = `User ${who} cannot ${verb} path ${JSON.stringify(attributes.path)}`;
  else {
    const what = JSON.stringify(subresource === '' ? resource : `${resource}/${subresource}`);
    const where = namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`;
    message = `User ${who} cannot ${verb} resource ${what} in API group ${JSON.stringify(apiGroup)} ${where}`;
  }
  return forbiddenError({ group: apiGroup, resource }, attributes.name, reason === '' ? message : `${message}: ${reason}`);
}
