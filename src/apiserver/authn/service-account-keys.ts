import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { exportJWK, type JWK } from 'jose';

/** The keys that service account tokens are signed with and verified by. */
export interface ServiceAccountKeys {
  readonly issuer: string;
  /** Audiences that tokens for the API server itself must name one of; the first is the default. */
  readonly apiAudiences: readonly string[];
  readonly signer: { readonly key: KeyObject; readonly id: string; readonly algorithm: string };
  /** Public keys by id; old ones verify until their tokens have ended. */
  readonly verifiers: ReadonlyMap<string, KeyObject>;
}

/** Keys from PEM. The id of a key is the hash of its public half, as upstream has it. */
export function serviceAccountKeys(options: {
  readonly issuer: string;
  readonly privateKey: string;
  readonly publicKeys: readonly string[];
}): ServiceAccountKeys {
  const key = createPrivateKey(options.privateKey);
  const verifiers = new Map(options.publicKeys.map((pem) => createPublicKey(pem)).map((k) => [keyId(k), k]));
  const own = createPublicKey(key);
  verifiers.set(keyId(own), own);
  const algorithm = key.asymmetricKeyType === 'rsa' ? 'RS256' : 'ES256';
  return { issuer: options.issuer, apiAudiences: [options.issuer], signer: { key, id: keyId(own), algorithm }, verifiers };
}

function keyId(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('base64url');
}

/** `/.well-known/openid-configuration`: where others learn to verify our tokens (OpenID Connect Discovery 1.0). */
export function openIdConfiguration(keys: ServiceAccountKeys, serverUrl: string): object {
  return {
    issuer: keys.issuer,
    jwks_uri: `${serverUrl}/openid/v1/jwks`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [
      ...new Set([...keys.verifiers.values()].map((k) => (k.asymmetricKeyType === 'rsa' ? 'RS256' : 'ES256'))),
    ],
  };
}

/** `/openid/v1/jwks`: the public keys. */
export async function jsonWebKeySet(keys: ServiceAccountKeys): Promise<{ readonly keys: readonly JWK[] }> {
  const list = [...keys.verifiers].map(async ([kid, key]) => ({
    use: 'sig',
    kid,
    alg: key.asymmetricKeyType === 'rsa' ? 'RS256' : 'ES256',
    ...(await exportJWK(key)),
  }));
  return { keys: await Promise.all(list) };
}
