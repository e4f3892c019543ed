import { generateKeyPairSync } from 'node:crypto';
import { expect, it } from 'vitest';
import { keyPairFault } from './key-pair-fault.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const pem = (type: string): string => `-----BEGIN ${type}-----\nYQ==\n-----END ${type}-----\n`;

it('tells why a certificate and a key are no pair', () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const key = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const cases: readonly (readonly [certificate: string, key: string, fault: string])[] = [
    ['', key, 'tls: failed to find any PEM data in certificate input'],
    [
      key,
      pem('CERTIFICATE'),
      'tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched',
    ],
    [
      pem('X') + pem('Y'),
      key,
      'tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: [X Y]',
    ],
    [pem('CERTIFICATE'), '', 'tls: failed to find any PEM data in key input'],
    [pem('CERTIFICATE'), pem('CERTIFICATE'), 'tls: found a certificate rather than a key in the PEM for the private key'],
    [pem('CERTIFICATE'), key, 'x509: malformed certificate'],
  ];
  for (const [certificate, secret, fault] of cases) expect(keyPairFault(base64(certificate), base64(secret))).toBe(fault);
});
