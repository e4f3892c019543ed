import { formatTime } from '../../api/meta/time.ts';
import type { Node, NodeCondition, Taint } from '../../api/types/core-v1.ts';
import { findCondition } from '../conditions.ts';

export const NOT_READY = 'node.kubernetes.io/not-ready';
export const UNREACHABLE = 'node.kubernetes.io/unreachable';
export const OUT_OF_SERVICE = 'node.kubernetes.io/out-of-service';
const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';

/** The taint that each state of a condition means. */
const conditionTaints: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Ready: { False: NOT_READY, Unknown: UNREACHABLE },
  MemoryPressure: { True: 'node.kubernetes.io/memory-pressure' },
  DiskPressure: { True: 'node.kubernetes.io/disk-pressure' },
  NetworkUnavailable: { True: 'node.kubernetes.io/network-unavailable' },
  PIDPressure: { True: 'node.kubernetes.io/pid-pressure' },
};

const managed: ReadonlySet<string> = new Set([
  UNSCHEDULABLE,
  ...Object.values(conditionTaints).flatMap((byStatus) => Object.values(byStatus)),
]);

/** The NoSchedule taints that a node's conditions and its spec call for. */
function wantedNoSchedule(node: Node): ReadonlySet<string> {
  const wanted = new Set<string>();
  for (const { type, status } of node.status?.conditions ?? []) {
    const key = conditionTaints[type]?.[status];
    if (key !== undefined) wanted.add(key);
  }
  if (node.spec?.unschedulable === true) wanted.add(UNSCHEDULABLE);
  return wanted;
}

/** The node's taints with the NoSchedule ones brought up to date; undefined when they are. Pure. */
export function planNoScheduleTaints(node: Node, now: number): readonly Taint[] | undefined {
  const wanted = wantedNoSchedule(node);
  const taints = node.spec?.taints ?? [];
  const ours = (taint: Taint): boolean => taint.effect === 'NoSchedule' && managed.has(taint.key);
  const present = new Set(taints.filter(ours).map(({ key }) => key));
  const missing = [...wanted].filter((key) => !present.has(key));
  const kept = taints.filter((taint) => !ours(taint) || wanted.has(taint.key));
  if (missing.length === 0 && kept.length === taints.length) return undefined;
  return [...kept, ...missing.map((key): Taint => ({ key, effect: 'NoSchedule', timeAdded: formatTime(now) }))];
}

export const hasNoExecute = (node: Node, key: string): boolean =>
  (node.spec?.taints ?? []).some((taint) => taint.effect === 'NoExecute' && taint.key === key);

/** The taints with one NoExecute taint of the two about reachability, or with none; undefined when it is so already. Pure. */
export function planNoExecuteTaint(
  node: Node,
  wanted: typeof NOT_READY | typeof UNREACHABLE | undefined,
  now: number,
): readonly Taint[] | undefined {
  const taints = node.spec?.taints ?? [];
  const stale = (taint: Taint): boolean =>
    taint.effect === 'NoExecute' && (taint.key === NOT_READY || taint.key === UNREACHABLE) && taint.key !== wanted;
  const kept = taints.filter((taint) => !stale(taint));
  const missing = wanted !== undefined && !hasNoExecute(node, wanted);
  if (!missing && kept.length === taints.length) return undefined;
  return missing ? [...kept, { key: wanted, effect: 'NoExecute', timeAdded: formatTime(now) }] : kept;
}

/** The NoExecute taint that the Ready condition means. */
export function noExecuteKey(ready: NodeCondition | undefined): typeof NOT_READY | typeof UNREACHABLE | undefined {
  if (ready?.status === 'False') return NOT_READY;
  return ready?.status === 'Unknown' ? UNREACHABLE : undefined;
}

export const readyCondition = (node: Node): NodeCondition | undefined => findCondition(node.status?.conditions, 'Ready');

/** Old names of labels that are kept beside the new ones. */
const mirroredLabels = [
  { from: 'kubernetes.io/os', to: 'beta.kubernetes.io/os' },
  { from: 'kubernetes.io/arch', to: 'beta.kubernetes.io/arch' },
] as const;

/** The labels to be set so that both names of each say the same; undefined when they do. Pure. */
export function planNodeLabels(node: Node): Readonly<Record<string, string>> | undefined {
  const labels = node.metadata?.labels ?? {};
  const set: Record<string, string> = {};
  for (const { from, to } of mirroredLabels) {
    const value = labels[from];
    if (value !== undefined && labels[to] !== value) set[to] = value;
  }
  return Object.keys(set).length === 0 ? undefined : set;
}
