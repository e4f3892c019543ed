import {
  type AddressBytes,
  addressText,
  isGlobalUnicast,
  isLinkLocalMulticast,
  isLinkLocalUnicast,
  isLoopback,
  isMapped,
  isUnspecified,
  maskAddress,
  parseAddress,
  sameAddress,
} from './addresses.ts';
import {
  addRange,
  type CelFunction,
  type Estimate,
  type EstimatedArg,
  global,
  member,
  one,
  range,
  STRING_COST,
  scaleRange,
  traversal,
} from './functions.ts';
import { noOverload } from './standard-library.ts';
import { BOOL, INT, listOf, mapOf, opaque, STRING, type Type } from './types.ts';
import { ArrayList, CelError, costSize, HashMap, OpaqueValue, type Value } from './values.ts';

const IP = opaque('net.IP');
const CIDR = opaque('net.CIDR');
const URL_TYPE = opaque('kubernetes.URL');

class IpValue extends OpaqueValue {
  readonly type: Type = IP;
  readonly bytes: AddressBytes;
  constructor(bytes: AddressBytes) {
    super();
    this.bytes = bytes;
  }
  equals(other: OpaqueValue): boolean {
    return other instanceof IpValue && sameAddress(this.bytes, other.bytes);
  }
  override get costSize(): number {
    return this.bytes.length;
  }
  override toString(): string {
    return addressText(this.bytes);
  }
}

class CidrValue extends OpaqueValue {
  readonly type: Type = CIDR;
  readonly bytes: AddressBytes;
  readonly length: number;
  constructor(bytes: AddressBytes, length: number) {
    super();
    this.bytes = bytes;
    this.length = length;
  }
  equals(other: OpaqueValue): boolean {
    return other instanceof CidrValue && this.length === other.length && sameAddress(this.bytes, other.bytes);
  }
  contains(bytes: AddressBytes): boolean {
    return sameAddress(maskAddress(this.bytes, this.length), maskAddress(bytes, this.length));
  }
  override get costSize(): number {
    return Math.ceil(this.length / 8);
  }
  override toString(): string {
    return `${addressText(this.bytes)}/${this.length}`;
  }
}

const quoted = (text: string): string => JSON.stringify(text);

function parseIp(text: string): IpValue | CelError {
  const bytes = parseAddress(text);
  if (bytes === undefined) {
    if (text.includes('%') && parseAddress(text.slice(0, text.indexOf('%')))?.length === 16) {
      return new CelError(`IP address ${quoted(text)} with zone value is not allowed`);
    }
    const why = `ParseAddr(${quoted(text)}): unable to parse IP`;
    return new CelError(`IP Address ${quoted(text)} parse error during conversion from string: ${why}`);
  }
  if (isMapped(bytes)) return new CelError(`IPv4-mapped IPv6 address ${quoted(text)} is not allowed`);
  return new IpValue(bytes);
}

function parseCidr(text: string): CidrValue | CelError {
  const slash = text.lastIndexOf('/');
  const failed = (why: string): CelError =>
    new CelError(
      `network address parse error during conversion from string: network address parse error during conversion from string: netip.ParsePrefix(${quoted(text)}): ${why}`,
    );
  if (slash < 0) return failed("no '/'");
  const bytes = parseAddress(text.slice(0, slash));
  if (bytes === undefined) return failed(`ParseAddr(${quoted(text.slice(0, slash))}): unable to parse IP`);
  const length = text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(length)) return failed(`bad bits after slash: ${quoted(length)}`);
  if (Number(length) > bytes.length * 8) return failed('prefix length out of range');
  if (isMapped(bytes)) {
    return new CelError(
      `network address parse error during conversion from string: IPv4-mapped IPv6 address ${quoted(text)} is not allowed`,
    );
  }
  return new CidrValue(bytes, Number(length));
}

function text(value: Value | undefined): string {
  if (typeof value !== 'string') throw noOverload();
  return value;
}

function valid<T extends OpaqueValue>(parsed: T | CelError): T {
  if (parsed instanceof CelError) throw parsed;
  return parsed;
}

const traverse = (args: readonly Value[]): number => Math.ceil(costSize(args[0]!) * STRING_COST);
const traverseEstimate = ([arg]: readonly EstimatedArg[]): Estimate => ({ cost: traversal(arg!.size) });

function address(value: Value | undefined): IpValue {
  if (!(value instanceof IpValue)) throw noOverload();
  return value;
}

function network(value: Value | undefined): CidrValue {
  if (!(value instanceof CidrValue)) throw noOverload();
  return value;
}

const predicate = (name: string, id: string, holds: (bytes: AddressBytes) => boolean): CelFunction => ({
  name,
  overloads: [member(id, [IP], BOOL)],
  call: (value) => holds(address(value).bytes),
});

