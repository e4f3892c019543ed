import { createHash, generateKeyPairSync, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../util/clock.ts';

/** A certificate and its private key, PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority is a key pair that signs. */
export type Authority = KeyPair;

/** What a certificate says and what it is for. */
export interface CertificateRequest {
  readonly commonName: string;
  readonly organizations?: readonly string[];
  /** DNS names and IP addresses; only for serving certificates. */
  readonly names?: readonly string[];
  readonly usage: 'client' | 'server' | 'both';
  /** Lifetime in days; a year unless said, as kubeadm does. */
  readonly days?: number;
}

/** All the key material of a cluster. File names are kubeadm's, so that whoever knows that layout finds everything. */
export interface ClusterPki {
  readonly directory: string;
  readonly ca: Authority;
  readonly frontProxyCa: Authority;
  /** Serves the API. */
  readonly apiserver: KeyPair;
  /** What the API server shows to kubelets. */
  readonly apiserverKubeletClient: KeyPair;
  readonly frontProxyClient: KeyPair;
  /** The administrator of the kubeconfig: group system:masters. */
  readonly admin: KeyPair;
  /** Signs service account tokens (PKCS#8 and SPKI PEM, P-256). */
  readonly serviceAccount: { readonly privateKey: string; readonly publicKey: string };
}

const DAY_MS = 86_400_000;
const CA_DAYS = 3650;
const LEAF_DAYS = 365;
/** Leaf certificates are made anew when less than this is left of their life. */
const RENEW_DAYS = 30;

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

type X509 = typeof import('@peculiar/x509');
/** Loaded only when something must be signed: a restart signs nothing and does not pay for it. */
let x509Module: Promise<X509> | undefined;
async function x509(): Promise<X509> {
  x509Module ??= import('reflect-metadata').then(() => import('@peculiar/x509'));
  const module = await x509Module;
  module.cryptoProvider.set(webcrypto as unknown as Crypto);
  return module;
}

function pem(label: string, der: ArrayBuffer): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

async function generateKeys(): Promise<{ readonly keys: webcrypto.CryptoKeyPair; readonly keyPem: string }> {
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  return { keys, keyPem: pem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)) };
}

const serial = (): string => `01${randomBytes(15).toString('hex')}`;

/** Backdated by an hour: clocks of other machines may be a little behind. */
const notBefore = (now: number): Date => new Date(now - 3_600_000);

/** Makes a self-signed authority. */
export async function createAuthority(commonName: string, clock: Clock): Promise<Authority> {
  const x = await x509();
  const { keys, keyPem } = await generateKeys();
  const cert = await x.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: [{ CN: [commonName] }],
    notBefore: notBefore(clock.now()),
    notAfter: new Date(clock.now() + CA_DAYS * DAY_MS),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x.BasicConstraintsExtension(true, undefined, true),
      new x.KeyUsagesExtension(
        x.KeyUsageFlags.keyCertSign | x.KeyUsageFlags.digitalSignature | x.KeyUsageFlags.keyEncipherment,
        true,
      ),
      await x.SubjectKeyIdentifierExtension.create(keys.publicKey),
      new x.SubjectAlternativeNameExtension([{ type: 'dns', value: commonName }]),
    ],
  });
  return { cert: `${cert.toString('pem')}\n`, key: keyPem };
}

/** Signs a certificate with a new key. */
export async function issueCertificate(authority: Authority, request: CertificateRequest, clock: Clock): Promise<KeyPair> {
  const x = await x509();
  const { keys, keyPem } = await generateKeys();
  const issuer = new x.X509Certificate(authority.cert);
  const signingKey = await webcrypto.subtle.importKey('pkcs8', pemToDer(authority.key), algorithm, false, ['sign']);
  const usages = {
    client: [x.ExtendedKeyUsage.clientAuth],
    server: [x.ExtendedKeyUsage.serverAuth],
    both: [x.ExtendedKeyUsage.serverAuth, x.ExtendedKeyUsage.clientAuth],
  }[request.usage];
  const names = (request.names ?? []).map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value }));
  const cert = await x.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: [...(request.organizations ?? []).map((O) => ({ O: [O] })), { CN: [request.commonName] }],
    issuer: issuer.subject,
    notBefore: notBefore(clock.now()),
    notAfter: new Date(clock.now() + (request.days ?? LEAF_DAYS) * DAY_MS),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: signingKey as CryptoKey,
    extensions: [
      new x.BasicConstraintsExtension(false, undefined, true),
      new x.KeyUsagesExtension(x.KeyUsageFlags.digitalSignature | x.KeyUsageFlags.keyEncipherment, true),
      new x.ExtendedKeyUsageExtension(usages),
      await x.AuthorityKeyIdentifierExtension.create(issuer),
      ...(names.length === 0 ? [] : [new x.SubjectAlternativeNameExtension(names)]),
    ],
  });
  return { cert: `${cert.toString('pem')}\n`, key: keyPem };
}

