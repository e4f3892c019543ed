import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../util/clock.ts';
import { TestServer } from '../test-server.ts';

let api: TestServer;
const clock = new VirtualClock();
const maps = '/api/v1/namespaces/x/configmaps';
const merge = 'application/merge-patch+json';

const names = (list: { readonly items: readonly { readonly metadata: { readonly name: string } }[] }): string[] =>
  list.items.map((item) => item.metadata.name);

beforeAll(async () => {
  api = await TestServer.start({ clock });
  for (let i = 0; i < 7; i++) {
    await api.post(maps, { metadata: { name: `m${i}`, labels: { parity: i % 2 === 0 ? 'even' : 'odd', n: String(i) } } });
  }
  await api.post('/api/v1/namespaces/y/configmaps', { metadata: { name: 'other' } });
});
afterAll(() => api.close());

describe('list', () => {
  it('is complete, ordered and without kinds in its items', async () => {
    const { json } = await api.get(maps);
    expect(json).toMatchObject({ kind: 'ConfigMapList', apiVersion: 'v1', metadata: { resourceVersion: expect.any(String) } });
    expect(names(json)).toEqual(['m0', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6']);
    expect(json.items[0].kind).toBeUndefined();
    expect(names((await api.get('/api/v1/configmaps')).json)).toHaveLength(8);
    expect((await api.get('/api/v1/namespaces/none/configmaps')).json.items).toEqual([]);
  });

  it.each([
    ['labelSelector=parity%3Deven', ['m0', 'm2', 'm4', 'm6']],
    ['labelSelector=parity!%3Deven,n%20notin%20(1,3)', ['m5']],
    ['labelSelector=missing', []],
    ['labelSelector=!missing,n%20in%20(2)', ['m2']],
    ['fieldSelector=metadata.name%3Dm3', ['m3']],
    ['fieldSelector=metadata.name!%3Dm3&labelSelector=parity%3Dodd', ['m1', 'm5']],
    ['fieldSelector=metadata.namespace%3Dy', []],
  ])('%s', async (query, expected) => {
    expect(names((await api.get(`${maps}?${query}`)).json)).toEqual(expected);
  });

  it('refuses selectors that are none', async () => {
    expect((await api.get(`${maps}?fieldSelector=data.k%3Dv`)).json).toMatchObject({
      code: 400,
      message: '"data.k" is not a known field selector: only "metadata.name", "metadata.namespace"',
    });
    expect((await api.get(`${maps}?labelSelector=a%20b`)).json).toMatchObject({ code: 400, reason: 'BadRequest' });
  });

  it('comes in pages of one revision', async () => {
    const first = (await api.get(`${maps}?limit=3`)).json;
    expect(names(first)).toEqual(['m0', 'm1', 'm2']);
    expect(first.metadata.remainingItemCount).toBe(4);
    await api.post(maps, { metadata: { name: 'm1a' } });
    await api.post(maps, { metadata: { name: 'm3a' } });
    const second = (await api.get(`${maps}?limit=3&continue=${first.metadata.continue}`)).json;
    expect(names(second)).toEqual(['m3', 'm4', 'm5']);
    expect(second.metadata).toMatchObject({ resourceVersion: first.metadata.resourceVersion, remainingItemCount: 1 });
    const third = (await api.get(`${maps}?limit=3&continue=${second.metadata.continue}`)).json;
    expect(names(third)).toEqual(['m6']);
    expect(third.metadata).toEqual({ resourceVersion: first.metadata.resourceVersion });
    for (const name of ['m1a', 'm3a']) await api.remove(`${maps}/${name}`);
  });

  it('comes in pages of what is selected, without a count', async () => {
    const first = (await api.get(`${maps}?limit=3&labelSelector=parity%3Deven`)).json;
    expect(names(first)).toEqual(['m0', 'm2', 'm4']);
    expect(first.metadata.remainingItemCount).toBeUndefined();
    const token = first.metadata.continue;
    expect(names((await api.get(`${maps}?limit=3&labelSelector=parity%3Deven&continue=${token}`)).json)).toEqual(['m6']);
  });

  it('can be had as it was', async () => {
    const before = (await api.get(maps)).json.metadata.resourceVersion;
    await api.post(maps, { metadata: { name: 'late' } });
    const exact = (await api.get(`${maps}?resourceVersion=${before}&resourceVersionMatch=Exact`)).json;
    expect(names(exact)).not.toContain('late');
    expect(exact.metadata.resourceVersion).toBe(before);
    const newer = (await api.get(`${maps}?resourceVersion=${before}&resourceVersionMatch=NotOlderThan`)).json;
    expect(names(newer)).toContain('late');
    expect(names((await api.get(`${maps}?resourceVersion=0`)).json)).toContain('late');
    await api.remove(`${maps}/late`);
  });

  it.each([
    [
      'resourceVersionMatch=Exact',
      'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
    ],
    [
      'resourceVersionMatch=Exact&resourceVersion=0',
      'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
    ],
    [
      'resourceVersionMatch=Odd&resourceVersion=1',
      'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Unsupported value: "Odd": supported values: "Exact", "NotOlderThan", ""',
    ],
    [
      'sendInitialEvents=true',
      'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list',
    ],
  ])('refuses %s', async (query, message) => {
    expect((await api.get(`${maps}?${query}`)).json).toMatchObject({ code: 422, reason: 'Invalid', message });
  });

  it('refuses versions that are no numbers', async () => {
    expect((await api.get(`${maps}?resourceVersion=abc`)).json).toMatchObject({ code: 422 });
    expect((await api.get(`${maps}?limit=abc`)).code).toBe(400);
    // What may be of any age comes whole.
    expect((await api.get(`${maps}?limit=2&resourceVersion=0`)).json.metadata.continue).toBeUndefined();
    expect((await api.get(`${maps}?continue=abc`)).code).toBe(400);
  });

  it('waits for a revision that is to come, and gives up after three seconds', async () => {
    const waiting = api.get(`${maps}?resourceVersion=100000`);
    await until(() => clock.pendingTimers > 0 && api.server.metrics !== undefined, waiting);
    const answer = await waiting;
    expect(answer.json).toMatchObject({
      code: 504,
      reason: 'Timeout',
      details: { causes: [{ reason: 'ResourceVersionTooLarge' }], retryAfterSeconds: 1 },
    });
    expect(answer.json.message).toMatch(/^Too large resource version: 100000, current: \d+$/);
    expect(answer.headers['retry-after']).toBe('1');
  });

  it('says when a page is too old, and goes on inconsistently if asked', async () => {
    const first = (await api.get(`${maps}?limit=2`)).json;
    // More changes than are remembered, and longer than pages are kept.
    const collection = api.server.registry.find('', 'v1', 'configmaps')!.collection;
    for (let i = 0; i < 3; i++) await api.patch(`${maps}/m0`, merge, { data: { i: String(i) } });
    await clock.advance(400_000);
    for (let i = 0; i < 3; i++) await api.patch(`${maps}/m0`, merge, { data: { i: String(i) } });
    expect(collection.snapshotAt(Number(first.metadata.resourceVersion))).toBeUndefined();
    const expired = await api.get(`${maps}?limit=2&continue=${first.metadata.continue}`);
    expect(expired.json).toMatchObject({ code: 410, reason: 'Expired' });
    expect(expired.json.message).toMatch(/^The provided continue parameter is too old to display a consistent list result\./);
    const next = expired.json.metadata.continue;
    const rest = (await api.get(`${maps}?continue=${next}`)).json;
    expect(names(rest)).toEqual(['m2', 'm3', 'm4', 'm5', 'm6']);
    const old = `resourceVersion=${first.metadata.resourceVersion}&resourceVersionMatch=Exact`;
    expect((await api.get(`${maps}?${old}`)).json).toMatchObject({
      code: 410,
      message: 'The resourceVersion for the provided list is too old.',
    });
  });
});

describe('get', () => {
  it('reads its own writes, at a revision too', async () => {
    const { resourceVersion } = (await api.patch(`${maps}/m0`, merge, { data: { x: 'y' } })).json.metadata;
    expect((await api.get(`${maps}/m0?resourceVersion=${resourceVersion}`)).json.data.x).toBe('y');
    expect((await api.get(`${maps}/m0?resourceVersion=x`)).code).toBe(422);
  });
});

/** Moves virtual time on, until `done` has settled. */
async function until(ready: () => boolean, done: Promise<unknown>): Promise<void> {
  let settled = false;
  void done.finally(() => {
    settled = true;
  });
  while (!settled) {
    await new Promise((resolve) => setImmediate(resolve));
    if (ready()) await clock.advance(500);
  }
}
