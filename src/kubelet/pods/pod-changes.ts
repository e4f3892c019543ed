import { deepEqual } from '../../api/groups/define.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { ownConditions } from './pod-conditions.ts';

/** Whether the API's pod differs in what the kubelet goes by, beyond what the kubelet itself writes there. */
export function concernsKubelet(before: Pod, after: Pod): boolean {
  const { generation, deletionTimestamp, deletionGracePeriodSeconds } = after.metadata ?? {};
  return (
    generation === undefined ||
    before.metadata?.generation !== generation ||
    before.metadata?.deletionTimestamp !== deletionTimestamp ||
    before.metadata?.deletionGracePeriodSeconds !== deletionGracePeriodSeconds ||
    // Readiness gates are others' conditions.
    !deepEqual(othersConditions(before), othersConditions(after))
  );
}

const othersConditions = (pod: Pod) => (pod.status?.conditions ?? []).filter((c) => !ownConditions.has(c.type));
