import { nodePasses, requiredNodes } from '../../api/groups/core/node-selector.ts';
import { isTolerated } from '../../api/groups/core/toleration.ts';
import type { Affinity, Node, Pod, PodSpec, Toleration } from '../../api/types/core-v1.ts';

/** Where a daemon's pod belongs: whether a node should get one, and whether one that is there may stay. */
export interface Placement {
  readonly shouldRun: boolean;
  readonly mayStay: boolean;
}

const elsewhere: Placement = { shouldRun: false, mayStay: false };

/** What every daemon pod puts up with (upstream's AddOrUpdateDaemonPodTolerations). */
const daemonTolerations: readonly Toleration[] = [
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/disk-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/pid-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
];
const hostNetworkToleration: Toleration = {
  key: 'node.kubernetes.io/network-unavailable',
  operator: 'Exists',
  effect: 'NoSchedule',
};

/** The tolerations of a pod spec with those of daemons; each of ours takes the place of one for the same taint. */
export function withDaemonTolerations(spec: PodSpec): readonly Toleration[] {
  const ours = spec.hostNetwork === true ? [...daemonTolerations, hostNetworkToleration] : daemonTolerations;
  const same = (a: Toleration, b: Toleration): boolean =>
    a.key === b.key && a.effect === b.effect && (a.operator ?? 'Equal') === b.operator;
  const kept = (spec.tolerations ?? []).filter((toleration) => !ours.some((own) => same(toleration, own)));
  return [...kept, ...ours];
}

/** Judges a node for the pods of a template whose tolerations are complete. Pure. */
export function placementOn(node: Node, spec: PodSpec, tolerations: readonly Toleration[]): Placement {
  if (spec.nodeName !== undefined && spec.nodeName !== '' && spec.nodeName !== node.metadata?.name) return elsewhere;
  if (!nodePasses(requiredNodes(spec), node)) return elsewhere;
  const bad = (node.spec?.taints ?? []).filter((taint) => !isTolerated(tolerations, taint));
  return {
    shouldRun: bad.every((taint) => taint.effect === 'PreferNoSchedule'),
    mayStay: bad.every((taint) => taint.effect !== 'NoExecute'),
  };
}

/** An affinity that keeps a pod to one node, in place of what it says of nodes: the controller has judged their labels itself. */
export function pinnedTo(node: string, affinity: Affinity | undefined): Affinity {
  const nodeSelectorTerms = [{ matchFields: [{ key: 'metadata.name', operator: 'In' as const, values: [node] }] }];
  return {
    ...affinity,
    nodeAffinity: { ...affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } },
  };
}

/** The node a daemon pod is on, or is meant for; undefined when it is meant for none. */
export function targetNode(pod: Pod): string | undefined {
  if (pod.spec?.nodeName) return pod.spec.nodeName;
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  for (const { matchFields = [] } of required?.nodeSelectorTerms ?? []) {
    for (const { key, operator, values = [] } of matchFields) {
      if (key === 'metadata.name' && operator === 'In' && values.length === 1) return values[0];
    }
  }
  return undefined;
}
