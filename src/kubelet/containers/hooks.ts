import type { LifecycleHandler } from '../../api/types/core-v1.ts';
import type { ContainerRuntime } from '../../runtime/contract.ts';
import type { Clock } from '../../util/clock.ts';
import { errorText } from '../observed/runtime-errors.ts';
import { type AnyContainer, resolvePort } from '../pods/pod-spec.ts';
import { actionUrl, httpGet } from '../probes/http-get.ts';

/** An HTTP hook takes as long as it takes, within this. Milliseconds. */
const HTTP_HOOK_LIMIT = 3_600_000;

/** Runs a lifecycle hook of a container to its end. Rejects when it fails, or with the signal. */
export async function runHook(
  handler: LifecycleHandler,
  container: AnyContainer,
  containerId: string,
  podIP: string,
  runtime: ContainerRuntime,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  if (handler.exec !== undefined) {
    const command = handler.exec.command ?? [];
    const { exitCode, stderr, stdout } = await runtime.execSync(containerId, command, 0, signal);
    if (exitCode === 0) return;
    const output = Buffer.concat([stdout, stderr]).toString('utf8');
    throw new Error(
      `Exec lifecycle hook ([${command.join(' ')}]) for Container ${JSON.stringify(container.name)} failed - error: command '${command.join(' ')}' exited with ${exitCode}: ${output}`,
    );
  }
  if (handler.httpGet !== undefined) {
    const port = resolvePort(handler.httpGet.port, container) ?? (handler.httpGet.scheme === 'HTTPS' ? 443 : 80);
    const url = actionUrl(handler.httpGet, port, podIP);
    try {
      await httpGet(url, handler.httpGet.httpHeaders, 'kube-lifecycle/1.36', HTTP_HOOK_LIMIT, signal);
    } catch (err) {
      throw new Error(
        `HTTP lifecycle hook (${handler.httpGet.path ?? ''}) for Container ${JSON.stringify(container.name)} failed - error: ${errorText(err)}`,
      );
    }
    return;
  }
  if (handler.sleep !== undefined) {
    await clock.sleep(handler.sleep.seconds * 1000, signal);
    return;
  }
  throw new Error('cannot run handler: invalid handler');
}
