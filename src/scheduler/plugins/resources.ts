import type { Node } from '../../api/types/core-v1.ts';
import { actions } from '../cluster-event.ts';
import { MAX_NODE_SCORE, type Plugin, type PodPlan, type Rejection, reject, rejectForGood } from '../framework.ts';
import { allocatableOf, type NodeInfo } from '../node-info.ts';
import type { PodInfo } from '../pod-info.ts';

/** NodeResourcesFit: the node has what the pod asks for; emptier nodes score more (LeastAllocated on cpu and memory). */
export const nodeResourcesFit: Plugin = {
  name: 'NodeResourcesFit',
  weight: 1,
  local: true,
  hints: [
    {
      resource: 'AssignedPod',
      actions: actions.delete | actions.updatePodScaleDown,
      // Room on one node helps only a pod that it is enough for.
      check: (pod, old, now, node) =>
        (now === undefined || freed(pod, old as PodInfo, now as PodInfo)) && (node === undefined || fits(pod, node)),
    },
    { resource: 'TargetPod', actions: actions.updatePodScaleDown },
    {
      resource: 'Node',
      actions: actions.add | actions.updateNodeAllocatable,
      check: (pod, old, now) => fitsEmpty(pod, now as Node) && (old === undefined || grew(pod, old as Node, now as Node)),
    },
  ],
  plan(pod) {
    const known = new Map<string, Rejection>();
    return {
      filter(node) {
        if (fits(pod, node)) return undefined;
        const lacking = lackingResources(pod, node);
        const tooLarge = tooLargeForNode(pod, node.allocatable);
        const key = `${tooLarge} ${lacking.join()}`;
        let rejection = known.get(key);
        if (rejection === undefined) {
          rejection = (tooLarge ? rejectForGood : reject)('NodeResourcesFit', ...lacking);
          known.set(key, rejection);
        }
        return rejection;
      },
      score: (node) => leastAllocated(pod, node),
    };
  },
};

function fits({ requests }: PodInfo, node: NodeInfo): boolean {
  const { allocatable } = node;
  if (node.pods.size + 1 > allocatable.pods) return false;
  if (requests.milliCpu > 0 && requests.milliCpu > allocatable.milliCpu - node.milliCpu) return false;
  if (requests.memory > 0 && requests.memory > allocatable.memory - node.memory) return false;
  if (requests.ephemeralStorage > 0 && requests.ephemeralStorage > allocatable.ephemeralStorage - node.ephemeralStorage)
    return false;
  if (requests.scalars.size === 0) return true;
  for (const [name, amount] of requests.scalars) {
    if (amount > 0 && amount > (allocatable.scalars.get(name) ?? 0) - (node.scalars.get(name) ?? 0)) return false;
  }
  return true;
}

/** Upstream's reasons, in its order: pods, cpu, memory, ephemeral storage, the rest. */
function lackingResources({ requests }: PodInfo, node: NodeInfo): readonly string[] {
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
function tooLargeForNode({ requests }: PodInfo, allocatable: NodeInfo['allocatable']): boolean {
  if (requests.milliCpu > allocatable.milliCpu || requests.memory > allocatable.memory) return true;
  if (requests.ephemeralStorage > allocatable.ephemeralStorage) return true;
  for (const [name, amount] of requests.scalars) if (amount > (allocatable.scalars.get(name) ?? 0)) return true;
  return false;
}

function fitsEmpty(pod: PodInfo, node: Node): boolean {
  const allocatable = allocatableOf(node);
  return allocatable.pods >= 1 && !tooLargeForNode(pod, allocatable);
}

/** Whether a node now has more of something that the pod asks for. */
function grew({ requests }: PodInfo, old: Node, now: Node): boolean {
  const [before, after] = [allocatableOf(old), allocatableOf(now)];
  if (after.pods > before.pods) return true;
  if (requests.milliCpu > 0 && after.milliCpu > before.milliCpu) return true;
  if (requests.memory > 0 && after.memory > before.memory) return true;
  if (requests.ephemeralStorage > 0 && after.ephemeralStorage > before.ephemeralStorage) return true;
  for (const [name, amount] of requests.scalars) {
    if (amount > 0 && (after.scalars.get(name) ?? 0) > (before.scalars.get(name) ?? 0)) return true;
  }
  return false;
}

/** Whether another pod now asks for less of something that this pod asks for. */
function freed({ requests }: PodInfo, { requests: old }: PodInfo, { requests: now }: PodInfo): boolean {
  if (requests.milliCpu > 0 && old.milliCpu > now.milliCpu) return true;
  if (requests.memory > 0 && old.memory > now.memory) return true;
  if (requests.ephemeralStorage > 0 && old.ephemeralStorage > now.ephemeralStorage) return true;
  for (const [name, amount] of requests.scalars) {
    if (amount > 0 && (old.scalars.get(name) ?? 0) > (now.scalars.get(name) ?? 0)) return true;
  }
  return false;
}

function leastAllocated({ requests }: PodInfo, node: NodeInfo): number {
  const { milliCpu, memory } = node.allocatable;
  let total = 0;
  let weights = 0;
  if (milliCpu > 0) {
    total += freeShare(milliCpu, node.nonZeroMilliCpu + requests.nonZeroMilliCpu);
    weights++;
  }
  if (memory > 0) {
    total += freeShare(memory, node.nonZeroMemory + requests.nonZeroMemory);
    weights++;
  }
  return weights === 0 ? 0 : Math.trunc(total / weights);
}

const freeShare = (capacity: number, used: number): number =>
  used > capacity ? 0 : Math.trunc(((capacity - used) * MAX_NODE_SCORE) / capacity);

/**
 * NodeResourcesBalancedAllocation: whether the pod brings the shares of cpu and memory in use closer together. No opinion on pods that ask for
 * nothing.
 */
export const balancedAllocation: Plugin = {
  name: 'NodeResourcesBalancedAllocation',
  weight: 1,
  local: true,
  hints: [],
  plan(pod): PodPlan | undefined {
    const { requests } = pod;
    if (requests.milliCpu === 0 && requests.memory === 0) return undefined;
    return {
      score(node) {
        const without = balance(node, node.milliCpu, node.memory);
        const after = balance(node, node.milliCpu + requests.milliCpu, node.memory + requests.memory);
        const half = MAX_NODE_SCORE / 2;
        return half + Math.trunc((half + after - without) / 2);
      },
    };
  },
};

/** 100 when cpu and memory are used in equal parts, 50 when one is used up and the other is free. */
function balance({ allocatable }: NodeInfo, milliCpu: number, memory: number): number {
  if (allocatable.milliCpu === 0 || allocatable.memory === 0) return MAX_NODE_SCORE;
  const cpuShare = Math.min(1, milliCpu / allocatable.milliCpu);
  const memoryShare = Math.min(1, memory / allocatable.memory);
  return Math.trunc((1 - Math.abs(cpuShare - memoryShare) / 2) * MAX_NODE_SCORE);
}
