import { VirtualClock } from '../util/clock.ts';
import { silentLogger } from '../util/logger.ts';
import { describeStore } from './contract-test.ts';
import { createMemoryStore } from './memory-store.ts';

describeStore('memory', () => {
  const clock = new VirtualClock();
  const make = () => createMemoryStore({ clock, logger: silentLogger });
  const store = make();
  return Promise.resolve({ store, clock, empty: () => Promise.resolve(make()), dispose: () => store.close() });
});
