import type { IncomingHttpHeaders } from 'node:http';
import { validateDomainPrefixedPath } from '../../api/meta/domain-names.ts';
import { FieldPath, formatFieldError } from '../../api/meta/field-error.ts';
import { isDNS1123Label, isDNS1123Subdomain } from '../../api/meta/names.ts';
import { badRequest } from '../../api/meta/status.ts';
import type { UserInfo } from '../../api/request.ts';
import { serviceAccountGroups } from '../authn/service-account-user.ts';
import { AUTHENTICATED_GROUP } from '../authn/x509.ts';
import type { Authorizer, RequestAttributes } from '../contract.ts';
import { authorize, forbidden } from '../http/authorize.ts';
import { headerText, unescapeKey } from '../http/header-text.ts';

const ANONYMOUS = 'system:anonymous';
const UNAUTHENTICATED_GROUP = 'system:unauthenticated';
const MASTERS_GROUP = 'system:masters';
const NODES_GROUP = 'system:nodes';
const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;
const NODE_PREFIX = 'system:node:';
/** The node that a service account's token is bound to. */
const NODE_NAME = 'authentication.kubernetes.io/node-name';
const EXTRA_PREFIX = 'impersonate-extra-';
const AUTHENTICATION_GROUP = 'authentication.k8s.io';
/** From so many values on it is asked first whether all may be taken. */
const MANY_VALUES = 4;
/** Users whose way is remembered. */
const MAX_REMEMBERED = 10_000;

/** Who is to be acted as. */
interface Wanted {
  readonly name: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: ReadonlyMap<string, readonly string[]>;
}

/** Another user, and the verb that allowed to act as them; '' for the one that allows everything. */
export interface Impersonated {
  readonly user: UserInfo;
  readonly constraint: string;
}

/** Whether the headers ask to act as somebody else. A quick look, as almost none do. */
export const asksToImpersonate = (headers: IncomingHttpHeaders): boolean =>
  headers['impersonate-user'] !== undefined ||
  headers['impersonate-group'] !== undefined ||
  headers['impersonate-uid'] !== undefined ||
  Object.keys(headers).some((h) => h.startsWith(EXTRA_PREFIX));

/**
 * Acting as somebody else. Constrained impersonation (KEP-5284) asks for two permissions: to act as somebody of that kind at all
 * (`impersonate:user-info`), and to do so for what the request does (`impersonate-on:user-info:list`); they are found before the old one
 * (`impersonate`), which allows everything.
 */
export class Impersonation {
  readonly #modes: readonly Mode[];
  /** Which mode let a user through last: it is tried first. */
  readonly #lastModes = new Map<string, Mode>();

  constructor(authorizer: Authorizer) {
    this.#modes = [
      new ConstrainedMode(authorizer, 'associated-node', (wanted, requestor) => {
        const node = nodeOf(wanted.name);
        const bound = requestor.extra?.[NODE_NAME];
        return isNameOnly(wanted) && node !== undefined && accountOf(requestor.name) !== undefined && bound?.[0] === node;
      }),
      new ConstrainedMode(authorizer, 'arbitrary-node', (wanted) => isNameOnly(wanted) && nodeOf(wanted.name) !== undefined),
      new ConstrainedMode(authorizer, 'serviceaccount', (wanted) => isNameOnly(wanted) && accountOf(wanted.name) !== undefined),
      new ConstrainedMode(
        authorizer,
        'user-info',
        (wanted) => nodeOf(wanted.name) === undefined && accountOf(wanted.name) === undefined,
      ),
      new LegacyMode(authorizer),
    ];
  }

  /**
   * The user that the `Impersonate-*` headers name, when the one who asks may be each part of it (user, groups, uid, extra fields).
   * `request` is theirs. Rejects with Forbidden: what the first mode said; or BadRequest for headers without a user. Undefined when the
   * headers say nothing.
   */
  async impersonate(request: RequestAttributes, rawHeaders: readonly string[]): Promise<Impersonated | undefined> {
    const wanted = wantedBy(rawHeaders);
    if (wanted === undefined) return undefined;
    const { name } = request.user;
    const last = this.#lastModes.get(name);
    const order = last === undefined ? this.#modes : [last, ...this.#modes.filter((mode) => mode !== last)];
    let refused: unknown;
    for (const mode of order) {
      try {
        const found = await mode.impersonate(request, wanted);
        if (found === undefined) continue;
        if (mode !== last) this.#remember(name, mode);
        return found;
      } catch (err) {
        refused ??= err;
      }
    }
    throw refused;
  }

  #remember(name: string, mode: Mode): void {
    if (this.#lastModes.size >= MAX_REMEMBERED) this.#lastModes.clear();
    this.#lastModes.set(name, mode);
  }
}

interface Mode {
  /** Undefined where the mode is not for such a user. Rejects with Forbidden. */
  impersonate(request: RequestAttributes, wanted: Wanted): Promise<Impersonated | undefined>;
}

