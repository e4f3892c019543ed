import type { ClusterCache } from './cache.ts';
import { actions } from './cluster-event.ts';
import type { PodInfo } from './pod-info.ts';
import type { SchedulingQueue } from './queue.ts';

/**
 * Says that a pod is to get a node when there is room; '' takes it back. The room that is no longer kept for it may do for others, as if a pod had
 * gone.
 */
export function nominate(cache: ClusterCache, queue: SchedulingQueue, info: PodInfo, node: string): void {
  const before = cache.nominatedNode(info.uid);
  cache.nominate(info, node);
  if (before !== undefined && before !== node) {
    queue.happened({ resource: 'AssignedPod', action: actions.delete, label: 'AssignedPodDelete', old: info });
  }
}
