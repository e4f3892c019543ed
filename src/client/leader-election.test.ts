import { expect, test } from 'vitest';
import { silentLogger } from '../util/logger.ts';
import { SeededRandom } from '../util/random.ts';
import { runLeaderElection } from './leader-election.ts';
import { leases } from './resource-refs.ts';
import { createFixture } from './test-support/fixture.ts';

test('one leads; another takes over at once on release and after the lease on death', async () => {
  const f = createFixture();
  const log: string[] = [];
  const candidate = (identity: string): AbortController => {
    const stop = new AbortController();
    void runLeaderElection(
      {
        client: f.client,
        clock: f.clock,
        random: new SeededRandom(identity.charCodeAt(0)),
        logger: silentLogger,
        namespace: 'kube-system',
        name: 'boss',
        identity,
        onStartedLeading: (signal) => {
          log.push(`${identity} leads`);
          signal.addEventListener('abort', () => log.push(`${identity} stops`));
        },
      },
      stop.signal,
    );
    return stop;
  };
  const a = candidate('a');
  await f.advance(1);
  const b = candidate('b');
  await f.advance(60_000);
  expect(log).toEqual(['a leads']);
  a.abort();
  await f.advance(5_000);
  expect(log).toEqual(['a leads', 'a stops', 'b leads']);
  expect(f.api.find(leases, 'kube-system/boss')?.spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });

  // b loses the server: it must stop before anyone else may lead.
  f.api.intercept = () => {
    throw new Error('connection refused');
  };
  await f.advance(11_000);
  expect(log.at(-1)).toBe('b stops');
  b.abort();
  f.api.intercept = undefined;
  const c = candidate('c');
  await f.advance(14_000);
  expect(log.at(-1)).toBe('b stops');
  await f.advance(10_000);
  expect(log.at(-1)).toBe('c leads');
  c.abort();
});
