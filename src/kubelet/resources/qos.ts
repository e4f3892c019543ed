import { qosClass } from '../../api/groups/core/pod-qos.ts';
import { aggregateRequests, podLimits, podRequests } from '../../api/groups/core/pod-resources.ts';
import { milliValue, quantityValue } from '../../api/meta/quantity.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { type AnyContainer, isCritical, isRestartableInit } from '../pods/pod-spec.ts';

const MIN_SHARES = 2;
const MAX_SHARES = 262_144;
const SHARES_PER_CPU = 1024;
/** CFS period, microseconds. */
export const QUOTA_PERIOD = 100_000;
const MIN_QUOTA = 1_000;

/** cgroup v1 cpu.shares of a request in millicores. */
export function milliCpuToShares(milli: number): number {
  if (milli === 0) return MIN_SHARES;
  return Math.min(Math.max(Math.trunc((milli * SHARES_PER_CPU) / 1000), MIN_SHARES), MAX_SHARES);
}

/** CFS quota, in microseconds a period, of a limit in millicores; 0 for none. */
export function milliCpuToQuota(milli: number): number {
  return milli === 0 ? 0 : Math.max(Math.trunc((milli * QUOTA_PERIOD) / 1000), MIN_QUOTA);
}

/** The class of pods that the node itself cannot do without (scheduling.SystemNodeCritical). */
const SYSTEM_NODE_CRITICAL = 'system-node-critical';
/** Guaranteed containers, and those the node cannot do without. */
const GUARANTEED_SCORE = -997;
const BEST_EFFORT_SCORE = 1000;

/**
 * oom_score_adj of a container: node-critical and guaranteed pods -997, best effort 1000, burstable in between by the share of the node's memory
 * they asked for (qos.GetContainerOOMScoreAdjust). A sidecar is never easier to kill than the least of the pod's regular containers.
 */
export function oomScoreAdj(pod: Pod, container: AnyContainer, memoryCapacity: number): number {
  if (isCritical(pod) && pod.spec?.priorityClassName === SYSTEM_NODE_CRITICAL) return GUARANTEED_SCORE;
  const qos = qosClass(pod);
  if (qos === 'Guaranteed') return GUARANTEED_SCORE;
  if (qos === 'BestEffort') return BEST_EFFORT_SCORE;
  const more = unsharedRequest(pod);
  const score = (c: AnyContainer): number =>
    BEST_EFFORT_SCORE - Math.trunc((1000 * (quantityValue(c.resources?.requests?.['memory']) + more)) / memoryCapacity);
  let own = score(container);
  if (isRestartableInit(container) && pod.spec?.initContainers?.some((c) => c.name === container.name) === true) {
    own = Math.min(own, Math.max(...(pod.spec?.containers ?? []).map(score)));
  }
  if (own < MIN_BURSTABLE_SCORE) return MIN_BURSTABLE_SCORE;
  return own === BEST_EFFORT_SCORE ? BEST_EFFORT_SCORE - 1 : own;
}

/** Guaranteed containers keep the range below this. */
const MIN_BURSTABLE_SCORE = 3;

/** Each container's part of the memory that the pod as a whole asks for beyond its containers (remainingPodMemReqPerContainer). Bytes. */
function unsharedRequest({ spec }: Pod): number {
  const ofPod = quantityValue(spec?.resources?.requests?.['memory']);
  if (spec === undefined || ofPod === 0) return 0;
  const ofContainers = quantityValue(aggregateRequests(spec)['memory']);
  return Math.trunc((ofPod - ofContainers) / (spec.containers.length + (spec.initContainers?.length ?? 0)));
}

/** Limits of a pod's own cgroup (cm.ResourceConfigForPod). Undefined fields are not set. */
export interface PodCgroupLimits {
  readonly cpuShares: number;
  readonly cpuQuota?: number;
  readonly cpuPeriod?: number;
  readonly memoryLimitInBytes?: number;
}

export function podCgroupLimits(pod: Pod): PodCgroupLimits {
  const qos = qosClass(pod);
  if (qos === 'BestEffort') return { cpuShares: MIN_SHARES };
  const limits = podLimits(pod);
  const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  // One container without a limit leaves the pod without, unless the pod sets its own.
  const limited = (name: string): boolean =>
    quantityValue(pod.spec?.resources?.limits?.[name]) > 0 ||
    containers.every((c) => quantityValue(c.resources?.limits?.[name]) > 0);
  return {
    cpuShares: milliCpuToShares(milliValue(podRequests(pod)['cpu'])),
    ...(limited('cpu') ? { cpuQuota: milliCpuToQuota(milliValue(limits['cpu'])), cpuPeriod: QUOTA_PERIOD } : {}),
    ...(limited('memory') ? { memoryLimitInBytes: quantityValue(limits['memory']) } : {}),
  };
}