function pemToDer(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(text.replace(/-----[^-]+-----|\s/g, ''), 'base64'));
}

/** Whether a certificate must be made anew: near its end, or not naming all of `names`. */
export function needsRenewal(pair: KeyPair, clock: Clock, names: readonly string[] = []): boolean {
  const cert = new X509Certificate(pair.cert);
  if (Date.parse(cert.validTo) - clock.now() < RENEW_DAYS * DAY_MS) return true;
  return names.some((name) => (isIP(name) === 0 ? cert.checkHost(name) : cert.checkIP(name)) === undefined);
}

/** The fingerprint that a join token pins: `sha256:<hex>` of the authority's public key (kubeadm's discovery-token-ca-cert-hash). */
export function publicKeyHash(authority: Pick<Authority, 'cert'>): string {
  const spki = new X509Certificate(authority.cert).publicKey.export({ type: 'spki', format: 'der' });
  return `sha256:${createHash('sha256').update(spki).digest('hex')}`;
}

/**
 * Loads the cluster's key material from `directory`, making what is not there or is about to end. Authorities and the service account
 * key are never replaced. Private keys are written 0600.
 */
export async function ensurePki(
  directory: string,
  options: { readonly serverNames: readonly string[]; readonly clock: Clock },
): Promise<ClusterPki> {
  const { clock } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const stored = async (name: string, make: () => Promise<KeyPair>, stale: (pair: KeyPair) => boolean): Promise<KeyPair> => {
    const found = await readPair(directory, name);
    if (found !== undefined && !stale(found)) return found;
    const made = await make();
    await writePair(directory, name, made);
    return made;
  };
  const never = (): boolean => false;
  const ca = await stored('ca', () => createAuthority('kubernetes', clock), never);
  const frontProxyCa = await stored('front-proxy-ca', () => createAuthority('front-proxy-ca', clock), never);
  const leaf = (name: string, authority: Authority, request: CertificateRequest): Promise<KeyPair> =>
    stored(
      name,
      () => issueCertificate(authority, request, clock),
      (pair) => needsRenewal(pair, clock, request.names),
    );
  const [apiserver, apiserverKubeletClient, frontProxyClient, admin] = await Promise.all([
    leaf('apiserver', ca, { commonName: 'kube-apiserver', names: options.serverNames, usage: 'server' }),
    leaf('apiserver-kubelet-client', ca, {
      commonName: 'kube-apiserver-kubelet-client',
      organizations: ['kubeadm:cluster-admins', 'system:masters'],
      usage: 'client',
    }),
    leaf('front-proxy-client', frontProxyCa, { commonName: 'front-proxy-client', usage: 'client' }),
    leaf('admin', ca, { commonName: 'kubernetes-admin', organizations: ['system:masters'], usage: 'client' }),
  ]);
  return {
    directory,
    ca,
    frontProxyCa,
    apiserver,
    apiserverKubeletClient,
    frontProxyClient,
    admin,
    serviceAccount: await serviceAccountKeys(directory),
  };
}

async function serviceAccountKeys(directory: string): Promise<ClusterPki['serviceAccount']> {
  const file = join(directory, 'sa');
  if (existsSync(`${file}.key`) && existsSync(`${file}.pub`)) {
    return { privateKey: await readFile(`${file}.key`, 'utf8'), publicKey: await readFile(`${file}.pub`, 'utf8') };
  }
  const { privateKey, publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  await writeSecret(`${file}.pub`, publicKey, 0o644);
  await writeSecret(`${file}.key`, privateKey, 0o600);
  return { privateKey, publicKey };
}

/** A stored key pair, or one made by `request` and stored. For certificates beside the cluster's own: a node's, say. */
export async function ensureCertificate(
  directory: string,
  name: string,
  authority: Authority,
  request: CertificateRequest,
  clock: Clock,
): Promise<KeyPair> {
  const found = await readPair(directory, name);
  if (found !== undefined && !needsRenewal(found, clock, request.names)) return found;
  const made = await issueCertificate(authority, request, clock);
  await writePair(directory, name, made);
  return made;
}

async function readPair(directory: string, name: string): Promise<KeyPair | undefined> {
  const file = join(directory, name);
  // The key is written last: without it the pair was never complete.
  if (!existsSync(`${file}.key`) || !existsSync(`${file}.crt`)) return undefined;
  return { cert: await readFile(`${file}.crt`, 'utf8'), key: await readFile(`${file}.key`, 'utf8') };
}

async function writePair(directory: string, name: string, pair: KeyPair): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeSecret(join(directory, `${name}.crt`), pair.cert, 0o644);
  await writeSecret(join(directory, `${name}.key`), pair.key, 0o600);
}

/** Whole or not at all: a kill between two writes leaves no half file. */
async function writeSecret(file: string, text: string, mode: number): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, text, { mode });
  await rename(temporary, file);
}
