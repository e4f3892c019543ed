import ipaddr from 'ipaddr.js';
import { type FieldError, type FieldPath, invalid } from '../meta/field-error.ts';

type At = FieldPath | string;

const badIP = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
const badCIDR = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';

/** An address as Go's net package would read it; `sloppy` when it only passes because leading zeros are ignored. */
interface ParsedIP {
  readonly address: ipaddr.IPv4 | ipaddr.IPv6;
  readonly sloppy: boolean;
}

function parse(value: string): ParsedIP | undefined {
  if (/^\d{1,20}(\.\d{1,20}){3}$/.test(value)) {
    const octets = value.split('.').map(Number);
    if (octets.some((o) => o > 255)) return undefined;
    return { address: new ipaddr.IPv4(octets), sloppy: octets.join('.') !== value };
  }
  if (!value.includes(':') || value.includes('%') || !ipaddr.IPv6.isValid(value)) return undefined;
  return { address: ipaddr.IPv6.parse(value), sloppy: false };
}

/** Whether the text is an IP address, leading zeros forgiven. */
export const isIP = (value: string): boolean => parse(value) !== undefined;

/** Whether the text is an IPv6 address (a mapped IPv4 one counts as IPv4, as in Go). */
export function isIPv6(value: string): boolean {
  const parsed = parse(value);
  return parsed?.address instanceof ipaddr.IPv6 && !parsed.address.isIPv4MappedAddress();
}

/** The canonical text of an address (RFC 5952 for IPv6); undefined when it is none. */
export function canonicalIP(value: string): string | undefined {
  const address = parse(value)?.address;
  if (address === undefined) return undefined;
  if (address instanceof ipaddr.IPv4) return address.toString();
  return address.isIPv4MappedAddress() ? address.toIPv4Address().toString() : address.toRFC5952String();
}

function strictFaults(at: At, value: string): { readonly errors: readonly FieldError[]; readonly canonical: string } {
  const parsed = parse(value);
  if (parsed === undefined) return { errors: [invalid(at, value, badIP)], canonical: '' };
  const errors: FieldError[] = [];
  if (parsed.sloppy) errors.push(invalid(at, value, 'must not have leading 0s'));
  if (parsed.address instanceof ipaddr.IPv6 && parsed.address.isIPv4MappedAddress()) {
    errors.push(invalid(at, value, 'must not be an IPv4-mapped IPv6 address'));
  }
  return { errors, canonical: canonicalIP(value)! };
}

/** A valid address in canonical form: for fields made since addresses are read strictly. */
export function validateIP(at: At, value: string): readonly FieldError[] {
  const { errors, canonical } = strictFaults(at, value);
  if (errors.length > 0 || value === canonical) return errors;
  return [invalid(at, value, `must be in canonical form (${JSON.stringify(canonical)})`)];
}

/** For fields older than strict reading (KEP-4858): any form of a valid address; values that `old` has are kept. */
export function validateLegacyIP(at: At, value: string, old: readonly string[] = []): readonly FieldError[] {
  return old.includes(value) ? [] : strictFaults(at, value).errors;
}

/** A CIDR taken apart; undefined when it is none. `length` is the prefix length in bits. */
export function parseCIDR(value: string): { readonly ip: string; readonly length: number; readonly v6: boolean } | undefined {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(value);
  const parsed = match === null ? undefined : parse(match[1]!);
  if (parsed === undefined) return undefined;
  const length = Number(match![2]);
  const v6 = parsed.address instanceof ipaddr.IPv6;
  return length > (v6 ? 128 : 32) ? undefined : { ip: match![1]!, length, v6 };
}

function strictCIDRFaults(at: At, value: string): readonly FieldError[] {
  const cidr = parseCIDR(value);
  if (cidr === undefined) return [invalid(at, value, badCIDR)];
  const { address, sloppy } = parse(cidr.ip)!;
  if (sloppy || String(cidr.length) !== value.slice(value.indexOf('/') + 1)) {
    return [invalid(at, value, 'must not have leading 0s in IP or prefix length')];
  }
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress()) {
    return [invalid(at, value, 'must not have an IPv4-mapped IPv6 address')];
  }
  const bytes = address.toByteArray();
  const masked = bytes.every((byte, i) => (byte & (0xff >> Math.min(8, Math.max(0, cidr.length - 8 * i)))) === 0);
  return masked ? [] : [invalid(at, value, 'must not have bits set beyond the prefix length')];
}

/** A valid CIDR in canonical form. */
export function validateCIDR(at: At, value: string): readonly FieldError[] {
  const errors = strictCIDRFaults(at, value);
  if (errors.length > 0) return errors;
  const cidr = parseCIDR(value)!;
  const canonical = `${canonicalIP(cidr.ip)}/${cidr.length}`;
  return canonical === value ? [] : [invalid(at, value, `must be in canonical form (${JSON.stringify(canonical)})`)];
}

