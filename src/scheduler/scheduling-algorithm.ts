import type { Random } from '../util/random.ts';
import { type Diagnosis, NodeVerdicts } from './diagnosis.ts';
import { type ClusterView, isRejection, type Plugin, type PodPlan, type Rejection } from './framework.ts';
import { LocalVerdictCache, type LocalVerdicts } from './local-verdicts.ts';
import { type ExtensionPoint, noMetrics, type SchedulerMetrics } from './metrics.ts';
import type { NodeInfo } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';
import { grown } from './typed-array.ts';

/** Fewer nodes than this are all looked at. */
const MIN_FEASIBLE_NODES = 100;
const MIN_FEASIBLE_PERCENTAGE = 5;

/** What the plugins that look beyond a single node worked out for a pod. */
export interface GlobalPlan {
  readonly plugin: Plugin;
  readonly plan: PodPlan;
}

/** A pod's plans. */
export interface PodPlans {
  readonly local: LocalVerdicts;
  readonly global: readonly GlobalPlan[];
}

export interface Placement {
  readonly node: NodeInfo;
  readonly plans: PodPlans;
  /** Nodes looked at, and those of them that would do. */
  readonly evaluated: number;
  readonly feasible: number;
}

/** Where a pod goes, or why nowhere. */
export type Decision =
  | { readonly placement: Placement; readonly diagnosis?: undefined }
  | { readonly placement?: undefined; readonly diagnosis: Diagnosis; readonly plans: PodPlans | undefined };

export interface AlgorithmOptions {
  readonly view: ClusterView;
  readonly plugins: readonly Plugin[];
  readonly random: Random;
  /** Told how long the stages took; the time comes from `monotonic`, in milliseconds. */
  readonly timing?: { readonly metrics: SchedulerMetrics; monotonic(): number };
  /** Share of nodes that must be found to fit before the best of them is taken; 0 adapts to the size of the cluster. */
  readonly percentageOfNodesToScore?: number;
}

const notLookedAt: Rejection = { plugin: '', reasons: [], unresolvable: true };
const noPlans: readonly GlobalPlan[] = [];
const untimed = { metrics: noMetrics, monotonic: () => 0 };

/** Finds nodes for pods: filters, then scores. Synchronous: nothing changes while it decides. */
export class SchedulingAlgorithm {
  readonly #view: ClusterView;
  readonly #globals: readonly Plugin[];
  readonly #verdicts: LocalVerdictCache;
  readonly #random: Random;
  readonly #percentage: number;
  readonly #timing: NonNullable<AlgorithmOptions['timing']>;
  /** Where in the order of nodes the next search begins, so that all have the same chance. */
  #start = 0;
  readonly #feasible: NodeInfo[] = [];
  #totals: Int32Array<ArrayBuffer> = new Int32Array(0);
  #scratch: Int32Array<ArrayBuffer> = new Int32Array(0);

  constructor(options: AlgorithmOptions) {
    this.#view = options.view;
    this.#globals = options.plugins.filter((plugin) => !plugin.local);
    this.#verdicts = new LocalVerdictCache(options.plugins);
    this.#random = options.random;
    this.#percentage = options.percentageOfNodesToScore ?? 0;
    this.#timing = options.timing ?? untimed;
  }

  schedule(pod: PodInfo): Decision {
    const { cache } = this.#view;
    const all = cache.nodes;
    const start = this.#timing.monotonic();
    const planned = this.plan(pod);
    this.#took('PreFilter', !isRejection(planned), start);
    if (isRejection(planned)) {
      return {
        diagnosis: {
          total: all.length,
          pod: planned,
          nodes: new NodeVerdicts(),
          absent: planned,
          plugins: new Set([planned.plugin]),
        },
        plans: undefined,
      };
    }
    const nominated = cache.nominatedNode(pod.uid) ?? pod.pod.status?.nominatedNodeName ?? '';
    const target = nominated === '' ? undefined : cache.node(nominated);
    if (target !== undefined && this.check(pod, planned, target) === undefined) {
      return { placement: { node: target, plans: planned, evaluated: 1, feasible: 1 } };
    }
    const { nodes: wanted, by } = restriction(planned);
    let nodes = all;
    let absent = notLookedAt;
    if (wanted !== undefined) {
      const named: NodeInfo[] = [];
      for (const name of wanted) {
        const node = cache.node(name);
        if (node !== undefined) named.push(node);
      }
      nodes = named;
      absent = { plugin: '', reasons: [`node(s) didn't satisfy plugin(s) [${by.join(' ')}]`], unresolvable: true };
    }
    return this.#search(pod, planned, nodes, all.length, absent, by);
  }

  /** A pod's plans, or a verdict on the pod as a whole. */
  plan(pod: PodInfo): PodPlans | Rejection {
    const local = this.#verdicts.of(pod, this.#view);
    if (local.rejection !== undefined) return local.rejection;
    let global: GlobalPlan[] | undefined;
    for (const plugin of this.#globals) {
      const plan = plugin.plan(pod, this.#view);
      if (plan === undefined) continue;
      if (isRejection(plan)) return plan;
      (global ??= []).push({ plugin, plan });
    }
    return { local, global: global ?? noPlans };
  }

  /**
   * Whether a pod fits a node, with the pods that are to come there and without (RunFilterPluginsWithNominatedPods). `trial`: the state of the
   * node is only being tried out, and nothing may be kept of what is found.
   */
  check(pod: PodInfo, plans: PodPlans, node: NodeInfo, trial = false): Rejection | undefined {
    const nominated = this.#view.cache.nominatedTo(node.name);
    if (nominated !== undefined) {
      const rejection = this.#checkWithNominated(pod, plans, node, nominated.values());
      if (rejection !== undefined) return rejection;
    }
    return (trial ? plans.local.tryOut(node) : plans.local.judge(node)) ?? firstRejection(plans.global, node);
  }

  #checkWithNominated(pod: PodInfo, plans: PodPlans, node: NodeInfo, nominated: Iterable<PodInfo>): Rejection | undefined {
    const { cache } = this.#view;
    const coming = [...nominated].filter(
      (p) => p.uid !== pod.uid && p.priority >= pod.priority && cache.nodeOf(p.uid) === undefined,
    );
    if (coming.length === 0) return undefined;
    return cache.attempt(node, () => {
      for (const other of coming) cache.place(other, node.name);
      return plans.local.tryOut(node) ?? firstRejection(plans.global, node);
    });
  }

