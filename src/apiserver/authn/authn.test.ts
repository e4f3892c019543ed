import { generateKeyPairSync } from 'node:crypto';
import { decodeJwt, importJWK, jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { isStatusError } from '../../api/meta/status.ts';
import { VirtualClock } from '../../util/clock.ts';
import type { ApiAccess, Credentials } from '../contract.ts';
import { anonymousAuthenticator } from './anonymous.ts';
import { jsonWebKeySet, openIdConfiguration, serviceAccountKeys } from './service-account-keys.ts';
import { serviceAccountAuthenticator, signToken } from './service-account-token.ts';
import { x509Authenticator } from './x509.ts';

const pair = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const keys = serviceAccountKeys({ issuer: 'https://kubernetes.default.svc', privateKey: pair.privateKey, publicKeys: [] });
const bearer = (token: string): Credentials => ({ headers: { authorization: `Bearer ${token}` }, remoteAddress: '', path: '' });
const refused = (err: unknown): boolean => isStatusError(err, 'Unauthorized');
const outcome = async (run: () => unknown): Promise<unknown> => {
  try {
    return await run();
  } catch (err) {
    return err;
  }
};

describe('x509', () => {
  const certificate = { commonName: 'ann', organizations: ['devs'], raw: new Uint8Array([1]), notAfter: Date.UTC(2027, 0, 1) };
  it('takes the user from the subject, and refuses an ended certificate', async () => {
    const clock = new VirtualClock();
    const x509 = x509Authenticator(clock);
    const credentials = { headers: {}, certificate, remoteAddress: '', path: '' };
    expect(x509.authenticate(credentials)).toMatchObject({ user: { name: 'ann', groups: ['devs', 'system:authenticated'] } });
    expect(x509.authenticate(bearer('x'))).toBeUndefined();
    await clock.advance(400 * 86_400_000);
    expect(refused(await outcome(() => x509.authenticate(credentials)))).toBe(true);
    expect(anonymousAuthenticator.authenticate(credentials)).toBeUndefined();
  });
});

describe('anonymous', () => {
  it('is who shows nothing, and not who shows something bad', () => {
    expect(anonymousAuthenticator.authenticate({ headers: {}, remoteAddress: '', path: '' })).toMatchObject({
      user: { name: 'system:anonymous' },
    });
    expect(anonymousAuthenticator.authenticate(bearer('bad'))).toBeUndefined();
  });
});

describe('service account tokens', () => {
  const clock = new VirtualClock();
  const objects: Record<string, KubernetesObject[]> = {
    serviceaccounts: [{ metadata: { name: 'robot', namespace: 'a', uid: 'sa-1' } }],
    pods: [{ metadata: { name: 'p', namespace: 'a', uid: 'pod-1' } }],
  };
  const access = {
    clock,
    view: (_group: string, resource: string) => ({
      get: (ns: string, name: string) =>
        objects[resource]?.find((o) => o.metadata?.namespace === ns && o.metadata?.name === name),
    }),
  } as unknown as ApiAccess;
  const authenticator = serviceAccountAuthenticator(keys);
  authenticator.initialize(access);
  const request = {
    namespace: 'a',
    name: 'robot',
    uid: 'sa-1',
    audiences: keys.apiAudiences,
    expirationSeconds: 3600,
    id: 'jti-1',
  };

  it('are accepted for what they say, with what they are bound to', async () => {
    const { token, expires } = await signToken(keys, {
      ...request,
      now: clock.now(),
      bound: { kind: 'Pod', name: 'p', uid: 'pod-1' },
      node: { name: 'n1', uid: 'n-uid' },
    });
    expect(expires).toBe(clock.now() + 3_600_000);
    for (let i = 0; i < 2; i++) {
      expect(await authenticator.authenticate(bearer(token))).toEqual({
        audiences: keys.apiAudiences,
        user: {
          name: 'system:serviceaccount:a:robot',
          uid: 'sa-1',
          groups: ['system:serviceaccounts', 'system:serviceaccounts:a', 'system:authenticated'],
          extra: {
            'authentication.kubernetes.io/credential-id': ['JTI=jti-1'],
            'authentication.kubernetes.io/pod-name': ['p'],
            'authentication.kubernetes.io/pod-uid': ['pod-1'],
            'authentication.kubernetes.io/node-name': ['n1'],
            'authentication.kubernetes.io/node-uid': ['n-uid'],
          },
        },
      });
    }
  });

  it('are refused when forged, for another audience, of another key, or when what they are bound to is gone', async () => {
    const good = (await signToken(keys, { ...request, now: clock.now() })).token;
    const [head, , signature] = good.split('.');
    const forged = Buffer.from(JSON.stringify({ ...decodeJwt(good), sub: 'system:serviceaccount:kube-system:admin' })).toString(
      'base64url',
    );
    expect(refused(await outcome(() => authenticator.authenticate(bearer(`${head}.${forged}.${signature}`))))).toBe(true);
    const vault = (await signToken(keys, { ...request, audiences: ['vault'], now: clock.now() })).token;
    expect(refused(await outcome(() => authenticator.authenticate(bearer(vault))))).toBe(true);
    expect((await outcome(() => authenticator.verify(vault, ['vault', 'x']))) as object).toMatchObject({ audiences: ['vault'] });
    const other = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    const foreign = serviceAccountKeys({ issuer: keys.issuer, privateKey: other.privateKey, publicKeys: [] });
    expect(
      refused(
        await outcome(async () =>
          authenticator.authenticate(bearer((await signToken(foreign, { ...request, now: clock.now() })).token)),
        ),
      ),
    ).toBe(true);
    const gone = (await signToken(keys, { ...request, now: clock.now(), bound: { kind: 'Pod', name: 'p', uid: 'another' } }))
      .token;
    expect(refused(await outcome(() => authenticator.authenticate(bearer(gone))))).toBe(true);
  });

  it('end', async () => {
    const { token } = await signToken(keys, { ...request, now: clock.now() });
    expect(await authenticator.authenticate(bearer(token))).toBeDefined();
    await clock.advance(3_600_001);
    expect(refused(await outcome(() => authenticator.authenticate(bearer(token))))).toBe(true);
  });

  it('of other issuers are left to others', () => {
    expect(authenticator.authenticate(bearer('abc'))).toBeUndefined();
    expect(
      authenticator.authenticate(bearer(`x.${Buffer.from('{"iss":"https://other"}').toString('base64url')}.y`)),
    ).toBeUndefined();
  });

  it('can be verified by anyone who reads the published keys', async () => {
    expect(openIdConfiguration(keys, 'https://10.0.0.1:6443')).toMatchObject({
      issuer: keys.issuer,
      jwks_uri: 'https://10.0.0.1:6443/openid/v1/jwks',
    });
    const { token } = await signToken(keys, { ...request, now: Date.now() });
    const [jwk] = (await jsonWebKeySet(keys)).keys;
    expect((await jwtVerify(token, await importJWK(jwk!))).payload.sub).toBe('system:serviceaccount:a:robot');
  });
});
