import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../cluster/config.ts';
import { layoutOf, prepareDataDirectory } from '../../cluster/layout.ts';
import { runCluster } from '../../cluster/run.ts';

/**
 * `k8ts warm`: starts a cluster and ends it, in a directory that is gone afterwards. Node keeps what it compiled on the way for later starts:
 * the build runs this, so that even the first `up` is quick.
 */
export async function warm(): Promise<void> {
  // Not run, but compiled: what only real nodes need.
  await import('../../cluster/node.ts');
  const directory = await mkdtemp(join(tmpdir(), 'k8ts-warm-'));
  try {
    const layout = layoutOf(directory);
    await prepareDataDirectory(layout);
    const config = await loadConfig(layout, { port: await freePort(), bindAddress: '127.0.0.1', simulatedNodes: 1 });
    const stop = new AbortController();
    await runCluster(
      config,
      layout,
      () => {},
      () => stop.abort(),
      stop.signal,
      'silent',
    );
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  process.exit();
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
