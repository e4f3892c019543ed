import type { LabelSelector } from '../api/meta/label-selector.ts';
import { parseTime } from '../api/meta/time.ts';
import type { PodDisruptionBudget } from '../api/types/policy-v1.ts';
import type { Random } from '../util/random.ts';
import type { ClusterCache } from './cache.ts';
import { type Diagnosis, fitMessage, NodeVerdicts } from './diagnosis.ts';
import { type Rejection, reject, rejectForGood } from './framework.ts';
import type { NodeInfo } from './node-info.ts';
import { compileSelector, type PodInfo } from './pod-info.ts';
import type { PodPlans, SchedulingAlgorithm } from './scheduling-algorithm.ts';

/** Nodes that are tried for victims: a tenth, at least a hundred (DefaultPreemptionArgs). */
const MIN_CANDIDATES_PERCENTAGE = 10;
const MIN_CANDIDATES = 100;
/** Makes every priority positive, so that a few pods of negative priority are not cheaper than one. */
const PRIORITY_OFFSET = 2 ** 31;

/** A node, and the pods that must go for the preemptor to fit: the most important first. */
export interface PreemptionCandidate {
  readonly node: NodeInfo;
  readonly victims: readonly PodInfo[];
  /** Victims whose disruption budget is used up. */
  readonly violations: number;
}

/** What came of looking for victims. */
export type PreemptionResult =
  | { readonly candidate: PreemptionCandidate; readonly message?: undefined; readonly keepNomination?: undefined }
  | { readonly candidate?: undefined; readonly message: string; readonly keepNomination: boolean };

export interface PreemptionOptions {
  readonly cache: ClusterCache;
  readonly algorithm: SchedulingAlgorithm;
  readonly random: Random;
  /** Milliseconds since the epoch: pods that have not started count as started now. */
  readonly now: number;
  budgets(namespace: string): readonly PodDisruptionBudget[];
}

const unhelpful = rejectForGood('', 'Preemption is not helpful for scheduling');
const noVictims = rejectForGood('', 'No preemption victims found for incoming pod');
const noRoom = reject('', 'Preemption is not helpful for scheduling');

/**
 * Looks for pods of lower priority that could make room for one that fits nowhere (DefaultPreemption). Changes nothing that can be seen: what it
 * tries in the cache, it puts back.
 */
export function findPreemption(
  pod: PodInfo,
  plans: PodPlans | undefined,
  diagnosis: Diagnosis,
  options: PreemptionOptions,
): PreemptionResult {
  const obstacle = whyNotEligible(pod, diagnosis, options.cache);
  if (obstacle !== undefined) return { message: obstacle, keepNomination: true };
  const nodes = plans === undefined ? [] : promisingNodes(diagnosis, options.cache);
  const verdicts = new NodeVerdicts();
  const candidates = nodes.length === 0 ? [] : tryNodes(pod, plans!, nodes, verdicts, options);
  if (candidates.length === 0) {
    const { total } = diagnosis;
    const message = fitMessage({ total, pod: undefined, nodes: verdicts, absent: unhelpful, plugins: new Set() }, '');
    return { message, keepNomination: false };
  }
  return { candidate: bestCandidate(candidates, options.now) };
}

function whyNotEligible(pod: PodInfo, diagnosis: Diagnosis, cache: ClusterCache): string | undefined {
  if (pod.pod.spec?.preemptionPolicy === 'Never') return 'not eligible due to preemptionPolicy=Never.';
  const nominated = pod.pod.status?.nominatedNodeName ?? '';
  const node = nominated === '' ? undefined : cache.node(nominated);
  if (node === undefined) return undefined;
  if ((diagnosis.pod ?? diagnosis.nodes.get(node) ?? diagnosis.absent).unresolvable) return undefined;
  for (const other of node.pods.values()) {
    if (other.priority < pod.priority && terminatingByPreemption(other)) {
      return 'not eligible due to a terminating pod on the nominated node.';
    }
  }
  return undefined;
}

function terminatingByPreemption(pod: PodInfo): boolean {
  if (!pod.terminating) return false;
  const condition = pod.pod.status?.conditions?.find((c) => c.type === 'DisruptionTarget');
  return condition?.status === 'True' && condition.reason === 'PreemptionByScheduler';
}

/** Nodes where taking pods away may help. */
function promisingNodes(diagnosis: Diagnosis, cache: ClusterCache): readonly NodeInfo[] {
  if (diagnosis.pod !== undefined) return diagnosis.pod.unresolvable ? [] : cache.nodes;
  const { nodes, rejections } = diagnosis.nodes;
  return nodes.filter((_, i) => !rejections[i]!.unresolvable);
}

function tryNodes(
  pod: PodInfo,
  plans: PodPlans,
  nodes: readonly NodeInfo[],
  verdicts: NodeVerdicts,
  options: PreemptionOptions,
): readonly PreemptionCandidate[] {
  if (pod.priority <= options.cache.lowestPriority) {
    for (const node of nodes) verdicts.add(node, noVictims);
    return [];
  }
  const share = Math.trunc((nodes.length * MIN_CANDIDATES_PERCENTAGE) / 100);
  const enough = Math.min(nodes.length, Math.max(share, MIN_CANDIDATES));
  const offset = options.random.int(nodes.length);
  const clean: PreemptionCandidate[] = [];
  const violating: PreemptionCandidate[] = [];
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[(offset + i) % nodes.length]!;
    const found = selectVictims(pod, plans, node, options);
    if ('reasons' in found) {
      verdicts.add(node, found);
      continue;
    }
    (found.violations === 0 ? clean : violating).push(found);
    if (clean.length > 0 && clean.length + violating.length >= enough) break;
  }
  return [...clean, ...violating];
}