/** The address of an interface and its subnet, in canonical form: `10.9.8.7/24`. */
export function validateInterfaceAddress(at: At, value: string): readonly FieldError[] {
  const cidr = parseCIDR(value);
  if (cidr === undefined) {
    return [invalid(at, value, 'must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)')];
  }
  const ip = canonicalIP(cidr.ip)!;
  // An IPv4 address in the clothes of IPv6 has 96 bits more.
  const length = cidr.v6 && !ip.includes(':') ? cidr.length - 96 : cidr.length;
  const canonical = `${ip}/${length}`;
  return value === canonical ? [] : [invalid(at, value, `must be in canonical form (${JSON.stringify(canonical)})`)];
}

/** For fields older than strict reading; values that `old` has are kept. */
export function validateLegacyCIDR(at: At, value: string, old: readonly string[] = []): readonly FieldError[] {
  return old.includes(value) ? [] : strictCIDRFaults(at, value);
}

/** Addresses that cannot be an endpoint or an external IP: unspecified, loopback, link-local. */
export function validateEndpointIP(at: At, value: string): readonly FieldError[] {
  const address = parse(value)?.address;
  if (address === undefined) return [invalid(at, value, 'must be a valid IP address')];
  const errors: FieldError[] = [];
  const range = address.range();
  if (range === 'unspecified' && /^[0.:]*$/.test(value)) {
    errors.push(invalid(at, value, 'may not be unspecified (0.0.0.0 or ::)'));
  }
  if (range === 'loopback') errors.push(invalid(at, value, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'));
  if (range === 'linkLocal') errors.push(invalid(at, value, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'));
  const bytes = address.toByteArray();
  const linkLocalMulticast =
    bytes.length === 4 ? bytes[0] === 224 && bytes[1] === 0 && bytes[2] === 0 : bytes[0] === 0xff && (bytes[1]! & 0x0f) === 0x02;
  if (linkLocalMulticast) {
    errors.push(invalid(at, value, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'));
  }
  return errors;
}

/** Whether `inner` lies wholly within `outer` and is smaller; false when either is no CIDR. */
export function isStrictSubnet(outer: string, inner: string): boolean {
  const big = parseCIDR(outer);
  const small = parseCIDR(inner);
  if (big === undefined || small === undefined || big.v6 !== small.v6 || big.length >= small.length) return false;
  const [a, b] = [parse(big.ip)!.address.toByteArray(), parse(small.ip)!.address.toByteArray()];
  for (let bit = 0; bit < big.length; bit++) {
    const mask = 0x80 >> (bit & 7);
    if ((a[bit >> 3]! & mask) !== (b[bit >> 3]! & mask)) return false;
  }
  return true;
}

/** Of an address that is kept although it is not written as it should be; nothing of one that is none. */
export function ipWarnings(at: string, value: string): readonly string[] {
  const canonical = canonicalIP(value);
  if (canonical === undefined || canonical === value) return [];
  const { address, sloppy } = parse(value)!;
  const odd = sloppy || (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress());
  const [given, wanted] = [JSON.stringify(value), JSON.stringify(canonical)];
  return odd
    ? [`${at}: non-standard IP address ${given} is invalid: use ${wanted}`]
    : [`${at}: IPv6 address ${given} should be in RFC 5952 canonical format (${wanted})`];
}

/** As `ipWarnings`, of a CIDR. */
export function cidrWarnings(at: string, value: string): readonly string[] {
  const cidr = parseCIDR(value);
  if (cidr === undefined) return [];
  const { address, sloppy } = parse(cidr.ip)!;
  const given = JSON.stringify(value);
  const bits = cidr.v6 ? 128 : 32;
  const subnet = `${maskedIP(address, cidr.length)}/${cidr.length}`;
  const warnings: string[] = [];
  if (maskedIP(address, bits) !== maskedIP(address, cidr.length)) {
    const single = `${maskedIP(address, bits)}/${bits}`;
    warnings.push(
      `${at}: CIDR value ${given} is ambiguous in this context (should be ${JSON.stringify(subnet)} or ${JSON.stringify(single)}?)`,
    );
  }
  const mapped = address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress();
  if (sloppy || mapped || String(cidr.length) !== value.slice(value.indexOf('/') + 1)) {
    warnings.push(`${at}: non-standard CIDR value ${given} is invalid: use ${JSON.stringify(subnet)}`);
  }
  if (warnings.length === 0 && cidr.v6 && subnet !== value) {
    warnings.push(`${at}: IPv6 CIDR value ${given} should be in RFC 5952 canonical format (${JSON.stringify(subnet)})`);
  }
  return warnings;
}

/** The canonical text of the first `bits` bits of an address, the others zero. */
function maskedIP(address: ipaddr.IPv4 | ipaddr.IPv6, bits: number): string {
  const bytes = address.toByteArray().map((byte, i) => byte & ~(0xff >> Math.min(8, Math.max(0, bits - 8 * i))));
  return canonicalIP(ipaddr.fromByteArray(bytes).toString())!;
}
