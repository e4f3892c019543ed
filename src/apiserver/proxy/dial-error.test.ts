import { once } from 'node:events';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, expect, it } from 'vitest';
import { createAuthority, issueCertificate } from '../../cluster/pki.ts';
import { systemClock } from '../../util/clock.ts';
import { checkAlternativeNames, trusting } from '../../util/trust.ts';
import { createTestPki } from '../test-certificates.ts';
import { dialError } from './dial-error.ts';
import { type Backend, dial } from './upgrade-tunnel.ts';

let server: Server | undefined;
afterEach(() => server?.close());

async function listening(made: Server): Promise<Backend> {
  server = made;
  made.listen(0, '127.0.0.1');
  await once(made, 'listening');
  return { host: '127.0.0.1', port: (made.address() as AddressInfo).port, tls: {} };
}

async function problem(backend: Backend): Promise<string> {
  try {
    (await dial(backend, systemClock, new AbortController().signal)).destroy();
  } catch (err) {
    return dialError(backend, err);
  }
  return 'none';
}

it.each([
  [80, 'remote error: tls: internal error'],
  [42, 'remote error: tls: bad certificate'],
  [48, 'remote error: tls: unknown certificate authority'],
])('tells of TLS alert %i as Go does', async (alert, expected) => {
  const fatal = Buffer.from([0x15, 3, 3, 0, 2, 2, alert]);
  const backend = await listening(
    createTcpServer((socket) => socket.on('error', () => {}).once('data', () => socket.end(fatal))),
  );
  expect(await problem(backend)).toBe(expected);
});

it('tells of certificates, and of who does not listen, as Go does', async () => {
  const pki = await createTestPki();
  const backend = await listening(createTlsServer(pki.server, (socket) => socket.on('error', () => {})));
  expect(await problem(backend)).toBe('tls: failed to verify certificate: x509: certificate signed by unknown authority');
  expect(await problem({ ...backend, tls: { ca: pki.ca } })).toBe('none');
  server?.close();
  await once(server!, 'close');
  expect(await problem(backend)).toBe(`dial tcp 127.0.0.1:${backend.port}: connect: connection refused`);
  expect(dialError({ host: 'fd00::1', port: 1 }, Object.assign(new Error('x'), { code: 'EHOSTUNREACH' }))).toBe(
    'dial tcp [fd00::1]:1: connect: no route to host',
  );
  const wrongName = Object.assign(new Error('x'), {
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    cert: { subjectaltname: 'DNS:a, DNS:b' },
  });
  expect(dialError({ host: 'c', port: 1 }, wrongName)).toBe(
    'tls: failed to verify certificate: x509: certificate is valid for a, b, not c',
  );
  expect(dialError({ host: '10.0.0.1', port: 1 }, wrongName)).toBe(
    "tls: failed to verify certificate: x509: cannot validate certificate for 10.0.0.1 because it doesn't contain any IP SANs",
  );
});

it('takes no common name for a proof, and says so', async () => {
  const authority = await createAuthority('names', systemClock);
  const old = await issueCertificate(authority, { commonName: 'localhost', usage: 'server' }, systemClock);
  const { port } = await listening(createTlsServer(old, (socket) => socket.on('error', () => {})));
  const tls = { ...trusting(authority.cert), checkServerIdentity: checkAlternativeNames };
  const told = (servername: string): Promise<string> => problem({ host: 'localhost', port, tls: { ...tls, servername } });
  expect(await told('localhost')).toBe(
    'tls: failed to verify certificate: x509: certificate relies on legacy Common Name field, use SANs instead',
  );
  server?.close();
  const named = await issueCertificate(authority, { commonName: 'x', names: ['localhost'], usage: 'server' }, systemClock);
  const good = await listening(createTlsServer(named, (socket) => socket.on('error', () => {})));
  expect(await problem({ ...good, host: 'localhost', tls: { ...tls, servername: 'localhost' } })).toBe('none');
});
