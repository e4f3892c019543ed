import { afterAll, beforeAll, expect, test } from 'vitest';
import { unauthorized } from '../../api/meta/status.ts';
import type { ServiceAccountAuthenticator } from '../authn/service-account-token.ts';
import type { Authenticator } from '../contract.ts';
import { TestServer } from '../test-server.ts';
import { authenticationReviews } from './token-reviews.ts';

let api: TestServer;

const noAccounts = { verify: () => Promise.reject(unauthorized()) } as unknown as ServiceAccountAuthenticator;
const words: Authenticator = {
  name: 'words',
  authenticate: ({ headers }) =>
    headers.authorization === 'Bearer sesame' ? { user: { name: 'ali', groups: ['thieves'] } } : undefined,
};

beforeAll(async () => {
  api = await TestServer.start({ virtualResources: authenticationReviews(noAccounts, [words]) });
});
afterAll(() => api.close());

const reviews = '/apis/authentication.k8s.io/v1/tokenreviews';
const review = (token: string): object => ({ metadata: { name: 'n' }, spec: { token } });

test('a token review answers what it was asked, and whose the token is', async () => {
  const good = await api.post(reviews, review('sesame'));
  expect([good.code, good.json]).toEqual([
    201,
    {
      kind: 'TokenReview',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: { name: 'n', managedFields: good.json.metadata.managedFields },
      spec: { token: 'sesame' },
      status: { authenticated: true, user: { username: 'ali', groups: ['thieves'] } },
    },
  ]);
  expect((await api.post(reviews, review('barley'))).json.status).toEqual({
    user: {},
    error: '[invalid bearer token, token lookup failed]',
  });
  expect((await api.post(reviews, review(''))).json).toMatchObject({
    code: 400,
    message: 'token is required for TokenReview in authentication',
  });
});

test('a review of oneself is new each time: only its time is told of it', async () => {
  const { json } = await api.post('/apis/authentication.k8s.io/v1/selfsubjectreviews', { metadata: { name: 'n' } });
  expect(json).toEqual({
    kind: 'SelfSubjectReview',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { creationTimestamp: expect.stringMatching(/^\d{4}-.*Z$/) },
    status: { userInfo: { username: 'admin', groups: ['system:authenticated'] } },
  });
});