function containsCost(args: readonly Value[], more: number): number {
  const [net, other] = args as [Value, Value];
  const cost = Math.ceil(costSize(net) * 2 * STRING_COST) + more;
  return typeof other === 'string' ? cost + Math.ceil(costSize(other) * STRING_COST) : cost;
}

function containsEstimate(args: readonly EstimatedArg[], overload: string, more: Estimate['cost']): Estimate {
  const cost = addRange(scaleRange(range(8, 32), STRING_COST), more);
  return { cost: overload.endsWith('_string') ? addRange(cost, traversal(args[1]!.size)) : cost };
}

const addresses: readonly CelFunction[] = [
  {
    name: 'ip',
    overloads: [global('string_to_ip', [STRING], IP), member('cidr_ip', [CIDR], IP)],
    call: (value) => (value instanceof CidrValue ? new IpValue(value.bytes) : valid(parseIp(text(value)))),
    cost: (args) => (args[0] instanceof CidrValue ? 1 : traverse(args)),
    estimate: (args, overload) => (overload === 'cidr_ip' ? { cost: one } : traverseEstimate(args)),
  },
  {
    name: 'isIP',
    overloads: [global('is_ip', [STRING], BOOL)],
    call: (value) => !(parseIp(text(value)) instanceof CelError),
    cost: traverse,
    estimate: traverseEstimate,
  },
  {
    name: 'ip.isCanonical',
    overloads: [global('ip_is_canonical', [STRING], BOOL)],
    call: (value) => String(valid(parseIp(text(value)))) === value,
    cost: (args) => Math.ceil(costSize(args[0]!) * 2 * STRING_COST),
    estimate: ([arg]) => ({ cost: scaleRange(arg!.size, 2 * STRING_COST) }),
  },
  { name: 'family', overloads: [member('ip_family', [IP], INT)], call: (value) => (address(value).bytes.length === 4 ? 4n : 6n) },
  predicate('isUnspecified', 'ip_is_unspecified', isUnspecified),
  predicate('isLoopback', 'ip_is_loopback', isLoopback),
  predicate('isLinkLocalMulticast', 'ip_is_link_local_multicast', isLinkLocalMulticast),
  predicate('isLinkLocalUnicast', 'ip_is_link_local_unicast', isLinkLocalUnicast),
  predicate('isGlobalUnicast', 'ip_is_global_unicast', isGlobalUnicast),
  {
    name: 'cidr',
    overloads: [global('string_to_cidr', [STRING], CIDR)],
    call: (value) => valid(parseCidr(text(value))),
    cost: traverse,
    estimate: traverseEstimate,
  },
  {
    name: 'isCIDR',
    overloads: [global('is_cidr', [STRING], BOOL)],
    call: (value) => !(parseCidr(text(value)) instanceof CelError),
    cost: traverse,
    estimate: traverseEstimate,
  },
  {
    name: 'containsIP',
    overloads: [member('cidr_contains_ip_string', [CIDR, STRING], BOOL), member('cidr_contains_ip_ip', [CIDR, IP], BOOL)],
    call: (net, ip) => network(net).contains((typeof ip === 'string' ? valid(parseIp(ip)) : address(ip)).bytes),
    cost: (args) => containsCost(args, 0),
    estimate: (args, overload) => containsEstimate(args, overload, range(0)),
  },
  {
    name: 'containsCIDR',
    overloads: [member('cidr_contains_cidr_string', [CIDR, STRING], BOOL), member('cidr_contains_cidr', [CIDR, CIDR], BOOL)],
    call: (net, other) => {
      const inner = typeof other === 'string' ? valid(parseCidr(other)) : network(other);
      return network(net).length <= inner.length && network(net).contains(inner.bytes);
    },
    cost: (args) => containsCost(args, Math.ceil(costSize(args[0]!) * STRING_COST) + 1),
    estimate: (args, overload) => containsEstimate(args, overload, addRange(scaleRange(range(4, 16), STRING_COST), one)),
  },
  { name: 'prefixLength', overloads: [member('cidr_prefix_length', [CIDR], INT)], call: (net) => BigInt(network(net).length) },
  {
    name: 'masked',
    overloads: [member('cidr_masked', [CIDR], CIDR)],
    call: (value) => {
      const net = network(value);
      return new CidrValue(maskAddress(net.bytes, net.length), net.length);
    },
  },
];

/** Further overloads of `string`. */
export const addressStrings = [global('ip_to_string', [IP], STRING), global('cidr_to_string', [CIDR], STRING)];

// --------------------------------------------------------------------------------------------------------------- URLs

