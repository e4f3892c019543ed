import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { builtinResources } from '../../api/groups/index.ts';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { isConflict } from '../../api/meta/status.ts';
import type { Secret, ServiceAccount } from '../../api/types/core-v1.ts';
import { VirtualClock } from '../../util/clock.ts';
import { silentLogger } from '../../util/logger.ts';
import { SeededRandom } from '../../util/random.ts';
import { type ApiServer, createApiServer, loopbackUser } from '../index.ts';
import { openTestStore } from '../test-store.ts';
import { ensureTokenTracking, signLegacyToken } from './legacy-token.ts';
import { serviceAccountKeys } from './service-account-keys.ts';
import { serviceAccountAuthenticator } from './service-account-token.ts';

const { privateKey } = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const keys = serviceAccountKeys({ issuer: 'https://api', privateKey, publicKeys: [] });

let server: ApiServer;
let clock: VirtualClock;
let token: string;
const tokens = () => {
  const made = serviceAccountAuthenticator(keys);
  made.initialize(server.access);
  return made;
};
const write = async (
  verb: 'create' | 'update' | 'delete',
  resource: string,
  name: string,
  body?: KubernetesObject,
): Promise<KubernetesObject> => {
  const target = { group: '', version: 'v1', resource, namespace: 'default', name: verb === 'create' ? '' : name };
  return (await server.access.handler.handle({ verb, ...target, options: {}, body }, loopbackUser)).object;
};
/** Changes the secret as it is by then: the day of its use is noted at the same time. */
const change = async (update: (secret: Secret) => Secret): Promise<void> => {
  for (;;) {
    try {
      await write('update', 'secrets', 'tok', update(secretNow()));
      return;
    } catch (err) {
      if (!isConflict(err)) throw err;
    }
  }
};
const secretNow = (): Secret => server.access.view<Secret>('', 'secrets')!.get('default', 'tok')!;

beforeEach(async () => {
  clock = new VirtualClock();
  server = await createApiServer({
    store: await openTestStore(clock),
    resources: builtinResources,
    virtualResources: [],
    authenticators: [],
    authorizer: { authorize: () => ({ decision: 'allow' }) },
    admission: [],
    clock,
    random: new SeededRandom(1),
    logger: silentLogger,
  });
  const account = (await write('create', 'serviceaccounts', '', {
    metadata: { name: 'robot', namespace: 'default' },
  })) as ServiceAccount;
  const secret: Secret = {
    metadata: { name: 'tok', namespace: 'default', annotations: { 'kubernetes.io/service-account.name': 'robot' } },
    type: 'kubernetes.io/service-account-token',
  };
  token = await signLegacyToken(keys, account, secret);
  await write('create', 'secrets', '', { ...secret, data: { token: Buffer.from(token).toString('base64') } } as Secret);
});
afterEach(() => server.close());

it('a token that its secret holds speaks for the account, and the day of its use is noted', async () => {
  const authenticator = tokens();
  const credentials = { headers: { authorization: `Bearer ${token}` }, remoteAddress: '', path: '' };
  for (let i = 0; i < 2; i++) {
    expect(await authenticator.authenticate(credentials)).toMatchObject({
      user: { name: 'system:serviceaccount:default:robot', groups: expect.arrayContaining(['system:serviceaccounts:default']) },
      audiences: ['https://api'],
    });
  }
  await expect
    .poll(() => secretNow().metadata?.labels?.['kubernetes.io/legacy-token-last-used'])
    .toBe(new Date(clock.now()).toISOString().slice(0, 10));
});

it('is refused for other audiences, once the secret holds another, is marked, or is gone', async () => {
  const authenticator = tokens();
  const refused = expect.objectContaining({ status: expect.objectContaining({ reason: 'Unauthorized' }) });
  const verify = async (audiences?: readonly string[]): Promise<unknown> => await authenticator.verify(token, audiences);
  await expect(verify(['vault'])).rejects.toEqual(refused);
  await expect(verify()).resolves.toBeDefined();
  await expect.poll(() => secretNow().metadata?.labels).toBeDefined();
  await change(({ metadata, ...secret }) => {
    const labels = { ...metadata?.labels, 'kubernetes.io/legacy-token-invalid-since': '2020-01-01' };
    return { ...secret, metadata: { ...metadata, labels } };
  });
  await expect(verify()).rejects.toEqual(refused);
  await change((secret) => ({ ...secret, metadata: { ...secret.metadata, labels: {} } }));
  await expect(verify()).resolves.toBeDefined();
  await change((secret) => ({ ...secret, data: { token: 'eA==' } }));
  await expect(verify()).rejects.toEqual(refused);
  await write('delete', 'secrets', 'tok');
  await expect(verify()).rejects.toEqual(refused);
});

it('since when uses are noted is written once', async () => {
  await write('create', 'namespaces', '', { metadata: { name: 'kube-system' } });
  const since = (): unknown =>
    server.access
      .view<KubernetesObject & { data?: unknown }>('', 'configmaps')
      ?.get('kube-system', 'kube-apiserver-legacy-service-account-token-tracking')?.data;
  await ensureTokenTracking(server.access);
  const first = since();
  await clock.advance(48 * 3_600_000);
  await ensureTokenTracking(server.access);
  expect([first, since()]).toEqual([{ since: '2026-01-01' }, { since: '2026-01-01' }]);
});
