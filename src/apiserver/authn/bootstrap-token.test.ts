import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { TestServer } from '../test-server.ts';
import { anonymousAuthenticator } from './anonymous.ts';
import { bootstrapTokenAuthenticator } from './bootstrap-token.ts';
import { webSocketTokenAuthenticator } from './websocket-token.ts';

const bootstrap = bootstrapTokenAuthenticator();
let api: TestServer;

beforeAll(async () => {
  api = await TestServer.start({
    authenticators: [
      // Whoever has no token of this test's is its administrator.
      {
        name: 'admin',
        authenticate: ({ headers }) =>
          headers.authorization === 'Bearer admin' ? { user: { name: 'admin', groups: [] } } : undefined,
      },
      bootstrap,
      webSocketTokenAuthenticator([bootstrap]),
      anonymousAuthenticator,
    ],
    authorizer: {
      authorize: ({ user }) => ({ decision: user.name === 'system:anonymous' ? 'no-opinion' : 'allow' }),
    },
  });
  bootstrap.initialize(api.server.access);
  const secret = (id: string, data: Readonly<Record<string, string>>): Promise<unknown> =>
    api.post('/api/v1/namespaces/kube-system/secrets', {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: `bootstrap-token-${id}` },
      type: 'bootstrap.kubernetes.io/token',
      stringData: { 'token-id': id, 'token-secret': '0123456789abcdef', 'usage-bootstrap-authentication': 'true', ...data },
    });
  await api.post('/api/v1/namespaces', { metadata: { name: 'kube-system' } });
  await secret('abcdef', { 'auth-extra-groups': 'system:bootstrappers:kubeadm:default-node-token' });
  await secret('expire', { expiration: '2020-01-01T00:00:00Z' });
  await secret('nousee', { 'usage-bootstrap-authentication': 'false' });
  await secret('groups', { 'auth-extra-groups': 'system:masters' });
});
afterAll(() => api.close());

const who = async (token: string): Promise<unknown> => {
  const answer = bootstrap.authenticate({ headers: { authorization: `Bearer ${token}` }, remoteAddress: '', path: '' });
  return answer;
};

describe('bootstrap tokens', () => {
  it('make a bootstrapper of who shows them', async () => {
    expect(await who('abcdef.0123456789abcdef')).toEqual({
      user: {
        name: 'system:bootstrap:abcdef',
        groups: ['system:bootstrappers', 'system:bootstrappers:kubeadm:default-node-token', 'system:authenticated'],
      },
    });
  });

  it.each([
    ['wrong', 'abcdef.0123456789abcdee'],
    ['unknown', 'fedcba.0123456789abcdef'],
    ['over', 'expire.0123456789abcdef'],
    ['for something else', 'nousee.0123456789abcdef'],
    ['of groups that it may not give', 'groups.0123456789abcdef'],
    ['no bootstrap token', 'something'],
  ])('do nothing when they are %s', async (_what, token) => {
    expect(await who(token)).toBeUndefined();
    expect((await api.get('/api/v1/namespaces', { headers: { authorization: `Bearer ${token}` } })).code).toBe(401);
  });
});

describe('tokens as a subprotocol', () => {
  const open = (protocols: readonly string[]): Promise<string> =>
    new Promise((resolve) => {
      const socket = new WebSocket(`wss://localhost:${api.port}/api/v1/namespaces?watch=1`, [...protocols], { ca: api.pki.ca });
      socket.on('open', () => {
        resolve(`open ${socket.protocol}`);
        socket.terminate();
      });
      socket.on('unexpected-response', (_request, answer) => resolve(String(answer.statusCode)));
      socket.on('error', () => {});
    });
  const protocol = (token: string): string => `base64url.bearer.authorization.k8s.io.${Buffer.from(token).toString('base64url')}`;

  it('are taken, and not answered', async () => {
    expect(await open([protocol('abcdef.0123456789abcdef'), 'base64.binary.k8s.io'])).toBe('open base64.binary.k8s.io');
  });

  it('are refused when they are wrong, stand alone, or are two', async () => {
    expect(await open([protocol('abcdef.0123456789abcdee'), 'x'])).toBe('401');
    expect(await open([protocol('abcdef.0123456789abcdef')])).toBe('401');
    expect(await open([protocol('abcdef.0123456789abcdef'), protocol('a'), 'x'])).toBe('401');
    expect(await open(['base64url.bearer.authorization.k8s.io.', 'x'])).toBe('401');
  });
});
