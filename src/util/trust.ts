import { checkServerIdentity, type PeerCertificate } from 'node:tls';

/** Certificates in PEM, one or many. */
type Pem = string | Buffer;

/**
 * TLS options that trust `ca` as Go does: whatever stands there is trusted, be it a root, an intermediate, or the other side's own
 * certificate, which is how some webhooks are set up. OpenSSL would have every chain end in a root.
 */
export const trusting = <T extends Pem | Pem[]>(ca: T): { readonly ca: T; readonly allowPartialTrustChain: true } => ({
  ca,
  allowPartialTrustChain: true,
});

/** Whether a certificate is its host's, as Go sees it: by its alternative names alone. OpenSSL's users fall back on the common name. */
export function checkAlternativeNames(host: string, cert: PeerCertificate): Error | undefined {
  const problem = checkServerIdentity(host, { ...cert, subject: { ...cert.subject, CN: '' } });
  return problem === undefined ? undefined : Object.assign(problem, { cert });
}
