import { resolve } from 'node:path';
import { loadConfig } from '../../cluster/config.ts';
import { askControl } from '../../cluster/control.ts';
import { defaultDataDirectory, hasCluster, type Layout, layoutOf, UserError } from '../../cluster/layout.ts';
import { runningPid } from '../../cluster/process.ts';
import {
  describeCheck,
  forgetHistory,
  openStore,
  restoreEmbedded,
  rewriteEmbedded,
  type SnapshotInfo,
  type StorageOptions,
  snapshotTo,
} from '../../cluster/storage.ts';
import type { Store, StoreCheck } from '../../store/contract.ts';
import { systemClock } from '../../util/clock.ts';
import { silentLogger } from '../../util/logger.ts';
import { systemRandom } from '../../util/random.ts';

/** Large stores take a while; in milliseconds. */
const TIMEOUT_MS = 600_000;

interface Options {
  readonly dataDir?: string;
}

/** `k8ts store snapshot FILE`: of a running cluster or a stopped one. */
export async function snapshot(file: string, options: Options): Promise<void> {
  const path = resolve(file);
  const { revision, bytes } = await either<SnapshotInfo>(
    options,
    ['POST', `/store/snapshot?file=${encodeURIComponent(path)}`],
    (store) => snapshotTo(store, path),
  );
  console.log(`Wrote ${path}: ${bytes} bytes, revision ${revision}.`);
}

/** `k8ts store check`. Exit code 1 when something is wrong. */
export async function check(options: Options): Promise<void> {
  const found = await either<StoreCheck>(options, ['GET', '/store/check'], (store) => store.check());
  console.log(describeCheck(found));
  for (const fault of found.faults) console.log(`✗ ${fault}`);
  if (found.faults.length === 0) console.log('✓ whole');
  else {
    process.exitCode = 1;
    console.log('The store is damaged. Restore a snapshot (k8ts store restore), or take one of what can still be read.');
  }
}

/** `k8ts store compact`: forgets history; the file of a stopped cluster is made smaller too. */
export async function compact(options: Options): Promise<void> {
  const layout = clusterOf(options);
  const storage = await storageOf(layout);
  if ((await runningPid(layout)) === undefined && storage.etcd === undefined) {
    const { before, after } = await rewriteEmbedded(storage);
    console.log(`Forgot all history. The file had ${before} bytes and has ${after}.`);
    return;
  }
  const { revision } = await either<{ readonly revision: number }>(options, ['POST', '/store/compact'], async (store) => ({
    revision: await forgetHistory(store),
  }));
  console.log(
    `Forgot the history before revision ${revision}. The room is used again; the file gets smaller when the cluster is stopped.`,
  );
}

/** `k8ts store restore FILE`: only of a stopped cluster, as everybody's idea of the present becomes wrong with it. */
export async function restore(file: string, options: Options): Promise<void> {
  const layout = clusterOf(options);
  const storage = await storageOf(layout);
  if (storage.etcd !== undefined) {
    throw new UserError('This cluster keeps its state in etcd. Restore it there: etcdctl snapshot restore, on its members.');
  }
  if ((await runningPid(layout)) !== undefined) {
    throw new UserError('The cluster is running. Stop it first with k8ts down: a restore changes everything below it.');
  }
  const kept = await restoreEmbedded(storage, resolve(file));
  console.log(`Restored ${resolve(file)}. Start the cluster with: k8ts up`);
  if (kept !== undefined) console.log(`What was there before is in ${kept}; delete it when you do not need it.`);
}

function clusterOf(options: Options): Layout {
  const layout = layoutOf(options.dataDir ?? defaultDataDirectory());
  if (!hasCluster(layout)) throw new UserError(`There is no cluster in ${layout.root}. Make one with: k8ts up`);
  return layout;
}

async function storageOf(layout: Layout): Promise<StorageOptions> {
  const { etcd } = await loadConfig(layout, {});
  return { etcd, layout, clock: systemClock, random: systemRandom, logger: silentLogger };
}

/** Asks the k8ts that runs; does it here when none does. */
async function either<T>(
  options: Options,
  [method, path]: readonly ['GET' | 'POST', string],
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const layout = clusterOf(options);
  if ((await runningPid(layout)) !== undefined) {
    return askControl<T>(layout.controlSocket, method, path, TIMEOUT_MS).catch((err: Error) => {
      throw new UserError(err.message);
    });
  }
  const store = await openStore(await storageOf(layout));
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
