import { isNotFound } from '../../api/meta/status.ts';
import { formatTime } from '../../api/meta/time.ts';
import { patchTypes } from '../../api/request.ts';
import type { Pod, PodCondition } from '../../api/types/core-v1.ts';
import type { ResourceClient } from '../../client/contract.ts';
import { podCondition } from './pod-state.ts';

/** Why a pod is taken away by the control plane (KEP-3329). */
export function disruptionTarget(pod: Pod, reason: string, message: string, now: number): PodCondition {
  const { generation } = pod.metadata ?? {};
  return {
    type: 'DisruptionTarget',
    status: 'True',
    reason,
    message,
    lastTransitionTime: formatTime(now),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
}

/** Deletes a pod, its status telling why; one that is gone already is done. `now` in milliseconds. */
export async function deleteDisrupted(
  client: ResourceClient<Pod>,
  pod: Pod,
  { reason, message }: { readonly reason: string; readonly message: string },
  now: number,
  signal: AbortSignal,
): Promise<void> {
  const { name = '', namespace = '', uid = '' } = pod.metadata ?? {};
  try {
    if (podCondition(pod, 'DisruptionTarget')?.status !== 'True') {
      const patch = { metadata: { uid }, status: { conditions: [disruptionTarget(pod, reason, message, now)] } };
      await client.patch(name, namespace, patchTypes.strategic, patch, { subresource: 'status', signal });
    }
    await client.delete(name, namespace, { preconditions: { uid }, signal });
  } catch (err) {
    if (!isNotFound(err)) throw err;
  }
}
