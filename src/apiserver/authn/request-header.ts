import { unauthorized } from '../../api/meta/status.ts';
import type { Clock } from '../../util/clock.ts';
import type { AuthenticatedUser, Authenticator } from '../contract.ts';
import { headerText, unescapeKey } from '../http/header-text.ts';
import { AUTHENTICATED_GROUP } from './x509.ts';

/** Upstream's --requestheader flags, as kubeadm sets them. Header names are lower case. */
export interface RequestHeaderOptions {
  readonly clock: Clock;
  /** Common names that a proxy may have; none: any that the front proxy's authority signed. */
  readonly allowedNames: readonly string[];
}

const USER = 'x-remote-user';
const UID = 'x-remote-uid';
const GROUP = 'x-remote-group';
const EXTRA_PREFIX = 'x-remote-extra-';

/**
 * An authenticating proxy says who its client is. It proves itself by a certificate of the front proxy's own authority: one of the cluster's
 * does not do, or every client could be whom it likes.
 */
export function requestHeaderAuthenticator({ clock, allowedNames }: RequestHeaderOptions): Authenticator {
  return {
    name: 'requestheader',
    authenticate({ certificate, headers, rawHeaders = [] }): AuthenticatedUser | undefined {
      if (certificate?.frontProxy !== true) return undefined;
      if (certificate.notAfter < clock.now()) throw unauthorized();
      if (allowedNames.length > 0 && !allowedNames.includes(certificate.commonName)) throw unauthorized();
      const given = headers[USER];
      if (typeof given !== 'string' || given.trim() === '') return undefined;
      const name = headerText(given.trim());
      let uid = '';
      const groups: string[] = [];
      const extra = new Map<string, string[]>();
      // Repeated headers are told apart here: a group's name may hold a comma.
      for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
        const header = rawHeaders[i]!.toLowerCase();
        const value = headerText(rawHeaders[i + 1]!);
        if (header === GROUP) groups.push(value);
        else if (header === UID) uid ||= value;
        else if (header.startsWith(EXTRA_PREFIX)) {
          const key = unescapeKey(header.slice(EXTRA_PREFIX.length)).toLowerCase();
          const values = extra.get(key);
          if (values === undefined) extra.set(key, [value]);
          else values.push(value);
        }
      }
      const known = groups.includes(AUTHENTICATED_GROUP) || groups.includes('system:unauthenticated');
      if (!known && name !== 'system:anonymous') groups.push(AUTHENTICATED_GROUP);
      return {
        user: {
          name,
          groups,
          ...(uid === '' ? {} : { uid }),
          ...(extra.size === 0 ? {} : { extra: Object.fromEntries(extra) }),
        },
      };
    },
  };
}
