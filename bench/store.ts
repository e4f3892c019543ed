/** Commits to the embedded store and writes to a collection: how many a second, and what each costs. `node bench/store.ts [directory]`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Codec } from '../src/store/collection.ts';
import { openEmbeddedStore } from '../src/store/embedded.ts';
import { openCollection } from '../src/store/memory-collection.ts';
import { createMemoryStore } from '../src/store/memory-store.ts';
import { systemClock } from '../src/util/clock.ts';
import { silentLogger } from '../src/util/logger.ts';

const SECONDS = 1;
const directory = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'k8ts-bench-'));

/** Runs `work` by `width` workers for a while, and prints a line. */
async function measure(name: string, width: number, work: (worker: number, round: number) => Promise<unknown>): Promise<void> {
  const latencies: number[] = [];
  const cpu = process.cpuUsage();
  const start = performance.now();
  const end = start + SECONDS * 1000;
  await Promise.all(
    Array.from({ length: width }, async (_, worker) => {
      for (let round = 0; performance.now() < end; round++) {
        const begun = performance.now();
        await work(worker, round);
        latencies.push(performance.now() - begun);
      }
    }),
  );
  const elapsed = performance.now() - start;
  const used = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  const rate = Math.round(latencies.length / (elapsed / 1000));
  const each = ((used.user + used.system) / latencies.length).toFixed(1);
  const at = (share: number): string => latencies[Math.floor(latencies.length * share)]!.toFixed(2);
  console.log(
    `${name.padEnd(44)} ${String(rate).padStart(8)}/s  cpu ${each.padStart(6)} us  p50 ${at(0.5)} ms  p99 ${at(0.99)} ms`,
  );
}

interface Item {
  readonly metadata: { readonly name: string; readonly resourceVersion?: string };
  readonly data: string;
}
const encoder = new TextEncoder();
const codec: Codec<Item> = {
  encode: (object) => encoder.encode(JSON.stringify(object)),
  decode: (bytes, revision) => codec.withRevision(JSON.parse(Buffer.from(bytes).toString()) as Item, revision),
  withRevision: (object, revision) => ({ ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } }),
  wire: (object) => encoder.encode(JSON.stringify(object)),
};
const base = { clock: systemClock, logger: silentLogger };
const value = Buffer.alloc(4096, 'x');
const data = 'x'.repeat(4000);

try {
  const store = await openEmbeddedStore({ path: join(directory, 'commits'), ...base });
  for (const width of [1, 32, 512]) {
    await measure(`embedded: commit 4 KB, ${width} at once`, width, (worker, round) =>
      store.commit([{ type: 'put', key: `/registry/pods/ns/${worker}-${round % 20}`, value }]),
    );
  }
  await store.close();

  for (const kind of ['embedded', 'memory'] as const) {
    const below =
      kind === 'memory' ? createMemoryStore(base) : await openEmbeddedStore({ path: join(directory, 'collection'), ...base });
    const collection = await openCollection({ store: below, prefix: '/registry/pods/', codec, ...base });
    const put = (worker: number, round: number) => {
      const name = `${worker}-${round % 20}`;
      return collection.write({ type: 'put', key: `/registry/pods/ns/${name}`, object: { metadata: { name }, data } });
    };
    await measure(`${kind}: collection write 4 KB, 32 at once`, 32, put);
    const controller = new AbortController();
    let seen = 0;
    for (let i = 0; i < 100; i++) {
      collection.watch(
        collection.revision,
        { onChange: () => seen++, onError: (error) => console.error(error) },
        controller.signal,
      );
    }
    await measure(`${kind}: the same with 100 watchers`, 32, put);
    controller.abort();
    console.log(`${' '.repeat(44)} ${seen} changes delivered`);
    collection.close();
    if (kind === 'embedded') {
      const fill = 50_000;
      for (let i = 0; i < fill; i += 1000) {
        await Promise.all(
          Array.from({ length: 1000 }, (_, j) => below.commit([{ type: 'put', key: `/registry/pods/load/${i + j}`, value }])),
        );
      }
      await below.close();
      const begun = performance.now();
      const again = await openEmbeddedStore({ path: join(directory, 'collection'), ...base });
      const opened = performance.now();
      const { entries } = await again.list('/registry/');
      console.log(
        `embedded: opened in ${(opened - begun).toFixed(0)} ms, ${entries.length} entries read in ${(performance.now() - opened).toFixed(0)} ms`,
      );
      await again.close();
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
