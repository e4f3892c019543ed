import type {
  Affinity,
  Node,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  Pod,
  PodSpec,
  Taint,
  Toleration,
} from '../../api/types/core-v1.ts';
import { mapMatches } from '../label-selector.ts';
import { tolerates } from '../taint-eviction/plan.ts';

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
  if (!selectsNode(spec, node)) return elsewhere;
  const bad = (node.spec?.taints ?? []).filter((taint) => !isTolerated(taint, tolerations));
  return {
    shouldRun: bad.every((taint) => taint.effect === 'PreferNoSchedule'),
    mayStay: bad.every((taint) => taint.effect !== 'NoExecute'),
  };
}

const isTolerated = (taint: Taint, tolerations: readonly Toleration[]): boolean =>
  tolerations.some((toleration) => tolerates(toleration, taint));

function selectsNode(spec: PodSpec, node: Node): boolean {
  if (!mapMatches(spec.nodeSelector, node.metadata?.labels)) return false;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || required.nodeSelectorTerms.some((term) => termMatches(term, node));
}

/** A term without any requirement meets nothing. */
function termMatches({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, node: Node): boolean {
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  const fields: Readonly<Record<string, string>> = { 'metadata.name': node.metadata?.name ?? '' };
  return (
    matchExpressions.every((requirement) => meets(requirement, node.metadata?.labels ?? {})) &&
    matchFields.every((requirement) => meets(requirement, fields))
  );
}

function meets({ key, operator, values = [] }: NodeSelectorRequirement, labels: Readonly<Record<string, string>>): boolean {
  const value = labels[key];
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
    case 'Lt': {
      if (!isInteger(value) || !isInteger(values[0])) return false;
      const difference = BigInt(value) - BigInt(values[0]);
      return operator === 'Gt' ? difference > 0n : difference < 0n;
    }
    default:
      return false;
  }
}

const isInteger = (text: string | undefined): text is string => text !== undefined && /^[+-]?[0-9]+$/.test(text);

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
