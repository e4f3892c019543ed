import { expect, test } from 'vitest';
import type { Secret, ServiceAccount } from '../api/types/core-v1.ts';
import { configMaps, namespaces, secrets, serviceAccounts } from '../client/resource-refs.ts';
import { createFixture } from '../client/test-support/fixture.ts';
import { deepFreeze } from '../util/deep-freeze.ts';
import { judgeToken, legacyTokenCleaner, type TokenObservation } from './legacy-token-cleaner.ts';

const now = Date.UTC(2026, 0, 1);
const token = (labels: Record<string, string> = {}, created = '2020-01-01T00:00:00Z'): Secret => ({
  metadata: {
    name: 'tok',
    namespace: 'x',
    creationTimestamp: created,
    labels,
    annotations: { 'kubernetes.io/service-account.name': 'sa' },
  },
  type: 'kubernetes.io/service-account-token',
});
const account = (...names: string[]): ServiceAccount => ({
  metadata: { name: 'sa', namespace: 'x' },
  secrets: names.map((name) => ({ name })),
});
const used = (date: string) => token({ 'kubernetes.io/legacy-token-last-used': date });
const invalid = (date: string) => token({ 'kubernetes.io/legacy-token-invalid-since': date });
const base: TokenObservation = {
  secret: token(),
  account: account('tok'),
  mounted: false,
  trackedSince: Date.UTC(2024, 0, 1),
};

test.each<[string, Partial<TokenObservation>, string]>([
  ['never used', {}, 'mark'],
  ['used lately', { secret: used('2025-06-01') }, 'keep'],
  ['used long ago', { secret: used('2024-06-01') }, 'mark'],
  ['marked lately', { secret: invalid('2025-06-01') }, 'keep'],
  ['marked long ago', { secret: invalid('2024-06-01') }, 'delete'],
  ['made lately', { secret: token({}, '2025-06-01T00:00:00Z') }, 'keep'],
  ['made by hand', { account: account() }, 'keep'],
  ['mounted', { mounted: true }, 'keep'],
  ['whose account is gone', { account: undefined }, 'keep'],
  ['when uses have not been noted for long', { trackedSince: Date.UTC(2025, 6, 1) }, 'keep'],
  ['when uses are not noted', { trackedSince: undefined }, 'keep'],
])('a token %s', (_, more, verdict) => {
  expect(judgeToken(deepFreeze({ ...base, ...more }), now)).toBe(verdict);
});

test('an unused token is marked, and gone a year later', async () => {
  const f = createFixture();
  const name = 'kube-apiserver-legacy-service-account-token-tracking';
  await f.api.seed(namespaces, { metadata: { name: 'kube-system' } });
  await f.api.seed(configMaps, { metadata: { name, namespace: 'kube-system' }, data: { since: '2023-01-01' } });
  await f.api.seed(serviceAccounts, account('tok'));
  await f.api.seed(secrets, token());
  f.start(legacyTokenCleaner());
  await f.advance();
  expect(f.api.find(secrets, 'x/tok')?.metadata?.labels).toEqual({ 'kubernetes.io/legacy-token-invalid-since': '2026-01-01' });
  for (let i = 0; i < 366; i++) await f.clock.advance(24 * 3_600_000);
  await f.advance();
  expect(f.api.find(secrets, 'x/tok')).toBeUndefined();
  f.stop();
});
