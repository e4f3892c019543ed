import type { UserInfo } from '../../api/request.ts';

/** The longest name a manager may have, in bytes of UTF-8. */
export const MAX_MANAGER_NAME = 128;

/** What managedFields call a program that names no field manager: its User-Agent up to the first slash, without what cannot be printed. */
export function managerOfUserAgent(userAgent: string): string {
  const slash = userAgent.indexOf('/');
  const name = slash < 0 ? userAgent : userAgent.slice(0, slash);
  if (plain.test(name)) return name;
  let out = '';
  let bytes = 0;
  for (const character of name) {
    if (unprintable.test(character)) continue;
    bytes += Buffer.byteLength(character);
    if (bytes > MAX_MANAGER_NAME) break;
    out += character;
  }
  return out;
}

const plain = /^[\x20-\x7e]{0,128}$/;
const unprintable = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u;

/** What they call a component in this process: as its upstream binary calls itself. */
export function managerOfUser(user: UserInfo): string {
  if (user.name.startsWith('system:node:')) return 'kubelet';
  if (user.name === 'system:apiserver') return 'kube-apiserver';
  return user.name.startsWith('system:') ? user.name.slice(user.name.lastIndexOf(':') + 1) : user.name;
}
