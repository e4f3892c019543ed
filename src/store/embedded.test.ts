import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VirtualClock } from '../util/clock.ts';
import { silentLogger } from '../util/logger.ts';
import type { Store } from './contract.ts';
import { describeStore } from './contract-test.ts';
import { openEmbeddedStore } from './embedded.ts';

describeStore('embedded', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'k8ts-store-'));
  const clock = new VirtualClock();
  const open = (name: string): Promise<Store> => openEmbeddedStore({ path: join(directory, name), clock, logger: silentLogger });
  let store = await open('one');
  return {
    store,
    clock,
    reopen: async () => {
      await store.close();
      store = await open('one');
      return store;
    },
    empty: () => open('two'),
    dispose: async () => {
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
});
