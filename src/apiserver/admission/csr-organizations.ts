/** DER tags and the OID of `organizationName` (2.5.4.10). */
const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const OBJECT_IDENTIFIER = 0x06;
const BMP_STRING = 0x1e;
const ORGANIZATION = '55040a';

interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** What follows it. */
  readonly rest: Buffer;
}

/**
 * The organizations in the subject of a PKCS #10 request, PEM. Read by hand: all that is asked of a request here is this one list, and
 * X.509 libraries are slow to load. Throws an Error for what is no request.
 */
export function requestedOrganizations(pem: string): readonly string[] {
  const block = /-----BEGIN CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE REQUEST-----/.exec(pem);
  if (block === null) throw new Error('PEM block type must be CERTIFICATE REQUEST');
  const info = read(read(Buffer.from(block[1]!, 'base64'), SEQUENCE).content, SEQUENCE).content;
  const subject = read(read(info, INTEGER).rest, SEQUENCE).content;
  const organizations: string[] = [];
  for (const names of elements(subject, SET)) {
    for (const attribute of elements(names, SEQUENCE)) {
      const type = read(attribute, OBJECT_IDENTIFIER);
      if (type.content.toString('hex') === ORGANIZATION) organizations.push(text(read(type.rest)));
    }
  }
  return organizations;
}

function* elements(of: Buffer, tag: number): Iterable<Buffer> {
  for (let rest = of; rest.length > 0; ) {
    const element = read(rest, tag);
    yield element.content;
    rest = element.rest;
  }
}

function read(from: Buffer, tag?: number): Element {
  const malformed = (): Error => new Error('asn1: structure error: malformed certificate request');
  const found = from[0];
  let length = from[1];
  if (found === undefined || length === undefined || (tag !== undefined && found !== tag)) throw malformed();
  let start = 2;
  if (length >= 0x80) {
    const octets = length & 0x7f;
    if (octets === 0 || octets > 4 || from.length < 2 + octets) throw malformed();
    length = from.readUIntBE(2, octets);
    start += octets;
  }
  const end = start + length;
  if (end > from.length) throw malformed();
  return { tag: found, content: from.subarray(start, end), rest: from.subarray(end) };
}

const text = ({ tag, content }: Element): string =>
  tag === BMP_STRING ? Buffer.from(content).swap16().toString('utf16le') : content.toString('utf8');
