import { webcrypto } from 'node:crypto';

/** PEM texts of a certificate and its key. */
export interface TestPair {
  readonly cert: string;
  readonly key: string;
}

export interface TestPki {
  readonly ca: string;
  /** Serves localhost, 127.0.0.1, and the further names given. */
  readonly server: TestPair;
  /** Client of the name and organizations given. */
  client(commonName: string, organizations?: readonly string[]): Promise<TestPair>;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const FROM = new Date('2026-01-01T00:00:00Z');
const TO = new Date('2036-01-01T00:00:00Z');

/** An authority for a test, and what it signs. Two in one test need two names. */
export async function createTestPki(name = 'test-ca', serverNames: readonly string[] = []): Promise<TestPki> {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto as unknown as Crypto);
  const pair = () => webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const keys = await pair();
  const validity = { notBefore: FROM, notAfter: TO, signingAlgorithm: algorithm };
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    ...{ name: `CN=${name}`, keys, serialNumber: '01', ...validity },
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  let serial = 2;
  const issue = async (subject: string, names: readonly string[]): Promise<TestPair> => {
    const own = await pair();
    const certificate = await x509.X509CertificateGenerator.create({
      ...{ subject, issuer: authority.subject, publicKey: own.publicKey, signingKey: keys.privateKey, ...validity },
      serialNumber: String(serial++).padStart(2, '0'),
      extensions: [
        new x509.SubjectAlternativeNameExtension(
          names.map((value) => ({ type: /^[\d.]+$/.test(value) ? ('ip' as const) : ('dns' as const), value })),
        ),
      ],
    });
    const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', own.privateKey)).toString('base64');
    const key = `-----BEGIN PRIVATE KEY-----\n${der.match(/.{1,64}/g)!.join('\n')}\n-----END PRIVATE KEY-----\n`;
    return { cert: certificate.toString('pem'), key };
  };
  return {
    ca: authority.toString('pem'),
    server: await issue('CN=server', ['localhost', '127.0.0.1', ...serverNames]),
    client: (commonName, organizations = []) =>
      issue([...organizations.map((o) => `O=${o}`), `CN=${commonName}`].join(','), ['client.test']),
  };
}
