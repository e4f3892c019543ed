import { requiredNodes } from '../../api/groups/core/node-selector.ts';
import { toleratesAll } from '../../api/groups/core/toleration.ts';
import type { LabelSelector } from '../../api/meta/label-selector.ts';
import type { Node, TopologySpreadConstraint } from '../../api/types/core-v1.ts';
import { actions } from '../cluster-event.ts';
import {
  type ClusterView,
  MAX_NODE_SCORE,
  type Plugin,
  type PodPlan,
  type Rejection,
  reject,
  rejectForGood,
} from '../framework.ts';
import type { NodeInfo } from '../node-info.ts';
import type { PodCounter } from '../pod-counter.ts';
import { compileSelector, type PodInfo, selectorKey, withLabelKeys } from '../pod-info.ts';
import { NO_DOMAIN } from '../topology.ts';

const NAME = 'PodTopologySpread';
const HOSTNAME = 'kubernetes.io/hostname';

const uneven = reject(NAME, "node(s) didn't match pod topology spread constraints");
const unlabelled = rejectForGood(NAME, "node(s) didn't match pod topology spread constraints (missing required label)");

/** A constraint as it is counted. */
interface Constraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly selector: LabelSelector;
  /** Nodes that the pod may not go to by its node affinity do not count (nodeAffinityPolicy Honor). */
  readonly honorAffinity: boolean;
  /** Nor do nodes with taints that it does not tolerate (nodeTaintsPolicy Honor). */
  readonly honorTaints: boolean;
}

/** What upstream spreads by when a pod says nothing itself and belongs to a workload (KEP-1258). */
const systemDefaults = [
  { topologyKey: HOSTNAME, maxSkew: 3 },
  { topologyKey: 'topology.kubernetes.io/zone', maxSkew: 5 },
] as const;

/** PodTopologySpread: pods of a kind evenly over the domains of a topology. */
export const podTopologySpread: Plugin = {
  name: NAME,
  weight: 2,
  local: false,
  hints: [
    {
      resource: 'AssignedPod',
      actions: actions.add | actions.delete | actions.updatePodLabel,
      check(pod, old, now) {
        const selectors = compileConstraints(pod, 'DoNotSchedule').map((c) => c.selector);
        const counts = (other: PodInfo | undefined): boolean =>
          other !== undefined && other.namespace === pod.namespace && selectors.some((s) => s.matches(other.labels));
        return counts(old as PodInfo | undefined) || counts(now as PodInfo | undefined);
      },
    },
    { resource: 'TargetPod', actions: actions.updatePodLabel },
    {
      resource: 'Node',
      actions: actions.add | actions.delete | actions.updateNodeLabel | actions.updateNodeTaint,
      check(pod, old, now) {
        const keys = compileConstraints(pod, 'DoNotSchedule').map((c) => c.topologyKey);
        const takesPart = (node: Node | undefined): boolean =>
          node !== undefined && keys.every((key) => node.metadata?.labels?.[key] !== undefined);
        return takesPart(old as Node | undefined) || takesPart(now as Node | undefined);
      },
    },
  ],
  plan(pod, view): PodPlan | undefined {
    const stated = (pod.pod.spec?.topologySpreadConstraints ?? []).length > 0;
    const hard = stated ? compileConstraints(pod, 'DoNotSchedule') : [];
    const soft = stated ? compileConstraints(pod, 'ScheduleAnyway') : defaultConstraints(pod, view);
    if (hard.length === 0 && soft.length === 0) return undefined;
    const demands = hard.length === 0 ? undefined : new SpreadDemands(pod, view, hard);
    const preferences = soft.length === 0 ? undefined : new SpreadPreferences(pod, view, soft, stated);
    return {
      ...(demands === undefined ? {} : { filter: (node) => demands.filter(node) }),
      ...(preferences === undefined
        ? {}
        : {
            preScore: (nodes) => preferences.prepare(nodes),
            score: (node) => preferences.score(node),
            normalize: (scores) => preferences.normalize(scores),
          }),
    };
  },
};

/** Constraints that must hold. */
class SpreadDemands {
  readonly #constraints: readonly { readonly counter: PodCounter; readonly constraint: Constraint; readonly own: number }[];

  constructor(pod: PodInfo, view: ClusterView, constraints: readonly Constraint[]) {
    const keys = constraints.map((c) => c.topologyKey);
    this.#constraints = constraints.map((constraint) => ({
      constraint,
      counter: counterFor(pod, view, constraint, keys),
      own: constraint.selector.matches(pod.labels) ? 1 : 0,
    }));
  }

  filter(node: NodeInfo): Rejection | undefined {
    for (const { counter, constraint, own } of this.#constraints) {
      if (counter.topology.domain(node.slot) === NO_DOMAIN) return unlabelled;
      const least = counter.domains < constraint.minDomains ? 0 : counter.minimum;
      if (counter.around(node.slot) + own - least > constraint.maxSkew) return uneven;
    }
    return undefined;
  }
}

/** A node without all the labels gets no points. */
const IGNORED = -1;

