import { milliValue } from '../../api/meta/quantity.ts';
import { parseTime } from '../../api/meta/time.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { isReady, podCondition } from '../workload/pod-state.ts';
import type { PodMetrics } from './metrics-client.ts';

/** For so long after a pod's start its use of CPU says little (upstream's --horizontal-pod-autoscaler-cpu-initialization-period). */
const CPU_INITIALIZATION_MS = 5 * 60_000;
/** A pod that has not been ready so long after its start never was. */
const INITIAL_READINESS_MS = 30_000;

/** How far from the target the use may be without anything being done, as a part of it. */
export interface Tolerance {
  readonly up: number;
  readonly down: number;
}

/** A number of replicas, with the numbers it was found by. */
export interface Proposal {
  readonly replicas: number;
  /** Percent of the requests; only where the target is one. */
  readonly utilization?: number;
  /** The mean of the pods, in thousandths. */
  readonly averageMilli: number;
}

export interface PodGroups {
  readonly ready: number;
  readonly unready: ReadonlySet<string>;
  readonly missing: ReadonlySet<string>;
  /** Going or finished. */
  readonly ignored: ReadonlySet<string>;
}

const within = (ratio: number, { up, down }: Tolerance): boolean => ratio >= 1 - down && ratio <= 1 + up;

/** Sorts pods by what their metrics are worth. Pure. */
export function groupPods(pods: readonly Pod[], metrics: PodMetrics, resource: string, now: number): PodGroups {
  let ready = 0;
  const unready = new Set<string>();
  const missing = new Set<string>();
  const ignored = new Set<string>();
  for (const pod of pods) {
    const name = pod.metadata!.name!;
    const phase = pod.status?.phase;
    const metric = metrics.get(name);
    if (pod.metadata?.deletionTimestamp !== undefined || phase === 'Failed') ignored.add(name);
    else if (phase === 'Pending') unready.add(name);
    else if (metric === undefined) missing.add(name);
    else if (resource === 'cpu' && isWarmingUp(pod, metric.timestamp, metric.windowMs, now)) unready.add(name);
    else ready++;
  }
  return { ready, unready, missing, ignored };
}

function isWarmingUp(pod: Pod, timestamp: number, windowMs: number, now: number): boolean {
  const condition = podCondition(pod, 'Ready');
  const start = parseTime(pod.status?.startTime);
  if (condition === undefined || start === undefined) return true;
  const since = parseTime(condition.lastTransitionTime) ?? start;
  const unready = condition.status === 'False';
  // While it starts, also what was measured before it was ready for a whole window does not count.
  if (start + CPU_INITIALIZATION_MS > now) return unready || timestamp < since + windowMs;
  return unready && start + INITIAL_READINESS_MS > since;
}

interface Usage {
  readonly ratio: number;
  readonly utilization?: number;
  readonly averageMilli: number;
}

type UsageOf = (metrics: ReadonlyMap<string, number>) => Usage;

/**
 * The replicas that bring the pods' use to the target. Pods of which nothing is known are taken for what makes the least of the change: using all
 * that is wanted when scaling down, nothing when scaling up; and those that are not ready for using nothing when scaling up. Pure.
 */
function replicasFor(
  current: number,
  groups: PodGroups,
  metrics: PodMetrics,
  tolerance: Tolerance,
  usageOf: UsageOf,
  fallback: (pod: string) => number,
): Proposal {
  const known = new Map<string, number>();
  for (const [name, { milli }] of metrics) {
    if (!groups.ignored.has(name) && !groups.unready.has(name)) known.set(name, milli);
  }
  if (known.size === 0) throw new Error('did not receive metrics for targeted pods (pods might be unready)');
  const { ratio, ...told } = usageOf(known);
  const keep: Proposal = { replicas: current, ...told };
  const upWithUnready = groups.unready.size > 0 && ratio > 1;
  if (!upWithUnready && groups.missing.size === 0) {
    return within(ratio, tolerance) ? keep : { ...keep, replicas: Math.ceil(round(ratio * groups.ready)) };
  }
  if (ratio < 1) for (const name of groups.missing) known.set(name, fallback(name));
  else if (ratio > 1) for (const name of groups.missing) known.set(name, 0);
  if (upWithUnready) for (const name of groups.unready) known.set(name, 0);
  const next = usageOf(known).ratio;
  const turned = (ratio < 1 && next > 1) || (ratio > 1 && next < 1);
  if (within(next, tolerance) || turned) return keep;
  const replicas = Math.ceil(round(next * known.size));
  const backwards = (next < 1 && replicas > current) || (next > 1 && replicas < current);
  return backwards ? keep : { ...keep, replicas };
}

