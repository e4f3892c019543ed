import { defaultDataDirectory, hasCluster, type Layout, layoutOf } from '../../cluster/layout.ts';
import { endProcess, runningPid } from '../../cluster/process.ts';
import { systemClock } from '../../util/clock.ts';
import { Steps } from '../steps.ts';

/** How long a stopping control plane is waited for, in milliseconds, before it is killed: its data are safe either way. */
const STOP_TIMEOUT_MS = 15_000;

/** `k8ts down`. */
export async function down(options: { readonly dataDir?: string; readonly keepContainers?: boolean }): Promise<void> {
  const layout = layoutOf(options.dataDir ?? defaultDataDirectory());
  if (!hasCluster(layout)) {
    console.log(`There is no cluster in ${layout.root}.`);
    return;
  }
  const steps = new Steps(process.stdout, systemClock);
  const stopped = await stopCluster(layout, { containers: options.keepContainers !== true }, steps);
  console.log(stopped ? 'The cluster is stopped; its data stay. Start it again with: k8ts up' : 'The cluster was not running.');
}

/** Ends the control plane and, when asked, the containers, wherever an earlier end (a crash, a kill) has left them. Resolves false when there was nothing to end. */
export async function stopCluster(layout: Layout, what: { readonly containers: boolean }, steps: Steps): Promise<boolean> {
  const pid = await runningPid(layout);
  if (pid !== undefined) {
    const step = steps.begin('stopping the control plane');
    const gracefully = await endProcess(pid, STOP_TIMEOUT_MS, systemClock);
    step.done(gracefully ? undefined : 'it did not end by itself and was killed');
  }
  if (!what.containers) return pid !== undefined;
  const { cleanNode } = await import('../../cluster/clean-node.ts');
  const cleaned = await cleanNode(layout, (name) => steps.begin(name));
  return pid !== undefined || cleaned;
}