class ConstrainedMode implements Mode {
  readonly #authorizer: Authorizer;
  readonly #name: string;
  readonly #applies: (wanted: Wanted, requestor: UserInfo) => boolean;

  constructor(authorizer: Authorizer, name: string, applies: (wanted: Wanted, requestor: UserInfo) => boolean) {
    this.#authorizer = authorizer;
    this.#name = name;
    this.#applies = applies;
  }

  async impersonate(request: RequestAttributes, wanted: Wanted): Promise<Impersonated | undefined> {
    if (!this.#applies(wanted, request.user)) return undefined;
    const requestor = this.#name === 'associated-node' ? withoutExtra(request.user) : request.user;
    await authorize(this.#authorizer, { ...request, user: requestor, verb: `impersonate-on:${this.#name}:${request.verb}` });
    const verb = `impersonate:${this.#name}`;
    const ask = asking(this.#authorizer, requestor, verb);
    const groups = await this.#user(ask, wanted);
    if (wanted.uid !== '') await ask('uids', wanted.uid, { apiGroup: AUTHENTICATION_GROUP });
    await this.#groups(ask, wanted.groups);
    await this.#extra(ask, wanted.extra);
    return { user: userOf(wanted, groups), constraint: verb };
  }

  /** Asks for the name, and gives the groups that come with it. */
  async #user(ask: Ask, { name, groups }: Wanted): Promise<readonly string[]> {
    const node = nodeOf(name);
    if (node !== undefined) {
      // Whoever is bound to a node may be that one, whichever it is.
      await ask('nodes', this.#name === 'associated-node' ? '*' : node, { apiGroup: AUTHENTICATION_GROUP });
      return [NODES_GROUP];
    }
    const account = accountOf(name);
    if (account !== undefined) {
      await ask('serviceaccounts', account.name, { apiGroup: AUTHENTICATION_GROUP, namespace: account.namespace });
      return serviceAccountGroups(account.namespace);
    }
    await ask('users', name, { apiGroup: AUTHENTICATION_GROUP });
    return groups;
  }

  async #groups(ask: Ask, groups: readonly string[]): Promise<void> {
    const where = { apiGroup: AUTHENTICATION_GROUP };
    if (groups.includes('')) throw ask.refusal('groups', '', where, 'impersonating the empty string group is not allowed');
    if (groups.includes(MASTERS_GROUP)) {
      throw ask.refusal('groups', MASTERS_GROUP, where, 'impersonating the system:masters group is not allowed');
    }
    if (groups.length >= MANY_VALUES && (await ask.may('groups', '*', where))) return;
    for (const group of groups) await ask('groups', group, where);
  }

  async #extra(ask: Ask, extra: Wanted['extra']): Promise<void> {
    const where = (subresource: string) => ({ apiGroup: AUTHENTICATION_GROUP, subresource });
    const fault = extraFault(extra);
    if (fault !== undefined) throw ask.refusal('userextras', '', where(''), fault);
    const count = [...extra.values()].reduce((sum, values) => sum + values.length, 0);
    if (count >= MANY_VALUES && (await ask.may('userextras', '*', where('*')))) return;
    for (const [key, values] of extra) for (const value of values) await ask('userextras', value, where(key));
  }
}

/** The old way: whoever may be somebody may do everything as them. */
class LegacyMode implements Mode {
  readonly #authorizer: Authorizer;

  constructor(authorizer: Authorizer) {
    this.#authorizer = authorizer;
  }