/** Binary fractions must not make one pod more: 3.0000000000000004 are three. */
const round = (value: number): number => Math.round(value * 1e9) / 1e9;

const total = (values: Iterable<number>): number => {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
};

/** By use as a percentage of requests. Throws when a pod does not request the resource. */
export function byUtilization(
  current: number,
  target: number,
  resource: string,
  container: string | undefined,
  pods: readonly Pod[],
  metrics: PodMetrics,
  tolerance: Tolerance,
  now: number,
): Proposal {
  if (pods.length === 0) throw new Error('no pods returned by selector while calculating replica count');
  const requests = new Map(pods.map((pod) => [pod.metadata!.name!, requestOf(pod, resource, container)]));
  const usageOf: UsageOf = (known) => {
    let requested = 0;
    let used = 0;
    let count = 0;
    for (const [name, milli] of known) {
      const request = requests.get(name);
      if (request === undefined) continue;
      requested += request;
      used += milli;
      count++;
    }
    if (requested === 0) throw new Error('no metrics returned matched known pods');
    const utilization = Math.trunc((used * 100) / requested);
    return { ratio: utilization / target, utilization, averageMilli: Math.trunc(used / count) };
  };
  const fallback = (pod: string): number => ((requests.get(pod) ?? 0) * Math.max(100, target)) / 100;
  return replicasFor(current, groupPods(pods, metrics, resource, now), metrics, tolerance, usageOf, fallback);
}

/** By the mean value of the pods. `targetMilli` in thousandths. */
export function byAverage(
  current: number,
  targetMilli: number,
  resource: string,
  pods: readonly Pod[],
  metrics: PodMetrics,
  tolerance: Tolerance,
  now: number,
): Proposal {
  if (pods.length === 0) throw new Error('no pods returned by selector while calculating replica count');
  const usageOf: UsageOf = (known) => {
    const averageMilli = Math.trunc(total(known.values()) / known.size);
    return { ratio: averageMilli / targetMilli, averageMilli };
  };
  return replicasFor(current, groupPods(pods, metrics, resource, now), metrics, tolerance, usageOf, () => targetMilli);
}

/** By a value that is not of the pods: as many times the ready pods as it is times the target. */
export function byValue(
  current: number,
  valueMilli: number,
  targetMilli: number,
  pods: readonly Pod[],
  tolerance: Tolerance,
): number {
  const ratio = valueMilli / targetMilli;
  if (current === 0) return Math.ceil(round(ratio));
  if (within(ratio, tolerance)) return current;
  return Math.ceil(round(ratio * pods.filter((pod) => pod.status?.phase === 'Running' && isReady(pod)).length));
}

/** By a value that is to be shared among the pods. `replicas`: those that there are. */
export function byShare(replicas: number, valueMilli: number, targetMilli: number, tolerance: Tolerance): number {
  if (within(valueMilli / (targetMilli * replicas), tolerance)) return replicas;
  return Math.ceil(round(valueMilli / targetMilli));
}

/** What a pod, or one of its containers, requests, in thousandths. */
function requestOf(pod: Pod, resource: string, container: string | undefined): number {
  const podLevel = pod.spec?.resources?.requests?.[resource];
  if (container === undefined && podLevel !== undefined) return milliValue(String(podLevel));
  const sidecars = (pod.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  let sum = 0;
  for (const { name, resources } of [...(pod.spec?.containers ?? []), ...sidecars]) {
    if (container !== undefined && container !== name) continue;
    const request = resources?.requests?.[resource];
    if (request === undefined)
      throw new Error(`missing request for ${resource} in container ${name} of Pod ${pod.metadata?.name}`);
    sum += milliValue(String(request));
  }
  return sum;
}
