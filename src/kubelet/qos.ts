import type { Container, Pod, PodQOSClass } from '../api/types/core-v1.ts';
import { type AnyContainer, isRestartableInit, podResource } from './pod-spec.ts';
import { quantityMilli, quantityNano, quantityValue } from './quantity.ts';

const MIN_SHARES = 2;
const MAX_SHARES = 262_144;
const SHARES_PER_CPU = 1024;
/** CFS period, microseconds. */
export const QUOTA_PERIOD = 100_000;
const MIN_QUOTA = 1_000;

/** The quality of service a pod gets from its requests and limits (qos.ComputePodQOS). Init containers count; ephemeral ones do not. */
export function podQos(pod: Pod): PodQOSClass {
  const podLevel = pod.spec?.resources;
  const parts: readonly Pick<Container, 'resources'>[] =
    podLevel?.requests !== undefined || podLevel?.limits !== undefined
      ? [{ resources: podLevel }]
      : [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  let guaranteed = true;
  const requests = new Map<string, bigint>();
  const limits = new Map<string, bigint>();
  for (const part of parts) {
    for (const name of ['cpu', 'memory'] as const) {
      const request = quantityNano(part.resources?.requests?.[name]);
      if (request > 0n) requests.set(name, (requests.get(name) ?? 0n) + request);
      const limit = quantityNano(part.resources?.limits?.[name]);
      if (limit > 0n) limits.set(name, (limits.get(name) ?? 0n) + limit);
      else guaranteed = false;
    }
  }
  if (requests.size === 0 && limits.size === 0) return 'BestEffort';
  if (guaranteed) {
    for (const [name, request] of requests) if (limits.get(name) !== request) guaranteed = false;
  }
  return guaranteed && requests.size === limits.size ? 'Guaranteed' : 'Burstable';
}

/** cgroup v1 cpu.shares of a request in millicores. */
export function milliCpuToShares(milli: number): number {
  if (milli === 0) return MIN_SHARES;
  return Math.min(Math.max(Math.trunc((milli * SHARES_PER_CPU) / 1000), MIN_SHARES), MAX_SHARES);
}

/** CFS quota, in microseconds a period, of a limit in millicores; 0 for none. */
export function milliCpuToQuota(milli: number): number {
  return milli === 0 ? 0 : Math.max(Math.trunc((milli * QUOTA_PERIOD) / 1000), MIN_QUOTA);
}

/** Priority from which a pod is critical to the node (system-cluster-critical). */
const SYSTEM_CRITICAL_PRIORITY = 2_000_000_000;

/**
 * oom_score_adj of a container: critical and guaranteed pods -997, best effort 1000, burstable in between by the share of the node's memory
 * they asked for (qos.GetContainerOOMScoreAdjust). A sidecar is never easier to kill than the least of the pod's regular containers.
 */
export function oomScoreAdj(pod: Pod, container: AnyContainer, memoryCapacity: number): number {
  if ((pod.spec?.priority ?? 0) >= SYSTEM_CRITICAL_PRIORITY) return -997;
  const qos = podQos(pod);
  if (qos === 'Guaranteed') return -997;
  if (qos === 'BestEffort') return 1000;
  const own = burstableScore(container, memoryCapacity);
  if (isRestartableInit(container) && pod.spec?.initContainers?.some((c) => c.name === container.name) === true) {
    const least = Math.min(...(pod.spec?.containers ?? []).map((c) => burstableScore(c, memoryCapacity)));
    return Math.min(own, least);
  }
  return own;
}

function burstableScore(container: AnyContainer, memoryCapacity: number): number {
  const request = quantityValue(container.resources?.requests?.['memory'] ?? container.resources?.limits?.['memory']);
  const score = 1000 - Math.trunc((1000 * request) / memoryCapacity);
  if (score < MIN_BURSTABLE_SCORE) return MIN_BURSTABLE_SCORE;
  return score === 1000 ? 999 : score;
}

/** Guaranteed containers keep the range below this. */
const MIN_BURSTABLE_SCORE = 3;

/** Limits of a pod's own cgroup (cm.ResourceConfigForPod). Undefined fields are not set. */
export interface PodCgroupLimits {
  readonly cpuShares: number;
  readonly cpuQuota?: number;
  readonly cpuPeriod?: number;
  readonly memoryLimitInBytes?: number;
}

export function podCgroupLimits(pod: Pod): PodCgroupLimits {
  const qos = podQos(pod);
  const request = podResource(pod, 'requests', 'cpu', quantityMilli);
  if (qos === 'BestEffort') return { cpuShares: MIN_SHARES };
  const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  const everyHas = (name: string): boolean =>
    pod.spec?.resources?.limits?.[name] !== undefined || containers.every((c) => quantityNano(c.resources?.limits?.[name]) > 0n);
  const cpuLimit = podResource(pod, 'limits', 'cpu', quantityMilli);
  const memoryLimit = podResource(pod, 'limits', 'memory', quantityValue);
  return {
    cpuShares: milliCpuToShares(request),
    ...(everyHas('cpu') ? { cpuQuota: milliCpuToQuota(cpuLimit), cpuPeriod: QUOTA_PERIOD } : {}),
    ...(everyHas('memory') ? { memoryLimitInBytes: memoryLimit } : {}),
  };
}
