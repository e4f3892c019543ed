import { expect, it } from 'vitest';
import type { ConfigMap } from '../api/types/core-v1.ts';
import { createControllerContext } from '../client/controller-runner.ts';
import { configMaps } from '../client/resource-refs.ts';
import { createFixture, type Fixture } from '../client/test-support/fixture.ts';
import { silentLogger } from '../util/logger.ts';
import { SeededRandom } from '../util/random.ts';
import type { ClusterConfig } from './config.ts';
import { ControlLoops } from './control-loops.ts';

const etcd = { servers: ['http://127.0.0.1:2379'], prefix: '/registry' };
const configOf = (more: Partial<ClusterConfig>): ClusterConfig =>
  ({ nodeName: 'node', nodeIp: '10.0.0.1', port: 6443, ...more }) as ClusterConfig;

/** Loops that tell in `log` which config maps they see. */
async function run(f: Fixture, config: ClusterConfig, log: string[], signal: AbortSignal): Promise<ControlLoops> {
  const loops = new ControlLoops({
    config,
    shared: f.context,
    clientFor: () => f.client,
    ownContext: () =>
      createControllerContext({ client: f.client, clock: f.clock, random: new SeededRandom(2), logger: silentLogger }),
    turn: () => Promise.resolve(),
  });
  await loops.run(
    [
      {
        name: 'controllers',
        loops: () => [
          {
            name: 'teller',
            start: (context, stopped) => {
              const tell = ({ metadata }: ConfigMap): void => {
                if (!stopped.aborted) log.push(`${config.nodeIp} ${metadata?.name}`);
              };
              context.informers.informer(configMaps).addHandler({ onAdd: tell });
            },
          },
        ],
      },
    ],
    signal,
  );
  return loops;
}

it('runs what is alone with its store at once, and what is disabled not at all', async () => {
  const f = createFixture();
  const stop = new AbortController();
  const log: string[] = [];
  const one = await run(f, configOf({}), log, stop.signal);
  const two = await run(f, configOf({ disabled: ['controllers'] }), log, stop.signal);
  await f.client.resource(configMaps).create({ metadata: { name: 'a', namespace: 'x' } });
  await f.advance();
  expect(log).toEqual(['10.0.0.1 a']);
  expect(one.health('controllers')).toMatchObject({ healthy: true, message: 'running' });
  expect(two.health('controllers')).toMatchObject({ healthy: true, message: 'disabled' });
  stop.abort();
});

it('runs where others share the store in one of the processes, and in another when that one ends', async () => {
  const f = createFixture();
  const log: string[] = [];
  const [a, b] = [new AbortController(), new AbortController()];
  const one = await run(f, configOf({ etcd }), log, a.signal);
  await f.advance(5_000);
  const two = await run(f, configOf({ etcd, nodeIp: '10.0.0.2' }), log, b.signal);
  await f.advance(5_000);
  expect(one.health('controllers')).toMatchObject({ healthy: true, message: 'running' });
  expect(two.health('controllers')).toMatchObject({ healthy: true, message: 'stands by: node_10.0.0.1:6443 leads' });
  await f.client.resource(configMaps).create({ metadata: { name: 'a', namespace: 'x' } });
  await f.advance();
  expect(log).toEqual(['10.0.0.1 a']);
  a.abort();
  await f.advance(5_000);
  expect(two.health('controllers')).toMatchObject({ healthy: true, message: 'running' });
  await f.client.resource(configMaps).create({ metadata: { name: 'b', namespace: 'x' } });
  await f.advance();
  expect(log).toEqual(['10.0.0.1 a', '10.0.0.2 a', '10.0.0.2 b']);
  b.abort();
});
