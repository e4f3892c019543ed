import { timingSafeEqual } from 'node:crypto';
import { parseTime } from '../../api/meta/time.ts';
import type { Secret } from '../../api/types/core-v1.ts';
import type { ApiAccess, AuthenticatedUser, Authenticator } from '../contract.ts';
import { bearerToken } from './bearer.ts';
import { AUTHENTICATED_GROUP } from './x509.ts';

const TOKEN = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const BOOTSTRAPPERS = 'system:bootstrappers';
const EXTRA_GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

/** Bootstrap tokens: with them nodes join that have nothing else yet (`kubeadm join`). They are secrets of kube-system. */
export interface BootstrapTokenAuthenticator extends Authenticator {
  initialize(access: ApiAccess): void;
}

/** Upstream's --enable-bootstrap-token-auth, as kubeadm has it. */
export function bootstrapTokenAuthenticator(): BootstrapTokenAuthenticator {
  let access: ApiAccess | undefined;
  return {
    name: 'bootstrap-token',
    initialize(given) {
      access = given;
    },
    authenticate({ headers }): AuthenticatedUser | undefined {
      const token = bearerToken(headers);
      const [, id, secret] = token === undefined ? [] : (TOKEN.exec(token) ?? []);
      if (id === undefined || secret === undefined || access === undefined) return undefined;
      const found = access.view<Secret>('', 'secrets')?.get('kube-system', `bootstrap-token-${id}`);
      const groups = found === undefined ? undefined : groupsOf(found, id, secret, access.clock.now());
      return groups === undefined
        ? undefined
        : { user: { name: `system:bootstrap:${id}`, groups: [...groups, AUTHENTICATED_GROUP] } };
    },
  };
}

/** The groups that a token gives; undefined when it gives nothing. */
function groupsOf(object: Secret, id: string, secret: string, now: number): readonly string[] | undefined {
  if (object.metadata?.deletionTimestamp !== undefined || object.type !== 'bootstrap.kubernetes.io/token') return undefined;
  const text = (key: string): string => Buffer.from(object.data?.[key] ?? '', 'base64').toString();
  const wanted = Buffer.from(text('token-secret'));
  const given = Buffer.from(secret);
  if (wanted.length !== given.length || !timingSafeEqual(wanted, given)) return undefined;
  if (text('token-id') !== id || text('usage-bootstrap-authentication') !== 'true') return undefined;
  const expiration = text('expiration');
  // One that cannot be read is over.
  if (expiration !== '' && (parseTime(expiration) ?? 0) <= now) return undefined;
  const extra = text('auth-extra-groups') === '' ? [] : text('auth-extra-groups').split(',');
  return extra.every((group) => EXTRA_GROUP.test(group)) ? [...new Set([BOOTSTRAPPERS, ...extra])].sort() : undefined;
}
