import { webcrypto } from 'node:crypto';
import type { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } from '@peculiar/x509';

export type X509 = typeof import('@peculiar/x509');

/** The library, loaded when a request has to be read: most clusters never see one. */
export async function loadX509(): Promise<X509> {
  await import('reflect-metadata');
  const module = await import('@peculiar/x509');
  module.cryptoProvider.set(webcrypto as unknown as Crypto);
  return module;
}

/** What a PKCS #10 request asks for. */
export interface ParsedRequest {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly emails: readonly string[];
  readonly uris: readonly string[];
  readonly raw: Pkcs10CertificateRequest;
}

/** Reads the base64 of a PEM request, as it stands in a CertificateSigningRequest. Throws on what is none, or is not signed by its own key. */
export async function parseRequest(x: X509, base64: string): Promise<ParsedRequest> {
  const pem = Buffer.from(base64, 'base64').toString('latin1');
  if (!pem.includes('-----BEGIN CERTIFICATE REQUEST-----')) throw new Error('PEM block type must be CERTIFICATE REQUEST');
  const raw = new x.Pkcs10CertificateRequest(pem);
  if (!(await raw.verify(webcrypto as unknown as Crypto))) throw new Error('the signature of the certificate request is wrong');
  const names = alternativeNames(x, raw)?.names.items ?? [];
  const ofType = (type: string): readonly string[] => names.filter((name) => name.type === type).map(({ value }) => value);
  return {
    commonName: raw.subjectName.getField('CN')[0] ?? '',
    organizations: raw.subjectName.getField('O'),
    dnsNames: ofType('dns'),
    ipAddresses: ofType('ip'),
    emails: ofType('email'),
    uris: ofType('url'),
    raw,
  };
}

/** The subject alternative names that a request asks for. */
export function alternativeNames(x: X509, raw: Pkcs10CertificateRequest): SubjectAlternativeNameExtension | undefined {
  return raw.extensions.find((extension) => extension instanceof x.SubjectAlternativeNameExtension);
}
