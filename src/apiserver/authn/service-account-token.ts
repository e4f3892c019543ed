import { type JWTPayload, jwtVerify, SignJWT } from 'jose';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { unauthorized } from '../../api/meta/status.ts';
import type { UserInfo } from '../../api/request.ts';
import type { ApiAccess, AuthenticatedUser, Authenticator } from '../contract.ts';
import { bearerToken } from './bearer.ts';
import { LEGACY_ISSUER, LegacyTokens } from './legacy-token.ts';
import type { ServiceAccountKeys } from './service-account-keys.ts';
import { serviceAccountGroups, serviceAccountUser } from './service-account-user.ts';
import { CREDENTIAL_ID } from './x509.ts';

/** What a token is bound to: it ends when that object does. */
export interface BoundObject {
  readonly kind: 'Pod' | 'Secret' | 'Node';
  readonly name: string;
  readonly uid: string;
}

/** The private claim of bound tokens (KEP-1205). */
interface KubernetesClaim {
  readonly namespace: string;
  readonly serviceaccount: { readonly name: string; readonly uid: string };
  readonly pod?: { readonly name: string; readonly uid: string };
  readonly secret?: { readonly name: string; readonly uid: string };
  readonly node?: { readonly name: string; readonly uid?: string };
  readonly warnafter?: number;
}

export interface TokenRequestParameters {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  readonly bound?: BoundObject;
  /** The node that the bound pod runs on. */
  readonly node?: { readonly name: string; readonly uid?: string };
  /** A random id, for audit logs. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Signs a bound token. Gives it with the time it ends, in milliseconds since the epoch. */
export async function signToken(
  keys: ServiceAccountKeys,
  p: TokenRequestParameters,
): Promise<{ readonly token: string; readonly expires: number }> {
  const now = Math.floor(p.now / 1000);
  const claim: KubernetesClaim = {
    namespace: p.namespace,
    serviceaccount: { name: p.name, uid: p.uid },
    ...(p.bound?.kind === 'Pod' ? { pod: { name: p.bound.name, uid: p.bound.uid } } : {}),
    ...(p.bound?.kind === 'Secret' ? { secret: { name: p.bound.name, uid: p.bound.uid } } : {}),
    ...(p.bound?.kind === 'Node' ? { node: { name: p.bound.name, uid: p.bound.uid } } : {}),
    ...(p.node === undefined ? {} : { node: p.node }),
  };
  const token = await new SignJWT({ 'kubernetes.io': claim })
    .setProtectedHeader({ alg: keys.signer.algorithm, kid: keys.signer.id })
    .setIssuer(keys.issuer)
    .setSubject(serviceAccountUser(p.namespace, p.name))
    .setAudience([...p.audiences])
    .setIssuedAt(now)
    .setNotBefore(now)
    .setExpirationTime(now + p.expirationSeconds)
    .setJti(p.id)
    .sign(keys.signer.key);
  return { token, expires: (now + p.expirationSeconds) * 1000 };
}

/** Verified tokens that are remembered; the oldest go first. Whether their account still exists is looked at every time. */
const MAX_REMEMBERED = 4_096;

interface Verified {
  readonly claim: KubernetesClaim;
  readonly audiences: readonly string[];
  /** Milliseconds since the epoch. */
  readonly expires: number;
  readonly user: UserInfo;
}

/** Bearer tokens of service accounts. */
export interface ServiceAccountAuthenticator extends Authenticator {
  /** Whom a token speaks for, for any of `audiences` (the API server's own when left out). Throws `unauthorized()`. */
  verify(token: string, audiences?: readonly string[]): AuthenticatedUser | Promise<AuthenticatedUser>;
  initialize(access: ApiAccess): void;
}

export function serviceAccountAuthenticator(keys: ServiceAccountKeys): ServiceAccountAuthenticator {
  return new TokenAuthenticator(keys);
}

class TokenAuthenticator implements ServiceAccountAuthenticator {
  readonly name = 'service-account-token';
  readonly #keys: ServiceAccountKeys;
  readonly #legacy: LegacyTokens;
  readonly #verified = new Map<string, Verified>();
  #access: ApiAccess | undefined;

  constructor(keys: ServiceAccountKeys) {
    this.#keys = keys;
    this.#legacy = new LegacyTokens(keys);
  }

  initialize(access: ApiAccess): void {
    this.#access = access;
  }

