import { MAX_NODE_SCORE, type Plugin, type PodPlan, reject, rejectForGood } from '../framework.ts';
import type { NodeInfo } from '../node-info.ts';
import type { PodInfo } from '../pod-info.ts';

/** NodeResourcesFit: the node has what the pod asks for; emptier nodes score more (LeastAllocated on cpu and memory). */
export const nodeResourcesFit: Plugin = {
  name: 'NodeResourcesFit',
  weight: 1,
  plan: (pod) => ({
    filter: (node) => {
      const lacking = lackingResources(pod, node);
      if (lacking.length === 0) return undefined;
      return tooLargeForNode(pod, node) ? rejectForGood('NodeResourcesFit', ...lacking) : reject('NodeResourcesFit', ...lacking);
    },
    score: (node) => leastAllocated(pod, node),
  }),
};

/** Upstream's reasons, in its order: pods, cpu, memory, ephemeral storage, the rest. */
export function lackingResources(pod: PodInfo, node: NodeInfo): readonly string[] {
  const { requests } = pod;
  const { allocatable } = node;
  const reasons: string[] = [];
  if (node.pods.size + 1 > allocatable.pods) reasons.push('Too many pods');
  if (requests.milliCpu > 0 && requests.milliCpu > allocatable.milliCpu - node.milliCpu) reasons.push('Insufficient cpu');
  if (requests.memory > 0 && requests.memory > allocatable.memory - node.memory) reasons.push('Insufficient memory');
  if (requests.ephemeralStorage > 0 && requests.ephemeralStorage > allocatable.ephemeralStorage - node.ephemeralStorage) {
    reasons.push('Insufficient ephemeral-storage');
  }
  for (const [name, amount] of requests.scalars) {
    if (amount > 0 && amount > (allocatable.scalars.get(name) ?? 0) - (node.scalars.get(name) ?? 0))
      reasons.push(`Insufficient ${name}`);
  }
  return reasons;
}

/** Even an empty node of this size would not do. */
function tooLargeForNode(pod: PodInfo, node: NodeInfo): boolean {
  const { requests } = pod;
  const { allocatable } = node;
  return (
    requests.milliCpu > allocatable.milliCpu ||
    requests.memory > allocatable.memory ||
    requests.ephemeralStorage > allocatable.ephemeralStorage ||
    [...requests.scalars].some(([name, amount]) => amount > (allocatable.scalars.get(name) ?? 0))
  );
}

function leastAllocated(pod: PodInfo, node: NodeInfo): number {
  const free = (capacity: number, used: number): number =>
    capacity === 0 || used > capacity ? 0 : Math.trunc(((capacity - used) * MAX_NODE_SCORE) / capacity);
  let total = 0;
  let weights = 0;
  for (const [capacity, used] of [
    [node.allocatable.milliCpu, node.nonZeroMilliCpu + pod.nonZero.milliCpu],
    [node.allocatable.memory, node.nonZeroMemory + pod.nonZero.memory],
  ] as const) {
    if (capacity === 0) continue;
    total += free(capacity, used);
    weights++;
  }
  return weights === 0 ? 0 : Math.trunc(total / weights);
}

/** NodeResourcesBalancedAllocation: cpu and memory are used in equal parts. No opinion on pods that ask for nothing. */
export const balancedAllocation: Plugin = {
  name: 'NodeResourcesBalancedAllocation',
  weight: 1,
  plan(pod): PodPlan | undefined {
    const { requests } = pod;
    if (requests.milliCpu === 0 && requests.memory === 0) return undefined;
    return {
      score: (node) => {
        const { allocatable } = node;
        const fraction = (used: number, capacity: number): number => Math.min(1, used / capacity);
        const deviation = (cpu: number, memory: number): number => {
          if (allocatable.milliCpu === 0 || allocatable.memory === 0) return 0;
          return Math.abs(fraction(cpu, allocatable.milliCpu) - fraction(memory, allocatable.memory)) / 2;
        };
        return Math.trunc((1 - deviation(node.milliCpu + requests.milliCpu, node.memory + requests.memory)) * MAX_NODE_SCORE);
      },
    };
  },
};
