import { askControl, type ClusterStatus } from '../../cluster/control.ts';
import { defaultDataDirectory, hasCluster, layoutOf } from '../../cluster/layout.ts';
import { runningPid } from '../../cluster/process.ts';

/** `k8ts status`. Exit code 0: all healthy; 1: something is not; 3: not running. */
export async function status(options: { readonly dataDir?: string; readonly output?: string }): Promise<void> {
  const layout = layoutOf(options.dataDir ?? defaultDataDirectory());
  const pid = await runningPid(layout);
  if (pid === undefined) {
    process.exitCode = 3;
    if (options.output === 'json') console.log(JSON.stringify({ running: false }));
    else
      console.log(
        hasCluster(layout)
          ? `The cluster in ${layout.root} is stopped. Start it with: k8ts up`
          : `There is no cluster in ${layout.root}. Make one with: k8ts up`,
      );
    return;
  }
  let state: ClusterStatus;
  try {
    state = await askControl<ClusterStatus>(layout.controlSocket, 'GET', '/status');
  } catch (err) {
    process.exitCode = 1;
    console.log(`k8ts runs (pid ${pid}) but does not answer: ${(err as Error).message}. See ${layout.logFile}`);
    return;
  }
  if (state.components.some((c) => !c.healthy)) process.exitCode = 1;
  if (options.output === 'json') {
    console.log(JSON.stringify({ running: true, ...state }, undefined, 2));
    return;
  }
  console.log(`k8ts ${state.version}, pid ${state.pid}, up since ${new Date(state.startedAt).toISOString()}`);
  console.log(`server ${state.server}, data ${state.dataDirectory}\n`);
  const width = Math.max(...state.components.map((c) => c.name.length));
  for (const c of state.components) console.log(`${c.healthy ? '✓' : '✗'} ${c.name.padEnd(width)}  ${c.message}`);
}
