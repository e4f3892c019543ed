import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../util/clock.ts';
import { TestServer } from '../test-server.ts';
import { YamlReader } from './yaml-reader.ts';

const lines = (count: number): string => Array.from({ length: count }, (_, i) => `  key-${i}: "the value ${i}"\n`).join('');
const map = (name: string, data: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata:\n${data}`;

describe('long YAML', () => {
  let api: TestServer;
  const maps = '/api/v1/namespaces/x/configmaps';
  const headers = { 'content-type': 'application/yaml' };
  const create = (path: string, body: string) => api.request('POST', path, { body, headers });

  beforeEach(async () => {
    api = await TestServer.start();
  });
  afterEach(() => api.close());

  it('is created as short is, and fields given twice are told', async () => {
    const made = await create(maps, map('long', lines(2_000)));
    expect(made.code).toBe(201);
    expect(Object.keys((made.json as { data: object }).data)).toHaveLength(2_000);
    const twice = await create(`${maps}?fieldValidation=Strict`, map('twice', lines(2_000) + lines(1)));
    expect(twice.code).toBe(400);
    expect((twice.json as { message: string }).message).toContain('key "key-0" already set in map');
    expect((await create(`${maps}?fieldValidation=Ignore`, map('twice', lines(2_000) + lines(1)))).code).toBe(201);
  });

  it('that is none is refused', async () => {
    const refused = await create(maps, map('bad', `${lines(2_000)}\t- {`));
    expect(refused.code).toBe(400);
    expect((refused.json as { message: string }).message).toContain('yaml: ');
    expect((await api.get('/readyz')).code).toBe(200);
  });
});

describe('the reader', () => {
  it('leaves short texts and JSON to others', () => {
    const stop = new AbortController();
    const reader = new YamlReader(new VirtualClock(), stop.signal);
    expect(reader.read(Buffer.from('a: 1'))).toBeUndefined();
    expect(reader.read(Buffer.from(`{"a": "${'x'.repeat(10_000)}"}`))).toBeUndefined();
    stop.abort();
  });

  it('takes so many at a time, in their order, and lets its thread go when nothing comes', async () => {
    const clock = new VirtualClock();
    const stop = new AbortController();
    const reader = new YamlReader(clock, stop.signal);
    const done: number[] = [];
    const asked = Array.from({ length: 40 }, (_, i) =>
      reader
        .read(Buffer.from(`number: ${i}\ndata:\n${lines(500)}`))!
        .then(({ value }) => void done.push((value as { number: number }).number)),
    );
    const results = await Promise.allSettled(asked);
    expect(results.filter((r) => r.status === 'rejected')).toHaveLength(8);
    expect(done).toEqual(Array.from({ length: 32 }, (_, i) => i));
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(10_000);
    expect(clock.pendingTimers).toBe(0);
    // Another is started.
    expect((await reader.read(Buffer.from(`number: 1\ndata:\n${lines(500)}`)))?.value).toMatchObject({ number: 1 });
    stop.abort();
  });
});
