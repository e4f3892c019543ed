import { request as httpsRequest } from 'node:https';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock, VirtualClock } from '../../util/clock.ts';
import type { Credentials } from '../contract.ts';
import { createTestPki, type TestPair, type TestPki } from '../test-certificates.ts';
import { TestServer } from '../test-server.ts';
import { anonymousAuthenticator } from './anonymous.ts';
import { requestHeaderAuthenticator } from './request-header.ts';
import { x509Authenticator } from './x509.ts';

const certificate = {
  commonName: 'front-proxy-client',
  organizations: [],
  raw: Buffer.alloc(0),
  notAfter: 1000,
  frontProxy: true,
};

function credentials(rawHeaders: readonly string[], more: Partial<Credentials> = {}): Credentials {
  const headers: Record<string, string> = {};
  for (let i = 0; i < rawHeaders.length; i += 2) headers[rawHeaders[i]!.toLowerCase()] ??= rawHeaders[i + 1]!;
  return { headers, rawHeaders, certificate, remoteAddress: '', path: '/', ...more };
}

describe('the request-header authenticator', () => {
  const authenticator = requestHeaderAuthenticator({ clock: new VirtualClock(0), allowedNames: ['front-proxy-client'] });

  it('takes name, uid, groups and extra fields from the headers', () => {
    const raw = ['X-Remote-User', 'ann', 'X-Remote-Uid', '7', 'X-Remote-Group', 'a, b', 'X-Remote-Group', 'system:authenticated'];
    raw.push('X-Remote-Extra-Example.com%2FScopes', 'one', 'X-Remote-Extra-Example.com%2fscopes', 'two');
    expect(authenticator.authenticate(credentials(raw))).toEqual({
      user: {
        name: 'ann',
        uid: '7',
        groups: ['a, b', 'system:authenticated'],
        extra: { 'example.com/scopes': ['one', 'two'] },
      },
    });
  });

  it('makes everybody but nobody a member of the authenticated', () => {
    expect(authenticator.authenticate(credentials(['X-Remote-User', 'ann']))).toEqual({
      user: { name: 'ann', groups: ['system:authenticated'] },
    });
    const nobody = ['X-Remote-User', 'system:anonymous', 'X-Remote-Group', 'system:unauthenticated'];
    expect(authenticator.authenticate(credentials(nobody))).toEqual({
      user: { name: 'system:anonymous', groups: ['system:unauthenticated'] },
    });
  });

  it('listens to proxies only, with their own name and a certificate in force', () => {
    const raw = ['X-Remote-User', 'ann'];
    const { frontProxy: _frontProxy, ...client } = certificate;
    expect(authenticator.authenticate(credentials(raw, { certificate: client }))).toBeUndefined();
    expect(authenticator.authenticate(credentials([]))).toBeUndefined();
    const other = { ...certificate, commonName: 'other' };
    expect(() => authenticator.authenticate(credentials(raw, { certificate: other }))).toThrow('Unauthorized');
    const late = { ...certificate, notAfter: -1 };
    expect(() => authenticator.authenticate(credentials(raw, { certificate: late }))).toThrow('Unauthorized');
  });
});

describe('over TLS', () => {
  let server: TestServer;
  afterEach(() => server.close());

  function whoAmI(pki: TestPki, port: number, pair: TestPair, headers: Record<string, string>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, path: '/whoami', ca: pki.ca, ...pair, headers, agent: false as const };
      const asking = httpsRequest({ ...options, servername: 'localhost' }, async (answer) => {
        const parts: Buffer[] = [];
        for await (const part of answer) parts.push(part as Buffer);
        resolve(JSON.parse(Buffer.concat(parts).toString()));
      });
      asking.on('error', reject);
      asking.end();
    });
  }

  it('keeps the two authorities apart', async () => {
    const [pki, front] = await Promise.all([createTestPki(), createTestPki('front-proxy-ca')]);
    server = await TestServer.start({
      pki,
      authenticators: [
        requestHeaderAuthenticator({ clock: systemClock, allowedNames: ['front-proxy-client'] }),
        x509Authenticator(systemClock),
        anonymousAuthenticator,
      ],
    });
    server.server.addRoute('/whoami', ({ user }) => ({
      code: 200,
      contentType: 'application/json',
      body: Buffer.from(JSON.stringify([user.name, ...user.groups])),
    }));
    const tls = { ...pki.server, clientCa: pki.ca, frontProxyCa: front.ca };
    const { address } = await server.server.listen({ port: 0, tls });
    const ask = (pair: TestPair, headers: Record<string, string>) => whoAmI(pki, address.port, pair, headers);
    const remote = { 'X-Remote-User': 'ann', 'X-Remote-Group': 'devs' };
    const proxy = await front.client('front-proxy-client');
    expect(await ask(proxy, remote)).toEqual(['ann', 'devs', 'system:authenticated']);
    // By itself it is nobody, whatever groups its certificate tells.
    expect(await ask(await front.client('front-proxy-client', ['system:masters']), {})).toMatchObject({ code: 401 });
    // A client of the cluster is who it is, even by the proxy's name.
    expect(await ask(await pki.client('front-proxy-client', ['team']), remote)).toEqual([
      'front-proxy-client',
      'team',
      'system:authenticated',
    ]);
  });
});
