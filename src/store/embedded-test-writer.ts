/** The child of the kill test: writes without end, and tells every acknowledged commit as a line `<key> <revision> <value>`. */
import { writeSync } from 'node:fs';
import { systemClock } from '../util/clock.ts';
import { silentLogger } from '../util/logger.ts';
import { openEmbeddedStore } from './embedded.ts';

const [path, run] = process.argv.slice(2) as [string, string];
const store = await openEmbeddedStore({ path, clock: systemClock, logger: silentLogger, history: { maxRecords: 200 } });
await Promise.all(
  Array.from({ length: 8 }, async (_, worker) => {
    for (let i = 0; ; i++) {
      const key = `/k/${worker}-${i % 5}`;
      const value = `${run}-${worker}-${i}`;
      const { revision } = await store.commit([{ type: 'put', key, value: Buffer.from(value.padEnd(600, '.')) }]);
      writeSync(1, `${key} ${revision} ${value}\n`);
    }
  }),
);
