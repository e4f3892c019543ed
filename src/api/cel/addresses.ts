import { isIP } from 'node:net';

/** An IP address as its bytes: 4 or 16. */
export type AddressBytes = readonly number[];

/** The bytes of an address; undefined for what is none, has a zone or leading zeros. */
export function parseAddress(text: string): AddressBytes | undefined {
  const family = isIP(text);
  if (family === 4) return text.split('.').map(Number);
  if (family !== 6 || text.includes('%')) return undefined;
  let source = text;
  const dotted = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (dotted !== null) {
    const [a, b, c, d] = dotted.slice(1).map(Number) as [number, number, number, number];
    source = text.slice(0, dotted.index) + ((a << 8) | b).toString(16) + ':' + ((c << 8) | d).toString(16);
  }
  const [head = '', tail] = source.split('::') as [string, string?];
  const groups = (part: string): number[] => (part === '' ? [] : part.split(':').map((g) => Number.parseInt(g, 16)));
  const first = groups(head);
  const last = tail === undefined ? [] : groups(tail);
  const all = [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last];
  return all.flatMap((g) => [g >> 8, g & 0xff]);
}

/** `::ffff:1.2.3.4`. */
export const isMapped = (bytes: AddressBytes): boolean =>
  bytes.length === 16 && bytes.slice(0, 10).every((b) => b === 0) && bytes[10] === 0xff && bytes[11] === 0xff;

/** The canonical text (RFC 5952). */
export function addressText(bytes: AddressBytes): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!);
  let best = { at: -1, length: 1 };
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > best.length) best = { at: i, length };
    if (length > 0) i += length - 1;
  }
  const hex = (part: readonly number[]): string => part.map((g) => g.toString(16)).join(':');
  if (best.at < 0) return hex(groups);
  return `${hex(groups.slice(0, best.at))}::${hex(groups.slice(best.at + best.length))}`;
}

/** The address with everything after the first `length` bits cleared. */
export const maskAddress = (bytes: AddressBytes, length: number): AddressBytes =>
  bytes.map((b, i) => b & (0xff << Math.max(0, Math.min(8, 8 * (i + 1) - length))) & 0xff);

export const sameAddress = (a: AddressBytes, b: AddressBytes): boolean => a.length === b.length && a.every((v, i) => v === b[i]);

export const isUnspecified = (bytes: AddressBytes): boolean => bytes.every((b) => b === 0);

export const isLoopback = (bytes: AddressBytes): boolean =>
  bytes.length === 4 ? bytes[0] === 127 : bytes[15] === 1 && bytes.slice(0, 15).every((b) => b === 0);

export const isLinkLocalMulticast = (bytes: AddressBytes): boolean =>
  bytes.length === 4 ? bytes[0] === 224 && bytes[1] === 0 && bytes[2] === 0 : bytes[0] === 0xff && (bytes[1]! & 0x0f) === 0x02;

export const isLinkLocalUnicast = (bytes: AddressBytes): boolean =>
  bytes.length === 4 ? bytes[0] === 169 && bytes[1] === 254 : bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80;

const isMulticast = (bytes: AddressBytes): boolean => (bytes.length === 4 ? (bytes[0]! & 0xf0) === 0xe0 : bytes[0] === 0xff);

export const isGlobalUnicast = (bytes: AddressBytes): boolean =>
  !(bytes.length === 4 && bytes.every((b) => b === 255)) &&
  !isUnspecified(bytes) &&
  !isLoopback(bytes) &&
  !isMulticast(bytes) &&
  !isLinkLocalUnicast(bytes);
