import { createPrivateKey, webcrypto } from 'node:crypto';
import type { Random } from '../../util/random.ts';
import { alternativeNames, type ParsedRequest, type X509 } from './request.ts';

/** The authority that signs, PEM. */
export interface SigningAuthority {
  readonly cert: string;
  readonly key: string;
}

/** Longest life of a certificate (upstream's --cluster-signing-duration). */
const MAX_LIFETIME_MS = 365 * 24 * 3_600_000;
/** Backdated by this: clocks of other machines may be a little behind. */
const BACKDATE_MS = 5 * 60_000;
/** Certificates this short are not made shorter still by the backdating. */
const SHORT_MS = 8 * 3_600_000;

const keyUsages: Readonly<Record<string, keyof typeof import('@peculiar/x509').KeyUsageFlags>> = {
  signing: 'digitalSignature',
  'digital signature': 'digitalSignature',
  'content commitment': 'nonRepudiation',
  'key encipherment': 'keyEncipherment',
  'key agreement': 'keyAgreement',
  'data encipherment': 'dataEncipherment',
  'cert sign': 'keyCertSign',
  'crl sign': 'cRLSign',
  'encipher only': 'encipherOnly',
  'decipher only': 'decipherOnly',
};

const extendedUsages: Readonly<Record<string, string>> = {
  any: '2.5.29.37.0',
  'server auth': '1.3.6.1.5.5.7.3.1',
  'client auth': '1.3.6.1.5.5.7.3.2',
  'code signing': '1.3.6.1.5.5.7.3.3',
  'email protection': '1.3.6.1.5.5.7.3.4',
  's/mime': '1.3.6.1.5.5.7.3.4',
  'ipsec end system': '1.3.6.1.5.5.7.3.5',
  'ipsec tunnel': '1.3.6.1.5.5.7.3.6',
  'ipsec user': '1.3.6.1.5.5.7.3.7',
  timestamping: '1.3.6.1.5.5.7.3.8',
  'ocsp signing': '1.3.6.1.5.5.7.3.9',
  'microsoft sgc': '1.3.6.1.4.1.311.10.3.3',
  'netscape sgc': '2.16.840.1.113730.4.1',
};

/** How long a certificate lasts: as asked, but no longer than ours and the authority's own. `end` in milliseconds since the epoch. */
export function lifetime(
  expirationSeconds: number | undefined,
  authorityEnd: number,
  now: number,
): { readonly start: number; readonly end: number } {
  const asked = expirationSeconds === undefined ? MAX_LIFETIME_MS : Math.min(expirationSeconds * 1000, MAX_LIFETIME_MS);
  const start = now - BACKDATE_MS;
  const end = Math.min(asked <= SHORT_MS ? now + asked : start + asked, authorityEnd);
  return { start, end };
}

/** Signs a request. Gives the certificate, PEM. Throws when the authority has ended. */
export async function signRequest(
  x: X509,
  authority: SigningAuthority,
  request: ParsedRequest,
  usages: readonly string[],
  expirationSeconds: number | undefined,
  random: Random,
  now: number,
): Promise<string> {
  const issuer = new x.X509Certificate(authority.cert);
  const { start, end } = lifetime(expirationSeconds, issuer.notAfter.getTime(), now);
  if (end <= now) throw new Error(`the signer has expired: NotAfter=${issuer.notAfter.toISOString()}`);
  const { key, algorithm } = await importKey(authority.key);
  let flags = 0;
  for (const usage of usages) {
    const name = keyUsages[usage];
    if (name !== undefined) flags |= x.KeyUsageFlags[name];
  }
  const extended = usages.flatMap((usage) => (extendedUsages[usage] === undefined ? [] : [extendedUsages[usage]!]));
  const names = alternativeNames(x, request.raw);
  const certificate = await x.X509CertificateGenerator.create({
    serialNumber: `01${random.uuid().replaceAll('-', '')}`,
    subject: request.raw.subjectName,
    issuer: issuer.subjectName,
    notBefore: new Date(start),
    notAfter: new Date(end),
    signingAlgorithm: algorithm as never,
    publicKey: request.raw.publicKey,
    signingKey: key as CryptoKey,
    extensions: [
      new x.BasicConstraintsExtension(false, undefined, true),
      ...(flags === 0 ? [] : [new x.KeyUsagesExtension(flags, true)]),
      ...(extended.length === 0 ? [] : [new x.ExtendedKeyUsageExtension([...new Set(extended)])]),
      await x.AuthorityKeyIdentifierExtension.create(issuer),
      ...(names === undefined ? [] : [names]),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

/** The authority's key, of whatever kind, for WebCrypto. */
async function importKey(pem: string): Promise<{ readonly key: webcrypto.CryptoKey; readonly algorithm: object }> {
  const key = createPrivateKey(pem);
  const curves: Readonly<Record<string, readonly [string, string]>> = {
    prime256v1: ['P-256', 'SHA-256'],
    secp384r1: ['P-384', 'SHA-384'],
    secp521r1: ['P-521', 'SHA-512'],
  };
  const curve = curves[key.asymmetricKeyDetails?.namedCurve ?? ''];
  const algorithm =
    key.asymmetricKeyType === 'rsa'
      ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
      : key.asymmetricKeyType === 'ed25519'
        ? { name: 'Ed25519' }
        : { name: 'ECDSA', namedCurve: curve?.[0] ?? 'P-256', hash: curve?.[1] ?? 'SHA-256' };
  const der = key.export({ type: 'pkcs8', format: 'der' });
  return { key: await webcrypto.subtle.importKey('pkcs8', new Uint8Array(der), algorithm, false, ['sign']), algorithm };
}
