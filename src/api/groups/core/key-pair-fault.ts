import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';

/** A block of PEM: its label, and its text as it stands. */
interface PemBlock {
  readonly type: string;
  readonly text: string;
}

const block = /-----BEGIN ([^\n-]*)-----\n[\s\S]*?-----END \1-----/g;

const blocksOf = (base64: string | undefined): readonly PemBlock[] =>
  [
    ...Buffer.from(base64 ?? '', 'base64')
      .toString('latin1')
      .replace(/\r\n/g, '\n')
      .matchAll(block),
  ].map((match) => ({
    type: match[1]!,
    text: match[0],
  }));

const types = (blocks: readonly PemBlock[]): string => `[${blocks.map(({ type }) => type).join(' ')}]`;

/**
 * Why a certificate and a private key, both PEM in base64, are no pair, in the words of Go's tls.X509KeyPair; undefined when they are one.
 * What a certificate or key has inside is told less exactly than there.
 */
export function keyPairFault(certificate: string | undefined, key: string | undefined): string | undefined {
  const given = blocksOf(certificate);
  const found = given.find(({ type }) => type === 'CERTIFICATE');
  if (found === undefined) {
    if (given.length === 0) return 'tls: failed to find any PEM data in certificate input';
    if (given.length === 1 && given[0]!.type.endsWith('PRIVATE KEY')) {
      return 'tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched';
    }
    return `tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: ${types(given)}`;
  }
  const keys = blocksOf(key);
  const index = keys.findIndex(({ type }) => type === 'PRIVATE KEY' || type.endsWith(' PRIVATE KEY'));
  if (index < 0) {
    if (keys.length === 0) return 'tls: failed to find any PEM data in key input';
    if (keys.length === 1 && keys[0]!.type === 'CERTIFICATE') {
      return 'tls: found a certificate rather than a key in the PEM for the private key';
    }
    return `tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: ${types(keys)}`;
  }
  return mismatch(found.text, keys[index]!.text);
}

function mismatch(certificate: string, key: string): string | undefined {
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(certificate);
  } catch {
    return 'x509: malformed certificate';
  }
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(key);
  } catch {
    return 'tls: failed to parse private key';
  }
  if (parsed.publicKey.asymmetricKeyType !== privateKey.asymmetricKeyType) {
    return 'tls: private key type does not match public key type';
  }
  return parsed.checkPrivateKey(privateKey) ? undefined : 'tls: private key does not match public key';
}
