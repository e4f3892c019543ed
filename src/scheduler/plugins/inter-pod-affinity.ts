import type { TermGroup } from '../affinity-terms.ts';
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
import { allNodes, type CounterSpec, type PodCounter } from '../pod-counter.ts';
import { type AffinityTerm, type PodInfo, termMatches } from '../pod-info.ts';
import { NO_DOMAIN } from '../topology.ts';

const NAME = 'InterPodAffinity';
/** What a required affinity of a pod that is already there counts as, when it is about the pod to be placed (hardPodAffinityWeight). */
const HARD_AFFINITY_WEIGHT = 1;

const notNear = rejectForGood(NAME, "node(s) didn't match pod affinity rules");
const notApart = reject(NAME, "node(s) didn't match pod anti-affinity rules");
const unwelcome = reject(NAME, "node(s) didn't satisfy existing pods anti-affinity rules");

/** InterPodAffinity: near to and apart from other pods, as this pod and the pods that are there demand or prefer. */
export const interPodAffinity: Plugin = {
  name: NAME,
  weight: 2,
  local: false,
  hints: [
    {
      resource: 'AssignedPod',
      actions: actions.add | actions.delete | actions.updatePodLabel,
      check: (pod, old, now) => concerns(pod, old as PodInfo | undefined) || concerns(pod, now as PodInfo | undefined),
    },
    { resource: 'TargetPod', actions: actions.updatePodLabel },
    { resource: 'Node', actions: actions.add | actions.updateNodeLabel },
  ],
  plan(pod, view) {
    const { cache } = view;
    const matching = cache.terms.matching(pod);
    const demands = (pod.affinity?.required.length ?? 0) + (pod.affinity?.requiredAnti.length ?? 0) > 0;
    const judged = demands || cache.nominatedKeepAway || matching.some((group) => group.kind === 'requiredAnti');
    const parts = scoreParts(pod, view, matching);
    if (!judged && parts.length === 0) return undefined;
    const judge = judged ? new AffinityJudge(pod, view) : undefined;
    return {
      ...(judge === undefined ? {} : { filter: (node) => judge.filter(node) }),
      ...(parts.length === 0 ? {} : { score: (node) => score(parts, node), normalize }),
    } satisfies PodPlan;
  },
};

/** The demands. Counters are alive: what is tried out in the cache shows in them. */
class AffinityJudge {
  readonly #pod: PodInfo;
  readonly #view: ClusterView;
  readonly #near: readonly PodCounter[];
  readonly #apart: readonly PodCounter[];
  /** The first of a group that wants to be together with its like may go anywhere. */
  readonly #selfSufficient: boolean;
  #groups: readonly TermGroup[] = [];
  #version = -1;

  constructor(pod: PodInfo, view: ClusterView) {
    this.#pod = pod;
    this.#view = view;
    const { cache } = view;
    const required = pod.affinity?.required ?? [];
    const matches = (other: PodInfo): boolean => required.every((term) => matchesTerm(term, other, view));
    const byLabel = required.some((term) => term.namespaceSelector !== undefined);
    const together = required.map((term) => term.key).join(' & ');
    this.#near = required.map((term) =>
      cache.counter(counterSpec(`near ${together} by ${term.topologyKey}`, term, byLabel, matches)),
    );
    this.#selfSufficient = required.length > 0 && matches(pod);
    this.#apart = (pod.affinity?.requiredAnti ?? []).map((term) => termCounter(term, view));
  }

  filter(node: NodeInfo): Rejection | undefined {
    const { slot } = node;
    if (this.#near.length > 0 && !this.#nearEnough(slot)) return notNear;
    for (const counter of this.#apart) if (counter.around(slot) > 0) return notApart;
    const { terms } = this.#view.cache;
    if (this.#version !== terms.version) {
      this.#groups = terms.matching(this.#pod).filter((group) => group.kind === 'requiredAnti');
      this.#version = terms.version;
    }
    for (const group of this.#groups) if (group.around(slot) > 0) return unwelcome;
    return undefined;
  }

  #nearEnough(slot: number): boolean {
    let near = true;
    for (const counter of this.#near) {
      if (counter.topology.domain(slot) === NO_DOMAIN) return false;
      if (counter.around(slot) === 0) near = false;
    }
    return near || (this.#selfSufficient && this.#near.every((counter) => counter.total === 0));
  }
}

/** Something that counts pods around a node, and what each of them is worth. */
interface ScorePart {
  readonly counter: PodCounter | TermGroup;
  readonly weight: number;
}

function scoreParts(pod: PodInfo, view: ClusterView, matching: readonly TermGroup[]): readonly ScorePart[] {
  const parts: ScorePart[] = [];
  for (const term of pod.affinity?.preferred ?? []) parts.push({ counter: termCounter(term, view), weight: term.weight });
  for (const term of pod.affinity?.preferredAnti ?? []) parts.push({ counter: termCounter(term, view), weight: -term.weight });
  for (const group of matching) {
    if (group.kind === 'preferred') parts.push({ counter: group, weight: group.term.weight });
    else if (group.kind === 'preferredAnti') parts.push({ counter: group, weight: -group.term.weight });
    else if (group.kind === 'required') parts.push({ counter: group, weight: HARD_AFFINITY_WEIGHT });
  }
  return parts;
}

function score(parts: readonly ScorePart[], node: NodeInfo): number {
  let sum = 0;
  for (let i = 0; i < parts.length; i++) sum += parts[i]!.weight * parts[i]!.counter.around(node.slot);
  return sum;
}

/** Spreads the scores over 0…100: they may be negative. */
function normalize(scores: Int32Array): void {
  let least = Number.MAX_SAFE_INTEGER;
  let most = Number.MIN_SAFE_INTEGER;
  for (const s of scores) {
    if (s < least) least = s;
    if (s > most) most = s;
  }
  const range = most - least;
  for (let i = 0; i < scores.length; i++) scores[i] = range > 0 ? Math.trunc(MAX_NODE_SCORE * ((scores[i]! - least) / range)) : 0;
}

function termCounter(term: AffinityTerm, view: ClusterView): PodCounter {
  const byLabel = term.namespaceSelector !== undefined;
  return view.cache.counter(counterSpec(`term ${term.key}`, term, byLabel, (other) => matchesTerm(term, other, view)));
}

function counterSpec(
  key: string,
  term: AffinityTerm,
  usesNamespaceLabels: boolean,
  matches: (pod: PodInfo) => boolean,
): CounterSpec {
  return {
    key,
    matcher: {
      namespaces: term.namespaceSelector === undefined ? term.namespaces : undefined,
      selector: term.selector,
      matches,
    },
    topologyKey: term.topologyKey,
    eligibility: allNodes,
    usesNamespaceLabels,
  };
}

const matchesTerm = (term: AffinityTerm, pod: PodInfo, view: ClusterView): boolean =>
  termMatches(term, pod, (name) => view.cache.namespaceLabels(name));

/** Whether a change of another pod may matter to this one: by a demand of either about the other. Namespaces chosen by label may be any. */
function concerns(pod: PodInfo, other: PodInfo | undefined): boolean {
  if (other === undefined) return false;
  const about = (terms: readonly AffinityTerm[] | undefined, subject: PodInfo): boolean =>
    (terms ?? []).some(
      (t) => (t.namespaceSelector !== undefined || t.namespaces.has(subject.namespace)) && t.selector.matches(subject.labels),
    );
  return (
    about(pod.affinity?.required, other) || about(pod.affinity?.requiredAnti, other) || about(other.affinity?.requiredAnti, pod)
  );
}