  authenticate(
    credentials: Parameters<Authenticator['authenticate']>[0],
  ): AuthenticatedUser | undefined | Promise<AuthenticatedUser | undefined> {
    const token = bearerToken(credentials.headers);
    if (token === undefined || this.#issuerOf(token) === undefined) return undefined;
    return this.verify(token);
  }

  verify(token: string, audiences: readonly string[] = this.#keys.apiAudiences): AuthenticatedUser | Promise<AuthenticatedUser> {
    const known = this.#verified.get(token);
    if (known !== undefined) return this.#accept(known, audiences);
    if (this.#issuerOf(token) === LEGACY_ISSUER) {
      if (this.#access === undefined) throw unauthorized();
      return this.#legacy.verify(token, audiences, this.#access);
    }
    return this.#check(token).then((verified) => this.#accept(verified, audiences));
  }

  /** Whose a token claims to be, read without trusting it; undefined for other issuers', which are other authenticators' business. */
  #issuerOf(token: string): string | undefined {
    if (this.#verified.has(token)) return this.#keys.issuer;
    if (this.#legacy.has(token)) return LEGACY_ISSUER;
    const payload = token.split('.')[1];
    if (payload === undefined) return undefined;
    try {
      const { iss } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as JWTPayload;
      return iss === this.#keys.issuer || iss === LEGACY_ISSUER ? iss : undefined;
    } catch {
      return undefined;
    }
  }

  async #check(token: string): Promise<Verified> {
    const { issuer, verifiers } = this.#keys;
    const currentDate = new Date(this.#now());
    const { payload } = await jwtVerify(
      token,
      (header) => {
        const key = verifiers.get(header.kid ?? '');
        if (key === undefined) throw unauthorized();
        return key;
      },
      { issuer, currentDate, algorithms: ['ES256', 'RS256'], requiredClaims: ['exp', 'sub', 'kubernetes.io'] },
    ).catch(() => {
      throw unauthorized();
    });
    const claim = payload['kubernetes.io'] as KubernetesClaim;
    const { namespace, serviceaccount } = claim;
    if (payload.sub !== serviceAccountUser(namespace, serviceaccount.name)) throw unauthorized();
    const verified: Verified = {
      claim,
      audiences: typeof payload.aud === 'string' ? [payload.aud] : (payload.aud ?? []),
      expires: (payload.exp ?? 0) * 1000,
      user: userOf(claim, payload.jti),
    };
    if (this.#verified.size >= MAX_REMEMBERED) this.#verified.delete(this.#verified.keys().next().value as string);
    this.#verified.set(token, verified);
    return verified;
  }

  #now(): number {
    if (this.#access === undefined) throw unauthorized();
    return this.#access.clock.now();
  }

  /** The token is good; is it still, and for this audience? */
  #accept(token: Verified, wanted: readonly string[]): AuthenticatedUser {
    if (token.expires <= this.#now()) throw unauthorized();
    const audiences = token.audiences.filter((a) => wanted.includes(a));
    if (audiences.length === 0) throw unauthorized();
    const { claim } = token;
    this.#mustExist('serviceaccounts', claim.namespace, claim.serviceaccount);
    if (claim.pod !== undefined) this.#mustExist('pods', claim.namespace, claim.pod);
    if (claim.secret !== undefined) this.#mustExist('secrets', claim.namespace, claim.secret);
    else if (claim.node?.uid !== undefined && claim.pod === undefined)
      this.#mustExist('nodes', '', { name: claim.node.name, uid: claim.node.uid });
    return { user: token.user, audiences };
  }

  #mustExist(resource: string, namespace: string, reference: { readonly name: string; readonly uid: string }): void {
    const found: KubernetesObject | undefined = this.#access?.view('', resource)?.get(namespace, reference.name);
    if (found?.metadata?.uid !== reference.uid) throw unauthorized();
    const deleting = found.metadata.deletionTimestamp;
    // A deleted object's tokens live a minute longer than its grace, as upstream has it.
    if (deleting !== undefined && Date.parse(deleting) + 60_000 < this.#now()) throw unauthorized();
  }
}

function userOf(claim: KubernetesClaim, id: string | undefined): UserInfo {
  const { namespace, serviceaccount, pod, node } = claim;
  const extra: Record<string, readonly string[]> = {};
  if (id !== undefined) extra[CREDENTIAL_ID] = [`JTI=${id}`];
  if (pod !== undefined) {
    extra['authentication.kubernetes.io/pod-name'] = [pod.name];
    extra['authentication.kubernetes.io/pod-uid'] = [pod.uid];
  }
  if (node !== undefined) {
    extra['authentication.kubernetes.io/node-name'] = [node.name];
    if (node.uid !== undefined) extra['authentication.kubernetes.io/node-uid'] = [node.uid];
  }
  return {
    name: serviceAccountUser(namespace, serviceaccount.name),
    uid: serviceaccount.uid,
    groups: serviceAccountGroups(namespace),
    extra,
  };
}