  #search(
    pod: PodInfo,
    plans: PodPlans,
    nodes: readonly NodeInfo[],
    total: number,
    absent: Rejection,
    restrictedBy: readonly string[],
  ): Decision {
    const start = this.#timing.monotonic();
    const enough = feasibleNodesToFind(nodes.length, this.#percentage);
    const feasible = this.#feasible;
    feasible.length = 0;
    const verdicts = new NodeVerdicts();
    const count = nodes.length;
    let index = count === 0 ? 0 : this.#start % count;
    for (let seen = 0; seen < count; seen++) {
      const node = nodes[index]!;
      if (++index === count) index = 0;
      const rejection = this.check(pod, plans, node);
      if (rejection !== undefined) {
        verdicts.add(node, rejection);
        continue;
      }
      feasible.push(node);
      if (feasible.length >= enough) break;
    }
    const evaluated = feasible.length + verdicts.size;
    this.#start = total === 0 ? 0 : (this.#start + evaluated) % total;
    this.#took('Filter', feasible.length > 0, start);
    if (feasible.length > 0) {
      const node = feasible.length === 1 ? feasible[0]! : this.#best(plans, feasible);
      return { placement: { node, plans, evaluated, feasible: feasible.length } };
    }
    const plugins = new Set(restrictedBy);
    for (const rejection of verdicts.rejections) plugins.add(rejection.plugin);
    return { diagnosis: { total, pod: undefined, nodes: verdicts, absent, plugins }, plans };
  }

  #took(point: ExtensionPoint, success: boolean, start: number): void {
    this.#timing.metrics.extensionPoint(point, success, (this.#timing.monotonic() - start) / 1000);
  }

  /** The node with the most points; one of them at random when several have. */
  #best(plans: PodPlans, nodes: readonly NodeInfo[]): NodeInfo {
    const start = this.#timing.monotonic();
    const totals = this.#score(plans, nodes);
    this.#took('Score', true, start);
    let most = -1;
    let ties = 0;
    for (let i = 0; i < nodes.length; i++) {
      const total = totals[i]!;
      if (total > most) {
        most = total;
        ties = 1;
      } else if (total === most) ties++;
    }
    let pick = ties === 1 ? 0 : this.#random.int(ties);
    for (let i = 0; i < nodes.length; i++) if (totals[i] === most && pick-- === 0) return nodes[i]!;
    throw new Error('no node has the most points');
  }

  /** Points of each node, in the order given. The array is used again by the next call. */
  #score(plans: PodPlans, nodes: readonly NodeInfo[]): Int32Array {
    const count = nodes.length;
    this.#totals = grown(this.#totals, count);
    this.#scratch = grown(this.#scratch, count);
    const totals = this.#totals;
    const scores = this.#scratch.subarray(0, count);
    for (let i = 0; i < count; i++) totals[i] = plans.local.score(nodes[i]!);
    for (const { plugin, plan, bySlot } of plans.local.raw) {
      for (let i = 0; i < count; i++) scores[i] = bySlot[nodes[i]!.slot]!;
      plan.normalize!(scores, nodes);
      for (let i = 0; i < count; i++) totals[i]! += scores[i]! * plugin.weight;
    }
    for (const { plugin, plan } of plans.global) {
      if (plan.score === undefined || plan.preScore?.(nodes) === false) continue;
      for (let i = 0; i < count; i++) scores[i] = plan.score(nodes[i]!);
      plan.normalize?.(scores, nodes);
      for (let i = 0; i < count; i++) totals[i]! += scores[i]! * plugin.weight;
    }
    return totals;
  }
}

/** How many nodes that fit are enough (numFeasibleNodesToFind): all of a small cluster, from half down to 5 % of a large one. */
export function feasibleNodesToFind(nodes: number, percentage: number): number {
  if (nodes < MIN_FEASIBLE_NODES) return nodes;
  const share = percentage === 0 ? Math.max(MIN_FEASIBLE_PERCENTAGE, 50 - Math.trunc(nodes / 125)) : percentage;
  return Math.max(MIN_FEASIBLE_NODES, Math.trunc((nodes * share) / 100));
}

function restriction(plans: PodPlans): { readonly nodes: ReadonlySet<string> | undefined; readonly by: readonly string[] } {
  let { nodes, restrictedBy: by } = plans.local;
  for (const { plugin, plan } of plans.global) {
    if (plan.nodes === undefined) continue;
    nodes = nodes === undefined ? plan.nodes : nodes.intersection(plan.nodes);
    by = [...by, plugin.name].sort();
  }
  return { nodes, by };
}

function firstRejection(plans: readonly GlobalPlan[], node: NodeInfo): Rejection | undefined {
  for (let i = 0; i < plans.length; i++) {
    const { plan } = plans[i]!;
    if (plan.filter === undefined) continue;
    const rejection = plan.filter(node);
    if (rejection !== undefined) return rejection;
  }
  return undefined;
}