/** The fewest and least important pods whose going makes room on a node, or why that does not help. */
export function selectVictims(
  pod: PodInfo,
  plans: PodPlans,
  node: NodeInfo,
  options: PreemptionOptions,
): PreemptionCandidate | Rejection {
  const { cache, algorithm } = options;
  const lower = [...node.pods.values()].filter((other) => other.priority < pod.priority);
  if (lower.length === 0) return noVictims;
  const beyond = plans.global.some(({ plan }) => plan.filter !== undefined) || cache.nominatedTo(node.name) !== undefined;
  if (!beyond) {
    // Only plugins that look at one node have a say, so a copy of it will do.
    const copy = node.emptied();
    for (const other of node.pods.values()) if (other.priority >= pod.priority) copy.add(other);
    return chooseVictims(lower, node, options, {
      add: (other) => copy.add(other),
      remove: (other) => copy.remove(other.uid),
      check: () => plans.local.tryOut(copy),
    });
  }
  return cache.attempt(node, () => {
    for (const other of lower) cache.lift(other.uid);
    return chooseVictims(lower, node, options, {
      add: (other) => cache.place(other, node.name),
      remove: (other) => cache.lift(other.uid),
      check: () => algorithm.check(pod, plans, node, true),
    });
  });
}

/** A node on which pods come and go to see what follows for the preemptor. */
interface Trial {
  add(other: PodInfo): void;
  remove(other: PodInfo): void;
  check(): Rejection | undefined;
}

/** Chooses among the pods of lower priority, the more important (by priority, then by age) to be spared first. All of them have been taken off in the trial. */
function chooseVictims(
  lower: PodInfo[],
  node: NodeInfo,
  options: PreemptionOptions,
  trial: Trial,
): PreemptionCandidate | Rejection {
  const { now } = options;
  const rejection = trial.check();
  if (rejection !== undefined) return rejection;
  const starts = new Map(lower.map((other) => [other, startOf(other, now)]));
  const byImportance = (a: PodInfo, b: PodInfo): number => b.priority - a.priority || starts.get(a)! - starts.get(b)!;
  lower.sort(byImportance);
  const { violating, others } = splitByBudget(lower, options);
  const victims: PodInfo[] = [];
  /** Puts a pod back if the preemptor still fits then; otherwise it is a victim. */
  const spare = (other: PodInfo): boolean => {
    trial.add(other);
    if (trial.check() === undefined) return true;
    trial.remove(other);
    victims.push(other);
    return false;
  };
  let violations = 0;
  // Those whose budget is used up are spared first, and in either group the most important.
  for (const other of violating) if (!spare(other)) violations++;
  for (const other of others) spare(other);
  if (victims.length === 0) return noRoom;
  if (violating.length > 0 && others.length > 0) victims.sort(byImportance);
  return { node, victims, violations };
}

/** Pods whose going would break a disruption budget, if all of these went in this order, and the others. */
function splitByBudget(
  pods: readonly PodInfo[],
  options: PreemptionOptions,
): { readonly violating: readonly PodInfo[]; readonly others: readonly PodInfo[] } {
  const violating: PodInfo[] = [];
  const others: PodInfo[] = [];
  const left = new Map<PodDisruptionBudget, number>();
  const selectors = new Map<PodDisruptionBudget, LabelSelector>();
  for (const pod of pods) {
    let violates = false;
    if (Object.keys(pod.labels).length > 0) {
      for (const budget of options.budgets(pod.namespace)) {
        let selector = selectors.get(budget);
        if (selector === undefined) {
          selector = compileSelector(budget.spec?.selector);
          selectors.set(budget, selector);
        }
        if (selector.empty || !selector.matches(pod.labels)) continue;
        // The API has let it go already.
        if (budget.status?.disruptedPods?.[pod.name] !== undefined) continue;
        const allowed = (left.get(budget) ?? budget.status?.disruptionsAllowed ?? 0) - 1;
        left.set(budget, allowed);
        if (allowed < 0) violates = true;
      }
    }
    (violates ? violating : others).push(pod);
  }
  return { violating, others };
}

const startOf = (pod: PodInfo, now: number): number => parseTime(pod.pod.status?.startTime) ?? now;

/** The candidate that costs least: by each rule in turn, until one is left. */
export function bestCandidate(candidates: readonly PreemptionCandidate[], now: number): PreemptionCandidate {
  const costs: readonly ((c: PreemptionCandidate) => number)[] = [
    (c) => c.violations,
    (c) => c.victims[0]!.priority,
    (c) => c.victims.reduce((sum, v) => sum + v.priority + PRIORITY_OFFSET, 0),
    (c) => c.victims.length,
    (c) => -earliestStart(c, now),
  ];
  let left = candidates;
  for (const cost of costs) {
    if (left.length === 1) break;
    let least = Number.POSITIVE_INFINITY;
    let cheapest: PreemptionCandidate[] = [];
    for (const candidate of left) {
      const value = cost(candidate);
      if (value < least) {
        least = value;
        cheapest = [];
      }
      if (value === least) cheapest.push(candidate);
    }
    left = cheapest;
  }
  return left[0]!;
}

/** When the first of the victims of highest priority started. */
function earliestStart({ victims }: PreemptionCandidate, now: number): number {
  const { priority } = victims[0]!;
  let earliest = Number.POSITIVE_INFINITY;
  for (const v of victims) if (v.priority === priority) earliest = Math.min(earliest, startOf(v, now));
  return earliest;
}
