import { type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { unauthorized } from '../../api/meta/status.ts';
import { patchTypes } from '../../api/request.ts';
import type { Secret, ServiceAccount } from '../../api/types/core-v1.ts';
import { type ApiAccess, type AuthenticatedUser, loopbackUser } from '../contract.ts';
import type { ServiceAccountKeys } from './service-account-keys.ts';
import { serviceAccountGroups, serviceAccountUser } from './service-account-user.ts';

/** Who issues the tokens that are kept in secrets of type kubernetes.io/service-account-token. */
export const LEGACY_ISSUER = 'kubernetes/serviceaccount';

const CLAIM = 'kubernetes.io/serviceaccount';
const LAST_USED = 'kubernetes.io/legacy-token-last-used';
const INVALID_SINCE = 'kubernetes.io/legacy-token-invalid-since';
const TRACKING = { namespace: 'kube-system', name: 'kube-apiserver-legacy-service-account-token-tracking' };
/** Verified tokens that are remembered; the oldest go first. Whether they still count is looked at every time. */
const MAX_REMEMBERED = 1_024;

/** What a token says: the account, and the secret that it stands in. */
interface LegacyClaims {
  readonly namespace: string;
  readonly account: string;
  readonly uid: string;
  readonly secret: string;
}

/** The token for a secret. It does not end: it is good as long as the secret holds it and the account is there. */
export async function signLegacyToken(keys: ServiceAccountKeys, account: ServiceAccount, secret: Secret): Promise<string> {
  const { namespace = '', name = '', uid = '' } = account.metadata ?? {};
  const claims = {
    [`${CLAIM}/namespace`]: namespace,
    [`${CLAIM}/secret.name`]: secret.metadata!.name!,
    [`${CLAIM}/service-account.name`]: name,
    [`${CLAIM}/service-account.uid`]: uid,
  };
  return await new SignJWT(claims)
    .setProtectedHeader({ alg: keys.signer.algorithm, kid: keys.signer.id })
    .setIssuer(LEGACY_ISSUER)
    .setSubject(serviceAccountUser(namespace, name))
    .sign(keys.signer.key);
}

/** Verifies tokens that stand in secrets, and notes on the secret the day of their last use (KEP-2799). */
export class LegacyTokens {
  readonly #keys: ServiceAccountKeys;
  readonly #verified = new Map<string, LegacyClaims>();
  /** The day that the note of a secret's use is on its way for, by uid. */
  readonly #noting = new Map<string, string>();

  constructor(keys: ServiceAccountKeys) {
    this.#keys = keys;
  }

  /** Whether the signature of this token has been verified before. */
  has(token: string): boolean {
    return this.#verified.has(token);
  }

  /** Whom the token speaks for. They name no audience: they are for the API server. Throws `unauthorized()`. */
  verify(token: string, wanted: readonly string[], access: ApiAccess): AuthenticatedUser | Promise<AuthenticatedUser> {
    const known = this.#verified.get(token);
    if (known !== undefined) return this.#accept(token, known, wanted, access);
    return this.#check(token, access.clock.now()).then((claims) => this.#accept(token, claims, wanted, access));
  }

  async #check(token: string, now: number): Promise<LegacyClaims> {
    const { verifiers } = this.#keys;
    const { payload } = await jwtVerify(
      token,
      (header) => {
        const key = verifiers.get(header.kid ?? '');
        if (key === undefined) throw unauthorized();
        return key;
      },
      { issuer: LEGACY_ISSUER, currentDate: new Date(now), algorithms: ['ES256', 'RS256'], requiredClaims: ['sub'] },
    ).catch(() => {
      throw unauthorized();
    });
    const claims = claimsOf(payload);
    if (claims === undefined) throw unauthorized();
    if (this.#verified.size >= MAX_REMEMBERED) this.#verified.delete(this.#verified.keys().next().value as string);
    this.#verified.set(token, claims);
    return claims;
  }

  #accept(token: string, claims: LegacyClaims, wanted: readonly string[], access: ApiAccess): AuthenticatedUser {
    const audiences = this.#keys.apiAudiences.filter((audience) => wanted.includes(audience));
    if (audiences.length === 0) throw unauthorized();
    const { namespace, account: name, uid } = claims;
    const secret = access.view<Secret>('', 'secrets')?.get(namespace, claims.secret);
    if (secret === undefined || secret.metadata?.deletionTimestamp !== undefined) throw unauthorized();
    if (Buffer.from(secret.data?.['token'] ?? '', 'base64').toString() !== token) throw unauthorized();
    const account = access.view<ServiceAccount>('', 'serviceaccounts')?.get(namespace, name);
    if (account?.metadata?.uid !== uid || account.metadata.deletionTimestamp !== undefined) throw unauthorized();
    this.#note(secret, access);
    if (secret.metadata?.labels?.[INVALID_SINCE]) throw unauthorized();
    return {
      user: { name: serviceAccountUser(namespace, name), uid, groups: serviceAccountGroups(namespace) },
      audiences,
    };
  }

  /** Once a day, and beside the request: nobody waits for it. */
  #note(secret: Secret, access: ApiAccess): void {
    const { name = '', namespace = '', uid = '', labels } = secret.metadata!;
    const today = new Date(access.clock.now()).toISOString().slice(0, 10);
    if (labels?.[LAST_USED] === today || this.#noting.get(uid) === today) return;
    this.#noting.set(uid, today);
    const body = { metadata: { uid, labels: { [LAST_USED]: today } } };
    const target = { group: '', version: 'v1', resource: 'secrets', namespace, name };
    access.handler
      .handle({ verb: 'patch', ...target, options: {}, patchType: patchTypes.merge, body }, loopbackUser)
      .catch((err: unknown) => access.logger.warn({ err, namespace, name }, 'use of a token was not noted'))
      .finally(() => this.#noting.delete(uid));
  }
}

function claimsOf(payload: JWTPayload): LegacyClaims | undefined {
  const read = (name: string): string => {
    const value = payload[`${CLAIM}/${name}`];
    return typeof value === 'string' ? value : '';
  };
  const claims = {
    namespace: read('namespace'),
    account: read('service-account.name'),
    uid: read('service-account.uid'),
    secret: read('secret.name'),
  };
  const complete = Object.values(claims).every((value) => value !== '');
  return complete && payload.sub === serviceAccountUser(claims.namespace, claims.account) ? claims : undefined;
}

/** Says since when uses of tokens are noted: what was not noted before that says nothing. */
export async function ensureTokenTracking(access: ApiAccess): Promise<void> {
  const { namespace, name } = TRACKING;
  if (access.view('', 'configmaps')?.get(namespace, name) !== undefined) return;
  const since = new Date(access.clock.now()).toISOString().slice(0, 10);
  const tracking = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name }, data: { since } };
  await access.seed({ group: '', version: 'v1', resource: 'configmaps' }, [tracking], 'kube-apiserver');
}