/** Constraints that score. Fewer pods of the kind around is better; topologies with many domains weigh more. */
class SpreadPreferences {
  readonly #constraints: readonly { readonly counter: PodCounter; readonly constraint: Constraint }[];
  readonly #requireAll: boolean;
  readonly #weights: number[] = [];

  constructor(pod: PodInfo, view: ClusterView, constraints: readonly Constraint[], requireAll: boolean) {
    const keys = requireAll ? constraints.map((c) => c.topologyKey) : [];
    this.#requireAll = requireAll;
    this.#constraints = constraints.map((constraint) => ({ constraint, counter: counterFor(pod, view, constraint, keys) }));
  }

  prepare(nodes: readonly NodeInfo[]): boolean {
    let ignored = 0;
    for (const node of nodes) if (this.#ignores(node)) ignored++;
    this.#weights.length = 0;
    for (const { counter, constraint } of this.#constraints) {
      let size = nodes.length - ignored;
      if (constraint.topologyKey !== HOSTNAME) {
        // Nodes without the label are a domain of their own here, as upstream counts.
        const domains = new Set<number>();
        for (const node of nodes) if (!this.#ignores(node)) domains.add(counter.topology.domain(node.slot));
        size = domains.size;
      }
      this.#weights.push(Math.log(size + 2));
    }
    return true;
  }

  score(node: NodeInfo): number {
    if (this.#ignores(node)) return IGNORED;
    let sum = 0;
    for (let i = 0; i < this.#constraints.length; i++) {
      const { counter, constraint } = this.#constraints[i]!;
      if (counter.topology.domain(node.slot) === NO_DOMAIN) continue;
      const count = constraint.topologyKey === HOSTNAME ? counter.onNode(node.slot) : counter.around(node.slot);
      sum += count * this.#weights[i]! + (constraint.maxSkew - 1);
    }
    return Math.round(sum);
  }

  normalize(scores: Int32Array): void {
    let least = Number.MAX_SAFE_INTEGER;
    let most = 0;
    for (const s of scores) {
      if (s === IGNORED) continue;
      if (s < least) least = s;
      if (s > most) most = s;
    }
    for (let i = 0; i < scores.length; i++) {
      const s = scores[i]!;
      if (s === IGNORED) scores[i] = 0;
      else scores[i] = most === 0 ? MAX_NODE_SCORE : Math.trunc((MAX_NODE_SCORE * (most + least - s)) / most);
    }
  }

  #ignores(node: NodeInfo): boolean {
    if (!this.#requireAll) return false;
    for (const { counter } of this.#constraints) if (counter.topology.domain(node.slot) === NO_DOMAIN) return true;
    return false;
  }
}

function compileConstraints(pod: PodInfo, effect: TopologySpreadConstraint['whenUnsatisfiable']): readonly Constraint[] {
  return (pod.pod.spec?.topologySpreadConstraints ?? [])
    .filter((c) => c.whenUnsatisfiable === effect)
    .map((c) => ({
      topologyKey: c.topologyKey,
      maxSkew: c.maxSkew,
      minDomains: c.minDomains ?? 1,
      selector: compileSelector(withLabelKeys(c.labelSelector, pod.labels, c.matchLabelKeys)),
      honorAffinity: c.nodeAffinityPolicy !== 'Ignore',
      honorTaints: c.nodeTaintsPolicy === 'Honor',
    }));
}

function defaultConstraints(pod: PodInfo, view: ClusterView): readonly Constraint[] {
  const selector = view.spreadSelector(pod);
  if (selector === undefined) return [];
  return systemDefaults.map((c) => ({ ...c, minDomains: 1, selector, honorAffinity: true, honorTaints: false }));
}

/** Counts the pods that a constraint is about. `keys`: labels without which a node does not take part. */
function counterFor(pod: PodInfo, view: ClusterView, constraint: Constraint, keys: readonly string[]): PodCounter {
  const { spec } = pod.pod;
  const { selector } = constraint;
  const wanted = constraint.honorAffinity ? requiredNodes(pod.pod.spec) : undefined;
  const among =
    wanted === undefined
      ? ''
      : JSON.stringify([spec?.nodeSelector, spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution]);
  const tolerated = constraint.honorTaints ? JSON.stringify(pod.tolerations) : '';
  const eligibility = `${keys.join()} ${among} ${tolerated}`;
  // Counters live longer than the pod that first asked for them: they keep hold of nothing of it but this.
  const { tolerations, namespace } = pod;
  return view.cache.counter({
    key: `spread ${pod.namespace} ${selectorKey(selector)} ${constraint.topologyKey} ${eligibility}`,
    matcher: {
      namespaces: new Set([namespace]),
      selector,
      matches: (other) => !other.terminating && other.namespace === namespace && selector.matches(other.labels),
    },
    topologyKey: constraint.topologyKey,
    usesNamespaceLabels: false,
    eligibility: {
      key: eligibility,
      matches: (node) =>
        keys.every((key) => Object.hasOwn(node.labels, key)) &&
        (wanted === undefined || wanted(node.labels, node.name)) &&
        (!constraint.honorTaints || toleratesAll(tolerations, node.hardTaints)),
    },
  });
}
