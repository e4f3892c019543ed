import { webcrypto, X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import type { CertificateSigningRequest, CertificateSigningRequestSpec } from '../../api/types/certificates-v1.ts';
import { certificateSigningRequests } from '../../client/resource-refs.ts';
import { createServerFixture, type ServerFixture } from '../test-support/server.ts';
import { expiryOf } from './cleaning.ts';
import { certificateApprovingController, certificateCleanerController, certificateSigningController } from './controllers.ts';
import { loadX509 } from './request.ts';
import { lifetime, type SigningAuthority } from './sign.ts';
import { API_CLIENT, KUBELET_CLIENT, KUBELET_SERVING, signerFault } from './signers.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const keys = async (): Promise<webcrypto.CryptoKeyPair> =>
  (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;

async function authority(): Promise<SigningAuthority> {
  const x = await loadX509();
  const pair = await keys();
  const cert = await x.X509CertificateGenerator.createSelfSigned({
    name: 'CN=test-ca',
    notBefore: new Date(Date.UTC(2025, 0, 1)),
    notAfter: new Date(Date.UTC(2035, 0, 1)),
    signingAlgorithm: algorithm,
    keys: pair,
    extensions: [
      new x.BasicConstraintsExtension(true, undefined, true),
      await x.SubjectKeyIdentifierExtension.create(pair.publicKey),
    ],
  });
  const der = await webcrypto.subtle.exportKey('pkcs8', pair.privateKey);
  const key = `-----BEGIN PRIVATE KEY-----\n${Buffer.from(der).toString('base64')}\n-----END PRIVATE KEY-----\n`;
  return { cert: cert.toString('pem'), key };
}

async function csr(
  name: string,
  subject: string,
  signerName: string,
  usages: NonNullable<CertificateSigningRequestSpec['usages']>,
  dns: string[] = [],
): Promise<CertificateSigningRequest> {
  const x = await loadX509();
  const raw = await x.Pkcs10CertificateRequestGenerator.create({
    name: subject,
    keys: await keys(),
    signingAlgorithm: algorithm,
    extensions:
      dns.length === 0 ? [] : [new x.SubjectAlternativeNameExtension(dns.map((value) => ({ type: 'dns' as const, value })))],
  });
  const request = Buffer.from(`${raw.toString('pem')}\n`).toString('base64');
  return { metadata: { name }, spec: { request, signerName, usages } };
}

const clientUsages = ['digital signature', 'client auth'] as const;
const node = 'O=system:nodes, CN=system:node:n1';

async function fixture(ca: SigningAuthority): Promise<ServerFixture> {
  const f = await createServerFixture();
  f.start(certificateSigningController(ca), certificateApprovingController(), certificateCleanerController());
  return f;
}

const approve = async (f: ServerFixture, name: string): Promise<void> => {
  const found = f.find(certificateSigningRequests, name)!;
  const conditions = [{ type: 'Approved', status: 'True' as const, reason: 'Test', message: '' }];
  await f.client
    .resource(certificateSigningRequests)
    .subresource('update', name, '', 'approval', { ...found, status: { conditions } } as CertificateSigningRequest);
};

/** Signing is done by the host's threads, which virtual time knows nothing of: what comes of it is waited for. */
async function until(f: ServerFixture, done: () => boolean): Promise<void> {
  const events = f.client.resource(certificateSigningRequests).watch('', {});
  if (done()) return;
  for await (const _ of events) if (done()) return;
}

const status = (f: ServerFixture, name: string) => f.find(certificateSigningRequests, name)?.status;

test("a kubelet's request is approved and signed", async () => {
  const ca = await authority();
  const f = await fixture(ca);
  await f.create(certificateSigningRequests, await csr('kubelet', node, KUBELET_CLIENT, clientUsages));
  await until(f, () => status(f, 'kubelet')?.certificate !== undefined);
  expect(status(f, 'kubelet')?.conditions).toMatchObject([
    { type: 'Approved', reason: 'AutoApproved', message: 'Auto approving kubelet client certificate after SubjectAccessReview.' },
  ]);
  const cert = new X509Certificate(Buffer.from(status(f, 'kubelet')!.certificate!, 'base64'));
  expect(cert.subject).toBe('O=system:nodes\nCN=system:node:n1');
  expect(cert.issuer).toBe('CN=test-ca');
  expect(cert.verify(new X509Certificate(ca.cert).publicKey)).toBe(true);
  expect(cert.ca).toBe(false);
  expect(cert.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
  expect(new Date(cert.validFrom).toISOString()).toBe('2025-12-31T23:55:00.000Z');
  expect(new Date(cert.validTo).toISOString()).toBe('2026-12-31T23:55:00.000Z');
  await f.stop();
});

test('others wait for somebody to approve them; what a signer does not sign fails', async () => {
  const f = await fixture(await authority());
  const serving = ['digital signature', 'server auth'] as const;
  await f.create(certificateSigningRequests, await csr('user', 'CN=jane', API_CLIENT, clientUsages));
  await f.create(certificateSigningRequests, await csr('serving', node, KUBELET_SERVING, serving, ['n1.example.com']));
  await f.create(certificateSigningRequests, await csr('bad', 'CN=jane', KUBELET_SERVING, serving, ['x']));
  await f.advance();
  expect(['user', 'serving', 'bad'].map((name) => status(f, name)?.conditions)).toEqual([undefined, undefined, undefined]);
  for (const name of ['user', 'serving', 'bad']) await approve(f, name);
  await until(
    f,
    () => ['user', 'serving'].every((name) => status(f, name)?.certificate) && status(f, 'bad')!.conditions!.length > 1,
  );
  const cert = new X509Certificate(Buffer.from(status(f, 'serving')!.certificate!, 'base64'));
  expect(cert.subjectAltName).toBe('DNS:n1.example.com');
  expect(status(f, 'bad')?.conditions?.[1]).toMatchObject({
    type: 'Failed',
    reason: 'SignerValidationFailed',
    message: 'organization must be exactly [system:nodes]',
  });
  await f.advance(3_700_000);
  expect(f.all(certificateSigningRequests)).toEqual([]);
  await f.stop();
});

const plain = {
  commonName: 'system:node:n',
  organizations: ['system:nodes'],
  dnsNames: [],
  ipAddresses: [],
  emails: [],
  uris: [],
};

test.each([
  [KUBELET_CLIENT, plain, clientUsages, undefined],
  [KUBELET_CLIENT, plain, [...clientUsages, 'key encipherment'], undefined],
  [KUBELET_CLIENT, { ...plain, dnsNames: ['x'] }, clientUsages, 'DNS subjectAltNames are not allowed'],
  [KUBELET_CLIENT, { ...plain, commonName: 'jane' }, clientUsages, 'subject common name must begin with "system:node:"'],
  [KUBELET_SERVING, plain, ['digital signature', 'server auth'], 'DNS or IP subjectAltName is required'],
  [KUBELET_SERVING, { ...plain, ipAddresses: ['10.0.0.1'] }, ['digital signature', 'server auth'], undefined],
  [API_CLIENT, { ...plain, commonName: 'jane', organizations: [] }, clientUsages, undefined],
  [API_CLIENT, plain, ['server auth'], 'invalid usages for client certificate: [server auth]'],
])('%s', (signer, request, usages, fault) => {
  expect(signerFault(signer, request, usages)).toBe(fault);
});

const hour = 3_600_000;
test('a certificate lasts as long as asked, but no longer than its authority', () => {
  const now = Date.UTC(2026, 0, 1);
  expect(lifetime(600, now + 100 * hour, now).end).toBe(now + 600_000);
  expect(lifetime(24 * 3600, now + 100 * hour, now).end).toBe(now + 24 * hour - 300_000);
  expect(lifetime(undefined, now + 100 * hour, now).end).toBe(now + 100 * hour);
});

const at = (h: number): string => new Date(h * hour).toISOString();
test.each<[string, CertificateSigningRequest['status'], number]>([
  ['pending', {}, 24],
  ['denied', { conditions: [{ type: 'Denied', status: 'True', lastUpdateTime: at(5) }] }, 6],
  ['approved and not issued', { conditions: [{ type: 'Approved', status: 'True', lastUpdateTime: at(5) }] }, 24],
  ['issued', { certificate: 'bm9uZQ==', conditions: [{ type: 'Approved', status: 'True', lastUpdateTime: at(5) }] }, 6],
])('a request that is %s goes', (_, requestStatus, expected) => {
  const request = { metadata: { creationTimestamp: at(0) }, spec: { request: '', signerName: '' }, status: requestStatus! };
  expect(expiryOf(request) / hour).toBe(expected);
});