  async impersonate(request: RequestAttributes, wanted: Wanted): Promise<Impersonated> {
    const ask = asking(this.#authorizer, request.user, 'impersonate');
    const account = accountOf(wanted.name);
    if (account !== undefined) await ask('serviceaccounts', account.name, { namespace: account.namespace });
    else await ask('users', wanted.name, {});
    if (wanted.uid !== '') await ask('uids', wanted.uid, { apiGroup: AUTHENTICATION_GROUP });
    for (const group of wanted.groups) await ask('groups', group, {});
    for (const [subresource, values] of wanted.extra) {
      for (const value of values) await ask('userextras', value, { apiGroup: AUTHENTICATION_GROUP, subresource });
    }
    const groups = account !== undefined && wanted.groups.length === 0 ? serviceAccountGroups(account.namespace) : wanted.groups;
    return { user: userOf(wanted, groups), constraint: '' };
  }
}

type Where = Partial<Pick<RequestAttributes, 'apiGroup' | 'namespace' | 'subresource'>>;

/** Asks whether one part of a user may be taken; rejects with Forbidden. */
interface Ask {
  (resource: string, name: string, where: Where): Promise<void>;
  may(resource: string, name: string, where: Where): Promise<boolean>;
  /** The Forbidden error for something that is never allowed. */
  refusal(resource: string, name: string, where: Where, reason: string): Error;
}

function asking(authorizer: Authorizer, user: UserInfo, verb: string): Ask {
  const attributes = (resource: string, name: string, where: Where): RequestAttributes => ({
    user,
    verb,
    isResourceRequest: true,
    apiGroup: '',
    apiVersion: 'v1',
    resource,
    subresource: '',
    namespace: '',
    name,
    path: '',
    ...where,
  });
  const ask = async (resource: string, name: string, where: Where): Promise<void> =>
    authorize(authorizer, attributes(resource, name, where));
  return Object.assign(ask, {
    may: async (resource: string, name: string, where: Where) =>
      (await authorizer.authorize(attributes(resource, name, where))).decision === 'allow',
    refusal: (resource: string, name: string, where: Where, reason: string) =>
      forbidden(attributes(resource, name, where), reason),
  });
}

/** What the headers say. Throws BadRequest when they say something, but not who. */
function wantedBy(rawHeaders: readonly string[]): Wanted | undefined {
  let name = '';
  let uid = '';
  const groups: string[] = [];
  const extra = new Map<string, string[]>();
  // Repeated headers are told apart here: a group's name may hold a comma.
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const header = rawHeaders[i]!.toLowerCase();
    if (!header.startsWith('impersonate-')) continue;
    const value = headerText(rawHeaders[i + 1]!);
    if (header === 'impersonate-user') name ||= value;
    else if (header === 'impersonate-uid') uid ||= value;
    else if (header === 'impersonate-group') groups.push(value);
    else if (header.startsWith(EXTRA_PREFIX)) {
      const key = unescapeKey(header.slice(EXTRA_PREFIX.length));
      const values = extra.get(key);
      if (values === undefined) extra.set(key, [value]);
      else values.push(value);
    }
  }
  if (name !== '') return { name, uid, groups, extra };
  if (uid === '' && groups.length === 0 && extra.size === 0) return undefined;
  // As Go prints the user.DefaultInfo that it is.
  const slice = (values: readonly string[]): string => `{${values.map((v) => JSON.stringify(v)).join(', ')}}`;
  const given = [
    `Name:"", UID:${JSON.stringify(uid)}`,
    `Groups:[]string${groups.length === 0 ? '(nil)' : slice(groups)}`,
    `Extra:map[string][]string${extra.size === 0 ? '(nil)' : `{${[...extra].map(([k, v]) => `${JSON.stringify(k)}:[]string${slice(v)}`).join(', ')}}`}`,
  ];
  throw badRequest(`requested &user.DefaultInfo{${given.join(', ')}} without impersonating a user name`);
}

function userOf({ name, uid, extra }: Wanted, groups: readonly string[]): UserInfo {
  const member = name === ANONYMOUS ? UNAUTHENTICATED_GROUP : AUTHENTICATED_GROUP;
  const known = groups.includes(member) || groups.includes(UNAUTHENTICATED_GROUP);
  return {
    name,
    groups: known ? groups : [...groups, member],
    ...(uid === '' ? {} : { uid }),
    ...(extra.size === 0 ? {} : { extra: Object.fromEntries(extra) }),
  };
}

/** Authorizers see that a node's agent asks, and not where it runs: one answer holds for all of its pods. */
const withoutExtra = (user: UserInfo): UserInfo => ({
  ...user,
  extra: { 'authentication.kubernetes.io/associated-node-keys': Object.keys(user.extra ?? {}).sort() },
});

const isNameOnly = ({ uid, groups, extra }: Wanted): boolean => uid === '' && groups.length === 0 && extra.size === 0;

function nodeOf(user: string): string | undefined {
  if (!user.startsWith(NODE_PREFIX)) return undefined;
  const name = user.slice(NODE_PREFIX.length);
  return isDNS1123Subdomain(name).length === 0 ? name : undefined;
}

function accountOf(user: string): { readonly namespace: string; readonly name: string } | undefined {
  const [, namespace, name] = SERVICE_ACCOUNT.exec(user) ?? [];
  if (namespace === undefined || name === undefined) return undefined;
  return isDNS1123Label(namespace).length === 0 && isDNS1123Subdomain(name).length === 0 ? { namespace, name } : undefined;
}

/** What constrained impersonation does not take for extra fields, which the old way does. */
function extraFault(extra: Wanted['extra']): string | undefined {
  for (const [key, values] of extra) {
    if (key === '') return 'impersonating the empty string key in extra is not allowed';
    const faults = validateDomainPrefixedPath(new FieldPath('extra').child('key'), key);
    if (faults.length > 0) {
      const text = faults.map(formatFieldError);
      return `impersonating an invalid key in extra is not allowed: ${text.length === 1 ? text[0] : `[${text.join(', ')}]`}`;
    }
    if (key !== key.toLowerCase()) {
      return `impersonating a non-lowercase key in extra is not allowed: ${JSON.stringify(key)}`;
    }
    if (values.includes('')) return 'impersonating the empty string value in extra is not allowed';
  }
  return undefined;
}
