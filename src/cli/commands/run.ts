import { loadConfig } from '../../cluster/config.ts';
import { defaultDataDirectory, layoutOf, prepareDataDirectory, UserError } from '../../cluster/layout.ts';
import type { DaemonMessage } from '../../cluster/process.ts';
import { runCluster } from '../../cluster/run.ts';

/** `k8ts run`: the cluster in this process, until it is asked to end. Tells the command that started it how far it is, over IPC when there is one. */
export async function run(options: { readonly dataDir?: string }): Promise<void> {
  const layout = layoutOf(options.dataDir ?? defaultDataDirectory());
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort(new Error(signal)));
  const tell = (message: DaemonMessage): void => {
    if (process.connected) process.send?.(message);
  };
  const fail = (err: unknown): void => {
    tell({ type: 'failed', message: (err as Error).message, isUserError: err instanceof UserError });
    console.error(err);
    process.exitCode = 1;
  };
  try {
    await prepareDataDirectory(layout);
    const config = await loadConfig(layout, {});
    await runCluster(
      config,
      layout,
      (name, ms, detail) => tell({ type: 'step', name, ms, ...(detail === undefined ? {} : { detail }) }),
      () => tell({ type: 'ready' }),
      stop.signal,
    );
  } catch (err) {
    // Asked to end before it was up: that is no failure.
    if (!stop.signal.aborted) fail(err);
  }
  if (process.connected) process.disconnect?.();
  // Native handles of a failed start must not keep a dead process.
  process.exit();
}
