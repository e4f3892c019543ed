import { VirtualClock } from '../../util/clock.ts';
import { silentLogger } from '../../util/logger.ts';
import { SeededRandom } from '../../util/random.ts';
import { createClient } from '../client.ts';
import type { Client, ResourceRef } from '../contract.ts';
import type { Controller, ControllerContext } from '../controller.ts';
import { createControllerContext, runControllers } from '../controller-runner.ts';
import { inProcessTransport } from '../in-process.ts';
import { MemoryApi } from './memory-api.ts';

/** Turns of the loop after which something that still writes is taken to do so for ever. */
const MAX_TURNS = 2000;

/** An API in memory, virtual time, and a client to it: where controllers are tested. */
export interface Fixture {
  readonly api: MemoryApi;
  readonly clock: VirtualClock;
  readonly client: Client;
  readonly context: ControllerContext;
  start(...controllers: readonly Controller[]): void;
  /** Lets `ms` of virtual time pass, and everything that follows from it happen. */
  advance(ms?: number): Promise<void>;
  stop(): void;
}

export function createFixture(
  options: { readonly gracefulPods?: boolean; readonly resources?: readonly ResourceRef[] } = {},
): Fixture {
  const clock = new VirtualClock();
  const random = new SeededRandom(1);
  const api = new MemoryApi({ clock, random, ...options });
  const client = createClient(inProcessTransport(api, { name: 'test', groups: [] }));
  const context = createControllerContext({ client, clock, random, logger: silentLogger });
  const stopping = new AbortController();
  return {
    api,
    clock,
    client,
    context,
    start(...controllers) {
      runControllers(controllers, context, stopping.signal);
    },
    async advance(ms = 0) {
      let last = -1;
      let turns = 0;
      await clock.advance(ms);
      // Quiet when several turns of the loop brought nothing new.
      for (let quiet = 0; quiet < 5; quiet++) {
        if (++turns > MAX_TURNS) throw new Error('the controllers do not come to rest');
        if (api.revision + api.requests.length !== last) quiet = 0;
        last = api.revision + api.requests.length;
        await clock.advance(0);
      }
    },
    stop() {
      stopping.abort(new Error('test is over'));
    },
  };
}
