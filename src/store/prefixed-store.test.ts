import { expect, it } from 'vitest';
import { VirtualClock } from '../util/clock.ts';
import { silentLogger } from '../util/logger.ts';
import { PreconditionError } from './contract.ts';
import { bytes, WatchLog } from './contract-test.ts';
import { createMemoryStore } from './memory-store.ts';
import { prefixedStore } from './prefixed-store.ts';

it('keeps two clusters in one store apart', async () => {
  const shared = createMemoryStore({ clock: new VirtualClock(), logger: silentLogger });
  const one = prefixedStore(shared, '/one/');
  const two = prefixedStore(shared, 'two');
  const log = new WatchLog(one, '/registry/', one.revision);
  await one.commit([{ type: 'put', key: '/registry/a/1', value: bytes('1') }]);
  await two.commit([{ type: 'put', key: '/registry/a/1', value: bytes('2') }]);
  await one.commit([{ type: 'put', key: '/registry/a/2', value: bytes('3') }]);
  expect((await shared.list('/')).entries.map((e) => e.key)).toEqual(['/one/a/1', '/one/a/2', '/two/a/1']);
  expect((await one.list('/')).entries.map((e) => e.key)).toEqual(['/registry/a/1', '/registry/a/2']);
  expect((await one.list('/registry/a/', { from: '/registry/a/2' })).entries.map((e) => e.key)).toEqual(['/registry/a/2']);
  expect((await two.get('/registry/a/1'))?.key).toBe('/registry/a/1');
  await log.until(() => log.events.length === 2);
  expect(log.lines).toEqual(['put /registry/a/1 1', 'put /registry/a/2 3']);
  const error = await one
    .commit([{ type: 'put', key: '/registry/a/1', value: bytes('x'), expectedRevision: 0 }])
    .catch((fault: unknown) => fault);
  expect(error).toBeInstanceOf(PreconditionError);
  expect((error as PreconditionError).current?.key).toBe('/registry/a/1');
  await expect(one.get('/elsewhere')).rejects.toThrow('/elsewhere is not below /registry');
  await shared.close();
});

it('is the store itself under the usual prefix', () => {
  const shared = createMemoryStore({ clock: new VirtualClock(), logger: silentLogger });
  expect(prefixedStore(shared, '/registry')).toBe(shared);
});
