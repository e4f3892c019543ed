import { checkServerIdentity, type PeerCertificate } from 'node:tls';

/** Connections that were not made, as Go tells of them. */
const refusals: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
};

/** Names of TLS alerts where Go's differ from OpenSSL's. */
const alerts: Readonly<Record<string, string>> = {
  'unknown ca': 'unknown certificate authority',
  'decrypt error': 'error decrypting message',
  'certificate unknown': 'unknown certificate',
};

/** Faults of the other side's certificate, as Go tells of them. */
const certificateFaults: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'certificate signed by unknown authority',
  UNABLE_TO_GET_ISSUER_CERT: 'certificate signed by unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'certificate signed by unknown authority',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'certificate signed by unknown authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'certificate signed by unknown authority',
  CERT_SIGNATURE_FAILURE: 'certificate signed by unknown authority',
  CERT_HAS_EXPIRED: 'certificate has expired or is not yet valid',
  CERT_NOT_YET_VALID: 'certificate has expired or is not yet valid',
};

/**
 * Why a connection could not be made or was lost, in Go's words where users know them: they look for what it says.
 * `host` and `port` are whom it was made to; the error's own are taken where it has them.
 */
export function dialError({ host, port }: { readonly host: string; readonly port: number }, err: unknown): string {
  const { code = '', message, address = host, hostname = host, port: at = port, cert } = err as ConnectionError;
  const refusal = refusals[code];
  if (refusal !== undefined) return `dial tcp ${address.includes(':') ? `[${address}]` : address}:${at}: connect: ${refusal}`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `dial tcp: lookup ${hostname}: no such host`;
  if (code === 'ECONNRESET') return 'EOF';
  const alert = /:[\w/]+ alert ([a-z ]+):/.exec(message)?.[1];
  if (alert !== undefined) return `remote error: tls: ${alerts[alert] ?? alert}`;
  const fault = code === 'ERR_TLS_CERT_ALTNAME_INVALID' ? wrongName(host, cert) : certificateFaults[code];
  return fault === undefined ? message : `tls: failed to verify certificate: x509: ${fault}`;
}

interface ConnectionError extends NodeJS.ErrnoException {
  readonly address?: string;
  readonly hostname?: string;
  readonly port?: number;
  readonly cert?: Names;
}

interface Names {
  readonly subject?: { readonly CN?: string | string[] };
  /** As Node gives them: `DNS:a, IP Address:10.0.0.1`. */
  readonly subjectaltname?: string;
}

function wrongName(host: string, cert: Names | undefined): string {
  const { subjectaltname, subject } = cert ?? {};
  if (subjectaltname === undefined && subject !== undefined && namedBySubject(host, subject)) {
    return 'certificate relies on legacy Common Name field, use SANs instead';
  }
  const prefix = /^[\d.]+$|:/.test(host) ? 'IP Address:' : 'DNS:';
  const names = (subjectaltname ?? '').split(', ').filter((name) => name.startsWith(prefix));
  if (names.length > 0) return `certificate is valid for ${names.map((n) => n.slice(prefix.length)).join(', ')}, not ${host}`;
  return prefix === 'DNS:'
    ? `certificate is not valid for any names, but wanted to match ${host}`
    : `cannot validate certificate for ${host} because it doesn't contain any IP SANs`;
}

const namedBySubject = (host: string, subject: NonNullable<Names['subject']>): boolean =>
  subject.CN === host || checkServerIdentity(host, { subject } as PeerCertificate) === undefined;
