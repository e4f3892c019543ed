import { formatTime } from '../../api/meta/time.ts';
import type { Pod, PodCondition } from '../../api/types/core-v1.ts';

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
