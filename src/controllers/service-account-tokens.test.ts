import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Secret } from '../api/types/core-v1.ts';
import { secrets, serviceAccounts } from '../client/resource-refs.ts';
import { deepFreeze } from '../util/deep-freeze.ts';
import { planTokenSecret, serviceAccountTokensController } from './service-account-tokens.ts';
import { createServerFixture, type ServerFixture } from './test-support/server.ts';

const secret = (name: string, account: string): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'x', annotations: { 'kubernetes.io/service-account.name': account } },
  type: 'kubernetes.io/service-account-token',
});
const text = (data: string | undefined): string => Buffer.from(data ?? '', 'base64').toString();

describe('secrets for service account tokens', () => {
  let f: ServerFixture;
  beforeEach(async () => {
    f = await createServerFixture();
    f.start(
      serviceAccountTokensController({
        rootCa: 'CA',
        sign: async (account, { metadata }) => `token of ${account.metadata?.name} in ${metadata?.name}`,
      }),
    );
    await f.create(serviceAccounts, { metadata: { name: 'robot', namespace: 'x' } });
  });
  afterEach(() => f.stop());

  it('are filled with the token, the authority and the namespace, and given the uid', async () => {
    await f.create(secrets, secret('tok', 'robot'));
    await f.advance();
    const filled = f.find(secrets, 'x/tok');
    expect(Object.entries(filled?.data ?? {}).map(([key, value]) => [key, text(value)])).toEqual(
      expect.arrayContaining([
        ['ca.crt', 'CA'],
        ['namespace', 'x'],
        ['token', 'token of robot in tok'],
      ]),
    );
    expect(filled?.metadata?.annotations?.['kubernetes.io/service-account.uid']).toBe(
      f.find(serviceAccounts, 'x/robot')?.metadata?.uid,
    );
    const writes = f.writes.length;
    await f.advance(60_000);
    expect(f.writes.length).toBe(writes);
  });

  it('keep a token that is there, and get the authority of today', async () => {
    const data = { token: Buffer.from('mine').toString('base64'), 'ca.crt': Buffer.from('old').toString('base64') };
    await f.create(secrets, { ...secret('tok', 'robot'), data });
    await f.advance();
    const filled = f.find(secrets, 'x/tok')?.data;
    expect([text(filled?.['token']), text(filled?.['ca.crt'])]).toEqual(['mine', 'CA']);
  });

  it('go when there is no such account, or it goes', async () => {
    await f.create(secrets, secret('stray', 'nobody'));
    await f.create(secrets, secret('tok', 'robot'));
    await f.create(secrets, { metadata: { name: 'other', namespace: 'x' } });
    await f.advance();
    expect(f.all(secrets, 'x').map((s) => s.metadata?.name)).toEqual(['other', 'tok']);
    await f.client.resource(serviceAccounts).delete('robot', 'x');
    await f.advance();
    expect(f.all(secrets, 'x').map((s) => s.metadata?.name)).toEqual(['other']);
  });

  it('go when their account was made anew', async () => {
    await f.create(secrets, secret('tok', 'robot'));
    await f.advance();
    await f.client.resource(serviceAccounts).delete('robot', 'x');
    await f.create(serviceAccounts, { metadata: { name: 'robot', namespace: 'x' } });
    await f.advance();
    expect(f.find(secrets, 'x/tok')).toBeUndefined();
  });

  it('are no longer listed by their account when they are gone', async () => {
    await f.create(secrets, secret('tok', 'robot'));
    await f.change(serviceAccounts, 'x/robot', (account) => ({ ...account, secrets: [{ name: 'tok' }, { name: 'pull' }] }));
    await f.advance();
    await f.client.resource(secrets).delete('tok', 'x');
    await f.advance();
    expect(f.find(serviceAccounts, 'x/robot')?.secrets).toEqual([{ name: 'pull' }]);
  });
});

it('a full secret is left alone', () => {
  const account = deepFreeze({ metadata: { name: 'robot', namespace: 'x', uid: 'u' } });
  const full = deepFreeze({ ...secret('tok', 'robot'), data: { token: 'eA==', namespace: 'eA==' } });
  expect(planTokenSecret(full, account, undefined)).toBeUndefined();
});