/** A URL in Go's parts: nothing is normalized. */
class UrlValue extends OpaqueValue {
  readonly type: Type = URL_TYPE;
  readonly text: string;
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  constructor(source: string, parts: { scheme: string; host: string; path: string; query: string }) {
    super();
    this.text = source;
    this.scheme = parts.scheme;
    this.host = parts.host;
    this.path = parts.path;
    this.query = parts.query;
  }
  equals(other: OpaqueValue): boolean {
    return other instanceof UrlValue && this.text === other.text;
  }
  override toString(): string {
    return this.text;
  }
}

/** As Go's url.ParseRequestURI takes it: absolute, or a path. */
function parseUrl(source: string): UrlValue | CelError {
  const failed = (why: string): CelError =>
    new CelError(`URL parse error during conversion from string: parse ${quoted(source)}: ${why}`);
  if (source === '') return failed('empty url');
  if (/[\p{Cc}]/u.test(source)) return failed('net/url: invalid control character in URL');
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(source);
  if (scheme === null && !source.startsWith('/')) return failed('invalid URI for request');
  const rest = scheme === null ? source : source.slice(scheme[0].length);
  // What has a scheme and no slash is opaque: neither host nor path.
  if (scheme !== null && !rest.startsWith('/')) {
    return new UrlValue(source, { scheme: scheme[1]!.toLowerCase(), host: '', path: '', query: '' });
  }
  const [beforeFragment = ''] = rest.split('#', 1);
  const mark = beforeFragment.indexOf('?');
  const hierarchy = mark < 0 ? beforeFragment : beforeFragment.slice(0, mark);
  const query = mark < 0 ? '' : beforeFragment.slice(mark + 1);
  const authority = scheme !== null || hierarchy.startsWith('//') ? /^\/\/([^/]*)/.exec(hierarchy) : null;
  const host = authority === null ? '' : authority[1]!.slice(authority[1]!.lastIndexOf('@') + 1);
  const path = authority === null ? hierarchy : hierarchy.slice(authority[0].length);
  if (/[ "<>\\^`{|}]/.test(host) || /:[^\]]*[^\d\]][^\]]*$/.test(host.replace(/^\[[^\]]*\]/, ''))) {
    return failed(`invalid character in host name`);
  }
  if (/%(?![0-9a-fA-F]{2})/.test(path)) return failed(`invalid URL escape ${quoted(/%.{0,2}/.exec(path)![0])}`);
  return new UrlValue(source, { scheme: scheme === null ? '' : scheme[1]!.toLowerCase(), host, path, query });
}

function url(value: Value | undefined): UrlValue {
  if (!(value instanceof UrlValue)) throw noOverload();
  return value;
}

const getter = (name: string, id: string, get: (u: UrlValue) => string): CelFunction => ({
  name,
  overloads: [member(id, [URL_TYPE], STRING)],
  call: (value) => get(url(value)),
});

function queryMap(query: string): Value {
  const values = new Map<string, string[]>();
  for (const [name, value] of new URLSearchParams(query)) {
    const known = values.get(name);
    if (known === undefined) values.set(name, [value]);
    else known.push(value);
  }
  return new HashMap([...values].map(([name, list]) => [name, new ArrayList(list)] as const));
}

/** Go's escaping of a path: what must not stand in one is escaped, what was escaped stays. */
const escapePath = (path: string): string => path.replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/%[\]]/gu, (c) => encodeURIComponent(c));

const port = /:(\d*)$/;

const urls: readonly CelFunction[] = [
  {
    name: 'url',
    overloads: [global('string_to_url', [STRING], URL_TYPE)],
    call: (value) => valid(parseUrl(text(value))),
    cost: traverse,
    estimate: ([arg]) => ({ cost: traversal(arg!.size), size: arg!.size }),
  },
  {
    name: 'isURL',
    overloads: [global('is_url_string', [STRING], BOOL)],
    call: (value) => !(parseUrl(text(value)) instanceof CelError),
  },
  getter('getScheme', 'url_get_scheme', (u) => u.scheme),
  getter('getHost', 'url_get_host', (u) => u.host),
  getter('getHostname', 'url_get_hostname', (u) => u.host.replace(port, '').replace(/^\[|\]$/g, '')),
  getter('getPort', 'url_get_port', (u) => port.exec(u.host)?.[1] ?? ''),
  getter('getEscapedPath', 'url_get_escaped_path', (u) => escapePath(u.path)),
  {
    name: 'getQuery',
    overloads: [member('url_get_query', [URL_TYPE], mapOf(STRING, listOf(STRING)))],
    call: (value) => queryMap(url(value).query),
  },
];

/** Kubernetes' functions of IP addresses, networks and URLs. */
export const networkLibrary: readonly CelFunction[] = [...addresses, ...urls];
