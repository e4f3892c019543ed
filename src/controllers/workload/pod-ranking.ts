import { parseTime } from '../../api/meta/time.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { isReady, podCondition } from './pod-state.ts';

const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';

const phaseOrder: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

/** The cost annotation; 0 when there is none or it is no int32 written canonically. */
export function deletionCost(pod: Pod): number {
  const text = pod.metadata?.annotations?.[DELETION_COST];
  if (text === undefined || !/^(0|-?[1-9][0-9]*)$/.test(text)) return 0;
  const cost = Number(text);
  return cost >= -(2 ** 31) && cost < 2 ** 31 ? cost : 0;
}

/** Ages on upstream's logarithmic scale: pods about equally old are equal, so that scaling down does not always take the youngest. */
function logBucket(since: number | undefined, now: number): number {
  if (since === undefined) return -2;
  const nanos = (now - since) * 1e6;
  return nanos <= 0 ? -1 : Math.floor(Math.log2(nanos));
}

/** The most any container of the pod has restarted: ordinary containers, then sidecars. */
function restarts(pod: Pod): readonly [number, number] {
  let ordinary = 0;
  for (const status of pod.status?.containerStatuses ?? []) ordinary = Math.max(ordinary, status.restartCount ?? 0);
  const sidecars = new Set((pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always').map((c) => c.name));
  let sidecar = 0;
  for (const status of pod.status?.initContainerStatuses ?? []) {
    if (sidecars.has(status.name)) sidecar = Math.max(sidecar, status.restartCount ?? 0);
  }
  return [ordinary, sidecar];
}

/** Where in `keys` the age of readiness stands: pods of one bucket but not of one age are told apart by uid, not by what follows. */
const READY_AGE = 5;

interface Ranked {
  readonly pod: Pod;
  readonly readySince: number | undefined;
  readonly keys: readonly number[];
  readonly uid: string;
}

/**
 * Which pods to give up first when scaling down, in upstream's order: unassigned, pending, not ready, cheap by annotation, doubled up on a node
 * (`rank`: related pods on the same node), ready for less time, restarted more often, newer.
 */
export function inDeletionOrder(list: readonly Pod[], rank: (pod: Pod) => number, now: number): readonly Pod[] {
  const ranked: Ranked[] = list.map((pod) => {
    const ready = isReady(pod);
    const readySince = ready ? parseTime(podCondition(pod, 'Ready')?.lastTransitionTime) : undefined;
    const [ordinary, sidecar] = restarts(pod);
    return {
      pod,
      readySince,
      uid: pod.metadata?.uid ?? '',
      keys: [
        pod.spec?.nodeName ? 1 : 0,
        phaseOrder[pod.status?.phase ?? 'Pending'] ?? 0,
        ready ? 1 : 0,
        deletionCost(pod),
        -rank(pod),
        // The age of readiness counts only among ready pods.
        ready ? logBucket(readySince, now) : 0,
        -ordinary,
        -sidecar,
        logBucket(parseTime(pod.metadata?.creationTimestamp), now),
      ],
    };
  });
  ranked.sort((a, b) => {
    for (let i = 0; i < a.keys.length; i++) {
      const difference = a.keys[i]! - b.keys[i]!;
      if (difference !== 0) return difference;
      if (i === READY_AGE && a.readySince !== b.readySince) break;
    }
    return a.uid < b.uid ? -1 : a.uid > b.uid ? 1 : 0;
  });
  return ranked.map((entry) => entry.pod);
}
