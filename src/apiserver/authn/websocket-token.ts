import type { IncomingHttpHeaders } from 'node:http';
import { unauthorized } from '../../api/meta/status.ts';
import type { AuthenticatedUser, Authenticator, Credentials, MaybePromise } from '../contract.ts';

const PREFIX = 'base64url.bearer.authorization.k8s.io.';
const PROTOCOLS = 'sec-websocket-protocol';

/** Whether a WebSocket's subprotocols hold a token. */
export const hasProtocolToken = (headers: IncomingHttpHeaders): boolean => headers[PROTOCOLS]?.includes(PREFIX) === true;

/**
 * Browsers cannot set headers on a WebSocket: they give their token as a subprotocol, `base64url.bearer.authorization.k8s.io.<token>`. It is
 * asked of `tokens`, and taken out of the request, that nobody after this sees it.
 */
export function webSocketTokenAuthenticator(tokens: readonly Authenticator[]): Authenticator {
  return {
    name: 'websocket-token',
    authenticate(credentials): MaybePromise<AuthenticatedUser | undefined> {
      const { headers } = credentials;
      if (!hasProtocolToken(headers) || headers.upgrade?.toLowerCase() !== 'websocket') return undefined;
      const { token, others } = parse(headers[PROTOCOLS] ?? '');
      const asked: Credentials = { ...credentials, headers: { ...headers, authorization: `Bearer ${token}` } };
      return firstOf(tokens, asked, 0, (found) => {
        strip(credentials, others);
        return found;
      });
    },
  };
}

function parse(header: string): { readonly token: string; readonly others: readonly string[] } {
  const protocols = header.split(',').map((p) => p.trim());
  const given = protocols.filter((p) => p.startsWith(PREFIX));
  const others = protocols.filter((p) => !p.startsWith(PREFIX));
  const encoded = given[0]?.slice(PREFIX.length) ?? '';
  const token = Buffer.from(encoded, 'base64url');
  const text = token.toString();
  // One protocol must be left for the answer to choose.
  if (given.length !== 1 || others.length === 0 || text === '' || !/^[\w-]+$/.test(encoded) || !Buffer.from(text).equals(token)) {
    throw unauthorized();
  }
  return { token: text, others };
}

function firstOf(
  tokens: readonly Authenticator[],
  credentials: Credentials,
  from: number,
  accepted: (user: AuthenticatedUser) => AuthenticatedUser,
): MaybePromise<AuthenticatedUser> {
  const next = tokens[from];
  if (next === undefined) throw unauthorized();
  const go = (found: AuthenticatedUser | undefined): MaybePromise<AuthenticatedUser> =>
    found === undefined ? firstOf(tokens, credentials, from + 1, accepted) : accepted(found);
  const result = next.authenticate(credentials);
  return result instanceof Promise ? result.then(go) : go(result);
}

/** Leaves the other protocols: in the headers as they were read, and as they came, which tunnels hand on. */
function strip({ headers, rawHeaders = [] }: Credentials, others: readonly string[]): void {
  headers[PROTOCOLS] = others.join(', ');
  const raw = rawHeaders as string[];
  for (let i = raw.length - 2; i >= 0; i -= 2) if (raw[i]!.toLowerCase() === PROTOCOLS) raw.splice(i, 2);
  raw.push('Sec-WebSocket-Protocol', others.join(', '));
}
