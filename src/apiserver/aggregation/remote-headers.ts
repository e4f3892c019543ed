import type { OutgoingHttpHeaders } from 'node:http';
import type { UserInfo } from '../../api/request.ts';

/** Who asks, as an aggregated API server is told by the front proxy (client-go's transport.SetAuthProxyHeaders). */
export function userHeaders({ name, uid, groups, extra }: UserInfo): OutgoingHttpHeaders {
  const out: OutgoingHttpHeaders = { 'x-remote-user': latin(name) };
  if (uid !== undefined && uid !== '') out['x-remote-uid'] = latin(uid);
  if (groups.length > 0) out['x-remote-group'] = groups.map(latin);
  for (const [key, values] of Object.entries(extra ?? {})) out[`x-remote-extra-${escapeKey(key)}`] = values.map(latin);
  return out;
}

/** As lines of a request's head. */
export function userHeaderLines(user: UserInfo): readonly string[] {
  return Object.entries(userHeaders(user)).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [String(value)]).map((one) => `${name}: ${one}`),
  );
}

/** A header's value is bytes: UTF-8 written as Latin-1, as Go sends it. What would end the line is not sent. */
const latin = (text: string): string => Buffer.from(text.replaceAll(/[\r\n\0]/g, ' '), 'utf8').toString('latin1');

/** Percent-encodes what a header's name may not hold. */
const escapeKey = (key: string): string =>
  encodeURIComponent(key).replaceAll(/[()]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
